//! Events that are pulled: a thread for each source.
//!
//! [`Driver`] asks a source and hands on what it gives, step by step, for a thread or for a manual engine. What it hands on
//! the writer learns in one batch, each event together with the offset behind it.

mod driver;
mod learn;
mod stats;
mod thread;

pub(super) use driver::{Driver, MAX_STEPS, Sink, Then};
pub(super) use learn::SourcePart;
#[cfg(any(test, feature = "testing"))]
pub(crate) use stats::BUDGET as SOURCE_BUDGET;
pub use stats::SourceStats;
pub(super) use stats::{NamedSource, SourceMeters};
pub(super) use thread::SourceThreads;
