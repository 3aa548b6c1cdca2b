//! What a source has given, learned.

use std::sync::Arc;

use super::stats::SourceMeters;
use crate::engine::queue::RowsAtSending;
use crate::engine::writer::Writer;
use crate::ingest::Interaction;
use crate::journal::Record;
use crate::model::{Outcome, Solve};

/// A part of what a source has given: it goes through the queue as one.
#[derive(Debug)]
pub(in crate::engine) struct SourcePart {
    pub(in crate::engine) meters: Arc<SourceMeters>,
    /// Each with the offset behind it.
    pub(in crate::engine) events: Vec<(Interaction, RowsAtSending, u64)>,
    /// Where the source goes on after all of it.
    pub(in crate::engine) offset: u64,
}

impl Writer {
    /// Learns and publishes it. Says `Applied` if the source may go on: what was refused of it is counted and passed over.
    pub(in crate::engine) fn learn_part(&mut self, part: &SourcePart) -> Outcome {
        if let Err(refusal) = self.check_writable() {
            return Outcome::Rejected(refusal);
        }
        let source = &*part.meters.name;
        let learn = |(interaction, rows, offset): &(Interaction, RowsAtSending, u64)| {
            self.apply_step(interaction, *rows, Solve::Now, Some((source, *offset)))
        };
        let mut outcomes: Vec<Outcome> = part.events.iter().map(learn).collect();
        // Behind an event that was learned the offset is where it should be.
        if self.source_offsets.get(source) != Some(&part.offset) {
            self.log(|| Record::SourceOffset { source: source.to_owned(), offset: part.offset });
            self.seq = self.seq.next();
            self.perform_step(source, part.offset);
        }
        if self.publish().is_err() {
            self.take_back(&mut outcomes);
            return Outcome::StoreFailed;
        }
        for outcome in outcomes {
            part.meters.count(outcome);
        }
        Outcome::Applied(self.seq)
    }
}
