//! Bulk loading: histories without a solve per event.

use std::collections::HashMap;

use super::queue::BulkOutcomes;
use crate::ingest::{Admission, EventError, Interaction};
use crate::model::{Outcome, Refusal};
use crate::types::Event;

/// Events of an import that travel together.
pub(super) const CHUNK: usize = 4_096;

/// What became of the events of an import.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ImportReport {
    /// Events learned.
    pub applied: u64,
    /// Events dropped because their idempotency key was seen before.
    pub duplicates: u64,
    /// Events refused, by reason.
    pub refused: HashMap<Refusal, u64>,
    /// Events that were not well formed.
    pub malformed: u64,
    /// The first of those: its place among the events, from 0, and what was wrong with it.
    pub first_malformed: Option<(u64, EventError)>,
}

impl ImportReport {
    /// Validates an event; counts it if it is not well formed.
    pub(super) fn admit(&mut self, place: u64, event: Event, admission: &Admission) -> Option<Interaction> {
        match admission.admit(event) {
            Ok(interaction) => Some(interaction),
            Err(invalid) => {
                self.malformed += 1;
                self.first_malformed.get_or_insert((place, invalid.error));
                None
            }
        }
    }

    pub(super) fn count_all(&mut self, outcomes: BulkOutcomes) {
        for outcome in outcomes {
            self.count(outcome);
        }
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Applied(_) => self.applied += 1,
            Outcome::Duplicate => self.duplicates += 1,
            Outcome::Rejected(refusal) => *self.refused.entry(refusal).or_default() += 1,
            Outcome::Stopped | Outcome::StoreFailed => {}
        }
    }
}
