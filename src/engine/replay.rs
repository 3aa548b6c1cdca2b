//! From the journal back to the state.

use std::sync::Arc;

use thiserror::Error;

use super::adopt::ForeignParts;
use super::change::HostChange;
use super::writer::Writer;
use crate::exchange::ForeignModelError;
use crate::ingest::Interaction;
use crate::journal::{EventRecord, Record};
use crate::model::{LearningSettings, Refusal};
use crate::storage::StoreError;
use crate::training::{Foreign, Job, SweepPools, TrainingError};

/// Why a record cannot be replayed: no journal of this crate's holds it there.
#[derive(Debug, Error)]
pub(super) enum ReplayError {
    #[error("it cannot be done: {0}")]
    Refused(#[from] Refusal),
    #[error("it names an item that is there already")]
    ItemIsThere,
    #[error("it ends a sweep where none was begun")]
    NoSweep,
    #[error("it begins something while a sweep is under way")]
    SweepUnderWay,
    #[error("the sweep it publishes cannot be repeated: {0}")]
    Training(#[from] TrainingError),
    #[error("it publishes generation {got} where {expected} is next")]
    Generation { got: u64, expected: u64 },
    #[error("its rows do not go on where those before it end")]
    ForeignRows,
    #[error("the model it adopts cannot be: {0}")]
    ForeignModel(#[from] ForeignModelError),
    #[error("it changes what a store keeps for life")]
    Settings,
}

impl ReplayError {
    /// What is wrong with the store, or with the settings it was opened by.
    pub(super) fn of_record(self, record: u64) -> StoreError {
        if let Self::Refused(Refusal::TooManyUsers { limit }) = self {
            StoreError::TooSmall { what: "users", limit }
        } else if let Self::Refused(Refusal::TooManyItems { limit }) = self {
            StoreError::TooSmall { what: "items", limit }
        } else {
            StoreError::Inconsistent { record, what: self.to_string() }
        }
    }
}

/// Does once more what the journal says was done: no plug-in, no clock, no gate is asked.
#[derive(Debug)]
pub(super) struct Replay<'w> {
    writer: &'w mut Writer,
    /// The sweep whose input is frozen; it is only run if the journal says that its result was published.
    job: Option<Job>,
    /// How far a source has been read with the next event. Should none follow, it was not.
    step: Option<(String, u64)>,
    /// The model that the next freeze adopts. Should none follow, it was not begun.
    foreign: Option<ForeignParts>,
}

impl<'w> Replay<'w> {
    pub(super) fn new(writer: &'w mut Writer) -> Self {
        debug_assert!(writer.journal.is_none(), "what is replayed is not written again");
        Self { writer, job: None, step: None, foreign: None }
    }

    /// Does what one record says.
    pub(super) fn record(&mut self, record: Record) -> Result<(), ReplayError> {
        let foreign = self.foreign.take();
        match record {
            Record::Event(EventRecord { event, at, signal, solve }) => {
                let interaction = Interaction::recovered(event, at);
                let accepted = self.writer.accept_again(&interaction, signal)?;
                self.writer.perform(&interaction, &accepted, solve);
                if let Some((source, offset)) = self.step.take() {
                    self.writer.perform_step(&source, offset);
                }
            }
            Record::SourceStep { source, offset } => self.step = Some((source, offset)),
            Record::AddItems(items) => {
                for item in &items {
                    if self.writer.shared.item_ids.get(item).is_some() {
                        return Err(ReplayError::ItemIsThere);
                    }
                    self.writer.check_room_for_item()?;
                    self.writer.add_item(item);
                }
            }
            Record::ForgetUser(user) => self.change(&HostChange::ForgetUser(user))?,
            Record::ForgetItem(item) => self.change(&HostChange::ForgetItem(item))?,
            Record::MergeUsers { from, into } => self.change(&HostChange::MergeUsers { from, into })?,
            Record::SourceOffset { source, offset } => {
                self.change(&HostChange::SourceOffset { source, offset })?;
            }
            Record::Settings(settings) => self.settings(settings)?,
            Record::ItemBatch => {
                self.catch_up();
                self.writer.perform_item_batch();
            }
            Record::ItemPart => {
                self.catch_up();
                self.writer.perform_item_part();
            }
            Record::ForeignItems(part) => {
                let parts = ForeignParts::with_items(foreign, part).ok_or(ReplayError::ForeignRows)?;
                self.foreign = Some(parts);
            }
            Record::ForeignUsers(part) => {
                let parts = ForeignParts::with_users(foreign, part).ok_or(ReplayError::ForeignRows)?;
                self.foreign = Some(parts);
            }
            Record::Freeze { as_of, at, n_sweeps } => {
                self.catch_up();
                if self.writer.freeze.is_some() {
                    return Err(ReplayError::SweepUnderWay);
                }
                let foreign = if n_sweeps == 0 { Some(self.adopt(foreign)?) } else { None };
                self.job = Some(self.writer.perform_freeze(as_of, at, n_sweeps as usize, foreign));
            }
            Record::Published { generation } => {
                self.catch_up();
                let expected = self.writer.generation.id.next();
                if generation != expected {
                    return Err(ReplayError::Generation { got: generation.get(), expected: expected.get() });
                }
                let job = self.job.take().ok_or(ReplayError::NoSweep)?;
                // Whoever opens a store waits for it.
                let pools = SweepPools::shared(Arc::clone(&self.writer.helpers));
                let candidate = job.train(&mut pools.begin())?.candidate;
                self.writer.perform_publication(candidate);
            }
            Record::NotPublished { .. } => {
                self.job.take().ok_or(ReplayError::NoSweep)?;
                self.writer.give_up_sweep();
            }
            Record::Settled => {
                self.catch_up();
                self.writer.settle();
            }
            Record::Time(time) => {
                self.writer.note_time(time);
                self.foreign = foreign;
            }
            Record::Synced { .. } => self.foreign = foreign,
        }
        Ok(())
    }

    /// Ends the replay; says whether a sweep was under way when the journal ended.
    pub(super) fn finish(mut self) -> bool {
        self.catch_up();
        let was_sweeping = self.job.take().is_some();
        self.writer.give_up_sweep();
        was_sweeping
    }

    /// Publishes what has been learned so far. Between two marks it does not matter when.
    fn catch_up(&mut self) {
        self.writer.publish_drafts();
        while self.writer.refold_some() {}
    }

    /// Takes in the model that was noted.
    fn adopt(&mut self, parts: Option<ForeignParts>) -> Result<Foreign, ReplayError> {
        let model = parts.ok_or(ReplayError::ForeignRows)?.into_model()?;
        self.writer.check_rows(&model)?;
        Ok(self.writer.perform_foreign_rows(model))
    }

    fn change(&mut self, change: &HostChange) -> Result<(), ReplayError> {
        // Not `catch_up`: whoever is still to be brought into the generation may be among those changed.
        self.writer.publish_drafts();
        self.writer.check_change(change)?;
        self.writer.perform_change(change);
        Ok(())
    }

    fn settings(&mut self, settings: LearningSettings) -> Result<(), ReplayError> {
        let now = &self.writer.settings.learning;
        if now.weighing.decay != settings.weighing.decay {
            return Err(ReplayError::Settings);
        }
        // What came before is written by the settings of its time.
        self.writer.publish_drafts();
        self.writer.perform_settings(settings);
        Ok(())
    }
}
