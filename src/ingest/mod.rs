//! From what the host says to what the engine learns: validation and weighing.
//!
//! Layer 3. Validation happens on the sending thread, before anything is queued, so that a mistake is
//! reported where it was made; weighing happens on the writer thread, where the facts are.

mod interaction;
mod music;
mod source;
#[cfg(feature = "spool")]
mod spool;
mod weigher;

pub(crate) use interaction::{Admission, Interaction, InvalidCounts, check_item};
pub use interaction::{EventError, InvalidEvent};
pub use music::{MusicSettings, MusicSettingsError, MusicWeigher};
pub(crate) use source::Given;
pub use source::{EventSource, Pull, SourceBatch, SourceError, SourceWaker};
#[cfg(feature = "spool")]
pub use spool::{AfterReading, SpoolDir};
pub(crate) use weigher::WeighWith;
pub use weigher::{EventFacts, UnitWeigher, Weigher};
