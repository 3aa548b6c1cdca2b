//! Making what was written survive a power cut, beside the writer or in its stead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use thiserror::Error;

use super::durability::asked;
use super::segment::SegmentFile;
use crate::publish::Watermark;
use crate::storage::{Storage, StorageFailure};
use crate::types::EventSeq;

/// How far something has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    pub(super) record: u64,
    pub(super) seq: EventSeq,
}

/// Where the writer and the thread that syncs meet.
///
/// A *round* syncs all files with something unsynced in them, the oldest first, and the directory if it has
/// changed; only then does anything that was in them count as durable. Rounds never overlap: they run on the
/// one thread, or, where there is none (any more), on the writer's.
///
/// INVARIANT: the lock is held only to look and to note, never across a call of the storage.
#[derive(Debug)]
pub(super) struct Syncing {
    storage: Arc<dyn Storage>,
    /// The last event that survives a power cut.
    durable: Arc<Watermark>,
    /// Set with the failure that ends the journal: for those who look often.
    has_failed: Arc<AtomicBool>,
    /// Sync by itself so long after something came in; `None` to do it only when asked.
    interval: Option<Duration>,
    state: Mutex<State>,
    /// Wakes the thread.
    woken: Condvar,
    /// Wakes those who wait for a round.
    round_ended: Condvar,
}

#[derive(Debug)]
struct State {
    /// The last that was handed to the storage.
    appended: Reach,
    /// The last record handed to it that is more than a mark of what is durable.
    last_fact: u64,
    /// The last record that survives a power cut.
    synced: u64,
    /// The files with something unsynced in them, oldest first, each once.
    unsynced: Vec<Arc<SegmentFile>>,
    directory_changed: bool,
    is_wanted: bool,
    rounds_begun: u64,
    rounds_ended: u64,
    /// Set once and for good.
    failure: Option<StorageFailure>,
    life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// The thread is to end.
    Stopping,
    /// Nobody will do another round.
    Over,
}

impl State {
    fn has_unsynced(&self) -> bool {
        !self.unsynced.is_empty() || self.directory_changed
    }
}

/// What is left to sync, and how far that brings it.
struct Round {
    files: Vec<Arc<SegmentFile>>,
    directory_changed: bool,
    number: u64,
    reach: Reach,
}

impl Syncing {
    /// `reach` is what the storage holds durably already.
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        durable: Arc<Watermark>,
        reach: Reach,
        interval: Option<Duration>,
    ) -> Self {
        let state = State {
            appended: reach,
            last_fact: reach.record,
            synced: reach.record,
            unsynced: Vec::new(),
            directory_changed: false,
            is_wanted: false,
            rounds_begun: 0,
            rounds_ended: 0,
            failure: None,
            life: Life::Running,
        };
        let state = Mutex::new(state);
        Self {
            storage,
            durable,
            has_failed: Arc::default(),
            interval,
            state,
            woken: Condvar::new(),
            round_ended: Condvar::new(),
        }
    }

    pub(super) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    pub(super) fn durable(&self) -> &Arc<Watermark> {
        &self.durable
    }

    pub(super) fn has_failed(&self) -> &Arc<AtomicBool> {
        &self.has_failed
    }

    #[cfg(test)]
    pub(super) fn failure(&self) -> Option<StorageFailure> {
        self.state.lock().failure.clone()
    }

    /// The last record that survives a power cut, unless the journal has failed.
    pub(super) fn synced(&self) -> Result<u64, StorageFailure> {
        let state = self.state.lock();
        state.failure.clone().map_or(Ok(state.synced), Err)
    }

    /// Whether something is unsynced that is more than a mark.
    pub(super) fn has_unsynced_facts(&self) -> bool {
        let state = self.state.lock();
        state.synced < state.last_fact
    }

    /// Notes that records up to `reach` were handed to `file`, the last fact among them being `last_fact`.
    pub(super) fn appended(&self, file: &Arc<SegmentFile>, reach: Reach, last_fact: u64) {
        let mut state = self.state.lock();
        let was_idle = state.last_fact <= state.synced;
        state.appended = reach;
        state.last_fact = last_fact;
        if state.unsynced.last().is_none_or(|last| !Arc::ptr_eq(last, file)) {
            state.unsynced.push(Arc::clone(file));
        }
        let is_news = self.interval.is_some() && was_idle && last_fact > state.synced;
        drop(state);
        // The thread needs to hear only of the first: it knows itself when to sync what comes after.
        if is_news {
            self.woken.notify_one();
        }
    }

    /// Notes a new segment, and asks for a round that makes it and the one before durable.
    pub(super) fn segment_begun(&self, file: &Arc<SegmentFile>) {
        let mut state = self.state.lock();
        state.unsynced.push(Arc::clone(file));
        state.directory_changed = true;
        state.is_wanted = true;
        drop(state);
        self.woken.notify_one();
    }

    /// Asks for all that was appended so far to be made durable; gives the number of the round after whose end
    /// it is.
    pub(super) fn want(&self) -> u64 {
        let mut state = self.state.lock();
        if !state.has_unsynced() {
            // It is durable, or part of the round that is under way.
            return state.rounds_begun;
        }
        state.is_wanted = true;
        let round = state.rounds_begun + 1;
        drop(state);
        self.woken.notify_one();
        round
    }

    /// The thread: rounds when they are due or wanted, until it is stopped or one fails.
    pub(super) fn run(&self) {
        while self.wait_for_work() {
            if self.round().is_err() {
                break;
            }
        }
    }

    /// Ends [`run`](Self::run), at the end of the round it is in.
    pub(super) fn stop(&self) {
        self.state.lock().life = Life::Stopping;
        self.woken.notify_one();
    }

    /// Says that there will be no more rounds; whoever waits learns of it.
    pub(super) fn end(&self) {
        self.state.lock().life = Life::Over;
        self.round_ended.notify_all();
        self.durable.close();
    }

    /// Makes everything durable that was appended before the call.
    pub(super) fn round(&self) -> Result<(), StorageFailure> {
        let round = self.begin_round()?;
        if let Err(failure) = self.sync_all(&round) {
            return Err(self.fail(failure));
        }
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        state.synced = round.reach.record;
        drop(state);
        // Before the round has ended: whoever waits for that finds the watermark moved.
        self.durable.advance(round.reach.seq);
        self.state.lock().rounds_ended = round.number;
        self.round_ended.notify_all();
        Ok(())
    }

    /// Ends the journal for good, and gives the failure that did: the first.
    pub(super) fn fail(&self, failure: StorageFailure) -> StorageFailure {
        let first = self.state.lock().failure.get_or_insert(failure).clone();
        // ORDERING: nothing is read by it.
        self.has_failed.store(true, Ordering::Relaxed);
        self.woken.notify_one();
        self.round_ended.notify_all();
        self.durable.close();
        first
    }

    fn begin_round(&self) -> Result<Round, StorageFailure> {
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        state.is_wanted = false;
        state.rounds_begun += 1;
        Ok(Round {
            files: std::mem::take(&mut state.unsynced),
            directory_changed: std::mem::take(&mut state.directory_changed),
            number: state.rounds_begun,
            reach: state.appended,
        })
    }

    fn sync_all(&self, round: &Round) -> Result<(), StorageFailure> {
        for SegmentFile { name, file } in round.files.iter().map(|file| &**file) {
            asked("sync", name, || file.sync())?;
        }
        if round.directory_changed {
            asked("sync", "directory", || self.storage.sync_directory())?;
        }
        Ok(())
    }

    /// Sleeps until a round is due or wanted; `false` if there is to be none.
    fn wait_for_work(&self) -> bool {
        let mut due = None;
        let mut state = self.state.lock();
        loop {
            if state.life != Life::Running || state.failure.is_some() {
                return false;
            }
            if state.is_wanted {
                return true;
            }
            match self.interval.filter(|_| state.synced < state.last_fact) {
                // Nothing to do: it costs nothing until somebody calls.
                None => self.woken.wait(&mut state),
                Some(interval) => {
                    let now = Instant::now();
                    match *due.get_or_insert_with(|| now.checked_add(interval)) {
                        Some(due) if due <= now => return true,
                        Some(due) => drop(self.woken.wait_until(&mut state, due)),
                        // An interval beyond the end of time.
                        None => self.woken.wait(&mut state),
                    }
                }
            }
        }
    }
}

/// A claim on the end of a round, from [`Journal::flush`](super::Journal::flush).
#[derive(Debug, Clone)]
pub(crate) struct Flush {
    syncing: Arc<Syncing>,
    round: u64,
}

/// Why a flush is not known to have happened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FlushError {
    /// It took longer. It may still happen.
    #[error("the device did not finish within {timeout:?}; wait longer")]
    TimedOut { timeout: Duration },
    /// The journal has failed.
    #[error(transparent)]
    Failed(#[from] StorageFailure),
    /// The journal was dropped before.
    #[error("the journal was dropped before it was flushed")]
    Dropped,
}

impl Flush {
    pub(super) fn new(syncing: Arc<Syncing>, round: u64) -> Self {
        Self { syncing, round }
    }

    /// Sleeps until everything that was committed before the flush survives a power cut, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Result<(), FlushError> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.syncing.state.lock();
        loop {
            if state.rounds_ended >= self.round {
                return Ok(());
            }
            if let Some(failure) = &state.failure {
                return Err(FlushError::Failed(failure.clone()));
            }
            if state.life == Life::Over {
                return Err(FlushError::Dropped);
            }
            match deadline {
                Some(deadline) if deadline <= Instant::now() => return Err(FlushError::TimedOut { timeout }),
                Some(deadline) => drop(self.syncing.round_ended.wait_until(&mut state, deadline)),
                None => self.syncing.round_ended.wait(&mut state),
            }
        }
    }
}
