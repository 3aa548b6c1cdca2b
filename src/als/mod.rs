//! Alternating least squares: parameters, the row solver, Gramians and bases, sweeps, the objective.
//!
//! Layer 1, and pure: no thread of its own, no clock, no file, no lock, no logging. Parallel calls take the
//! pool to work on; row solves allocate nothing once their scratch has grown.

mod base;
#[doc(hidden)]
pub mod bench;
mod coarse;
mod eigen;
mod factors;
mod gramian;
mod half_sweep;
mod input;
mod model;
mod objective;
mod pair;
mod params;
mod row;
mod sweep;

pub(crate) use base::ItemBase;
pub use base::UserBase;
pub use factors::{Factors, FactorsError};
pub(crate) use gramian::Gramian;
pub(crate) use half_sweep::Gathered;
pub use input::{TrainingInput, TrainingInputError};
pub(crate) use model::ModelParts;
pub use model::{FoldInError, TrainedModel};
pub use pair::{Pair, PairError};
pub use params::{AlsParams, AlsParamsBuilder, ParamError};
pub(crate) use row::{RowScratch, Rows};
pub use sweep::{Als, Side, SweepError, SweepSolver};

#[cfg(test)]
mod tests;
