//! A storage whose power can be cut between any two calls, and within them.
//!
//! [`FaultyStorage`] keeps its files in memory and knows of every byte whether it would survive. It counts its
//! operations; a [`Plan`] says at which of them what goes wrong. After a power cut,
//! [`FaultyStorage::reboot`] gives one of the many disks that may be found then; after a killed process,
//! [`FaultyStorage::kill`] gives what the operating system still has. The usual test of a writer:
//!
//! 1. Run it once on a healthy storage and take [`FaultyStorage::operations`].
//! 2. For every operation up to that, run it anew with `Plan::once(at, Fault::PowerCut)` and keep what was
//!    acknowledged.
//! 3. For some seeds, open what `reboot(seed)` gives and hold it against what was acknowledged.
//!
//! The same calls in the same order with the same seeds give the same bytes. It is stricter than most file
//! systems: nothing survives that [`segue::Storage`] does not promise, and what is not promised may survive
//! in any part.

mod disk;
mod plan;
mod reboot;
mod storage;

pub(crate) use plan::{Fault, Plan};
pub(crate) use storage::FaultyStorage;
