//! Why an engine cannot be opened.

#[cfg(feature = "reload")]
use std::path::PathBuf;

use rayon::ThreadPoolBuildError;
use thiserror::Error;

use super::builder::EngineBuilder;
#[cfg(feature = "reload")]
use super::list_file::ListFileError;
#[cfg(feature = "reload")]
use super::settings::ReloadError;
use crate::storage::{StorageFailure, StoreError};
use crate::types::{MAX_ID_BYTES, Timestamp};

/// Why an engine cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A queue must hold at least one event, and at most [`EngineBuilder::MAX_QUEUE_CAPACITY`].
    #[error("queue_capacity must be between 1 and {}, got {got}", EngineBuilder::MAX_QUEUE_CAPACITY)]
    QueueCapacity {
        /// The refused value.
        got: usize,
    },
    /// A half-life must be longer than zero.
    #[error("half_life must be longer than zero; leave it out for no decay")]
    HalfLife,
    /// A training run must sweep at least once.
    #[error("sweeps must be at least 1 for the first and the later runs, got {first} and {later}")]
    Sweeps {
        /// Of the first run.
        first: usize,
        /// Of later runs.
        later: usize,
    },
    /// A limit of the engine is zero, so that nothing could be learned.
    #[error("limit {name} must be at least 1")]
    Limit {
        /// Which one.
        name: &'static str,
    },
    /// The name of a source is empty or too long.
    #[error("the name of a source must be 1 to {MAX_ID_BYTES} bytes long, got {got}")]
    SourceName {
        /// Its length in bytes.
        got: usize,
    },
    /// A source panicked when it was asked for its name.
    #[error("a source panicked when it was asked for its name: {message}")]
    SourcePanicked {
        /// What it said.
        message: String,
    },
    /// Two sources have the same name, so that one would go on where the other has come to.
    #[error("there are two sources called {name:?}; give each a name of its own")]
    SameSource {
        /// The name.
        name: String,
    },
    /// The operating system gave no thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
    /// The store cannot be opened; what is in it is as it was.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store was read, but cannot be written.
    #[error("the store cannot be written")]
    Journal(#[source] StorageFailure),
    /// There is nothing to replay.
    #[error("there is no store to replay; name one with `store`")]
    NoStore,
    /// Neither a checkpoint nor the journal of the store reaches back so far.
    #[error("the store reaches back to {} only; `keep_journal` keeps it whole from the start", moment(*earliest))]
    TooLongAgo {
        /// The first moment that can be replayed, if there is any.
        earliest: Option<Timestamp>,
    },
    /// The settings file cannot be used as it is.
    #[cfg(feature = "reload")]
    #[error("the settings file {} is refused: {source}", path.display())]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ReloadError,
    },
    /// A list file cannot be used as it is.
    #[cfg(feature = "reload")]
    #[error("the list file {} is refused: {source}", path.display())]
    ListFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ListFileError,
    },
    /// Two files fill one list or catalogue, so that each would undo what the other says.
    #[cfg(feature = "reload")]
    #[error("{} and {} fill the same list; give each a list of its own", first.display(), second.display())]
    SameList {
        /// The file that was named first.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The pool could not be started.
    #[error("the pool could not be started")]
    Pool(#[from] ThreadPoolBuildError),
}

/// As a person may read it.
fn moment(time: Option<Timestamp>) -> String {
    time.map_or_else(
        || "nothing".to_owned(),
        |time| format!("{} ms after the beginning of 1970", time.unix_ms()),
    )
}
