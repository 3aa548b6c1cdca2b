//! What an engine knew at a moment that has passed.

use std::sync::Arc;

use super::build_error::BuildError;
use super::builder::{Policies, Settings};
use super::replay::Replay;
use super::writer::Writer;
use crate::checkpoint::{self, Restored, StateDigest};
use crate::journal::{self, Origin, Record, Replay as JournalReplay};
use crate::query::Reader;
use crate::storage::{Storage, StoreError};
use crate::types::Timestamp;

/// What an engine knew at a moment: made by [`EngineBuilder::replay_until`](crate::EngineBuilder::replay_until), to
/// be asked and nothing else.
///
/// It holds what the journal had before the clock first showed a later time: the answers are those of then, bit for
/// bit, whatever the plug-ins are today. What came within one batch is there as a whole or not at all. A user who
/// was forgotten since then is in it as long as the journal is.
///
/// # Beside a running engine
///
/// Not a byte of the store is written and no lock is taken, so an engine may be running on it. A moment that is being
/// written just now, or a checkpoint that is just being removed, may then give a [`StoreError`],
/// never a wrong answer: ask again.
///
/// ```
/// use segue::{Durability, Engine, Event, ManualClock, MemoryStorage, Timestamp};
/// use std::time::Duration;
///
/// let (storage, clock) = (MemoryStorage::new(), ManualClock::at(Timestamp::from_unix_seconds(1_000)));
/// let builder = Engine::builder().clock(clock.clone());
/// let mut engine = builder.store_in(storage.clone(), Durability::Buffered).open_manual()?;
/// engine.apply(Event::listen("ana", "portishead"))?;
/// engine.pump();
/// clock.advance(Duration::from_secs(60));
/// engine.apply(Event::listen("ana", "tricky"))?;
/// engine.pump();
///
/// let then = Timestamp::from_unix_seconds(1_030);
/// let past = Engine::builder().store_in(storage, Durability::Buffered).replay_until(then)?;
/// assert_eq!(past.reader().view().user("ana").history().len(), 1);
/// assert_eq!(past.at(), Timestamp::from_unix_seconds(1_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Past {
    writer: Writer,
    at: Timestamp,
}

impl Past {
    /// A handle to ask with. It outlives this.
    pub fn reader(&self) -> Reader {
        self.writer.reader()
    }

    /// The last time that the engine had noted by then: nothing happened between it and the moment asked for.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// How far `source` had been read, as [`Engine::source_offset`](crate::Engine::source_offset).
    pub fn source_offset(&self, source: &str) -> Option<u64> {
        self.writer.source_offsets.get(source).copied()
    }

    /// The hash of everything known, as [`ManualEngine::digest`](crate::ManualEngine::digest) gave it then.
    pub fn digest(&mut self) -> StateDigest {
        self.writer.digest()
    }
}

/// From where a moment is replayed.
enum Start {
    Checkpoint(Box<Restored>),
    Journal,
}

/// Replays the store up to `time`; writes nothing to it.
pub(super) fn replay_until(
    settings: Settings,
    policies: Policies,
    storage: Arc<dyn Storage>,
    time: Timestamp,
) -> Result<Past, BuildError> {
    match find_start(&settings, &*storage, time)? {
        Start::Checkpoint(restored) => {
            let (position, at) = (restored.position, restored.taken_at);
            let origin = Origin::Checkpoint {
                store_id: position.store_id,
                record: position.record,
                segment: position.continues.then_some(position.segment),
            };
            let records = JournalReplay::begin(storage, origin)?;
            run(Writer::restored(settings, policies, *restored), records, None, at, time)
        }
        Start::Journal => {
            let records = JournalReplay::begin(storage, Origin::Start)?;
            from_the_beginning(settings, policies, records, time)
        }
    }
}

/// The newest checkpoint from before `time` that can be read, or the beginning of the journal.
fn find_start(settings: &Settings, storage: &dyn Storage, time: Timestamp) -> Result<Start, BuildError> {
    let files = checkpoint::list(storage)?;
    let (mut earliest, mut damage) = (None, None);
    for file in files {
        let read = checkpoint::head(storage, &file.name).and_then(|head| {
            if head.taken_at > time {
                return Ok(Err(head.taken_at));
            }
            checkpoint::read(storage, &file.name, &settings.limits, settings.path).map(Ok)
        });
        match read {
            Ok(Ok(restored)) => return Ok(Start::Checkpoint(Box::new(restored))),
            Ok(Err(taken_at)) => earliest = Some(taken_at),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Foreign { .. })) => {
                tracing::error!(target: "segue::recovery", file = file.name, %error, "a checkpoint is passed over");
                damage.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match (journal::first_record(storage)?, damage) {
        (Some(1), _) => Ok(Start::Journal),
        (_, Some(damage)) => Err(damage.into()),
        (None, None) if earliest.is_none() => Err(BuildError::NoStore),
        (_, None) => Err(BuildError::TooLongAgo { earliest }),
    }
}

/// Replays a journal that no checkpoint stands before. It begins with the settings.
fn from_the_beginning(
    mut settings: Settings,
    policies: Policies,
    mut records: JournalReplay,
    time: Timestamp,
) -> Result<Past, BuildError> {
    let mut began = None;
    while let Some((number, record)) = records.next_record()? {
        if let Record::Time(at) = record {
            if at > time {
                return Err(BuildError::TooLongAgo { earliest: Some(began.unwrap_or(at)) });
            }
            began = Some(at);
        } else if let Record::Settings(stored) = &record {
            settings.learning = stored.clone();
            let (writer, first) = (Writer::new(settings, policies), Some((number, record)));
            return run(writer, records, first, began.unwrap_or_default(), time);
        } else {
            let what = format!("{} comes before any settings", record.kind());
            return Err(StoreError::Inconsistent { record: number, what }.into());
        }
    }
    Err(BuildError::NoStore)
}

/// Replays `first` and then `records` up to the first time after `time`.
fn run(
    mut writer: Writer,
    mut records: JournalReplay,
    first: Option<(u64, Record)>,
    mut at: Timestamp,
    time: Timestamp,
) -> Result<Past, BuildError> {
    let mut replay = Replay::new(&mut writer);
    let mut next = first;
    while let Some((number, record)) =
        next.take().map_or_else(|| records.next_record(), |one| Ok(Some(one)))?
    {
        if let Record::Time(noted) = record {
            if noted > time {
                break;
            }
            at = noted;
        }
        replay.record(record).map_err(|error| error.of_record(number))?;
    }
    replay.finish();
    writer.shared.applied.advance(writer.seq);
    Ok(Past { writer, at })
}
