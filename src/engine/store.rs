//! Where an engine keeps what it has learned, and how often it writes a checkpoint.

use std::sync::Arc;
use std::time::Duration;

use crate::journal::Durability;
use crate::storage::{Storage, StorageLock};
use crate::types::Timestamp;

/// When a checkpoint is due: whichever comes first. Opening a store reads the latest one and replays what the
/// journal holds after it, so this bounds how long that takes, and how large the journal grows.
///
/// The default is 1,000,000 records of the journal, 4 published sweeps (replaying one means training it once
/// more), or 15 minutes with something new.
///
/// ```
/// use segue::CheckpointEvery;
/// use std::time::Duration;
///
/// let every = CheckpointEvery::default().records(200_000).time(Duration::from_secs(300));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointEvery {
    records: Option<u64>,
    sweeps: Option<u64>,
    time: Option<Duration>,
}

impl Default for CheckpointEvery {
    fn default() -> Self {
        Self { records: Some(1_000_000), sweeps: Some(4), time: Some(Duration::from_secs(15 * 60)) }
    }
}

impl CheckpointEvery {
    /// Only when the host calls for one, and after somebody was forgotten.
    pub fn call() -> Self {
        Self { records: None, sweeps: None, time: None }
    }

    /// Every so many records of the journal: near enough, events.
    #[must_use]
    pub fn records(self, records: u64) -> Self {
        Self { records: Some(records), ..self }
    }

    /// Every so many published sweeps.
    #[must_use]
    pub fn sweeps(self, sweeps: u64) -> Self {
        Self { sweeps: Some(sweeps), ..self }
    }

    /// Every so often, if there is anything new.
    #[must_use]
    pub fn time(self, time: Duration) -> Self {
        Self { time: Some(time), ..self }
    }

    fn is_due(self, since: Since) -> bool {
        since.records > 0
            && (self.records.is_some_and(|records| since.records >= records)
                || self.sweeps.is_some_and(|sweeps| since.sweeps >= sweeps)
                || self.time.is_some_and(|time| since.time >= time))
    }
}

/// What has come since the last checkpoint.
#[derive(Debug, Clone, Copy)]
struct Since {
    records: u64,
    sweeps: u64,
    time: Duration,
}

/// What a builder is told of a store.
#[derive(Debug, Clone)]
pub(super) struct StoreSettings {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) durability: Durability,
}

/// An open store, as far as the journal does not know it.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) every: CheckpointEvery,
    /// Whether segments that no checkpoint needs are kept for a full replay.
    pub(super) keep_journal: bool,
    pub(super) last_record: u64,
    pub(super) last_sweeps: u64,
    pub(super) last_at: Timestamp,
    /// Keeps other engines out for as long as this one has the store.
    pub(super) _lock: Box<dyn StorageLock>,
}

impl Store {
    /// Whether a checkpoint is due, `record` and `sweeps` being the last there were.
    pub(super) fn wants_checkpoint(&self, record: u64, sweeps: u64, now: Timestamp) -> bool {
        self.every.is_due(Since {
            records: record.saturating_sub(self.last_record),
            sweeps: sweeps.saturating_sub(self.last_sweeps),
            time: now.saturating_since(self.last_at),
        })
    }

    /// A checkpoint was begun: the next is due so long after it, whether it succeeds or not.
    pub(super) fn checkpoint_begun(&mut self, record: u64, sweeps: u64, now: Timestamp) {
        (self.last_record, self.last_sweeps, self.last_at) = (record, sweeps, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_comes_first_makes_a_checkpoint_due() {
        let every = CheckpointEvery::call().records(10).sweeps(2).time(Duration::from_secs(60));
        let since = |records, sweeps, seconds| Since { records, sweeps, time: Duration::from_secs(seconds) };
        assert!(!every.is_due(since(9, 1, 59)));
        assert!(
            every.is_due(since(10, 0, 0)) && every.is_due(since(1, 2, 0)) && every.is_due(since(1, 0, 60))
        );
        assert!(!every.is_due(since(0, 0, 3_600)), "nothing is new");
        assert!(!CheckpointEvery::call().is_due(since(u64::MAX, u64::MAX, u64::MAX)));
    }
}
