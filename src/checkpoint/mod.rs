//! All that an engine knows at one moment, as a file that it can be opened from.
//!
//! Layer 3. A file is a row of checked sections (`sections`), whose fields are structs of their own (`wire`)
//! and whose large parts are packed row by row (`pack`). `docs::formats` has every byte.

mod digest;
mod error;
mod head;
mod name;
mod newest;
mod pack;
mod parts;
mod read;
mod read_model;
mod rows;
mod rules;
mod sections;
mod snapshot;
mod verify;
mod wire;
mod write;
mod write_model;

pub use digest::StateDigest;
pub use error::CheckpointError;
pub(crate) use name::{CheckpointFile, list, remove_unfinished};
pub(crate) use newest::newest;
pub(crate) use parts::StateParts;
pub(crate) use read::read;
pub(crate) use snapshot::{Position, Restored, RunningGramians, Snapshot};
pub(crate) use verify::{head, verify};
pub use write::CheckpointReport;
pub(crate) use write::write;

#[cfg(test)]
mod tests;
