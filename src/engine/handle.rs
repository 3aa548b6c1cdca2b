//! The engine as the host holds it.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use thiserror::Error;

use super::builder::{BuildError, EngineBuilder};
use super::import::{CHUNK, ImportReport};
use super::meters::{Health, Meters, Stats};
use super::queue::{self, BulkOutcomes, EventSender, Queued};
use super::worker::Worker;
use super::writer::Writer;
use crate::guard::fenced;
use crate::ingest::{Admission, EventError, check_item};
use crate::model::{Refusal, Shared};
use crate::query::Reader;
use crate::training::{SweepReport, TrainingError};
use crate::types::{Event, EventSeq, ItemId};

/// A running recommender.
///
/// It has one writer thread, `segue-writer`, and a pool for sweeps. Dropping it stops the writer without
/// working off the queue ([`shutdown`](Self::shutdown) does work it off); a pool of its own ends with the last
/// [`Reader`] and [`View`](crate::View). A plug-in must not drop the engine it belongs to.
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
    drain_until: Arc<Mutex<Option<Instant>>>,
    stop: Stop,
    thread: Option<JoinHandle<Result<ShutdownReport, String>>>,
}

/// Taking what is in it and dropping it stops the writer and all senders.
type Stop = Arc<Mutex<Option<Sender<Infallible>>>>;

/// What was left when an engine was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The last event learned.
    pub applied: EventSeq,
    /// Events that were still in the queue at the deadline; they are not learned.
    pub unprocessed: usize,
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
    /// No event could ever name the item; none of the items was added.
    #[error("item {item:?} cannot be added")]
    InvalidItem {
        /// The item.
        item: ItemId,
        /// What is wrong with it.
        source: EventError,
    },
}

/// A sweep that was called for.
#[derive(Debug)]
pub struct SweepHandle(Receiver<Result<SweepReport, TrainingError>>);

impl SweepHandle {
    /// Sleeps until the sweep is published or has failed.
    ///
    /// # Errors
    /// [`TrainingError`] says why there is no new model; the one in use stays.
    pub fn wait(self) -> Result<SweepReport, TrainingError> {
        // The engine drops its end only when it stops.
        self.0.recv().unwrap_or(Err(TrainingError::Cancelled))
    }
}

impl Engine {
    /// The settings; end with [`open`](EngineBuilder::open).
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(super) fn start(writer: Writer, admission: Admission, capacity: usize) -> Result<Self, BuildError> {
        let (stop, stopped) = bounded(1);
        let (sender, reading) = queue::bounded(admission, capacity, stopped.clone());
        let drain_until = Arc::new(Mutex::new(None));
        let (reader, shared, meters) =
            (writer.reader(), Arc::clone(&writer.shared), Arc::clone(&writer.meters));
        let stop: Stop = Arc::new(Mutex::new(Some(stop)));
        let worker = Worker::new(writer, reading.clone(), stopped, Arc::clone(&drain_until));
        let thread = std::thread::Builder::new()
            .name("segue-writer".to_owned())
            .spawn({
                let (meters, stop) = (Arc::clone(&meters), Arc::clone(&stop));
                move || {
                    let report =
                        fenced(|| worker.run()).inspect_err(|message| meters.failed(message.clone()));
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
        Ok(Self { sender, reader, shared, meters, drain_until, stop, thread: Some(thread) })
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
    /// Blocks until all are learned, and shares the queue with those who send: what the calling thread has
    /// sent before is learned before.
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
            report.count_all(last.recv().map_err(|_| EngineError::Stopped)?);
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

    /// How the engine is, and why.
    pub fn health(&self) -> Health {
        self.meters.health()
    }

    /// Counts, latencies and sizes.
    pub fn stats(&self) -> Stats {
        self.meters.stats_with(&self.shared, self.sender.queue_len())
    }

    /// Works off the queue for at most `deadline`, stops the threads, and says what was left. Senders get
    /// `Stopped` from then on; readers go on answering from the last model.
    ///
    /// # Errors
    /// [`ShutdownError::WriterPanicked`] if the writer thread had died before.
    pub fn shutdown(mut self, deadline: Duration) -> Result<ShutdownReport, ShutdownError> {
        *self.drain_until.lock() = Some(Instant::now().checked_add(deadline).unwrap_or_else(far_future));
        match self.stop_and_join() {
            Some(Ok(report)) => Ok(report),
            Some(Err(message)) => Err(ShutdownError::WriterPanicked { message }),
            None => Err(ShutdownError::WriterPanicked { message: "it is gone".to_owned() }),
        }
    }

    /// Stops the writer and waits for it; `None` if that has been done.
    fn stop_and_join(&mut self) -> Option<Result<ShutdownReport, String>> {
        drop(self.stop.lock().take());
        // The thread catches its own panics, so joining it cannot fail.
        self.thread.take().and_then(|thread| thread.join().ok())
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
