//! All that an engine knows at one moment, as a file that it can be opened from.
//!
//! Layer 3.

mod snapshot;

pub(crate) use snapshot::{Position, Restored, RunningGramians, Snapshot};
