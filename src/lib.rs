//! An embedded, streaming music recommender.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout))]

mod als;
pub mod demo;
mod eval;
pub mod import;
mod kernel;
mod metrics;
mod types;

pub use types::{
    Action, ActionKind, ActionName, Activity, Catalogue, CatalogueEntry, Clock, Context, Device, Event,
    EventSeq, GenerationId, IdempotencyKey, ItemId, ItemIdx, ItemVersion, MAX_ID_BYTES, ManualClock, Played,
    SessionId, Signal, SignalError, SystemClock, Tag, TagError, Timestamp, UserId, UserIdx, UtcOffset,
};
