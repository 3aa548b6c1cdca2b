//! What the writer says of its memory, and of what did not get into the journal.

use super::meters::WriterBytes;
use super::rollback::ModelBefore;
use super::writer::Writer;
use crate::model::{Generation, Outcome};

impl Writer {
    /// Tells the meters how much memory there is where. Done between batches, so it adds up what is known and walks through
    /// nothing.
    pub(super) fn tell_bytes(&self) {
        let before = self.model_before.as_deref();
        let retired = self.retired.iter().filter(|old| before.is_none_or(|before| !before.holds(old)));
        self.meters.set_bytes(WriterBytes {
            capped: self.n_bytes_capped(),
            histories: self.n_state_bytes - self.n_vector_bytes,
            user_vectors: self.n_vector_bytes,
            ids: self.n_bytes - self.n_state_bytes,
            by_item: self.by_item.n_bytes(),
            dedupe: self.dedupe.n_bytes(),
            journal_buffer: self.journal.as_ref().map_or(0, |journal| journal.n_buffer_bytes() as u64),
            model_before: before.map_or(0, ModelBefore::n_bytes),
            retired_generations: retired.map(|old| n_bytes_of(old)).sum(),
        });
    }

    /// Counts events that the journal has failed to take, and says so of each.
    pub(super) fn take_back(&self, outcomes: &mut [Outcome]) {
        for outcome in outcomes {
            outcome.take_back();
            self.meters.store_failed.add(u64::from(*outcome == Outcome::StoreFailed));
        }
    }
}

fn n_bytes_of(generation: &Generation) -> u64 {
    let items = &generation.items.load().rows;
    generation.n_bytes_of_users() + items.n_bytes_of_rows() + items.n_bytes_of_index()
}
