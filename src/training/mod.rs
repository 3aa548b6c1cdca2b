//! When a sweep runs, and whether what it gives is published.
//!
//! Layer 3.

mod exam;
mod foreign;
mod freezer;
mod gate;
mod hold_out;
mod job;
mod policy;

pub(crate) use foreign::Foreign;
pub(crate) use gate::WatchedGate;
pub use gate::{GateFacts, GateRefusal, GateReport, PublishAlways, QualityGate, SweepGate, Trial};
pub(crate) use job::{Candidate, Forgotten, Job};
pub use job::{SweepReport, TrainingError};
pub use policy::{NeverSweep, SweepContext, SweepDecision, SweepEvery, SweepPolicy};
