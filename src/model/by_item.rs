//! Who listened to what: the histories seen from the items' side.

use crate::types::{ItemIdx, UserIdx};

/// An item is solved again once its confidence has grown by this share since it was last solved.
/// Re-solving every touched item would be ruinous: at a music service's skew a few thousand events touch
/// items that hold half of all pairs.
const DUE_GROWTH: f64 = 1.05;

/// What is known of one item.
#[derive(Debug, Clone, Default)]
struct Record {
    /// In order of arrival; sorted where order matters.
    listeners: Vec<UserIdx>,
    /// Σ of the confidences of all events, without decay: only growth is read from it.
    confidence: f64,
    solved_at_confidence: f64,
    queued: bool,
}

/// What is kept of an item beside its listeners, for a store to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ItemRecord {
    pub(crate) confidence: f64,
    pub(crate) solved_at_confidence: f64,
    /// Whether it is lined up for the next batch.
    pub(crate) is_due: bool,
}

/// The listeners of every item, and the items that are due for a solve.
///
/// Memory: 4 bytes a pair and 56 an item.
#[derive(Debug, Default)]
pub(crate) struct ByItem {
    records: Vec<Record>,
    due: Vec<ItemIdx>,
    /// Pairs of an item and a listener.
    n_pairs: u64,
}

impl ByItem {
    /// Makes room for items up to `n_items`.
    pub(crate) fn grow_to(&mut self, n_items: usize) {
        if n_items > self.records.len() {
            self.records.resize_with(n_items, Record::default);
        }
    }

    pub(crate) fn n_items(&self) -> usize {
        self.records.len()
    }

    /// Pairs of an item and a listener: the cells of all histories.
    pub(crate) fn n_pairs(&self) -> usize {
        usize::try_from(self.n_pairs).expect("they are in memory")
    }

    /// Memory held, near enough.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_pairs * size_of::<UserIdx>() as u64 + size_of_val(&*self.records) as u64
    }

    /// A cell was made.
    pub(crate) fn add_listener(&mut self, item: ItemIdx, user: UserIdx) {
        self.records[item.index()].listeners.push(user);
        self.n_pairs += 1;
    }

    /// A cell is gone.
    pub(crate) fn remove_listener(&mut self, item: ItemIdx, user: UserIdx) {
        let listeners = &mut self.records[item.index()].listeners;
        if let Some(at) = listeners.iter().position(|&listener| listener == user) {
            listeners.swap_remove(at);
            self.n_pairs -= 1;
        }
    }

    /// An event added `confidence` to an item; it may become due.
    pub(crate) fn grow(&mut self, item: ItemIdx, confidence: f32) {
        let record = &mut self.records[item.index()];
        record.confidence += f64::from(confidence);
        // Strictly greater: an item with no confidence at all is not due.
        if !record.queued && record.confidence > record.solved_at_confidence * DUE_GROWTH {
            record.queued = true;
            self.due.push(item);
        }
    }

    /// An event that had added `confidence` to an item was taken back.
    pub(crate) fn shrink(&mut self, item: ItemIdx, confidence: f32) {
        let record = &mut self.records[item.index()];
        record.confidence = (record.confidence - f64::from(confidence)).max(0.0);
    }

    /// An item is forgotten: it has no listeners and is not due. Gives the listeners it had, in ascending
    /// order.
    pub(crate) fn forget_item(&mut self, item: ItemIdx) -> Vec<UserIdx> {
        let mut record = std::mem::take(&mut self.records[item.index()]);
        self.due.retain(|due| *due != item);
        self.n_pairs -= record.listeners.len() as u64;
        record.listeners.sort_unstable();
        record.listeners
    }

    /// Users whose histories hold `item`, in no particular order.
    pub(crate) fn listeners(&self, item: ItemIdx) -> &[UserIdx] {
        &self.records[item.index()].listeners
    }

    /// The due items in ascending order, each marked as solved at its present confidence.
    pub(crate) fn take_due(&mut self) -> Vec<ItemIdx> {
        let mut due = std::mem::take(&mut self.due);
        due.sort_unstable();
        for item in &due {
            let record = &mut self.records[item.index()];
            record.queued = false;
            record.solved_at_confidence = record.confidence;
        }
        due
    }

    /// A sweep has solved every item as of `confidences`, which were read when its input was frozen;
    /// what has grown since is due again.
    pub(crate) fn solved_by_sweep(&mut self, confidences: &[f64]) {
        self.due.clear();
        for (row, record) in self.records.iter_mut().enumerate() {
            record.solved_at_confidence = confidences.get(row).copied().unwrap_or(0.0);
            record.queued = record.confidence > record.solved_at_confidence * DUE_GROWTH;
            if record.queued {
                self.due.push(ItemIdx::new(u32::try_from(row).expect("items are capped at u32")));
            }
        }
    }

    /// The confidence of every item, for [`solved_by_sweep`](Self::solved_by_sweep).
    pub(crate) fn confidences(&self) -> Vec<f64> {
        self.records.iter().map(|record| record.confidence).collect()
    }

    /// What is kept of every item beside its listeners.
    pub(crate) fn records(&self) -> Vec<ItemRecord> {
        let record = |record: &Record| ItemRecord {
            confidence: record.confidence,
            solved_at_confidence: record.solved_at_confidence,
            is_due: record.queued,
        };
        self.records.iter().map(record).collect()
    }

    /// From what [`records`](Self::records) gave. Listeners come back by
    /// [`add_listener`](Self::add_listener).
    pub(crate) fn from_records(records: &[ItemRecord]) -> Self {
        let due = |(row, record): (usize, &ItemRecord)| {
            let row = u32::try_from(row).expect("items are capped at u32");
            record.is_due.then_some(ItemIdx::new(row))
        };
        let record = |record: &ItemRecord| Record {
            listeners: Vec::new(),
            confidence: record.confidence,
            solved_at_confidence: record.solved_at_confidence,
            queued: record.is_due,
        };
        Self {
            due: records.iter().enumerate().filter_map(due).collect(),
            records: records.iter().map(record).collect(),
            n_pairs: 0,
        }
    }

    /// Makes room for as many listeners of each item as `n_listeners` says, so that a store that is read back
    /// moves none of them.
    pub(crate) fn reserve_listeners(&mut self, n_listeners: &[u32]) {
        for (record, &n_listeners) in self.records.iter_mut().zip(n_listeners) {
            record.listeners.reserve_exact(n_listeners as usize);
        }
    }

    /// The number of listeners of every item: its popularity.
    #[expect(clippy::cast_precision_loss, reason = "a ranking by popularity bears rounding past 16 million")]
    pub(crate) fn popularity(&self) -> Vec<f32> {
        self.records.iter().map(|record| record.listeners.len() as f32).collect()
    }
}
