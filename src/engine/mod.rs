//! The only place that knows everybody: it owns the threads, the queue and the clock.
//!
//! Layer 4. One writer applies events, folds in and publishes; sweeps run on a rayon pool and speak to the
//! writer by messages alone. [`Engine`] gives the writer a thread, [`ManualEngine`] leaves it to the host.

mod adopt;
mod apply;
mod build_error;
mod builder;
mod calls;
mod change;
mod checkpoints;
mod crew;
mod drafts;
#[cfg(feature = "reload")]
mod files;
mod fold_items;
mod fold_users;
mod gramians;
mod handle;
mod import;
mod journaled;
#[cfg(feature = "reload")]
mod list_file;
mod log;
mod manual;
mod memory;
mod meters;
#[cfg(all(feature = "npz", feature = "reload"))]
mod model_file;
mod observer;
mod open;
mod past;
mod plug_in;
mod pools;
mod queue;
mod replay;
mod rollback;
mod scribe;
mod session;
mod settings;
mod sources;
mod store;
mod sweep;
#[cfg(feature = "metrics")]
mod telemetry;
mod worker;
mod writer;

pub use build_error::BuildError;
pub use builder::{CatalogueMode, EngineBuilder};
pub use handle::{
    CheckpointHandle, Engine, EngineError, EraseError, Erasure, ShutdownError, ShutdownReport, SweepHandle,
};
pub use import::ImportReport;
pub use journaled::{JournaledEvent, JournaledEvents, journaled_events};
#[cfg(feature = "reload")]
pub use list_file::{ListChange, ListFileError};
pub use manual::ManualEngine;
pub use meters::{Degradation, Health, MemoryStats, ReloadStats, StageLatencies, Stats, SweepProgress};
#[cfg(all(feature = "npz", feature = "reload"))]
pub use model_file::ModelFileError;
pub use observer::{LookAway, Notice, Observer};
pub use open::RecoveryReport;
pub use past::Past;
pub use queue::{EventSender, SendError, TrySendError};
pub use session::{PrivateSession, PrivateSessionError};
pub use settings::{LiveSettings, RetuneError, SettingChange, SettingError};
#[cfg(feature = "reload")]
pub use settings::{ReloadError, SettingsFile, SettingsFileError};
#[cfg(any(test, feature = "testing"))]
pub(crate) use sources::SOURCE_BUDGET;
pub use sources::SourceStats;
pub use store::CheckpointEvery;

#[cfg(test)]
mod tests;
