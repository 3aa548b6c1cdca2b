//! When a sweep runs, and whether what it gives is published.
//!
//! Layer 3.

mod freezer;
mod gate;
mod job;
mod policy;

pub use gate::GateRefusal;
pub(crate) use job::{Candidate, Forgotten, Job};
pub use job::{SweepReport, TrainingError};
pub use policy::{NeverSweep, SweepContext, SweepDecision, SweepEvery, SweepPolicy};
