//! Reading a journal back when a store is opened.

use std::io;
use std::sync::Arc;

use super::cut::Cut;
use super::judge::Verdict;
use super::origin::Origin;
use super::record::Record;
use super::segment::read_file;
use super::walk::{BadPlace, Step, Walk};
use crate::storage::{Storage, StoreError};

/// The records of a journal, in order. Only reads: what is torn is cut off by [`Journal::open`](super::Journal::open).
#[derive(Debug)]
pub(crate) struct Replay {
    walk: Walk,
    after: u64,
}

/// What a journal was found to be, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovered {
    /// `None` for a store that is new.
    pub(crate) store_id: Option<u64>,
    /// The last record, or that of the checkpoint if there is none after it.
    pub(crate) last_record: u64,
    /// What a power cut or a kill has left unfinished at the end.
    pub(crate) torn: Option<Cut>,
    /// The number that the next segment will have. None that was ever used is used again.
    pub(super) next_segment: u64,
    /// Name and length of the segments with records that are not known to be durable.
    unproven: Vec<(String, u64)>,
}

impl Replay {
    /// Begins after `origin`.
    ///
    /// # Errors
    /// [`StoreError`] if the storage fails, or has no segment to begin with although it should.
    pub(crate) fn begin(storage: Arc<dyn Storage>, origin: Origin) -> Result<Self, StoreError> {
        Ok(Self { walk: Walk::begin(storage, origin)?, after: origin.record() })
    }

    /// The next record with its number; `None` at the end, or where a torn tail begins.
    ///
    /// # Errors
    /// [`StoreError`] at the place where something is gone that had been durable; the same again if it is called
    /// again.
    pub(crate) fn next_record(&mut self) -> Result<Option<(u64, Record)>, StoreError> {
        loop {
            match self.walk.step()? {
                // A step without its event was torn off: the source was not read so far.
                Step::Record(_, Record::SourceStep { .. }) if !self.walk.is_before_event() => {}
                Step::Record(number, record) if number > self.after => return Ok(Some((number, record))),
                Step::Record(..) => {}
                Step::Bad(bad) => return self.torn_or_error(&bad).map(|_| None),
                Step::End => return Ok(None),
            }
        }
    }

    /// Reads what is left, and tells what the journal is.
    ///
    /// # Errors
    /// As [`next_record`](Self::next_record).
    pub(crate) fn finish(mut self) -> Result<Recovered, StoreError> {
        let torn = loop {
            match self.walk.step()? {
                Step::Record(..) => {}
                Step::Bad(bad) => break Some(self.torn_or_error(&bad)?),
                Step::End => break None,
            }
        };
        Ok(Recovered {
            store_id: self.walk.store_id,
            last_record: self.walk.last_record(),
            torn,
            next_segment: self.walk.next_segment,
            unproven: self.walk.unproven(),
        })
    }

    fn torn_or_error(&self, bad: &BadPlace) -> Result<Cut, StoreError> {
        match self.walk.judge(bad)? {
            Verdict::Torn(cut) => Ok(cut),
            Verdict::Damaged(_, error) => Err(error),
        }
    }
}

impl Recovered {
    /// Cuts the torn tail off and makes all that was read durable.
    pub(super) fn settle(&self, storage: &dyn Storage) -> Result<(), StoreError> {
        if let Some(torn) = &self.torn {
            torn.apply(storage)?;
        }
        for (name, n_bytes) in &self.unproven {
            rewrite(storage, name, *n_bytes)?;
        }
        // Before the header of the next segment says so.
        storage.sync_directory().map_err(StoreError::io("sync", "directory"))
    }
}

/// Writes a segment anew, durably.
///
/// What a killed process had written may be in the system's memory alone. Syncing it would not do: had a sync of
/// that process failed, the system may take what it could not write for written.
fn rewrite(storage: &dyn Storage, name: &str, n_bytes: u64) -> Result<(), StoreError> {
    let mut bytes = read_file(storage, name)?;
    bytes.truncate(usize::try_from(n_bytes).expect("it has been in memory"));
    let copy = format!("{name}.copy");
    // One of an earlier opening that was interrupted here.
    match storage.remove(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::io("remove", copy)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let file = storage.create(&copy).map_err(StoreError::io("create", &copy))?;
    file.append(&bytes).map_err(StoreError::io("write", &copy))?;
    file.sync().map_err(StoreError::io("sync", &copy))?;
    drop(file);
    storage.rename(&copy, name).map_err(StoreError::io("rename", copy))
}
