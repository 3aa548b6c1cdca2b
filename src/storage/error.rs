//! Why a store cannot be opened.

use std::io;

use thiserror::Error;

/// Why a store cannot be opened, read or copied. Whatever is in it is left as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The storage did not do what it was asked to.
    #[error("{operation} of {file} failed")]
    Io {
        /// What was asked: `"read"`, `"write"`, `"sync"` and the like.
        operation: &'static str,
        /// Of which file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another engine, of this process or another, has the store open.
    #[error("the store is open elsewhere; an engine needs a store of its own")]
    InUse,
    /// A file of the store's own name was not written by this crate.
    #[error("{file} does not start as a file of this crate does; move it away or name another directory")]
    Foreign {
        /// The file.
        file: String,
    },
    /// The file was written by a later version of this crate.
    #[error("{file} has format {found}, this version reads up to {supported}; use a newer version")]
    Newer {
        /// The file.
        file: String,
        /// Its format version.
        found: u32,
        /// The latest that is understood.
        supported: u32,
    },
    /// Bytes that had been made durable are not what was written.
    #[error(
        "{file} is damaged at byte {offset}: {what}; restore a backup, or see what `maintenance::Repair` can keep"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Where the first damaged part begins.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A file is gone without which what follows it means nothing.
    #[error("{file} is missing: {what}; restore it or a backup, or see what `maintenance::Repair` can keep")]
    Missing {
        /// The file, or where it should begin.
        file: String,
        /// What is missing.
        what: String,
    },
    /// The journal has been shortened, or the store was begun with a backup, so its first events are not in it.
    #[error(
        "the journal does not have the events of checkpoint {checkpoint}; keep it whole with `keep_journal`"
    )]
    NoBeginning {
        /// The checkpoint that has what came before, or where it should be.
        checkpoint: String,
    },
    /// A record is whole, but nothing that this crate writes has it there.
    #[error("record {record} of the journal does not fit what comes before it: {what}; please report it")]
    Inconsistent {
        /// The number of the record.
        record: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The journal adds more than the settings allow. What a checkpoint holds is taken whatever the limits are; they refuse
    /// what is new.
    #[error("the store holds more than {limit} {what}; raise `max_{what}`")]
    TooSmall {
        /// `"users"` or `"items"`.
        what: &'static str,
        /// The limit of the settings.
        limit: u32,
    },
    /// The histories were kept with another half-life, so their sums mean something else.
    #[error(
        "the store was kept with {}, not with {}; keep that, or rebuild the store",
        half_life(*stored),
        half_life(*asked)
    )]
    HalfLife {
        /// Of the store, in milliseconds; `None` without decay.
        stored: Option<f64>,
        /// Of the settings.
        asked: Option<f64>,
    },
}

/// What a storage could not do for a running engine, in a form that can be kept and compared.
///
/// It ends the journal: from then on nothing is written to it any more. A sync that failed is never tried again:
/// the system may have dropped what it could not write, and would then say that all is well.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{operation} of {file} failed: {message}")]
#[non_exhaustive]
pub struct StorageFailure {
    /// What the storage was asked for: `"create"`, `"write"` or `"sync"`.
    pub operation: &'static str,
    /// Of which file, or `"directory"`.
    pub file: String,
    /// The kind of error.
    pub kind: io::ErrorKind,
    /// What the system said.
    pub message: String,
}

impl StoreError {
    /// For `map_err`: what failed, on which file.
    pub(crate) fn io(operation: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io { operation, file, source }
    }
}

fn half_life(ms: Option<f64>) -> String {
    ms.map_or_else(|| "no half-life".to_owned(), |ms| format!("a half-life of {ms} ms"))
}
