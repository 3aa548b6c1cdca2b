//! What can be wrong with the files of a data set.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a data set could not be read. Lines count from 1, the header being line 1.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file is missing or cannot be read.
    #[error("cannot read {}: name the folder that holds all files of the set", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The bytes are not text in the encoding this file of the set has.
    #[error("{}:{line}: not valid {expected}; use the file as it was published", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The first line that is wrong.
        line: usize,
        /// The encoding it should have.
        expected: &'static str,
    },
    /// The first line does not name the columns this file of the set has.
    #[error("{}:1: expected the columns {expected:?}, got {got:?}; \
             use the file as it was published", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The names of the columns, with tabs between them.
        expected: String,
        /// The line that was found.
        got: String,
    },
    /// A line has too few or too many columns.
    #[error("{}:{line}: expected {expected} columns with tabs between them, got {got}; \
             correct the line", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// How many columns it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// A value is not what its column holds.
    #[error("{}:{line}: {column} must be {expected}, got {got:?}; correct the line", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column's name.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A line says again what an earlier one has said.
    #[error("{}:{line}: {what} was given before; remove one of the two lines", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The later of the two lines.
        line: usize,
        /// What they both speak of.
        what: String,
    },
    /// A line speaks of something another file of the set should list, and does not.
    #[error("{}:{line}: {what} is not listed in {listed_in}; \
             take all files from the same set", path.display())]
    Unlisted {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What it speaks of.
        what: String,
        /// The name of the file that should list it.
        listed_in: &'static str,
    },
}
