//! Where the memory of an engine is.

use crate::model::Generation;

/// Bytes by part, near enough: what allocators and maps add is not counted, nor what views hold of older models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Histories of users, their latest events, and what is fixed about each.
    pub histories: u64,
    /// Vectors that were solved since the last sweep, beside the histories.
    pub user_vectors: u64,
    /// Ids of users and items.
    pub ids: u64,
    /// The rows that the last sweep has published for the users.
    pub user_factors: u64,
    /// The items' rows.
    pub item_factors: u64,
    /// What searches go through: the rows once more, in small integers.
    pub search_index: u64,
    /// Who listens to each item.
    pub by_item: u64,
    /// Idempotency keys.
    pub dedupe: u64,
    /// The buffer of the journal.
    pub journal_buffer: u64,
    /// The places of the queue, taken or not; what is in them has ids on top.
    pub queue: u64,
    /// What a [rollback](crate::Engine::rollback) would go back to.
    pub model_before: u64,
    /// Generations that a view held when it was last looked.
    pub retired_generations: u64,
    /// What the sweep under way learns from, and the rows that it trains; 0 without one.
    pub training: u64,
}

impl MemoryStats {
    /// All parts together.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Each part by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        [
            ("histories", self.histories),
            ("user_vectors", self.user_vectors),
            ("ids", self.ids),
            ("user_factors", self.user_factors),
            ("item_factors", self.item_factors),
            ("search_index", self.search_index),
            ("by_item", self.by_item),
            ("dedupe", self.dedupe),
            ("journal_buffer", self.journal_buffer),
            ("queue", self.queue),
            ("model_before", self.model_before),
            ("retired_generations", self.retired_generations),
            ("training", self.training),
        ]
        .into_iter()
    }
}

/// The parts that the writer alone knows. It tells them between two batches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WriterBytes {
    /// What the cap is held against; see [`Stats::n_bytes`](crate::Stats::n_bytes).
    pub(crate) capped: u64,
    pub(crate) histories: u64,
    pub(crate) user_vectors: u64,
    pub(crate) ids: u64,
    pub(crate) by_item: u64,
    pub(crate) dedupe: u64,
    pub(crate) journal_buffer: u64,
    pub(crate) model_before: u64,
    pub(crate) retired_generations: u64,
}

impl WriterBytes {
    /// With what the published model and the queue take.
    pub(super) fn with(self, generation: &Generation, queue: u64, training: u64) -> MemoryStats {
        let items = &generation.items.load().rows;
        MemoryStats {
            histories: self.histories,
            user_vectors: self.user_vectors,
            ids: self.ids,
            user_factors: generation.n_bytes_of_users(),
            item_factors: items.n_bytes_of_rows(),
            search_index: items.n_bytes_of_index(),
            by_item: self.by_item,
            dedupe: self.dedupe,
            journal_buffer: self.journal_buffer,
            queue,
            model_before: self.model_before,
            retired_generations: self.retired_generations,
            training,
        }
    }
}
