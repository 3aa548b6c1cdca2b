//! The few places where the writer and the readers meet, each a small generic type.
//!
//! Layer 1: they know nothing of what they hold. The protocol built from them is written down in
//! `docs::concurrency` and model-checked with loom (`loom_tests.rs`).

mod freeze;
mod interner;
mod patience;
mod published;
mod read_rule;
mod sync;
mod table;
mod watermark;

pub(crate) use freeze::{Freeze, Sequenced};
pub(crate) use interner::Interner;
pub(crate) use patience::look_a_while;
pub(crate) use published::{Published, Slot};
pub(crate) use read_rule::{VectorSource, vector_source};
pub(crate) use table::GrowOnlyTable;
pub(crate) use watermark::{Ticket, Waited, Watermark};

#[cfg(all(test, loom))]
mod loom_tests;
