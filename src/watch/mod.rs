//! Being told of changes by the file system, through `notify`.
//!
//! Layer 0: nothing here knows of any other part of the crate. What the system tells may be late, merged or lost, so it only ever
//! means *look again*.

mod directory;
#[cfg(feature = "reload")]
mod file;
#[cfg(feature = "reload")]
mod follow;
#[cfg(feature = "reload")]
mod look;
#[cfg(feature = "reload")]
mod stamps;
#[cfg(feature = "reload")]
mod tied;

#[cfg(feature = "spool")]
pub(crate) use directory::DirectoryWatch;
#[cfg(feature = "reload")]
pub(crate) use file::{Contents, found, read};
#[cfg(feature = "reload")]
pub(crate) use follow::FollowedFile;
#[cfg(all(feature = "npz", feature = "reload"))]
pub(crate) use stamps::{StampWatch, Stamps, stamps};
#[cfg(all(feature = "npz", feature = "reload"))]
pub(crate) use tied::TiedThread;
