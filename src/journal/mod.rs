//! The log of facts: everything that ever changed what an engine knows, in order, as bytes that survive.
//!
//! Layer 3.

mod codec;
mod record;

pub(crate) use record::{EventRecord, Record};
