//! Where an engine keeps what it has learned, and how often it writes a checkpoint.

use std::sync::Arc;
use std::time::Duration;

use crate::journal::Durability;
use crate::storage::{Storage, StorageLock};
use crate::types::Timestamp;

/// When a checkpoint is due: whichever comes first. Opening a store reads the latest one and replays what the
/// journal holds after it, which takes about as long as learning it did, so this bounds how long a restart takes.
///
/// The default is 10 seconds of replay, or 15 minutes with something new.
///
/// ```
/// use segue::CheckpointEvery;
/// use std::time::Duration;
///
/// let back_sooner = CheckpointEvery::default().replay(Duration::from_secs(3));
/// let by_the_hour = CheckpointEvery::call().time(Duration::from_secs(3_600));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointEvery {
    replay: Option<Duration>,
    records: Option<u64>,
    time: Option<Duration>,
}

impl Default for CheckpointEvery {
    fn default() -> Self {
        Self::call().replay(Duration::from_secs(10)).time(Duration::from_secs(15 * 60))
    }
}

impl CheckpointEvery {
    /// Only when the host calls for one, and after somebody was forgotten.
    pub fn call() -> Self {
        Self { replay: None, records: None, time: None }
    }

    /// Once the engine has worked so long since the last one, sweeps included, near enough: replaying would take
    /// about that. Never less than four times what the last checkpoint took to write, so that a large store under
    /// load does not write checkpoints without a pause.
    #[must_use]
    pub fn replay(self, replay: Duration) -> Self {
        Self { replay: Some(replay), ..self }
    }

    /// Every so many records of the journal: near enough, events.
    #[must_use]
    pub fn records(self, records: u64) -> Self {
        Self { records: Some(records), ..self }
    }

    /// Every so often, if there is anything new.
    #[must_use]
    pub fn time(self, time: Duration) -> Self {
        Self { time: Some(time), ..self }
    }

    fn is_due(self, since: Since) -> bool {
        let least_work = since.last_took.saturating_mul(4);
        since.records > 0
            && (self.replay.is_some_and(|replay| since.work >= replay.max(least_work))
                || self.records.is_some_and(|records| since.records >= records)
                || self.time.is_some_and(|time| since.time >= time))
    }
}

/// What has come since the last checkpoint.
#[derive(Debug, Clone, Copy)]
struct Since {
    records: u64,
    work: Duration,
    time: Duration,
    /// What writing that checkpoint took.
    last_took: Duration,
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
    /// The last record and the time of the last checkpoint that was begun.
    pub(super) last_record: u64,
    pub(super) last_at: Timestamp,
    /// What the last checkpoint took to write; zero if that is not known.
    pub(super) last_took: Duration,
    /// How long the engine has worked since.
    pub(super) work: Duration,
    /// Checkpoints that were found damaged: none of those that are kept.
    pub(super) damaged: Arc<[String]>,
    /// Keeps other engines out for as long as this one has the store.
    pub(super) _lock: Box<dyn StorageLock>,
}

impl Store {
    /// Whether a checkpoint is due, `record` being the last there was.
    pub(super) fn wants_checkpoint(&self, record: u64, now: Timestamp) -> bool {
        self.every.is_due(Since {
            records: record.saturating_sub(self.last_record),
            work: self.work,
            time: now.saturating_since(self.last_at),
            last_took: self.last_took,
        })
    }

    /// A checkpoint was begun: the next is due so long after it, whether it succeeds or not.
    pub(super) fn checkpoint_begun(&mut self, record: u64, now: Timestamp) {
        (self.last_record, self.last_at, self.work) = (record, now, Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whichever_comes_first_makes_a_checkpoint_due() {
        let seconds = Duration::from_secs;
        let every = CheckpointEvery::call().records(10).replay(seconds(5)).time(seconds(60));
        let since = |records, work, time| Since {
            records,
            work: seconds(work),
            time: seconds(time),
            last_took: Duration::ZERO,
        };
        assert!(!every.is_due(since(9, 4, 59)));
        assert!(
            every.is_due(since(10, 0, 0)) && every.is_due(since(1, 5, 0)) && every.is_due(since(1, 0, 60))
        );
        assert!(!every.is_due(since(0, 100, 3_600)), "nothing is new");
        assert!(!CheckpointEvery::call().is_due(since(u64::MAX, u64::MAX, u64::MAX)));
        let last_took = seconds(3);
        assert!(!every.is_due(Since { last_took, ..since(1, 11, 0) }), "the last one took long");
        assert!(every.is_due(Since { last_took, ..since(1, 12, 0) }));
    }
}
