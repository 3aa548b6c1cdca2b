//! The log of facts: everything that ever changed what an engine knows, in order, as bytes that survive.
//!
//! Layer 3. The writer hands batches of records to the [`Journal`]; [`Replay`] reads them back when a store is
//! opened, and tells what a power cut has left unfinished from what is damaged. The bytes are written down in
//! `docs::formats`.

mod codec;
mod cut;
mod durability;
mod frame;
mod inspect;
mod judge;
mod origin;
mod record;
mod recover;
mod segment;
mod sync;
mod walk;
mod writer;

pub(crate) use cut::Cut;
pub use cut::TornTail;
pub use durability::Durability;
pub(crate) use inspect::{RepairPlan, SegmentReport, SegmentState, scan};
pub(crate) use origin::Origin;
pub(crate) use record::{EventRecord, ForeignPart, Record};
pub(crate) use recover::Replay;
pub(crate) use segment::{first_record, remove_segments_before};
pub(crate) use sync::{Flush, FlushError};
pub(crate) use writer::{Journal, JournalOptions, SyncOn};

#[cfg(test)]
mod tests;
