//! Being told of changes by the file system, through `notify`.
//!
//! Layer 0: nothing here knows of any other part of the crate. What the system tells may be late, merged or lost, so it only ever
//! means *look again*.

mod directory;
#[cfg_attr(not(test), expect(dead_code, reason = "what reads settings anew is built on it"))]
mod file;

#[cfg(feature = "spool")]
pub(crate) use directory::DirectoryWatch;
#[expect(unused_imports, reason = "what reads settings anew is built on it")]
pub(crate) use file::{Contents, FileWatch, WatchError};
