//! An embedded, streaming music recommender.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout))]

mod als;
mod demo;
pub mod eval;
mod import;
mod kernel;
pub mod metrics;
mod types;

#[doc(hidden)]
pub use als::bench as als_bench;
pub use als::{
    Als, AlsParams, AlsParamsBuilder, Factors, FactorsError, FoldInError, Pair, PairError, ParamError, Side,
    SweepError, SweepSolver, TrainedModel, TrainingInput, TrainingInputError, UserBase,
};
pub use kernel::SimdPath;
pub use types::{
    Action, ActionKind, ActionName, Activity, Clock, Context, Device, Event, EventSeq, GenerationId,
    IdempotencyKey, ItemId, ItemIdx, ItemVersion, MAX_ID_BYTES, ManualClock, Played, SessionId, Signal,
    SignalError, SystemClock, Timestamp, UserId, UserIdx, UtcOffset,
};
