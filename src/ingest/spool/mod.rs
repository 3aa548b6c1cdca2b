//! Events from files that somebody puts into a directory.

mod directory;
mod event_line;
mod lines;
mod names;
mod rfc3339;
mod source;

pub use source::{AfterReading, SpoolDir};
