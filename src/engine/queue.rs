//! The bounded queue between the host's threads and the writer.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel as channel;
use thiserror::Error;

use super::change::HostChange;
use super::handle::EngineError;
use super::meters::{HandedBack, QueueState};
use super::settings::{LiveSettings, RetuneError, SettingChange};
use super::sources::SourcePart;
use crate::checkpoint::{CheckpointError, CheckpointReport};
use crate::exchange::ForeignModel;
use crate::ingest::{Admission, Interaction, InvalidEvent};
use crate::journal::Flush;
use crate::model::{Completer, Outcome, Receipt, Refusal, Shared};
use crate::publish::Watermark;
use crate::storage::Storage;
use crate::training::{SweepReport, TrainingError};
use crate::types::{Event, ItemId};

/// An event on its way to the writer.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) interaction: Interaction,
    pub(super) rows: RowsAtSending,
    pub(super) sent_at: Instant,
    pub(super) receipt: Option<Completer>,
}

/// The rows that an event's ids had when it was sent, if they had any: looked up on the sender's thread, to spare
/// the writer, of whom there is one.
///
/// A row is never given to a second id, so one that still has an id has this one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowsAtSending {
    pub(super) user: Option<u32>,
    pub(super) item: Option<u32>,
}

/// What travels in the queue. One queue for all keeps the order in which one thread sends.
#[derive(Debug)]
pub(super) enum Queued {
    One(Incoming),
    /// Part of an import: learned without a solve per event. The outcomes go back through the channel.
    Bulk {
        interactions: Vec<Interaction>,
        done: channel::Sender<BulkOutcomes>,
    },
    /// The end of an import: answered once it counts for what is popular.
    EndImport {
        done: channel::Sender<()>,
    },
    /// Items nobody has listened to yet; the number of new ones goes back.
    AddItems {
        items: Vec<ItemId>,
        done: channel::Sender<Result<usize, Refusal>>,
    },
    /// Something other than an event that takes its place among them.
    Change {
        change: HostChange,
        done: Completer,
    },
    /// Other settings from here on; what has changed goes back.
    Retune {
        settings: Box<LiveSettings>,
        done: channel::Sender<Result<Vec<SettingChange>, RetuneError>>,
    },
    /// What a source has given, learned in one batch together with how far that is.
    Source {
        part: SourcePart,
        done: Completer,
    },
    /// A call to make everything before it in the queue durable.
    Flush {
        done: channel::Sender<Result<Flush, EngineError>>,
    },
    /// A call for a checkpoint of everything before it in the queue, or of a backup.
    Checkpoint(CheckpointCall),
    /// A call for a model from elsewhere to be published.
    Adopt {
        model: Box<ForeignModel>,
        done: channel::Sender<Result<SweepReport, TrainingError>>,
    },
    /// A call for the model before the latest to be published again.
    Rollback {
        done: channel::Sender<Result<SweepReport, TrainingError>>,
    },
    /// A call for a sweep over everything before it in the queue.
    Sweep {
        done: channel::Sender<Result<SweepReport, TrainingError>>,
    },
}

/// Who waits for a checkpoint, and where it should go.
#[derive(Debug)]
pub(super) struct CheckpointCall {
    /// `None` for the engine's own store.
    pub(super) backup: Option<Arc<dyn Storage>>,
    pub(super) done: channel::Sender<Result<CheckpointReport, CheckpointError>>,
}

/// What became of the events of one [`Queued::Bulk`].
pub(super) type BulkOutcomes = Vec<Outcome>;

/// The two ends of the queue. Once the other end of `stopped` is gone, senders take nothing any more.
pub(super) fn bounded(
    admission: Admission,
    capacity: usize,
    stopped: channel::Receiver<Infallible>,
    journal: JournalState,
    shared: Arc<Shared>,
    handed_back: Arc<HandedBack>,
) -> (EventSender, Reading) {
    let (queue, receiver) = channel::bounded(capacity);
    let putting = Arc::new(AtomicUsize::new(0));
    let reading = Reading { queue: receiver, putting: Arc::clone(&putting) };
    (EventSender { queue, putting, stopped, journal, admission, shared, handed_back }, reading)
}

/// What a sender knows of the journal; nothing, in an engine that lives in memory alone.
#[derive(Debug, Clone, Default)]
pub(super) struct JournalState {
    /// The last durable event.
    pub(super) durable: Option<Arc<Watermark>>,
    /// Set once the journal has failed.
    pub(super) failed: Arc<AtomicBool>,
}

/// The writer's end of the queue.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) queue: channel::Receiver<Queued>,
    /// Senders that are just putting something in.
    putting: Arc<AtomicUsize>,
}

impl Reading {
    /// Once the engine is told to stop: what is left, until nobody can put anything in any more. Waits only
    /// for senders that are just doing so.
    ///
    /// INVARIANT: a sender says that it is putting something in before it looks whether the engine stops, and
    /// the engine is told to stop before this looks whether anybody is. So whatever a sender was told is in
    /// the queue comes out here.
    pub(super) fn next_of_the_rest(&self) -> Option<Queued> {
        loop {
            let settled = self.putting.load(Ordering::SeqCst) == 0;
            match self.queue.try_recv() {
                Ok(queued) => return Some(queued),
                Err(_) if settled => return None,
                Err(_) => std::thread::yield_now(),
            }
        }
    }
}

/// How long a sender waits for room.
#[derive(Debug, Clone, Copy)]
enum Wait {
    Not,
    AtMost(Duration),
    UntilThereIsRoom,
}

/// Why something is not in the queue; it is handed back.
enum NotQueued {
    Full(Queued),
    Stopped(Queued),
    ReadOnly(Queued),
}

/// Where a host's threads put events in. Clones feed the same engine; one thread's events are learned in
/// the order it sent them.
///
/// The queue is bounded ([`EngineBuilder::queue_capacity`](crate::EngineBuilder::queue_capacity)). When it
/// is full, [`send`](Self::send) waits, [`try_send`](Self::try_send) and
/// [`send_timeout`](Self::send_timeout) hand the event back. Every method validates before it queues.
///
/// Like a [`Reader`](crate::Reader), a sender holds the memory of its engine, also after that has stopped.
///
/// Once the store has failed, every event is handed back with `ReadOnly`. Those that were in the queue at that
/// moment are refused by the writer, which only a receipt tells.
#[derive(Debug, Clone)]
pub struct EventSender {
    queue: channel::Sender<Queued>,
    /// Senders that are just putting something in; see [`Reading`].
    putting: Arc<AtomicUsize>,
    stopped: channel::Receiver<Infallible>,
    journal: JournalState,
    admission: Admission,
    pub(super) shared: Arc<Shared>,
    handed_back: Arc<HandedBack>,
}

/// Why [`EventSender::send`] did not take an event. It is handed back.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The event is not well formed.
    #[error(transparent)]
    Invalid(#[from] Box<InvalidEvent>),
    /// The engine has stopped.
    #[error("the engine has stopped; open it again")]
    Stopped(Event),
    /// The store has failed, so nothing is learned any more.
    #[error("the store has failed and the engine is read-only; see `health()`, then open it again")]
    ReadOnly(Event),
}

/// Why [`EventSender::try_send`] or [`EventSender::send_timeout`] did not take an event. It is handed back.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// The queue is full: the writer does not keep up just now.
    #[error("the queue is full; send again later, or use `send`, which waits")]
    Full(Event),
    /// The event is not well formed.
    #[error(transparent)]
    Invalid(#[from] Box<InvalidEvent>),
    /// The engine has stopped.
    #[error("the engine has stopped; open it again")]
    Stopped(Event),
    /// The store has failed, so nothing is learned any more.
    #[error("the store has failed and the engine is read-only; see `health()`, then open it again")]
    ReadOnly(Event),
}

impl SendError {
    /// The event, to try again or to keep.
    pub fn into_event(self) -> Event {
        match self {
            Self::Invalid(invalid) => invalid.event,
            Self::Stopped(event) | Self::ReadOnly(event) => event,
        }
    }
}

impl TrySendError {
    /// The event, to try again or to keep.
    pub fn into_event(self) -> Event {
        match self {
            Self::Invalid(invalid) => invalid.event,
            Self::Full(event) | Self::Stopped(event) | Self::ReadOnly(event) => event,
        }
    }
}

impl EventSender {
    /// Puts an event into the queue; waits while it is full.
    ///
    /// # Errors
    /// [`SendError`], with the event, if it is not well formed, the engine has stopped, or its store has failed.
    pub fn send(&self, event: Event) -> Result<(), SendError> {
        self.send_with(event, None)
    }

    /// As [`send`](Self::send), with a receipt that tells what became of the event.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_tracked(&self, event: Event) -> Result<Receipt, SendError> {
        let (completer, receipt) = self.new_receipt();
        self.send_with(event, Some(completer)).map(|()| receipt)
    }

    /// Puts an event into the queue if there is room; never waits.
    ///
    /// ```
    /// use segue::{Engine, Event, TrySendError};
    ///
    /// let engine = Engine::builder().open()?;
    /// let mut kept = Vec::new();
    /// match engine.sender().try_send(Event::listen("ana", "portishead")) {
    ///     Ok(()) => {}
    ///     Err(TrySendError::Full(event)) => kept.push(event), // for later
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`TrySendError`], with the event, if the queue is full, the event is not well formed, the engine has
    /// stopped, or its store has failed.
    pub fn try_send(&self, event: Event) -> Result<(), TrySendError> {
        self.try_send_with(event, Wait::Not)
    }

    /// Puts an event into the queue; waits at most `timeout` for room.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send); `Full` if the queue stayed full for the whole time.
    pub fn send_timeout(&self, event: Event, timeout: Duration) -> Result<(), TrySendError> {
        self.try_send_with(event, Wait::AtMost(timeout))
    }

    /// Notes that `source` (a topic, a file, a table) has been read up to `offset`, after everything the calling
    /// thread has sent so far: where to read on from after a restart, by
    /// [`Engine::source_offset`](crate::Engine::source_offset). The offset is never kept without the events
    /// before it; once the receipt is [durable](Receipt::wait_durable), so are they. The last one counts, be it
    /// the greater or not. Waits only for room in the queue.
    ///
    /// ```
    /// use segue::{Engine, Event};
    /// use std::time::Duration;
    ///
    /// let engine = Engine::builder().open()?;
    /// let (events, log) = (engine.sender(), ["portishead", "tricky"]);
    /// let read = engine.source_offset("plays").unwrap_or(0);
    /// for (offset, item) in (0..).zip(log).skip(read as usize) {
    ///     events.send(Event::listen("ana", item))?;
    ///     events.commit_offset("plays", offset + 1)?; // every so many events will do
    /// }
    /// events.commit_offset("plays", 2)?.wait(Duration::from_secs(5));
    /// assert_eq!(engine.source_offset("plays"), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::SourceName`] if the name is empty or too long, [`EngineError::Stopped`] if the engine has
    /// stopped.
    pub fn commit_offset(&self, source: impl Into<String>, offset: u64) -> Result<Receipt, EngineError> {
        self.send_change(HostChange::source_offset(source.into(), offset)?)
    }

    /// Events waiting in the queue.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn queue_state(&self) -> QueueState {
        let capacity = self.queue.capacity().unwrap_or_default();
        // A place has a number beside what is in it.
        let place = size_of::<Queued>() + size_of::<usize>();
        QueueState { len: self.queue.len(), capacity, n_bytes: (capacity * place) as u64 }
    }

    /// Its other end is gone once the engine stops.
    pub(super) fn stopped(&self) -> &channel::Receiver<Infallible> {
        &self.stopped
    }

    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    pub(super) fn new_receipt(&self) -> (Completer, Receipt) {
        Completer::new(self.journal.durable.clone())
    }

    /// Puts a change into its place among the events; waits while the queue is full.
    pub(super) fn send_change(&self, change: HostChange) -> Result<Receipt, EngineError> {
        let (done, receipt) = self.new_receipt();
        self.send_queued(Queued::Change { change, done })?;
        Ok(receipt)
    }

    /// Puts something other than a single event into the queue; waits while it is full. `Err` if the
    /// engine has stopped.
    pub(super) fn send_queued(&self, queued: Queued) -> Result<(), EngineError> {
        self.put(queued, Wait::UntilThereIsRoom).map_err(|_| EngineError::Stopped)
    }

    fn send_with(&self, event: Event, receipt: Option<Completer>) -> Result<(), SendError> {
        let queued = self.queued(event, receipt)?;
        self.put(queued, Wait::UntilThereIsRoom).map_err(|not_queued| match self.count(not_queued) {
            NotQueued::Full(queued) | NotQueued::Stopped(queued) => SendError::Stopped(event_of(queued)),
            NotQueued::ReadOnly(queued) => SendError::ReadOnly(event_of(queued)),
        })
    }

    fn try_send_with(&self, event: Event, wait: Wait) -> Result<(), TrySendError> {
        let queued = self.queued(event, None)?;
        self.put(queued, wait).map_err(|not_queued| match self.count(not_queued) {
            NotQueued::Full(queued) => TrySendError::Full(event_of(queued)),
            NotQueued::Stopped(queued) => TrySendError::Stopped(event_of(queued)),
            NotQueued::ReadOnly(queued) => TrySendError::ReadOnly(event_of(queued)),
        })
    }

    /// Counts an event that is handed back.
    fn count(&self, not_queued: NotQueued) -> NotQueued {
        let HandedBack { queue_full, stopped, read_only } = &*self.handed_back;
        let counter = match &not_queued {
            NotQueued::Full(_) => queue_full,
            NotQueued::Stopped(_) => stopped,
            NotQueued::ReadOnly(_) => read_only,
        };
        counter.add(1);
        not_queued
    }

    /// Puts something into the queue, unless the engine is stopping: what came in then would keep a
    /// shutdown from ever seeing the queue empty.
    #[expect(clippy::result_large_err, reason = "what is handed back is what was handed in")]
    fn put(&self, queued: Queued, wait: Wait) -> Result<(), NotQueued> {
        // ORDERING: sequentially consistent, as is the channel's own look; see `Reading::next_of_the_rest`.
        self.putting.fetch_add(1, Ordering::SeqCst);
        let put = if self.is_stopped() {
            Err(NotQueued::Stopped(queued))
        } else if self.is_read_only() && matches!(queued, Queued::One(_)) {
            // Whatever else there is has an answer of its own.
            Err(NotQueued::ReadOnly(queued))
        } else {
            self.put_in(queued, wait)
        };
        self.putting.fetch_sub(1, Ordering::SeqCst);
        put
    }

    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.stopped.try_recv(), Err(channel::TryRecvError::Disconnected))
    }

    pub(super) fn is_read_only(&self) -> bool {
        // ORDERING: nothing is read by it; an event that just misses it is refused by the writer.
        self.journal.failed.load(Ordering::Relaxed)
    }

    #[expect(clippy::result_large_err, reason = "what is handed back is what was handed in")]
    fn put_in(&self, queued: Queued, wait: Wait) -> Result<(), NotQueued> {
        match (self.queue.try_send(queued), wait) {
            (Ok(()), _) => Ok(()),
            (Err(channel::TrySendError::Disconnected(queued)), _) => Err(NotQueued::Stopped(queued)),
            (Err(channel::TrySendError::Full(queued)), _) => self.put_when_there_is_room(queued, wait),
        }
    }

    /// Sleeps until there is room, the engine stops, or it has waited long enough.
    ///
    /// It looks again from time to time. To be woken for one place in a queue that is full again at once would cost
    /// the writer and every sender a system call an event, just when there is no time to lose.
    #[expect(clippy::result_large_err, reason = "what is handed back is what was handed in")]
    fn put_when_there_is_room(&self, mut queued: Queued, wait: Wait) -> Result<(), NotQueued> {
        let pause = self.pause();
        let deadline = match wait {
            Wait::Not => return Err(NotQueued::Full(queued)),
            Wait::AtMost(timeout) => Instant::now().checked_add(timeout),
            Wait::UntilThereIsRoom => None,
        };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // Nothing is ever sent there: what can come is that the other end is gone.
            match self.stopped.recv_timeout(left.map_or(pause, |left| left.min(pause))) {
                Ok(never) => match never {},
                Err(channel::RecvTimeoutError::Disconnected) => return Err(NotQueued::Stopped(queued)),
                Err(channel::RecvTimeoutError::Timeout) => {}
            }
            queued = match self.queue.try_send(queued) {
                Ok(()) => return Ok(()),
                Err(channel::TrySendError::Disconnected(queued)) => return Err(NotQueued::Stopped(queued)),
                Err(channel::TrySendError::Full(queued)) if left.is_some_and(|left| left <= pause) => {
                    return Err(NotQueued::Full(queued));
                }
                Err(channel::TrySendError::Full(queued)) => queued,
            };
        }
    }

    /// How long to sleep while the queue is full: less than the writer takes for what is in it.
    fn pause(&self) -> Duration {
        const AN_EVENT: Duration = Duration::from_nanos(500);
        const LONGEST: Duration = Duration::from_millis(1);
        let events = self.queue.capacity().and_then(|capacity| u32::try_from(capacity).ok());
        AN_EVENT.saturating_mul(events.unwrap_or(u32::MAX)).min(LONGEST)
    }

    fn queued(&self, event: Event, receipt: Option<Completer>) -> Result<Queued, Box<InvalidEvent>> {
        let interaction = self.admission.admit(event)?;
        let rows = self.rows(interaction.event());
        Ok(Queued::One(Incoming { interaction, rows, sent_at: Instant::now(), receipt }))
    }

    pub(super) fn rows(&self, event: &Event) -> RowsAtSending {
        RowsAtSending {
            user: self.shared.user_ids.get(event.user()),
            item: self.shared.item_ids.get(event.item()),
        }
    }
}

/// The event of a message that the channel handed back.
fn event_of(queued: Queued) -> Event {
    match queued {
        Queued::One(incoming) => incoming.interaction.into_event(),
        Queued::Bulk { .. }
        | Queued::EndImport { .. }
        | Queued::AddItems { .. }
        | Queued::Retune { .. }
        | Queued::Change { .. }
        | Queued::Source { .. }
        | Queued::Flush { .. }
        | Queued::Checkpoint(_)
        | Queued::Adopt { .. }
        | Queued::Rollback { .. }
        | Queued::Sweep { .. } => {
            unreachable!("single events are sent as `Queued::One`")
        }
    }
}
