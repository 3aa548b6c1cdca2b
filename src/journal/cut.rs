//! Taking the end of a journal off.

use crate::storage::{Storage, StoreError};

/// The part of a journal, from a bad place to its end, that is to be taken off or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The segment with the bad place.
    pub(crate) file: String,
    /// Where the bad place begins: the file keeps what is before it. At 0 it is removed.
    pub(crate) offset: u64,
    /// What is wrong there.
    pub(crate) what: String,
    /// The segments after it, which are removed.
    pub(crate) remove: Vec<String>,
    /// All that goes, in bytes.
    pub(crate) n_bytes: u64,
    /// Whole records that go with it.
    pub(crate) n_records: u64,
    /// Those of them that are events.
    pub(crate) n_events: u64,
}

/// The unfinished end of a journal. Nothing of it had been made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TornTail {
    /// The file.
    pub file: String,
    /// Where the unfinished part began.
    pub offset: u64,
    /// How many bytes were cut off, those of later files included.
    pub n_bytes: u64,
    /// Whole events among them.
    pub n_events: u64,
}

impl Cut {
    /// What is said of it if it is torn.
    pub(crate) fn to_torn_tail(&self) -> TornTail {
        TornTail {
            file: self.file.clone(),
            offset: self.offset,
            n_bytes: self.n_bytes,
            n_events: self.n_events,
        }
    }

    /// Takes it off, durably. Interrupted anywhere, it leaves a journal with the same bad place or none.
    pub(super) fn apply(&self, storage: &dyn Storage) -> Result<(), StoreError> {
        // The last first, so that there never is a gap.
        for file in self.remove.iter().rev() {
            storage.remove(file).map_err(StoreError::io("remove", file))?;
        }
        if self.offset == 0 {
            storage.remove(&self.file).map_err(StoreError::io("remove", &self.file))?;
        }
        storage.sync_directory().map_err(StoreError::io("sync", "directory"))?;
        if self.offset > 0 {
            storage.truncate(&self.file, self.offset).map_err(StoreError::io("truncate", &self.file))?;
        }
        Ok(())
    }
}
