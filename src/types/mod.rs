//! The words everybody speaks: identifiers, events, signals, time.
//!
//! Layer 0: nothing here knows of any other part of the crate.

mod catalogue;
mod clock;
mod context;
mod event;
mod ids;
mod seq;
mod signal;

pub use catalogue::{Catalogue, CatalogueEntry, Tag, TagError};
pub(crate) use clock::ClockWith;
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub(crate) use context::DayPart;
pub use context::{Activity, Context, Device, SessionId, UtcOffset};
pub use event::{Action, ActionKind, ActionName, Event, IdempotencyKey, Played};

pub use ids::{ItemId, ItemIdx, MAX_ID_BYTES, UserId, UserIdx};
pub use seq::{EventSeq, GenerationId, ItemVersion};
pub use signal::{Signal, SignalError};
