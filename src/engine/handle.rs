//! The engine as the host holds it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use thiserror::Error;

use super::build_error::BuildError;
use super::builder::EngineBuilder;
use super::change::HostChange;
#[cfg(feature = "reload")]
use super::files::{FileWatches, FilesRead, Herald, Watching};
use super::import::{CHUNK, ImportReport};
use super::meters::{Health, Meters, Stats};
#[cfg(feature = "reload")]
use super::observer::WatchedObserver;
use super::queue::{self, BulkOutcomes, CheckpointCall, EventSender, Queued};
use super::session::{PrivateSession, SessionMaker};
use super::settings::LiveSettings;
use super::sources::{NamedSource, SourceThreads};
use super::worker::Worker;
use super::writer::Writer;
use crate::checkpoint::{CheckpointError, CheckpointReport};
use crate::guard::fenced;
use crate::ingest::{Admission, EventError, check_item};
use crate::journal::FlushError;
use crate::model::{Outcome, Receipt, Refusal, Shared};
use crate::publish::{Published, Waited, Watermark};
use crate::query::Reader;
use crate::storage::{DirStorage, Storage, StorageFailure};
use crate::training::{SweepReport, TrainingError};
use crate::types::{Event, EventSeq, ItemId, MAX_ID_BYTES, UserId};

/// A running recommender.
///
/// It has one writer thread, `segue-writer`, pools for sweeps and one for what somebody waits for, and a thread for each
/// [source](EngineBuilder::source). Dropping it stops the writer without working off the queue
/// ([`shutdown`](Self::shutdown) does work it off); the latter pool ends with the last [`Reader`] and [`View`](crate::View),
/// if it is the engine's own. A plug-in must not drop the engine it belongs to.
///
/// ```
/// use segue::{Engine, Event};
/// use std::time::Duration;
///
/// let engine = Engine::builder().open()?;
/// let receipt = engine.sender().send_tracked(Event::listen("ana", "portishead"))?;
/// let view = engine.reader().view_after(&receipt, Duration::from_secs(5))?;
/// assert!(view.user("ana").is_known());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Engine {
    sender: EventSender,
    reader: Reader,
    shared: Arc<Shared>,
    meters: Arc<Meters>,
    erased: Arc<Watermark>,
    source_offsets: Arc<Published<BTreeMap<String, u64>>>,
    pub(super) settings: Arc<Published<LiveSettings>>,
    sessions: SessionMaker,
    drain_until: Arc<Mutex<Option<Instant>>>,
    stop: Stop,
    thread: Option<JoinHandle<Result<ShutdownReport, String>>>,
    #[cfg(feature = "reload")]
    observer: Arc<WatchedObserver>,
    /// Ends after the writer, which it may be waiting for.
    #[cfg(feature = "reload")]
    file_watches: FileWatches,
    sources: SourceThreads,
}

/// Taking what is in it and dropping it stops the writer and all senders.
type Stop = Arc<Mutex<Option<Sender<Infallible>>>>;

/// What was left when an engine was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The last event learned or change made. Forgetting, merging and committing an offset take a number each, so
    /// this may exceed [`Stats::applied`], which counts events alone.
    pub applied: EventSeq,
    /// Events that were still in the queue at the deadline; they are not learned.
    pub unprocessed: usize,
    /// Sources that were in a call they did not come back from in time. Their threads end when they do; what they give then
    /// is not learned, and nor is its offset.
    pub sources_left: usize,
    /// The last event that survives a power cut: all that were learned, unless the journal has failed. `None`
    /// for an engine without a store.
    pub durable: Option<EventSeq>,
}

/// Why a shutdown has no report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The writer thread had panicked: a bug of this crate.
    #[error("the writer thread panicked: {message}; please report it")]
    WriterPanicked {
        /// What it said.
        message: String,
    },
}

/// Why a call that needs the writer failed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine has stopped.
    #[error("the engine has stopped; open it again")]
    Stopped,
    /// The engine is full; the items before the one too many are in.
    #[error("not all items were added: {0}")]
    Refused(#[source] Refusal),
    /// The engine has no store, so nothing can be made durable.
    #[error("the engine has no store; open it with one")]
    MemoryOnly,
    /// The store failed; nothing is learned any more, and what the call was for may or may not be kept.
    #[error("the store has failed and the engine is read-only; mend the cause, then open it again")]
    ReadOnly(#[source] StorageFailure),
    /// The name of a source is empty or too long; nothing was noted.
    #[error("the name of a source must be 1 to {MAX_ID_BYTES} bytes long, got {got}")]
    SourceName {
        /// Its length in bytes.
        got: usize,
    },
    /// No event could ever name the item; none of the items was added.
    #[error("item {item:?} cannot be added")]
    InvalidItem {
        /// The item.
        item: ItemId,
        /// What is wrong with it.
        source: EventError,
    },
}

/// A sweep that was called for, or a model from elsewhere that is to be published.
#[derive(Debug)]
pub struct SweepHandle(Receiver<Result<SweepReport, TrainingError>>);

impl SweepHandle {
    pub(super) fn new(report: Receiver<Result<SweepReport, TrainingError>>) -> Self {
        Self(report)
    }

    /// Sleeps until the sweep is published or has failed.
    ///
    /// # Errors
    /// [`TrainingError`] says why there is no new model; the one in use stays.
    pub fn wait(self) -> Result<SweepReport, TrainingError> {
        // The engine drops its end only when it stops.
        self.0.recv().unwrap_or(Err(TrainingError::Cancelled))
    }
}

/// A checkpoint that was called for.
#[derive(Debug)]
pub struct CheckpointHandle(Receiver<Result<CheckpointReport, CheckpointError>>);

impl CheckpointHandle {
    /// Sleeps until the checkpoint is written or has failed.
    ///
    /// # Errors
    /// [`CheckpointError`] says why there is none; those before it and the journal are whole.
    pub fn wait(self) -> Result<CheckpointReport, CheckpointError> {
        // The engine drops its end only when it stops.
        self.0.recv().unwrap_or(Err(CheckpointError::Cancelled))
    }
}

/// A claim on somebody or something being forgotten.
#[derive(Debug)]
pub struct Erasure {
    receipt: Receipt,
    erased: Arc<Watermark>,
}

impl Erasure {
    /// The receipt: once it says `Applied`, no view taken from then on has it.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// Sleeps until it is gone from the storage too, at most `timeout`: the checkpoint without it is written and
    /// everything older removed. Without a store that is as soon as it is forgotten. What the file system keeps
    /// of removed files, and backups, are beyond the engine's reach.
    ///
    /// # Errors
    /// [`EraseError`] if it took too long, the engine has stopped before, or there was nothing to forget. After
    /// a restart the erasure goes on by itself.
    pub fn wait_erased(&self, timeout: Duration) -> Result<(), EraseError> {
        let deadline = Instant::now().checked_add(timeout).unwrap_or_else(far_future);
        match self.receipt.wait(timeout) {
            Some(Outcome::Applied(seq)) => match self.erased.wait_for(seq, deadline) {
                Waited::Reached => Ok(()),
                Waited::TimedOut => Err(EraseError::TimedOut { timeout }),
                Waited::Closed => Err(EraseError::Stopped),
            },
            Some(Outcome::Rejected(refusal)) => Err(EraseError::Rejected(refusal)),
            Some(Outcome::Stopped | Outcome::StoreFailed | Outcome::Duplicate) => Err(EraseError::Stopped),
            None => Err(EraseError::TimedOut { timeout }),
        }
    }
}

/// Why something forgotten is not known to be gone from the storage.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EraseError {
    /// It took longer. It goes on.
    #[error("it was not erased within {timeout:?}; wait longer, or see `health()`")]
    TimedOut {
        /// The time that was given.
        timeout: Duration,
    },
    /// The engine stopped before. If it was forgotten, opening the store again goes on with it.
    #[error("the engine stopped before it was erased; open it again")]
    Stopped,
    /// There was nothing to forget.
    #[error("nothing was forgotten: {0}")]
    Rejected(#[source] Refusal),
}

impl Engine {
    /// The settings; end with [`open`](EngineBuilder::open).
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(super) fn start(
        writer: Writer,
        admission: Admission,
        capacity: usize,
        sources: Vec<NamedSource>,
    ) -> Result<Self, BuildError> {
        let (stop, stopped) = bounded(1);
        let sessions = writer.session_maker(admission.clone());
        let (sender, reading) = queue::bounded(
            admission,
            capacity,
            stopped.clone(),
            writer.journal_state(),
            Arc::clone(&writer.shared),
            Arc::clone(&writer.watches.handed_back),
        );
        let drain_until = Arc::new(Mutex::new(None));
        let (reader, shared, meters) =
            (writer.reader(), Arc::clone(&writer.shared), Arc::clone(&writer.meters));
        let settings = Arc::clone(&writer.live);
        #[cfg(feature = "reload")]
        let observer = Arc::clone(&writer.observer);
        let (erased, source_offsets) = (Arc::clone(&writer.erased), Arc::clone(&writer.published_offsets));
        let stop: Stop = Arc::new(Mutex::new(Some(stop)));
        let worker = Worker::new(writer, reading.clone(), stopped, Arc::clone(&drain_until));
        let thread = std::thread::Builder::new()
            .name("segue-writer".to_owned())
            .spawn({
                let (meters, stop) = (Arc::clone(&meters), Arc::clone(&stop));
                let (shared, erased) = (Arc::clone(&shared), Arc::clone(&erased));
                move || {
                    let report =
                        fenced(|| worker.run()).inspect_err(|message| meters.failed(message.clone()));
                    // Nothing will become visible or be erased any more; whoever waits for it learns so.
                    shared.applied.close();
                    erased.close();
                    // However it ended, senders learn that nobody reads any more, and receipts that nobody
                    // will: the channel itself would keep them as long as there is a sender.
                    drop(stop.lock().take());
                    while let Some(unread) = reading.next_of_the_rest() {
                        drop(unread);
                    }
                    report
                }
            })
            .map_err(BuildError::Thread)?;
        let mut engine = Self {
            sender,
            reader,
            shared,
            meters,
            erased,
            source_offsets,
            settings,
            sessions,
            drain_until,
            stop,
            thread: Some(thread),
            #[cfg(feature = "reload")]
            observer,
            #[cfg(feature = "reload")]
            file_watches: FileWatches::default(),
            sources: SourceThreads::default(),
        };
        engine.start_sources(sources).map_err(BuildError::Thread)?;
        Ok(engine)
    }

    fn start_sources(&mut self, sources: Vec<NamedSource>) -> io::Result<()> {
        self.meters.count_sources(sources.iter().map(|named| Arc::clone(&named.meters)).collect());
        for NamedSource { source, meters } in sources {
            let (from, sender) = (self.source_offset(meters.name()), self.sender());
            self.sources.start(source, meters, from, sender)?;
        }
        Ok(())
    }

    /// With threads that watch these files.
    #[cfg(feature = "reload")]
    pub(super) fn watching(mut self, files: FilesRead) -> Result<Self, BuildError> {
        self.file_watches = files.watch(Watching {
            sender: self.sender.clone(),
            settings: Arc::clone(&self.settings),
            herald: Herald { observer: Arc::clone(&self.observer), meters: Arc::clone(&self.meters) },
        })?;
        Ok(self)
    }

    /// Where to put events in: clone it freely, give one to each thread.
    pub fn sender(&self) -> EventSender {
        self.sender.clone()
    }

    /// Where to ask: clone it freely, give one to each thread.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Learns many events without a solve for each: readers solve for themselves until the next sweep.
    /// Blocks until all are learned and count for what is popular, and shares the queue with those who send: what the calling
    /// thread has sent before is learned before.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine stops meanwhile; a part may have been learned.
    pub fn import(&self, events: impl IntoIterator<Item = Event>) -> Result<ImportReport, EngineError> {
        let mut report = ImportReport::default();
        let mut events = (0..).zip(events).peekable();
        let mut under_way: Option<Receiver<BulkOutcomes>> = None;
        while events.peek().is_some() {
            let part = events
                .by_ref()
                .filter_map(|(place, event)| report.admit(place, event, self.sender.admission()))
                .take(CHUNK)
                .collect();
            // A channel for each part: its other end goes away with the part, should the engine stop.
            let (done, outcomes) = bounded(1);
            self.sender.send_queued(Queued::Bulk { interactions: part, done })?;
            // One part is learned while the next is being made.
            if let Some(earlier) = under_way.replace(outcomes) {
                report.count_all(earlier.recv().map_err(|_| EngineError::Stopped)?);
            }
        }
        if let Some(last) = under_way {
            let (done, ended) = bounded(1);
            self.sender.send_queued(Queued::EndImport { done })?;
            report.count_all(last.recv().map_err(|_| EngineError::Stopped)?);
            ended.recv().map_err(|_| EngineError::Stopped)?;
        }
        Ok(report)
    }

    /// Gives rows to items nobody has listened to yet, so that a closed catalogue takes their events; says
    /// how many are new. Blocks until they are in.
    ///
    /// # Errors
    /// [`EngineError::InvalidItem`] if an id is empty or too long, [`EngineError::Refused`] if the engine is
    /// full, [`EngineError::Stopped`] if it has stopped.
    pub fn add_items<I: Into<ItemId>>(
        &self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<usize, EngineError> {
        let (done, added) = bounded(1);
        let items = checked_items(items)?;
        self.sender.send_queued(Queued::AddItems { items, done })?;
        added.recv().map_err(|_| EngineError::Stopped)?.map_err(EngineError::Refused)
    }

    /// Calls for a sweep over everything the calling thread has sent so far. If one is under way, this one
    /// begins after it. Waits only for room in the queue; wait for the sweep by the handle.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn sweep_now(&self) -> Result<SweepHandle, EngineError> {
        let (done, report) = bounded(1);
        self.sender.send_queued(Queued::Sweep { done })?;
        Ok(SweepHandle(report))
    }

    /// Forgets a user: everything that was learned of them and their id. What they did to the items' vectors
    /// goes with the next sweep; what the disk holds goes with a checkpoint that is written at once and takes
    /// everything older with it. The claim that comes back tells of each. If they come back they are somebody
    /// new. Views taken before still have them. Waits only for room in the queue.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn forget_user(&self, user: impl Into<UserId>) -> Result<Erasure, EngineError> {
        self.erase(HostChange::ForgetUser(user.into()))
    }

    /// Forgets an item, as [`forget_user`](Self::forget_user) does a user: it is in no list any more, and in
    /// nobody's history. Takes a microsecond or two of the writer for each listener. An event that names it brings
    /// it back as a new item.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn forget_item(&self, item: impl Into<ItemId>) -> Result<Erasure, EngineError> {
        self.erase(HostChange::ForgetItem(item.into()))
    }

    /// Makes what is known of `from` part of `into`, who may be new: for the anonymous visitor who logs in.
    /// `from` is nobody any more. Of two like actions that come together so, an undo takes back the one with the
    /// later time stamp. The receipt says what became of it, such as that nobody knows `from`. Waits only for room in the queue.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn merge_users(
        &self,
        from: impl Into<UserId>,
        into: impl Into<UserId>,
    ) -> Result<Receipt, EngineError> {
        self.sender.send_change(HostChange::MergeUsers { from: from.into(), into: into.into() })
    }

    fn erase(&self, change: HostChange) -> Result<Erasure, EngineError> {
        Ok(Erasure { receipt: self.sender.send_change(change)?, erased: Arc::clone(&self.erased) })
    }

    /// As [`EventSender::commit_offset`].
    ///
    /// # Errors
    /// As [`EventSender::commit_offset`].
    pub fn commit_offset(&self, source: impl Into<String>, offset: u64) -> Result<Receipt, EngineError> {
        self.sender.commit_offset(source, offset)
    }

    /// How far `source` was read by the last [`commit_offset`](EventSender::commit_offset) that was learned;
    /// after a restart, by the last that was kept. Everything sent before it is learned, or kept, too.
    pub fn source_offset(&self, source: &str) -> Option<u64> {
        self.source_offsets.load().get(source).copied()
    }

    /// A session of `user` that leaves no trace: its events shape its own answers and are neither learned nor
    /// kept. It goes on working when the engine has stopped.
    pub fn private_session(&self, user: impl Into<UserId>) -> PrivateSession {
        self.sessions.session(user.into())
    }

    /// Makes everything that the calling thread has sent so far survive a power cut. Blocks until it does.
    ///
    /// # Errors
    /// [`EngineError::MemoryOnly`] without a store, [`EngineError::ReadOnly`] if it has failed,
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn flush(&self) -> Result<(), EngineError> {
        let (done, flush) = bounded(1);
        self.sender.send_queued(Queued::Flush { done })?;
        let flush = flush.recv().map_err(|_| EngineError::Stopped)??;
        flush.wait(Duration::MAX).map_err(|error| match error {
            FlushError::Failed(failure) => EngineError::ReadOnly(failure),
            FlushError::TimedOut { .. } | FlushError::Dropped => EngineError::Stopped,
        })
    }

    /// Calls for a checkpoint of everything the calling thread has sent so far. Events and queries go on while it
    /// is written; a sweep that is under way comes first.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn checkpoint(&self) -> Result<CheckpointHandle, EngineError> {
        self.call_checkpoint(None)
    }

    /// Writes a consistent copy of everything learned into an empty `directory`, which another engine can then be
    /// opened from. As [`checkpoint`](Self::checkpoint) in all else; needs no store of the engine's own.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped. What else may fail the handle tells.
    pub fn backup(&self, directory: impl Into<PathBuf>) -> Result<CheckpointHandle, EngineError> {
        self.backup_in(DirStorage::new(directory))
    }

    /// As [`backup`](Self::backup), into a storage of the host's.
    ///
    /// # Errors
    /// As [`backup`](Self::backup).
    pub fn backup_in(&self, storage: impl Storage) -> Result<CheckpointHandle, EngineError> {
        self.call_checkpoint(Some(Arc::new(storage)))
    }

    fn call_checkpoint(&self, backup: Option<Arc<dyn Storage>>) -> Result<CheckpointHandle, EngineError> {
        let (done, report) = bounded(1);
        self.sender.send_queued(Queued::Checkpoint(CheckpointCall { backup, done }))?;
        Ok(CheckpointHandle(report))
    }

    /// How the engine is, and why.
    pub fn health(&self) -> Health {
        self.meters.health()
    }

    /// Counts, latencies and sizes.
    pub fn stats(&self) -> Stats {
        self.meters.stats_with(&self.shared, self.sender.queue_state())
    }

    #[cfg(test)]
    pub(super) fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    /// Works off the queue for at most `deadline`, stops the threads, and says what was left. Senders get
    /// `Stopped` from then on; readers go on answering from the last model.
    ///
    /// With a store, everything that was learned is durable when it returns, unless the store has failed:
    /// [`ShutdownReport::durable`] says how far that came. It writes no checkpoint: call [`checkpoint`](Self::checkpoint)
    /// before it if the next start is to have nothing to replay.
    ///
    /// # Errors
    /// [`ShutdownError::WriterPanicked`] if the writer thread had died before.
    pub fn shutdown(mut self, deadline: Duration) -> Result<ShutdownReport, ShutdownError> {
        *self.drain_until.lock() = Some(Instant::now().checked_add(deadline).unwrap_or_else(far_future));
        match self.stop_and_join() {
            Some((Ok(report), sources_left)) => Ok(ShutdownReport { sources_left, ..report }),
            Some((Err(message), _)) => Err(ShutdownError::WriterPanicked { message }),
            None => Err(ShutdownError::WriterPanicked { message: "it is gone".to_owned() }),
        }
    }

    /// Stops the writer and waits for it, then for the sources, and says how many of those do not come back; `None` if that
    /// has been done.
    fn stop_and_join(&mut self) -> Option<(Result<ShutdownReport, String>, usize)> {
        drop(self.stop.lock().take());
        // The thread catches its own panics, so joining it cannot fail.
        let report = self.thread.take().and_then(|thread| thread.join().ok());
        let sources_left = self.sources.join(*self.drain_until.lock());
        report.map(|report| (report, sources_left))
    }
}

/// The ids to add, if events could name each of them.
pub(super) fn checked_items<I: Into<ItemId>>(
    items: impl IntoIterator<Item = I>,
) -> Result<Vec<ItemId>, EngineError> {
    let checked = |item: I| {
        let item = item.into();
        match check_item(&item) {
            Ok(()) => Ok(item),
            Err(source) => Err(EngineError::InvalidItem { item, source }),
        }
    };
    items.into_iter().map(checked).collect()
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop_and_join();
    }
}

/// A deadline that nobody lives to see, for durations beyond the end of time.
fn far_future() -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
    Instant::now() + CENTURY
}
