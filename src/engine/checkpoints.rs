//! Checkpoints while the engine runs: the freeze before one, the clean-up after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::open::new_store_id;
use super::writer::Writer;
use crate::checkpoint::{
    self, CheckpointError, CheckpointReport, Position, Snapshot, StateDigest, StateParts,
};
use crate::journal::{self, Flush, FlushError, Record};
use crate::publish::{Freeze, Watermark};
use crate::storage::{Storage, StoreError};
use crate::types::EventSeq;

/// Checkpoints that are kept: should the latest be damaged, there is one before it.
const KEPT_CHECKPOINTS: usize = 2;

/// A checkpoint under way.
#[derive(Debug)]
pub(super) struct Checkpointing {
    cancelled: Arc<AtomicBool>,
    is_backup: bool,
}

/// What writes one checkpoint, on a thread of its own.
#[derive(Debug)]
pub(super) struct CheckpointJob {
    snapshot: Snapshot,
    cancelled: Arc<AtomicBool>,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// The engine's own store, which is cleaned up after it.
    Own {
        storage: Arc<dyn Storage>,
        segment_is_there: Flush,
        keep_journal: bool,
        damaged: Arc<[String]>,
        erasing: Option<Erasing>,
    },
    /// Another place, where it stands alone.
    Backup(Arc<dyn Storage>),
}

/// What was forgotten before this event is gone from the storage once the checkpoint is done.
#[derive(Debug)]
struct Erasing {
    through: EventSeq,
    erased: Arc<Watermark>,
}

impl Writer {
    /// Whether a checkpoint is due, or somebody who was forgotten waits to be erased.
    pub(super) fn wants_checkpoint(&mut self) -> bool {
        if !self.may_checkpoint() {
            return false;
        }
        let now = self.now();
        let (Some(store), Some(journal)) = (&mut self.store, &self.journal) else { return false };
        // A clock that was set back would otherwise keep the next one from being due until it has caught up.
        store.last_at = store.last_at.min(now);
        let waits_for_erasure = self.to_erase.is_some()
            && self.erasure_failed_at.is_none_or(|at| {
                const PAUSE: Duration = Duration::from_secs(10);
                // A clock that was set back must not keep anybody from being erased.
                now < at || now.saturating_since(at) >= PAUSE
            });
        waits_for_erasure || store.wants_checkpoint(journal.last_fact(), now)
    }

    /// The engine has worked, be it on the writer's thread or on the pool: replaying it would take as long, less what it paused.
    pub(super) fn worked(&mut self, duration: Duration) {
        if let Some(store) = &mut self.store {
            store.work += duration;
        }
    }

    /// One reader of all users at a time, and users of one generation.
    pub(super) fn may_checkpoint(&self) -> bool {
        self.freeze.is_none() && self.to_refold.is_empty() && self.check_writable().is_ok()
    }

    /// Freezes the input of a checkpoint: of the store, or into `backup`. The job runs elsewhere.
    pub(super) fn begin_checkpoint(
        &mut self,
        backup: Option<Arc<dyn Storage>>,
    ) -> Result<CheckpointJob, CheckpointError> {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before a freeze");
        if let Some(failure) = &self.journal_failure {
            // What was being learned when it failed is half done.
            return Err(failure.clone().into());
        }
        debug_assert!(self.may_checkpoint(), "whoever begins one has asked");
        let began = Instant::now();
        self.log(|| Record::Settled);
        self.settle();
        let now = self.now();
        let (position, target) = match backup {
            Some(storage) => {
                self.commit()?;
                // A store of its own, that goes on by itself.
                (Position::alone(new_store_id()), Target::Backup(self.watches.storage.over(storage)))
            }
            None => self.begin_own(now)?,
        };
        let freeze = Arc::new(Freeze::new(self.seq));
        let cancelled = Arc::new(AtomicBool::new(false));
        self.freeze = Some(Arc::clone(&freeze));
        let is_backup = matches!(target, Target::Backup(_));
        self.checkpointing = Some(Checkpointing { cancelled: Arc::clone(&cancelled), is_backup });
        self.shared.user_ids.freeze();
        self.shared.item_ids.freeze();
        let snapshot = Snapshot {
            position,
            erases: matches!(target, Target::Own { erasing: Some(_), .. }),
            settings: self.settings.learning.clone(),
            seq: self.seq,
            stream_time: self.stream_time,
            taken_at: self.latest_time.map_or(now, |latest| latest.max(now)),
            last_freeze: self.last_freeze,
            norm_of_model: self.norm_of_model,
            shared: Arc::clone(&self.shared),
            freeze,
            n_users: self.shared.user_ids.len(),
            n_items: self.shared.item_ids.len(),
            generation: Arc::clone(&self.generation),
            items: self.generation.items.load(),
            running: self.gramians.as_ref().map(super::gramians::Gramians::to_parts),
            item_records: self.by_item.records(),
            skips: self.skips.clone(),
            items_to_fold: self.items_to_fold.clone(),
            dedupe: self.dedupe.clone(),
            actions: self.actions.clone(),
            source_offsets: self.source_offsets.clone(),
        };
        self.meters.stages.freeze.record(began.elapsed());
        Ok(CheckpointJob { snapshot, cancelled, target })
    }

    fn begin_own(&mut self, now: crate::types::Timestamp) -> Result<(Position, Target), CheckpointError> {
        let (Some(store), Some(journal)) = (&mut self.store, &mut self.journal) else {
            return Err(CheckpointError::NoStore);
        };
        let begun = journal.rotate(self.seq).and_then(|rotated| Ok((rotated, journal.flush(self.seq)?)));
        let store_id = journal.store_id();
        let (rotated, segment_is_there) = match begun {
            Ok(begun) => begun,
            Err(failure) => {
                self.journal_failed(&failure);
                return Err(failure.into());
            }
        };
        debug_assert!(rotated.last_record > Position::RECORD_OF_BACKUP, "a store begins with two records");
        store.checkpoint_begun(rotated.last_record, now);
        let position =
            Position { store_id, record: rotated.last_record, segment: rotated.segment, continues: true };
        let erasing = self.to_erase.map(|through| Erasing { through, erased: Arc::clone(&self.erased) });
        let target = Target::Own {
            storage: Arc::clone(&store.storage),
            segment_is_there,
            keep_journal: store.keep_journal,
            damaged: Arc::clone(&store.damaged),
            erasing,
        };
        Ok((position, target))
    }

    /// Takes note of what became of a checkpoint.
    pub(super) fn end_checkpoint(&mut self, result: &Result<CheckpointReport, CheckpointError>) {
        let is_backup = self.checkpointing.take().is_some_and(|one| one.is_backup);
        self.freeze = None;
        self.shared.user_ids.thaw();
        self.shared.item_ids.thaw();
        if is_backup {
            // It says nothing of the engine's own store: not that it is well, nor, as when there is no room in the
            // other place, that it is not.
            return;
        }
        if self.to_erase.is_some_and(|through| self.erased.reached() >= through) {
            self.to_erase = None;
        }
        self.erasure_failed_at = None;
        match result {
            Ok(report) => {
                if let Some(store) = &mut self.store {
                    store.last_took = report.duration;
                }
                self.meters.checkpoint_written(report);
            }
            Err(error) => {
                self.erasure_failed_at = Some(self.now());
                self.meters.checkpoint_failed(error);
            }
        }
    }

    /// Asks a running checkpoint to stop at its next section.
    pub(super) fn cancel_checkpoint(&self) {
        if let Some(checkpointing) = &self.checkpointing {
            checkpointing.cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// The hash of everything known. Brings sums up to date, so it is an act of its own.
    pub(super) fn digest(&mut self) -> StateDigest {
        self.log(|| Record::Settled);
        self.settle();
        let running = self.gramians.as_ref().map(super::gramians::Gramians::to_parts);
        StateDigest::of(&StateParts {
            shared: &self.shared,
            freeze: None,
            n_users: self.shared.user_ids.len(),
            n_items: self.shared.item_ids.len(),
            generation: Arc::clone(&self.generation),
            items: self.generation.items.load(),
            running: running.as_ref(),
            item_records: &self.by_item.records(),
            skips: &self.skips,
            dedupe: &self.dedupe,
            actions: &self.actions,
            source_offsets: &self.source_offsets,
        })
    }
}

impl CheckpointJob {
    /// Writes the checkpoint, then removes what it makes superfluous. Blocks for as long as the storage does.
    pub(super) fn run(self) -> Result<CheckpointReport, CheckpointError> {
        let is_backup = matches!(self.target, Target::Backup(_));
        let span = tracing::info_span!(
            target: "segue::checkpoint",
            "checkpoint",
            seq = self.snapshot.seq.get(),
            n_users = self.snapshot.n_users,
            n_items = self.snapshot.n_items,
            is_backup
        );
        let _entered = span.entered();
        match &self.target {
            Target::Backup(storage) => {
                let _lock = crate::storage::lock(&**storage)?;
                if let Some(file) = storage.list().map_err(StoreError::io("list", "the backup"))?.pop() {
                    return Err(CheckpointError::NotEmpty { file });
                }
                checkpoint::write(&self.snapshot, &**storage, &self.cancelled)
            }
            Target::Own { storage, segment_is_there, keep_journal, damaged, erasing } => {
                // INVARIANT: the segment that a checkpoint goes on with is there for good before it is.
                segment_is_there.wait(Duration::MAX).map_err(flush_error)?;
                let report = checkpoint::write(&self.snapshot, &**storage, &self.cancelled)?;
                if erasing.is_some() {
                    // With those before it goes the way back, so it had better be whole.
                    checkpoint::verify(&**storage, &report.file)?;
                    // One that could not be finished, nor removed, may know them still. What is removed is synced below.
                    checkpoint::remove_unfinished(&**storage)?;
                    remove_all_but(&**storage, &report.file)?;
                } else {
                    remove_older(&**storage, damaged, KEPT_CHECKPOINTS, *keep_journal)?;
                }
                if let Some(Erasing { through, erased }) = erasing {
                    erased.advance(*through);
                }
                Ok(report)
            }
        }
    }
}

/// Removes every checkpoint but `file`, which is whole, and the segments before it.
pub(super) fn remove_all_but(storage: &dyn Storage, file: &str) -> Result<(), StoreError> {
    let mut superfluous = checkpoint::list(storage)?;
    superfluous.retain(|other| other.name != file);
    for other in superfluous {
        storage.remove(&other.name).map_err(StoreError::io("remove", &other.name))?;
    }
    remove_older(storage, &[], 1, false)
}

/// Removes the checkpoints before the last `n_kept` that are not `damaged`, and the segments that none of those needs.
fn remove_older(
    storage: &dyn Storage,
    damaged: &[String],
    n_kept: usize,
    keep_journal: bool,
) -> Result<(), StoreError> {
    let checkpoints = checkpoint::list(storage)?;
    let (damaged, whole): (Vec<_>, Vec<_>) =
        checkpoints.into_iter().partition(|file| damaged.contains(&file.name));
    let (kept, superfluous) = whole.split_at(n_kept.min(whole.len()));
    // One that is damaged goes once it is older than all that are kept, and until then may be looked into.
    let oldest_kept = kept.last().filter(|_| kept.len() == n_kept);
    let passed = damaged.iter().filter(|file| oldest_kept.is_some_and(|oldest| file.record < oldest.record));
    for file in superfluous.iter().chain(passed) {
        if keep_journal && file.record == Position::RECORD_OF_BACKUP {
            // A backup that this store began with: without it the journal means nothing.
            continue;
        }
        storage.remove(&file.name).map_err(StoreError::io("remove", &file.name))?;
    }
    // As long as there are fewer checkpoints than are kept, the journal stands in for the missing ones.
    if let Some(oldest) = oldest_kept
        && !keep_journal
    {
        let needed_from = checkpoint::head(storage, &oldest.name)?.position.segment;
        journal::remove_segments_before(storage, needed_from)?;
    }
    storage.sync_directory().map_err(StoreError::io("sync", "directory"))
}

fn flush_error(error: FlushError) -> CheckpointError {
    match error {
        FlushError::Failed(failure) => CheckpointError::Journal(failure),
        FlushError::TimedOut { .. } | FlushError::Dropped => CheckpointError::Cancelled,
    }
}
