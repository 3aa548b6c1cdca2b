//! Everything that a host may replace, with every type that it takes to do so.
//!
//! The engine acts, plug-ins decide. Each is a small trait: borrowed facts in, a value out, with a default beside it and one
//! that does nothing. A panic in one is caught, what takes too long is counted, nonsense is done without, and
//! [`health`](crate::Engine::health) names the seam; none of it ends a thread of the engine. How long each may take stands in
//! [`docs::operations`](crate::docs::operations).
//!
//! | seam | decides | default | does nothing | asked on |
//! |---|---|---|---|---|
//! | [`Weigher`] | what an event means | [`MusicWeigher`] | [`UnitWeigher`] | the writer's thread, once an event |
//! | [`EventSource`] | where events are pulled from | none | none: leave it out | a thread of its own |
//! | [`SweepPolicy`] | when to sweep | [`SweepEvery`] | [`NeverSweep`] | the writer's thread, after each batch |
//! | [`SweepGate`] | whether what it found is published | [`QualityGate`] | [`PublishAlways`] | a thread of the pool, once a sweep |
//! | [`Filter`] | what may be shown | none | [`KeepAll`] | the thread that asks; for a batch of lists the pool's, too |
//! | [`Rescorer`] | in which order | none | [`KeepScores`] | as the filter |
//! | [`SlatePolicy`] | which of the best make a list | [`TopRanked`] | the same | as the filter |
//! | [`Observer`] | nothing: it is told what the engine does | [`LookAway`] | the same | the writer's thread, once a sweep; those of watched files |
//! | [`Storage`] | where bytes go | [`DirStorage`] | [`MemoryStorage`] | the thread that opens, the writer's, the syncing and the checkpoint's |
//! | [`Clock`] | what time it is | [`SystemClock`] | [`ManualClock`] | threads that send and that ask, the sources', the writer's |
//!
//! The validation of events, the source of candidates and the prior of a row are no seams, as there is no second real
//! implementation of any of them.
//!
//! Those of one method may be closures: `EngineBuilder` has a `…_with` for each of weigher, sweep policy, gate, observer, clock
//! and slate policy, and for filter and rescorer item by item.
//!
//! A panic of a plug-in is caught only where panics unwind, which is Rust's default: a host built with `panic = "abort"` ends
//! with its first.
//!
//! What a music app wants is here ready made:
//!
//! | | what it does |
//! |---|---|
//! | [`BlockList`], [`AllowList`] | a filter of items or artists that the host changes while the engine runs: what is delisted is gone at once |
//! | [`Markets`] | a filter by where items are available |
//! | [`Flags`] | a filter by tags of the catalogue, explicit content among them |
//! | [`NotHeardFor`], [`NotAmongLast`], [`CoolDown`] | filters of what was heard of late, item or artist; [`SoftCoolDown`] lets it sink |
//! | [`PopularityDebias`] | a rescorer that takes from what everybody hears |
//! | [`SpacedBy`], [`Mmr`], [`Familiarity`] | slate policies: artists apart, items that are not all alike, a share of what is known with forgotten favourites |
//!
//! With the feature `testing`, `segue::testing` puts a host's own to the test.
//!
//! ```
//! use segue::plugin::{NotHeardFor, PopularityDebias, SpacedBy};
//! use segue::{Engine, Event, ItemId};
//! use std::time::Duration;
//!
//! let artist = |track: &ItemId| track.to_string().split_once('/').map(|(artist, _)| artist.to_owned());
//! let engine = Engine::builder()
//!     .filter(NotHeardFor(Duration::from_secs(3_600)))
//!     .rescorer(PopularityDebias::new(0.02)?)
//!     .slate(SpacedBy::new(2, artist))
//!     .open()?;
//! engine.import([Event::listen("ana", "portishead/roads"), Event::listen("ben", "portishead/glory box")])?;
//! let picks = engine.reader().view().user("ana").recommend().allow_known().limit(10).run()?;
//! # let _ = picks;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use crate::als::{Side, SweepError};
#[cfg(all(feature = "npz", feature = "reload"))]
pub use crate::engine::ModelFileError;
pub use crate::engine::{EngineError, LookAway, Notice, Observer, RetuneError, SettingChange, SettingError};
#[cfg(feature = "reload")]
pub use crate::engine::{ListChange, ListFileError};
#[cfg(feature = "reload")]
pub use crate::engine::{ReloadError, SettingsFileError};
pub use crate::guard::{Incident, LatencySummary, PluginStats};
#[cfg(feature = "spool")]
pub use crate::ingest::{AfterReading, SpoolDir};
pub use crate::ingest::{
    EventError, EventFacts, EventSource, MusicSettings, MusicSettingsError, MusicWeigher, Pull, SourceBatch,
    SourceError, SourceWaker, UnitWeigher, Weigher,
};
pub use crate::model::Refusal;
pub use crate::query::{
    AllowList, BlockList, Candidate, ColdCause, CoolDown, Familiarity, Filter, FlagFilter, Flags, Heard,
    ItemFilter, ItemRescorer, KeepAll, KeepScores, Market, Markets, Mmr, NotAmongLast, NotHeardFor, OnPanic,
    PolicyError, PopularityDebias, Request, Rescorer, SlatePolicy, SoftCoolDown, Source, SpacedBy, TopRanked,
    VectorCosine,
};
pub use crate::storage::{
    AppendFile, DirStorage, MemoryStorage, ReadFile, Storage, StorageFailure, StorageLock,
};
pub use crate::training::{
    GateFacts, GateRefusal, GateReport, ModelOrigin, NeverSweep, PublishAlways, QualityGate, SweepContext,
    SweepDecision, SweepEvery, SweepGate, SweepPolicy, SweepReport, TrainingError, Trial,
};
pub use crate::types::{
    Action, ActionKind, ActionName, Activity, Catalogue, CatalogueEntry, Clock, Context, Device, Event,
    EventSeq, GenerationId, IdempotencyKey, ItemId, ManualClock, Played, SessionId, Signal, SignalError,
    SystemClock, Tag, TagError, Timestamp, UserId, UtcOffset,
};
