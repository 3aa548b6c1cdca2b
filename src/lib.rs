//! An embedded, streaming music recommender.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout))]

mod als;
pub mod demo;
pub mod docs;
mod engine;
pub mod eval;
mod guard;
pub mod import;
mod ingest;
mod kernel;
mod metrics;
mod model;
mod publish;
mod query;
mod search;
mod training;
mod types;

#[doc(hidden)]
pub use als::bench as als_bench;
pub use als::{
    Als, AlsParams, AlsParamsBuilder, Factors, FactorsError, FoldInError, Pair, PairError, ParamError, Side,
    SweepError, SweepSolver, TrainedModel, TrainingInput, TrainingInputError, UserBase,
};
pub use engine::{
    BuildError, CatalogueMode, Degradation, Engine, EngineBuilder, EngineError, EventSender, Health,
    ImportReport, ManualEngine, SendError, ShutdownError, ShutdownReport, Stats, SweepHandle, TrySendError,
};
pub use guard::LatencySummary;
pub use ingest::{EventError, EventFacts, InvalidEvent, MusicWeigher, UnitWeigher, Weigher};
pub use kernel::SimdPath;
pub use model::{Limits, Outcome, Receipt, Refusal, Saturation};
pub use query::{
    ColdCause, HistoryEntry, ItemQuery, Provenance, QueryError, Reader, Recommendation, Recommendations,
    SimilarUser, Source, TasteError, UserView, View, ViewAfterError,
};
pub use training::{
    GateRefusal, NeverSweep, SweepContext, SweepDecision, SweepEvery, SweepPolicy, SweepReport, TrainingError,
};
pub use types::{
    Action, ActionKind, ActionName, Activity, Catalogue, CatalogueEntry, Clock, Context, Device, Event,
    EventSeq, GenerationId, IdempotencyKey, ItemId, ItemIdx, ItemVersion, MAX_ID_BYTES, ManualClock, Played,
    SessionId, Signal, SignalError, SystemClock, Tag, TagError, Timestamp, UserId, UserIdx, UtcOffset,
};
