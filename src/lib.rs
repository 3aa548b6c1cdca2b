//! An embedded, streaming music recommender: live listens in, fresh recommendations out, in process.
//!
//! A host application sends listens, skips and likes as they happen; each is folded into its listener's
//! vector by alternating least squares (ALS) as it arrives. Full sweeps over everything learned run in the
//! background. Queries are answered from memory, in microseconds, on the thread that asks.
//!
//! ```
//! use segue::{Engine, Event};
//! use std::time::Duration;
//!
//! let engine = Engine::builder().open()?;
//! let events = engine.sender(); // clone it, give one to each thread
//! for (listener, artist) in [
//!     ("ben", "portishead"), ("ben", "massive-attack"), ("ben", "tricky"),
//!     ("cleo", "massive-attack"), ("cleo", "tricky"), ("dan", "slayer"), ("dan", "metallica"),
//! ] {
//!     events.send(Event::listen(listener, artist).fraction(0.97))?;
//! }
//! engine.sweep_now()?.wait()?; // by itself a sweep comes after a time, or so many events
//!
//! // Ana plays one song; the very next query knows.
//! let receipt = events.send_tracked(Event::listen("ana", "massive-attack"))?;
//! let view = engine.reader().view_after(&receipt, Duration::from_secs(5))?;
//! let picks = view.user("ana").recommend().limit(2).run()?;
//! assert_eq!(picks.ids().next(), Some(&"tricky".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The words
//!
//! * An [`Event`] is what the host reports: a listen, a skip, a like, the taking back of one. A [`Weigher`]
//!   says what it means: a *preference* (what the pair should score) and a *confidence* (how much that counts).
//! * The engine keeps every listener's weighted *history*. Vectors are a cache of what solving it gives.
//! * A *sweep* solves everybody and publishes a *generation*; a [`SweepPolicy`] says when. Between sweeps,
//!   users are folded in with each event, items in batches.
//! * A [`Reader`] gives a [`View`]: one generation, pinned for a request. Every list says where it comes from
//!   ([`Provenance`]); who is not known gets a *cold* answer that says so.
//!
//! * What may be shown, in which order, and how a list is put together is for the host to say: [`plugin`] has every trait that
//!   may be replaced.
//!
//! More in [`docs`]: the [architecture](docs::architecture) with what is always true,
//! [concurrency](docs::concurrency), [durability](docs::durability), [settings](docs::settings), [operations](docs::operations), the [numerics](docs::numerics), a
//! [glossary](docs::glossary).
//!
//! # Durability
//!
//! Everything lives in memory, and with [`store`](EngineBuilder::store) in a directory as well: a journal of what was
//! learned, and checkpoints, so that opening it again goes on where it ended, however it ended.
//!
//! ```
//! use segue::{Durability, Engine};
//! use std::time::Duration;
//! # let state = std::env::temp_dir().join(format!("segue-doc-tour-{}", std::process::id()));
//!
//! let engine = Engine::builder().store(&state, Durability::Interval(Duration::from_millis(50))).open()?;
//! # drop(engine);
//! # std::fs::remove_dir_all(state)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An event whose [`Receipt`] says [`Outcome::Applied`] survives a kill; a [`Durability`] says how much of the latest a
//! power cut may take.
//!
//! # Threads, and what blocks
//!
//! One writer thread and rayon pools, for sweeps and for what somebody waits for (the engine's own, or one of the
//! host's for both); with a store one thread that syncs, and one while a checkpoint is written. [`EventSender::send`] waits while the
//! bounded queue is full, [`EventSender::try_send`] hands the event back. Queries run on the calling thread and
//! wait for nobody. [`ManualEngine`] has no writer thread and no queue: each call runs on the thread that makes it, its sweeps on
//! a pool.
//!
//! # What else is here
//!
//! The mathematics alone ([`Als`], [`TrainingInput`], [`TrainedModel`]), [`metrics`] and [`eval`] to judge it,
//! [`import`] for public data sets and for models trained elsewhere, [`export`] to Python (the feature `npz` adds archives
//! in the layout of the library `implicit` to both), and [`demo`]: an invented music world with endless events.
//!
//! # Limits
//!
//! One process, in memory; measured are engines of a million listeners and 100,000 items, and searches of a million items. Not a
//! server, not a distributed trainer, not a sequence model, not a vector database.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout))]

mod als;
mod checkpoint;
pub mod demo;
pub mod docs;
mod engine;
pub mod eval;
mod exchange;
pub mod export;
mod guard;
pub mod import;
mod ingest;
mod journal;
mod kernel;
pub mod maintenance;
pub mod metrics;
mod model;
pub mod plugin;
mod publish;
mod query;
mod search;
mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod training;
mod types;
#[cfg(any(feature = "reload", feature = "spool"))]
mod watch;

#[doc(hidden)]
pub use als::bench as als_bench;
pub use als::{
    Als, AlsParams, AlsParamsBuilder, Factors, FactorsError, FoldInError, Pair, PairError, ParamError, Side,
    SweepError, SweepSolver, TrainedModel, TrainingInput, TrainingInputError, UserBase,
};
pub use checkpoint::{CheckpointError, CheckpointReport, StateDigest};
#[cfg(all(feature = "npz", feature = "reload"))]
pub use engine::ModelFileError;
pub use engine::{
    BuildError, CatalogueMode, CheckpointEvery, CheckpointHandle, Degradation, Engine, EngineBuilder,
    EngineError, EraseError, Erasure, EventSender, Health, ImportReport, JournaledEvent, JournaledEvents,
    LiveSettings, LookAway, ManualEngine, MemoryStats, Notice, Observer, Past, PrivateSession,
    PrivateSessionError, RecoveryReport, ReloadStats, RetuneError, SendError, SettingChange, SettingError,
    ShutdownError, ShutdownReport, SourceStats, StageLatencies, Stats, SweepHandle, SweepProgress,
    TrySendError, journaled_events,
};
#[cfg(feature = "reload")]
pub use engine::{ListChange, ListFileError};
#[cfg(feature = "reload")]
pub use engine::{ReloadError, SettingsFile, SettingsFileError};
pub use guard::{Incident, LatencySummary, PluginStats};
pub use ingest::{
    EventError, EventFacts, InvalidEvent, MusicSettings, MusicSettingsError, MusicWeigher, UnitWeigher,
    Weigher,
};
pub use journal::{Durability, TornTail};
pub use kernel::SimdPath;
pub use model::{Durable, DurableError, Limits, Outcome, Receipt, Refusal, Saturation};
pub use query::{
    ColdCause, HistoryEntry, ItemIndex, ItemQuery, Provenance, QueryError, Reader, Recommendation,
    Recommendations, SearchError, SimilarUser, Source, TasteError, UserView, View, ViewAfterError,
};
pub use storage::{
    AppendFile, DirStorage, MemoryStorage, ReadFile, Storage, StorageFailure, StorageLock, StoreError,
};
pub use training::{
    GateFacts, GateRefusal, GateReport, ModelOrigin, NeverSweep, PublishAlways, QualityGate, SweepContext,
    SweepDecision, SweepEvery, SweepGate, SweepPolicy, SweepReport, TrainingError, Trial,
};
pub use types::{
    Action, ActionKind, ActionName, Activity, Catalogue, CatalogueEntry, Clock, Context, Device, Event,
    EventSeq, GenerationId, IdempotencyKey, ItemId, ItemIdx, ItemVersion, MAX_ID_BYTES, ManualClock, Played,
    SessionId, Signal, SignalError, SystemClock, Tag, TagError, Timestamp, UserId, UserIdx, UtcOffset,
};
