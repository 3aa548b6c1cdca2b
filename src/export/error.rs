//! Why something was not exported.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why an export was not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There are no vectors yet.
    #[error("no sweep has been published: sweep before factors are exported, or export histories alone")]
    NoModel,
    /// An id has a line break in it, so that it would be two ids in a list.
    #[error("the id {id:?} does not fit on a line of {list}: forget it, or leave the lists out")]
    LineBreak {
        /// The list.
        list: &'static str,
        /// The id.
        id: String,
    },
    /// A writer has failed.
    #[error("cannot write the export")]
    Write {
        /// What the writer says.
        source: io::Error,
    },
    /// A file or directory could not be written.
    #[error("cannot write {}; check that there is room and permission", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The directory is there already.
    #[error("{} is there already: name a directory that is not, or is empty", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
}

impl ExportError {
    pub(super) fn write(source: io::Error) -> Self {
        Self::Write { source }
    }
}
