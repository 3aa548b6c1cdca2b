//! The writer's way to its journal.

use std::sync::Arc;
use std::time::Instant;

use super::handle::EngineError;
use super::writer::Writer;
use crate::ingest::Interaction;
use crate::journal::{Flush, Record};
use crate::model::{Refusal, Solve};
use crate::storage::StorageFailure;
use crate::types::{EventSeq, Signal, Timestamp};

impl Writer {
    /// Whether anything may still be learned: nothing after the journal has failed.
    pub(super) fn check_writable(&self) -> Result<(), Refusal> {
        if self.journal_failure.is_none() { Ok(()) } else { Err(Refusal::ReadOnly) }
    }

    /// Notes what is being done, if there is a journal. It is written with the next [`commit`](Self::commit).
    pub(super) fn log(&mut self, record: impl FnOnce() -> Record) {
        if self.journal.is_some() {
            self.log_time();
            if let Some(journal) = &mut self.journal {
                journal.record(&record());
            }
        }
    }

    /// As [`log`](Self::log), for an event: nothing is copied.
    pub(super) fn log_event(&mut self, interaction: &Interaction, signal: Option<Signal>, solve: Solve) {
        if self.journal.is_some() {
            // A mark may have begun the batch long ago, so its being empty or not says nothing.
            if !std::mem::replace(&mut self.batch_has_event, true) {
                self.log_time();
            }
            if let Some(journal) = &mut self.journal {
                journal.record_event(interaction.event(), interaction.at(), signal, solve);
            }
        }
    }

    /// Writes what has been noted, and syncs it if that is what the durability asks for. Blocks for as long
    /// as the storage does.
    pub(super) fn commit(&mut self) -> Result<(), StorageFailure> {
        self.commit_through(self.seq)
    }

    /// As [`commit`](Self::commit), `through` being the last event or change of what has been noted.
    pub(super) fn commit_through(&mut self, through: EventSeq) -> Result<(), StorageFailure> {
        if let Some(failure) = &self.journal_failure {
            return Err(failure.clone());
        }
        self.batch_has_event = false;
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.commit(through).inspect_err(|failure| self.journal_failed(failure))
    }

    /// As [`commit`](Self::commit) without a sync, for marks of what is derived from events: a power cut may take them.
    pub(super) fn write_marks(&mut self) -> Result<(), StorageFailure> {
        if let Some(failure) = &self.journal_failure {
            return Err(failure.clone());
        }
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.write(self.seq).inspect_err(|failure| self.journal_failed(failure))
    }

    /// Syncs what has waited for its interval, where no thread does it.
    pub(super) fn sync_if_due(&mut self) -> Result<(), StorageFailure> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        journal.sync_if_due(Instant::now()).inspect_err(|failure| self.journal_failed(failure))
    }

    /// Asks for everything to be made durable.
    pub(super) fn flush(&mut self) -> Result<Flush, EngineError> {
        let Some(journal) = &mut self.journal else { return Err(EngineError::MemoryOnly) };
        journal.flush(self.seq).map_err(|failure| {
            self.journal_failed(&failure);
            EngineError::ReadOnly(failure)
        })
    }

    /// Makes everything durable and lets go of the store. Gives the last event that survives a power cut: `None`
    /// in an engine that lives in memory alone.
    pub(super) fn close(&mut self) -> Option<EventSeq> {
        let journal = self.journal.take()?;
        if self.journal_failure.is_some() {
            return Some(journal.durable().reached());
        }
        let durable = Arc::clone(journal.durable());
        if let Err(failure) = journal.close(self.seq) {
            self.journal_failed(&failure);
        }
        self.store = None;
        Some(durable.reached())
    }

    /// Nothing is learned any more.
    pub(super) fn journal_failed(&mut self, failure: &StorageFailure) {
        self.meters.read_only(failure.clone());
        // What is not in the journal never happened; readers keep what was published before.
        drop(self.drafts.take());
        self.items_to_fold.clear();
        self.journal_failure = Some(failure.clone());
        // There will be no checkpoint any more.
        self.erased.close();
    }

    /// The clock showed `time`, or the journal says that it did.
    pub(super) fn note_time(&mut self, time: Timestamp) {
        self.latest_time = self.latest_time.max(Some(time));
    }

    /// Each mark, and the first event of each batch, has the time before it, if it has passed: a replay until some
    /// moment stops there.
    fn log_time(&mut self) {
        let now = self.now();
        if self.last_logged_time != Some(now) {
            self.last_logged_time = Some(now);
            self.note_time(now);
            if let Some(journal) = &mut self.journal {
                journal.record(&Record::Time(now));
            }
        }
    }
}
