//! What watches over the engine: a fence around plug-ins, counters, a histogram of latencies, and what its threads leave
//! to others.
//!
//! Layer 0: nothing here knows of any other part of the crate.

mod causes;
mod counter;
pub(crate) mod courtesy;
mod fence;
mod histogram;
pub(crate) mod priority;
mod watch;

pub(crate) use causes::with_causes;
pub(crate) use counter::Counter;
pub(crate) use fence::fenced;
pub(crate) use histogram::LatencyHistogram;
pub use histogram::LatencySummary;
pub use watch::{Incident, PluginStats};
pub(crate) use watch::{Standing, Watch, WatchOf};
