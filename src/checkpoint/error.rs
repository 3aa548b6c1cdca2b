//! What can go wrong with writing a checkpoint, and with what one says.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::storage::bytes::DecodeError;
use crate::storage::{StorageFailure, StoreError};

/// Why no checkpoint was written. What was there before is still there.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Cancelled,
    /// The storage did not do what it was asked to.
    #[error("{operation} of {file} failed; the checkpoints before it and the journal are whole")]
    Io {
        /// What was asked: `"create"`, `"write"`, `"sync"`, `"rename"`.
        operation: &'static str,
        /// Of which file.
        file: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The engine lives in memory alone.
    #[error("the engine has no store; open it with one, or make a backup")]
    NoStore,
    /// The journal has failed, and a checkpoint without it would be the end of it.
    #[error("the engine is read-only, as its journal has failed; open it again")]
    Journal(#[from] StorageFailure),
    /// The store could not be read while older files were looked for, or the new one is not whole; or the place of a
    /// backup is the store of an engine.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The thread that wrote it panicked: a bug of this crate, or of the host's storage.
    #[error("writing the checkpoint panicked: {message}; please report it")]
    Panicked {
        /// What it said.
        message: String,
    },
    /// There is something in the place where a backup should be written.
    #[error("there are files where the backup should go, {file} among them; name an empty place")]
    NotEmpty {
        /// One of them.
        file: String,
    },
    /// The engine's state breaks a rule of its own, so a checkpoint of it could not be read back.
    #[error("{what} has a value that cannot be; please report it")]
    Unsound {
        /// What breaks it.
        what: &'static str,
    },
}

impl From<StoreError> for CheckpointError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl CheckpointError {
    /// For `map_err`: what failed, on which file.
    pub(super) fn io(operation: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self + use<> {
        let file = file.to_owned();
        move |source| Self::Io { operation, file, source: Arc::new(source) }
    }
}

/// Something that breaks a rule of the state: refused on the way out as on the way in, so that whatever is
/// written can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} has a value that cannot be")]
pub(super) struct Unsound(pub(super) &'static str);

impl From<Unsound> for CheckpointError {
    fn from(Unsound(what): Unsound) -> Self {
        Self::Unsound { what }
    }
}

impl From<Unsound> for DecodeError {
    fn from(Unsound(what): Unsound) -> Self {
        Self::Invalid(what)
    }
}

/// What is wrong with the contents of a section whose bytes are as they were written.
#[derive(Debug, Error)]
pub(super) enum Flaw {
    #[error(transparent)]
    Bytes(#[from] DecodeError),
    #[error("its fields are not the expected ones: {0}")]
    Fields(#[from] rmp_serde::decode::Error),
}

impl From<Unsound> for Flaw {
    fn from(unsound: Unsound) -> Self {
        Self::Bytes(unsound.into())
    }
}
