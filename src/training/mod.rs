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
mod progress;
mod steps;

pub(crate) use foreign::Foreign;
pub(crate) use freezer::FreezeSize;
pub use gate::{GateFacts, GateRefusal, GateReport, PublishAlways, QualityGate, SweepGate, Trial};
pub(crate) use gate::{JudgeWith, WatchedGate};
pub(crate) use job::{Candidate, Forgotten, Job};
pub use job::{ModelOrigin, SweepReport, TrainingError};
pub(crate) use policy::SweepWith;
pub use policy::{NeverSweep, SweepContext, SweepDecision, SweepEvery, SweepPolicy};
pub(crate) use progress::Progress;
pub(crate) use steps::SweepPools;
