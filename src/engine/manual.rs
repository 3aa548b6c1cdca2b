//! An engine the host drives by hand.

use std::sync::Arc;
use std::time::Duration;

use super::builder::EngineBuilder;
use super::change::HostChange;
use super::checkpoints::CheckpointJob;
use super::handle::{EngineError, checked_items};
use super::import::{CHUNK, ImportReport};
use super::meters::{Health, QueueState, Stats};
use super::queue::RowsAtSending;
use super::session::PrivateSession;
use super::sources::{Driver, MAX_STEPS, NamedSource, Sink, SourcePart, Then};
use super::writer::Writer;
use crate::checkpoint::{CheckpointError, CheckpointReport, StateDigest};
use crate::ingest::{Admission, Interaction, InvalidEvent, SourceWaker};
use crate::model::{Completer, Outcome, Receipt, Solve};
use crate::query::Reader;
use crate::storage::Storage;
use crate::training::{Job, SweepPools, SweepReport, TrainingError};
use crate::types::{Event, ItemId, UserId};

/// An engine without a writer thread and without a queue: the same code as [`Engine`](crate::Engine), step by
/// step. Everything runs on the calling thread, sweeps on a pool while it waits. Nothing happens by itself:
/// the host calls [`sweep`](Self::sweep), so the sweep policy is not asked, and [`pump_sources`](Self::pump_sources).
///
/// Given the same calls and a [`ManualClock`](crate::ManualClock), the same bytes come out, on any number of
/// threads and any CPU. With a wall clock, batches of items fall where the time puts them.
///
/// ```
/// use segue::{Event, ManualEngine};
///
/// let mut engine = ManualEngine::builder().open_manual()?;
/// engine.apply(Event::listen("ana", "portishead"))?;
/// engine.pump();
/// assert_eq!(engine.reader().view().user("ana").history().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ManualEngine {
    pub(super) writer: Writer,
    pub(super) admission: Admission,
    sources: Vec<Driver>,
}

impl ManualEngine {
    /// The settings; end with [`open_manual`](crate::EngineBuilder::open_manual).
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    pub(super) fn new(writer: Writer, admission: Admission, sources: Vec<NamedSource>) -> Self {
        writer.meters.count_sources(sources.iter().map(|named| Arc::clone(&named.meters)).collect());
        let driver = |NamedSource { source, meters }| {
            let from = writer.published_offsets.load().get(meters.name()).copied();
            Driver::new(source, meters, SourceWaker::nobody(), from)
        };
        let sources = sources.into_iter().map(driver).collect();
        Self { writer, admission, sources }
    }

    /// Learns one event. Its effect is seen after the next [`pump`](Self::pump).
    ///
    /// # Errors
    /// [`InvalidEvent`], with the event, if it is not well formed.
    pub fn apply(&mut self, event: Event) -> Result<Outcome, Box<InvalidEvent>> {
        let interaction = self.admission.admit(event)?;
        Ok(self.writer.apply(&interaction, RowsAtSending::default(), Solve::Now))
    }

    /// Solves and publishes every user changed since the last call. New and grown items are solved with it
    /// if the clock says that it is time for their batch, a large batch over several calls.
    pub fn pump(&mut self) {
        self.publish();
        if self.writer.item_batch_is_due() {
            self.writer.begin_item_batch();
        }
        self.writer.fold_some_items();
        self.writer.free_retired();
    }

    /// Asks every [source](EngineBuilder::source) for its next batch and learns it; says how many events that were. Call it
    /// until it says none, now and then: nobody wakes a manual engine, and a source that has failed is begun anew by the
    /// next call.
    pub fn pump_sources(&mut self) -> usize {
        self.publish();
        let mut sources = std::mem::take(&mut self.sources);
        let mut sink = AtOnce { writer: &mut self.writer, admission: &self.admission };
        let mut n_events = 0;
        for source in &mut sources {
            for _ in 0..MAX_STEPS {
                let step = source.step(&mut sink);
                n_events += step.events;
                if step.events > 0 || step.then != Then::Again {
                    break;
                }
            }
        }
        self.sources = sources;
        n_events
    }

    /// If the journal fails, the engine is read-only from then on, and says so wherever it is asked to learn.
    pub(super) fn publish(&mut self) {
        let _ = self.writer.publish().and_then(|()| self.writer.sync_if_due());
    }

    /// Makes everything applied so far survive a power cut. Blocks until it does; without it, what survives what
    /// is the [`Durability`](crate::Durability)'s to say, after each [`pump`](Self::pump).
    ///
    /// # Errors
    /// [`EngineError::MemoryOnly`] without a store, [`EngineError::ReadOnly`] if it has failed.
    pub fn flush(&mut self) -> Result<(), EngineError> {
        self.publish();
        // There is no other thread, so it is done when it returns.
        self.writer.flush().map(drop)
    }

    /// Writes a checkpoint of everything applied so far, and removes what it makes superfluous. Blocks until it
    /// is done.
    ///
    /// # Errors
    /// [`CheckpointError`] says why there is none; those before it and the journal are whole.
    pub fn checkpoint(&mut self) -> Result<CheckpointReport, CheckpointError> {
        self.write_checkpoint(None)
    }

    /// Writes a consistent copy of everything applied so far into an empty `storage`, which another engine can
    /// then be opened from. Blocks until it is done.
    ///
    /// # Errors
    /// [`CheckpointError`] says why there is none.
    pub fn backup_in(&mut self, storage: impl Storage) -> Result<CheckpointReport, CheckpointError> {
        self.write_checkpoint(Some(Arc::new(storage)))
    }

    fn write_checkpoint(
        &mut self,
        backup: Option<Arc<dyn Storage>>,
    ) -> Result<CheckpointReport, CheckpointError> {
        self.publish();
        let result = self.writer.begin_checkpoint(backup).and_then(CheckpointJob::run);
        self.writer.end_checkpoint(&result);
        result
    }

    /// Forgets a user, as [`Engine::forget_user`](crate::Engine::forget_user) does: gone from reads at once,
    /// from the items' vectors with the next [`sweep`](Self::sweep), from the storage with the next
    /// [`checkpoint`](Self::checkpoint).
    pub fn forget_user(&mut self, user: impl Into<UserId>) -> Outcome {
        self.change(HostChange::ForgetUser(user.into()))
    }

    /// Forgets an item, as [`Engine::forget_item`](crate::Engine::forget_item) does.
    pub fn forget_item(&mut self, item: impl Into<ItemId>) -> Outcome {
        self.change(HostChange::ForgetItem(item.into()))
    }

    /// Makes what is known of `from` part of `into`, as [`Engine::merge_users`](crate::Engine::merge_users) does.
    pub fn merge_users(&mut self, from: impl Into<UserId>, into: impl Into<UserId>) -> Outcome {
        self.change(HostChange::MergeUsers { from: from.into(), into: into.into() })
    }

    /// Notes how far a source was read, as [`EventSender::commit_offset`](crate::EventSender::commit_offset) does.
    ///
    /// # Errors
    /// [`EngineError::SourceName`] if the name is empty or too long.
    pub fn commit_offset(&mut self, source: impl Into<String>, offset: u64) -> Result<Outcome, EngineError> {
        Ok(self.change(HostChange::source_offset(source.into(), offset)?))
    }

    /// How far `source` was read, as [`Engine::source_offset`](crate::Engine::source_offset).
    pub fn source_offset(&self, source: &str) -> Option<u64> {
        self.writer.published_offsets.load().get(source).copied()
    }

    /// A session that leaves no trace, as [`Engine::private_session`](crate::Engine::private_session).
    pub fn private_session(&self, user: impl Into<UserId>) -> PrivateSession {
        self.writer.session_maker(self.admission.clone()).session(user.into())
    }

    fn change(&mut self, change: HostChange) -> Outcome {
        self.publish();
        self.writer.change(change)
    }

    /// The hash of everything known: ids and histories, items, users. Engines that were given the same give the
    /// same, and so does one that was opened from another's store. Takes a time in proportion to all of it.
    pub fn digest(&mut self) -> StateDigest {
        self.publish();
        self.writer.digest()
    }

    /// Solves and publishes new and grown items now, whatever the clock says.
    pub fn fold_items(&mut self) {
        self.publish();
        self.writer.fold_items();
    }

    /// Learns many events without a solve for each: readers solve for themselves until the next sweep. For what is popular they
    /// count with the next [`pump`](Self::pump) that is due, or [`fold_items`](Self::fold_items).
    pub fn import(&mut self, events: impl IntoIterator<Item = Event>) -> ImportReport {
        let mut report = ImportReport::default();
        let mut outcomes = Vec::new();
        for (place, event) in (0..).zip(events) {
            if let Some(interaction) = report.admit(place, event, &self.admission) {
                outcomes.push(self.writer.apply(&interaction, RowsAtSending::default(), Solve::OnRead));
            }
            if outcomes.len() == CHUNK {
                self.publish_imported(&mut outcomes, &mut report);
            }
        }
        self.publish_imported(&mut outcomes, &mut report);
        report
    }

    /// Counts what was kept.
    fn publish_imported(&mut self, outcomes: &mut Vec<Outcome>, report: &mut ImportReport) {
        let is_kept = self.writer.publish().and_then(|()| self.writer.sync_if_due()).is_ok();
        for mut outcome in outcomes.drain(..) {
            if !is_kept {
                self.writer.take_back(std::slice::from_mut(&mut outcome));
            }
            report.count(outcome);
        }
    }

    /// Gives rows to items nobody has listened to yet, and publishes them; says how many are new.
    ///
    /// # Errors
    /// [`EngineError::InvalidItem`] if an id is empty or too long, [`EngineError::Refused`] if the engine is
    /// full.
    pub fn add_items<I: Into<ItemId>>(
        &mut self,
        items: impl IntoIterator<Item = I>,
    ) -> Result<usize, EngineError> {
        let ids = checked_items(items)?;
        let added = self.writer.add_items(&ids);
        drop(self.writer.commit());
        self.fold_items();
        let is_kept = self.writer.check_writable();
        added.and_then(|n_added| is_kept.map(|()| n_added)).map_err(EngineError::Refused)
    }

    /// Trains on everything learned so far and publishes the result. Blocks until it is done.
    ///
    /// # Errors
    /// [`TrainingError`] says why there is no new model; the one in use stays.
    pub fn sweep(&mut self) -> Result<SweepReport, TrainingError> {
        self.publish();
        if let Some(failure) = &self.writer.journal_failure {
            return Err(TrainingError::ReadOnly(failure.clone()));
        }
        let job = self.writer.begin_sweep();
        self.run(job)
    }

    /// Runs a job and publishes what it gives.
    pub(super) fn run(&mut self, job: Job) -> Result<SweepReport, TrainingError> {
        // Whoever calls waits for it.
        let result = job.run(SweepPools::shared(Arc::clone(&self.writer.helpers)).begin());
        let report = self.writer.end_sweep(result)?;
        while self.writer.refold_some() {}
        self.writer.fold_items();
        self.writer.free_retired();
        Ok(report)
    }

    /// A handle to ask with.
    pub fn reader(&self) -> Reader {
        self.writer.reader()
    }

    /// How the engine is.
    pub fn health(&self) -> Health {
        self.writer.meters.health()
    }

    /// Counts and sizes.
    pub fn stats(&self) -> Stats {
        self.writer.tell_bytes();
        self.writer.meters.stats_with(&self.writer.shared, QueueState::default())
    }
}

impl Drop for ManualEngine {
    fn drop(&mut self) {
        // What cannot be written any more shows when the store is opened again.
        let _ = self.writer.close();
        let mut sink = AtOnce { writer: &mut self.writer, admission: &self.admission };
        for source in self.sources.drain(..) {
            source.end(&mut sink, Duration::ZERO);
        }
    }
}

/// Learns what a source gives on the thread that asks it.
struct AtOnce<'e> {
    writer: &'e mut Writer,
    admission: &'e Admission,
}

impl Sink for AtOnce<'_> {
    fn admit(&self, event: Event) -> Result<Interaction, Box<InvalidEvent>> {
        self.admission.admit(event)
    }

    fn rows(&self, _event: &Event) -> RowsAtSending {
        RowsAtSending::default()
    }

    fn put(&mut self, part: SourcePart) -> Option<Receipt> {
        let (done, receipt) = Completer::new(self.writer.journal_state().durable);
        let outcome = self.writer.learn_part(&part);
        // If the journal fails, the engine is read-only from then on.
        let _ = self.writer.sync_if_due();
        done.complete(outcome, self.writer.seq);
        Some(receipt)
    }

    fn flush(&mut self) {
        // As above.
        let _ = self.writer.flush();
    }
}
