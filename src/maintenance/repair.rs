//! Making a damaged store one that opens.

use std::sync::Arc;

use thiserror::Error;

use super::opening::Start;
use crate::journal::{Cut, Origin, RepairPlan};
use crate::storage::{self, Storage, StoreError};

/// What it takes to make a damaged store one that opens, found out but not done.
///
/// The journal is cut at the first damaged place: everything learned after it is lost, what is before it is kept.
/// Checkpoints that cannot be read are dropped if an earlier one, or the journal alone, stands in. A backup is
/// better than a repair, and a copy of the directory is wise before one. Its `Display` says what would go.
///
/// ```no_run
/// use segue::DirStorage;
/// use segue::maintenance::Repair;
///
/// let repair = Repair::plan(DirStorage::new("the/directory"))?;
/// println!("{repair}");
/// repair.apply()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Repair {
    storage: Arc<dyn Storage>,
    plan: Plan,
}

/// The end of a journal that a repair takes off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedTail {
    /// The segment with the damaged place.
    pub file: String,
    /// Where that begins: the file keeps what is before it. At 0 it is removed.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
    /// The segments after it, which are removed.
    pub removed: Vec<String>,
    /// All that goes, in bytes.
    pub n_bytes: u64,
    /// Records that could still be read and go with it.
    pub n_records: u64,
    /// Those of them that are events.
    pub n_events: u64,
}

/// Why a store was not repaired.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The store failed, an engine has it open ([`StoreError::InUse`]), or a file of somebody else's or of a later
    /// version is in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is damaged so early that nothing can be kept. Nothing was changed.
    #[error("nothing of the store can be kept; restore a backup, or begin a new one elsewhere")]
    NothingLeft(#[source] StoreError),
    /// The store is not what it was when the plan was made. Nothing was changed.
    #[error("the store has changed since the repair was planned; make a new plan")]
    Changed,
}

#[derive(Debug)]
struct Plan {
    checkpoint: Option<String>,
    /// Damaged checkpoints, and what is wrong with each.
    dropped_checkpoints: Vec<(String, String)>,
    tail: Option<DroppedTail>,
    journal: RepairPlan,
}

impl Repair {
    /// Finds out what has to go. Changes nothing and takes no lock; blocks for as long as reading the store does.
    ///
    /// # Errors
    /// [`RepairError`] if nothing would be left, if a file of somebody else's or of a later version is in the way,
    /// or if the storage fails.
    pub fn plan(storage: impl Storage) -> Result<Self, RepairError> {
        let storage: Arc<dyn Storage> = Arc::new(storage);
        let plan = Plan::new(&storage)?;
        Ok(Self { storage, plan })
    }

    /// Whether there is anything to repair: whether the store would be refused, or a checkpoint passed over. A torn tail is
    /// nothing, as opening cuts it off, and neither is damage in what opening does not read.
    pub fn is_needed(&self) -> bool {
        self.damage().is_some() || !self.dropped_checkpoints().is_empty()
    }

    /// Why the journal cannot be read to its end.
    pub fn damage(&self) -> Option<&StoreError> {
        self.plan.journal.damage()
    }

    /// The end of the journal that would go.
    pub fn dropped_tail(&self) -> Option<&DroppedTail> {
        self.plan.tail.as_ref()
    }

    /// The checkpoints that would go, and what is wrong with each.
    pub fn dropped_checkpoints(&self) -> &[(String, String)] {
        &self.plan.dropped_checkpoints
    }

    /// The checkpoint that the store would be opened with; `None` if it is read from its first record.
    pub fn checkpoint(&self) -> Option<&str> {
        self.plan.checkpoint.as_deref()
    }

    /// The last record whose effect is kept.
    pub fn last_record(&self) -> u64 {
        self.plan.journal.last_record()
    }

    /// Does what was planned, durably; nothing if there is nothing to do. Interrupted anywhere it leaves a store
    /// that can be repaired as planned.
    ///
    /// # Errors
    /// [`RepairError::Changed`] or [`StoreError::InUse`] before anything is changed, [`StoreError::Io`] if the
    /// storage fails.
    pub fn apply(self) -> Result<(), RepairError> {
        if !self.is_needed() {
            return Ok(());
        }
        let _lock = storage::lock(&*self.storage)?;
        // Made anew, as nobody was kept out before.
        let plan = Plan::new(&self.storage)?;
        if !plan.is_like(&self.plan) {
            return Err(RepairError::Changed);
        }
        for (file, _) in &plan.dropped_checkpoints {
            self.storage.remove(file).map_err(StoreError::io("remove", file))?;
        }
        self.storage.sync_directory().map_err(StoreError::io("sync", "directory"))?;
        if plan.journal.damage().is_some() {
            plan.journal.apply(&*self.storage)?;
        }
        Ok(())
    }
}

impl Plan {
    fn new(storage: &Arc<dyn Storage>) -> Result<Self, RepairError> {
        let start = Start::find(&**storage)?;
        let mut journal = RepairPlan::new(Arc::clone(storage), start.origin)?;
        let is_lost = start.origin == Origin::Start && journal.last_record() == 0;
        if is_lost && let Some(damage) = start.damage.or(journal.take_damage()) {
            let is_beyond_repair = matches!(damage, StoreError::Damaged { .. } | StoreError::Missing { .. });
            return Err(if is_beyond_repair { RepairError::NothingLeft(damage) } else { damage.into() });
        }
        let is_damaged = journal.damage().is_some();
        Ok(Self {
            checkpoint: start.checkpoint,
            dropped_checkpoints: start.skipped,
            tail: journal.cut().filter(|_| is_damaged).map(dropped_tail),
            journal,
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        self.checkpoint == other.checkpoint
            && self.dropped_checkpoints == other.dropped_checkpoints
            && self.tail == other.tail
            && self.journal.last_record() == other.journal.last_record()
            && self.journal.damage().map(ToString::to_string)
                == other.journal.damage().map(ToString::to_string)
    }
}

fn dropped_tail(cut: &Cut) -> DroppedTail {
    let Cut { file, offset, what, remove, n_bytes, n_records, n_events } = cut.clone();
    DroppedTail { file, offset, what, removed: remove, n_bytes, n_records, n_events }
}
