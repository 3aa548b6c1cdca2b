//! The log of facts: everything that ever changed what an engine knows, in order, as bytes that survive.
//!
//! Layer 3.

mod record;
mod stub;
pub(crate) use stub::Journal;
pub use stub::JournalFailure;

pub(crate) use record::{EventRecord, Record};
