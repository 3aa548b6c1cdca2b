//! What the journal holds: facts, and marks of when things were done with them.

use crate::model::{LearningSettings, Solve};
use crate::types::{Event, GenerationId, ItemId, Timestamp, UserId};

/// One entry of the journal.
///
/// Replaying all of them in order gives every byte of the engine's state again. Facts are what the host said;
/// marks tell when the engine did something whose moment matters. Nothing in here is a policy: an event carries
/// the signal it was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    /// An event that was learned.
    Event(EventRecord),
    /// Items that were given rows before anybody listened to them; none of them was known.
    AddItems(Vec<ItemId>),
    /// A user was forgotten.
    ForgetUser(UserId),
    /// An item was forgotten.
    ForgetItem(ItemId),
    /// What was known of `from` became part of `into`.
    MergeUsers { from: UserId, into: UserId },
    /// How far a source of events has been read. The name is at most as long as an id, or thereabouts: a record
    /// has an end.
    SourceOffset { source: String, offset: u64 },
    /// How far a source has been read with the event that follows, and only with it: without that event it says nothing. So
    /// wherever a journal ends, an event and the offset behind it are both in it or both not.
    SourceStep { source: String, offset: u64 },
    /// The settings in force from here on.
    Settings(LearningSettings),
    /// The clock showed this before what follows.
    Time(Timestamp),
    /// A batch of items began: their rows and popularity were published, the due ones lined up.
    ItemBatch,
    /// The next part of the items that were lined up was solved.
    ItemPart,
    /// Items of a model from elsewhere and their rows: what the freeze that follows adopts. Without it they say nothing.
    ForeignItems(ForeignPart<ItemId>),
    /// The same of its users, after all items.
    ForeignUsers(ForeignPart<UserId>),
    /// The input of a sweep was frozen.
    Freeze {
        /// The moment that decay is reckoned at.
        as_of: Timestamp,
        /// When it was, by the clock.
        at: Timestamp,
        /// Sweeps over both sides to be done; 0 if the rows noted just before are the model.
        n_sweeps: u32,
    },
    /// What was trained since the freeze was published.
    Published { generation: GenerationId },
    /// What was trained since the freeze was not published.
    NotPublished {
        /// Why, for a person to read.
        reason: String,
    },
    /// A checkpoint froze its input: sums that had fallen behind were brought up to date.
    Settled,
    /// Every record up to `through` had been made durable when this was written.
    Synced {
        /// The number of the last such record.
        through: u64,
    },
}

/// Some rows of one side of a model from elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForeignPart<I> {
    /// How many rows of the side were noted before. The first items, after 0, begin another model.
    pub(crate) from: u64,
    /// How long a row is.
    pub(crate) n_factors: usize,
    /// An id for each row.
    pub(crate) ids: Vec<I>,
    /// The rows, finite, one after the other.
    pub(crate) values: Vec<f32>,
}

/// An event that was learned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventRecord {
    /// As the host sent it.
    pub(crate) event: Event,
    /// When it happened: the event's own time stamp, or when it was taken in.
    pub(crate) at: Timestamp,
    /// What the weigher made of it; `None` for the taking back of an action, which is never weighed.
    pub(crate) signal: Option<crate::types::Signal>,
    /// Whether its user was solved with it or left to the first who asks.
    pub(crate) solve: Solve,
}

impl Record {
    /// What kind of record it is, for reports.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::AddItems(_) => "add items",
            Self::ForgetUser(_) => "forget user",
            Self::ForgetItem(_) => "forget item",
            Self::MergeUsers { .. } => "merge users",
            Self::SourceOffset { .. } => "source offset",
            Self::SourceStep { .. } => "source step",
            Self::Settings(_) => "settings",
            Self::Time(_) => "time",
            Self::ItemBatch => "item batch",
            Self::ItemPart => "item part",
            Self::ForeignItems(_) => "foreign items",
            Self::ForeignUsers(_) => "foreign users",
            Self::Freeze { .. } => "freeze",
            Self::Published { .. } => "published",
            Self::NotPublished { .. } => "not published",
            Self::Settled => "settled",
            Self::Synced { .. } => "synced",
        }
    }
}
