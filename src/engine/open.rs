//! From a store to an engine that goes on where the last one ended.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::build_error::BuildError;
use super::builder::{Policies, Settings};
use super::checkpoints::remove_all_but;
use super::replay::Replay;
use super::store::{CheckpointEvery, Store, StoreSettings};
use super::writer::Writer;
use crate::checkpoint;
use crate::journal::{
    Cut, Journal, JournalOptions, Origin, Record, Replay as JournalReplay, SyncOn, TornTail,
};
use crate::model::LearningSettings;
use crate::storage::{self, StoreError};
use crate::types::Timestamp;

/// What opening a store has found and done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The checkpoint it began with; `None` if there was none.
    pub checkpoint: Option<String>,
    /// Later checkpoints that could not be read, and why.
    pub skipped_checkpoints: Vec<(String, String)>,
    /// Records of the journal that were replayed after it.
    pub records: u64,
    /// Those of them that were events.
    pub events: u64,
    /// Sweeps that were trained once more.
    pub sweeps: u64,
    /// Whether a sweep was under way when the journal ended; it was given up.
    pub interrupted_sweep: bool,
    /// What a power cut or a kill had left unfinished at the end of the journal. It was cut off.
    pub torn: Option<TornTail>,
    /// How long it took.
    pub duration: Duration,
}

/// What the builder knows of a store and its upkeep.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) store: StoreSettings,
    pub(super) every: CheckpointEvery,
    pub(super) keep_journal: bool,
    pub(super) segment_bytes: u64,
    pub(super) sync_on: SyncOn,
}

/// The writer of an engine, from its store if it has one.
pub(super) fn writer(
    settings: Settings,
    policies: Policies,
    opening: Option<Opening>,
) -> Result<Writer, BuildError> {
    match opening {
        Some(opening) => open(settings, policies, opening),
        None => Ok(Writer::new(settings, policies)),
    }
}

/// Opens the store, or begins one that is empty. What is refused is left as it was.
fn open(settings: Settings, policies: Policies, opening: Opening) -> Result<Writer, BuildError> {
    let began = Instant::now();
    let _entered = tracing::info_span!(target: "segue::recovery", "recovery").entered();
    let storage = Arc::clone(&opening.store.storage);
    let lock = storage::lock(&*storage)?;
    let asked = settings.learning.clone();
    let found = checkpoint::newest(&*storage, &settings.limits, settings.path)?;
    let mut report = RecoveryReport {
        checkpoint: found.restored.as_ref().map(|(name, _)| name.clone()),
        skipped_checkpoints: found.skipped,
        records: 0,
        events: 0,
        sweeps: 0,
        interrupted_sweep: false,
        torn: None,
        duration: Duration::ZERO,
    };
    // A journal that was cut short may not even say by which settings it came about.
    let mut knows_settings = found.restored.is_some();
    let (mut erases, mut taken_at) = (false, None);
    let (origin, mut writer) = match found.restored {
        None => (Origin::Start, Writer::new(settings, policies)),
        Some((_, restored)) => {
            check_half_life(&restored.settings, &asked)?;
            taken_at = Some(restored.taken_at);
            erases = restored.erases;
            let position = restored.position;
            let origin = Origin::Checkpoint {
                store_id: position.store_id,
                record: position.record,
                segment: position.continues.then_some(position.segment),
            };
            (origin, Writer::restored(settings, policies, *restored))
        }
    };

    // Should no checkpoint be readable, the journal would have to reach back to the beginning.
    let mut damage = found.damage.filter(|_| origin == Origin::Start);
    let mut blame = |error| damage.take().unwrap_or(error);
    let mut records = JournalReplay::begin(Arc::clone(&storage), origin).map_err(&mut blame)?;
    let replay_began = Instant::now();
    let mut replay = Replay::new(&mut writer);
    while let Some((number, record)) = records.next_record().map_err(&mut blame)? {
        report.records += 1;
        report.events += u64::from(matches!(record, Record::Event(_)));
        report.sweeps += u64::from(matches!(record, Record::Published { .. }));
        if let Record::Settings(stored) = &record {
            check_half_life(stored, &asked)?;
            knows_settings = true;
        }
        replay.record(record).map_err(|error| error.of_record(number))?;
    }
    report.interrupted_sweep = replay.finish();
    let recovered = records.finish()?;
    if recovered.store_id.is_none()
        && let Some(damage) = damage
    {
        return Err(damage.into());
    }
    report.torn = recovered.torn.as_ref().map(Cut::to_torn_tail);

    // Nothing refuses the store from here on; only now is anything written to it.
    checkpoint::remove_unfinished(&*storage)?;
    if let (true, Some(file)) = (erases, &report.checkpoint) {
        // The engine that wrote it may have ended before it could do this, and before its name was there for good: a power
        // cut must not take the checkpoint and leave the gaps.
        storage.sync_directory().map_err(StoreError::io("sync", "directory"))?;
        remove_all_but(&*storage, file)?;
    }
    let options = JournalOptions {
        durability: opening.store.durability,
        segment_bytes: opening.segment_bytes,
        sync_on: opening.sync_on,
    };
    let journal = Journal::open(Arc::clone(&storage), &recovered, writer.seq, new_store_id(), options)?;
    let (last_record, now) = (journal.last_record(), writer.now());
    writer.journal = Some(journal);
    writer.store = Some(Store {
        storage,
        every: opening.every,
        keep_journal: opening.keep_journal,
        last_record: last_record.saturating_sub(report.records),
        last_at: taken_at.unwrap_or(now),
        last_took: Duration::ZERO,
        // The replay was the work once more.
        work: replay_began.elapsed(),
        damaged: report.skipped_checkpoints.iter().map(|(file, _)| file.clone()).collect(),
        _lock: lock,
    });
    if report.interrupted_sweep {
        writer.log(|| Record::NotPublished { reason: "the engine ended before".to_owned() });
    }
    if !knows_settings || writer.settings.learning != asked {
        writer.log(|| Record::Settings(asked.clone()));
        writer.perform_settings(asked);
    }
    writer.commit().map_err(BuildError::Journal)?;
    writer.publish_offsets();
    writer.shared.applied.advance(writer.seq);
    report.duration = began.elapsed();
    writer.recovered(report);
    Ok(writer)
}

/// What can never change in a store.
fn check_half_life(stored: &LearningSettings, asked: &LearningSettings) -> Result<(), StoreError> {
    let (stored, asked) = (stored.weighing.decay.half_life_ms(), asked.weighing.decay.half_life_ms());
    if stored.map(f64::to_bits) != asked.map(f64::to_bits) {
        return Err(StoreError::HalfLife { stored, asked });
    }
    Ok(())
}

/// A number that no other store has: what keys the maps of the standard library is random.
pub(super) fn new_store_id() -> u64 {
    RandomState::new().hash_one(Timestamp::default())
}
