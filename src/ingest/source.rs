//! Where events are pulled from.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::interaction::EventError;
use crate::types::Event;

/// Why a source cannot go on just now, in its own words.
pub type SourceError = Box<dyn Error + Send + Sync>;

/// Pulls events from elsewhere: a topic of a broker, a table, a directory of files.
///
/// Every event is given with an *offset*: the number by which the source would go on after it. Offsets mean nothing to the
/// engine but that they never fall. An event and the offset behind it go into the journal together or not at all, so
/// after a restart, however the engine ended, [`begin`](Self::begin) says where to go on, and every event that the source still
/// has is learned exactly once. An engine without a store remembers no offset.
///
/// ```
/// use segue::plugin::{EventSource, Pull, SourceBatch, SourceError, SourceWaker};
/// use segue::{Engine, Event};
/// use std::time::Duration;
///
/// /// A table to which rows are added, each with a number.
/// #[derive(Debug)]
/// struct Plays { next: u64 }
///
/// impl EventSource for Plays {
///     fn name(&self) -> &str {
///         "plays"
///     }
///
///     fn begin(&mut self, from: Option<u64>, _: SourceWaker) -> Result<(), SourceError> {
///         self.next = from.unwrap_or(0);
///         Ok(())
///     }
///
///     fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
///         for row in self.next..3 { // SELECT … WHERE row >= next LIMIT batch.room()
///             batch.push(Event::listen("ana", row), row + 1);
///             self.next = row + 1;
///         }
///         Ok(Pull::Idle { at_most: Duration::from_secs(1) })
///     }
/// }
///
/// let mut engine = Engine::builder().source(Plays { next: 0 }).open_manual()?;
/// assert_eq!(engine.pump_sources(), 3);
/// assert_eq!(engine.source_offset("plays"), Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Threads, and time
///
/// Each source is called on a thread of its own, `segue-source-` and its name, and on no other, but for
/// [`name`](Self::name), which is asked once by [`open`](crate::EngineBuilder::open); so it need not be `Sync`. In a manual engine it is called by
/// [`pump_sources`](crate::ManualEngine::pump_sources).
///
/// A call should come back within 100 ms, as the engine cannot stop the source meanwhile; one that takes longer than 150 ms
/// is counted and named. A consumer that blocks polls with a timeout of at most that and gives [`Pull::More`] when nothing came;
/// one that can be told of news gives [`Pull::Idle`] and has its [`SourceWaker`] called. While the engine does not keep
/// up, the source is not asked: two batches at most are on their way.
///
/// # What goes wrong
///
/// A source that panics when it is asked for its name keeps the engine from being opened. Later an error, a panic, or an offset that falls is counted and named in [`health`](crate::Engine::health); after a pause, of
/// 100 ms at first and half a minute in the end, the source is begun anew after what was learned. An event that is not well
/// formed is counted and named too, and passed over: it never comes again. So is one that the engine refuses, because it is full
/// for example. Once the store has failed, nothing is learned and no source is asked any more, until the engine is opened again.
pub trait EventSource: fmt::Debug + Send + 'static {
    /// What its offsets are kept under: the same for ever, and no other source's; 1 to
    /// [`MAX_ID_BYTES`](crate::MAX_ID_BYTES) bytes.
    fn name(&self) -> &str;

    /// Called before anything else, and again after a failure: go on with what is behind `from`, the last offset that was
    /// learned; `None` if there is none, for the beginning. `waker` ends the wait after a [`Pull::Idle`].
    ///
    /// # Errors
    /// Whatever keeps the source from going on; it is begun again after a pause.
    fn begin(&mut self, from: Option<u64>, waker: SourceWaker) -> Result<(), SourceError>;

    /// Puts what is next into `batch`, as much as there is [`room`](SourceBatch::room) for at most. It need not be full.
    ///
    /// # Errors
    /// Whatever keeps the source from going on. What is in the batch by then is learned; after a pause the source is begun
    /// again behind it.
    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError>;

    /// Everything up to `offset` is safe, so the source will never be asked for it again and may let go of it: it
    /// survives a power cut, or is learned if the engine has no store. Comes some time after the batch, once for
    /// several; and after each [`begin`](Self::begin), whose offset says where to go on and not what is safe, if anything
    /// is.
    ///
    /// # Errors
    /// Whatever keeps the source from going on; it is begun again after a pause.
    fn kept(&mut self, offset: u64) -> Result<(), SourceError> {
        let _ = offset;
        Ok(())
    }

    /// The event that was given with `offset` is not well formed and was not learned. Says where it came from, for the log
    /// and for [`health`](crate::Engine::health); called before the next [`pull`](Self::pull).
    fn refused(&mut self, offset: u64, error: &EventError) -> String {
        let _ = error;
        format!("offset {offset}")
    }
}

/// What a source does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pull {
    /// It wants to be asked again at once.
    More,
    /// It has nothing now. It is asked again when its [`SourceWaker`] is called, and after `at_most` anyhow.
    Idle {
        /// How long to wait if nobody calls.
        at_most: Duration,
    },
    /// It will never have anything again; its thread ends.
    Ended,
}

/// What a source gives in one call of [`EventSource::pull`].
#[derive(Debug, Default)]
pub struct SourceBatch {
    given: Vec<(Given, u64)>,
    room: usize,
}

#[derive(Debug)]
pub(crate) enum Given {
    Event(Event),
    /// Something that is no event, and why.
    Refused(String),
    Nothing,
}

impl SourceBatch {
    /// An empty one with room for so many entries. The engine makes them; so do tests of a source.
    pub fn new(room: usize) -> Self {
        Self { given: Vec::new(), room }
    }

    /// An event, and the offset to go on from after it.
    pub fn push(&mut self, event: Event, offset: u64) {
        self.given.push((Given::Event(event), offset));
    }

    /// Something that is no event, where it is and why, and the offset to go on from after it. It is counted and named.
    pub fn refuse(&mut self, what: impl Into<String>, offset: u64) {
        self.given.push((Given::Refused(what.into()), offset));
    }

    /// Nothing more up to `offset`: where it moves without an event.
    pub fn read_to(&mut self, offset: u64) {
        self.given.push((Given::Nothing, offset));
    }

    /// How many more entries it should hold. More are taken all the same, and learned in several batches.
    pub fn room(&self) -> usize {
        self.room.saturating_sub(self.given.len())
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The events in it, each with its offset.
    pub fn events(&self) -> impl Iterator<Item = (&Event, u64)> {
        self.given.iter().filter_map(|(given, offset)| match given {
            Given::Event(event) => Some((event, *offset)),
            Given::Refused(_) | Given::Nothing => None,
        })
    }

    /// The last offset in it.
    pub fn offset(&self) -> Option<u64> {
        self.given.last().map(|(_, offset)| *offset)
    }

    pub(crate) fn into_given(self) -> Vec<(Given, u64)> {
        self.given
    }
}

/// Ends the wait of an idle source. Clones wake the same one; any thread may call.
#[derive(Debug, Clone)]
pub struct SourceWaker(Sender<()>);

impl SourceWaker {
    /// One that wakes nobody, for tests of a source.
    pub fn nobody() -> Self {
        Self::pair().0
    }

    /// One, and where it is heard.
    pub(crate) fn pair() -> (Self, Receiver<()>) {
        let (sender, heard) = bounded(1);
        (Self(sender), heard)
    }

    /// Has the source asked soon. Never waits; several calls may come to one.
    pub fn wake(&self) {
        // Full: it is being woken already. Gone: nobody waits any more.
        let _ = self.0.try_send(());
    }
}
