//! Where the bytes of an engine are kept: the seam under the journal and the checkpoints.
//!
//! Layer 2. [`Storage`] is a flat folder of append-only files; [`DirStorage`] keeps them in a directory of the
//! file system, [`MemoryStorage`] in memory. Who writes what, and why a crash loses nothing that was
//! acknowledged, is written down in `docs::formats`.

pub(crate) mod bytes;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod contract;
mod dir;
mod error;
mod lock;
mod memory;
mod name;
#[cfg(test)]
mod tests;
mod traits;
mod watched;

pub use dir::DirStorage;
pub(crate) use dir::sync_directory;
pub use error::{StorageFailure, StoreError};
pub(crate) use lock::lock;
pub use memory::MemoryStorage;
pub use traits::{AppendFile, ReadFile, Storage, StorageLock};
pub(crate) use watched::StorageWatch;
