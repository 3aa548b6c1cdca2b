//! Back to the model that was in use before the latest.

use std::sync::Arc;

use crossbeam_channel::bounded;

use super::handle::{Engine, EngineError, SweepHandle};
use super::manual::ManualEngine;
use super::queue::Queued;
use super::writer::Writer;
use crate::als::Factors;
use crate::exchange::{ForeignModel, ForeignSide};
use crate::model::{Generation, ItemRows, RowsOf};
use crate::training::{Job, SweepReport, TrainingError};
use crate::types::{EventSeq, ItemIdx, UserIdx};

impl Engine {
    /// Calls for the model that was in use before the latest was published to take its place again, after everything the
    /// calling thread has sent so far. No gate is asked, and what is being trained or taken in meanwhile is
    /// [given up](TrainingError::Superseded). Nothing that was learned is lost: users are solved against its items from what
    /// is known of them by now. It comes as a generation of its own, so calling it once more goes forth again.
    ///
    /// As of a model [from elsewhere](Self::adopt), its items' rows stay as they are until the next sweep, and items that
    /// came later are due. That sweep begins with its items, if they are as long as the settings ask: to go on serving
    /// it, sweep no more. If it has another number of factors than the [settings](crate::LiveSettings::n_factors), an engine opened
    /// again trains a new one at once: set that back, too.
    ///
    /// One model before the latest is kept, in memory: a vector and its search index for each item, and the users' vectors of
    /// a model from elsewhere. It is let go when a user is forgotten, as it may have learned of them; and as a checkpoint does
    /// not tell, a model that came out of one is not kept. Waits only for room in the queue; wait for the publication by the
    /// handle, which also says if there is [nothing](TrainingError::NoModelBefore) to go back to.
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn rollback(&self) -> Result<SweepHandle, EngineError> {
        let (done, report) = bounded(1);
        self.sender().send_queued(Queued::Rollback { done })?;
        Ok(SweepHandle::new(report))
    }
}

impl ManualEngine {
    /// Publishes the model before the latest again, as [`Engine::rollback`] does. Blocks until it is done.
    ///
    /// # Errors
    /// [`TrainingError`] says why it is not published; the model in use stays.
    pub fn rollback(&mut self) -> Result<SweepReport, TrainingError> {
        self.publish();
        let before = self.writer.model_to_go_back_to()?;
        let job = self.writer.begin_rollback(&before)?;
        self.run(job)
    }
}

/// What is kept of a model once another is published.
#[derive(Debug)]
pub(super) struct ModelBefore {
    /// The last event it was trained on.
    frozen_at: EventSeq,
    n_factors: usize,
    items: ItemRows,
    /// The model, if its users' rows are not what their histories give.
    foreigners: Option<Arc<Generation>>,
}

impl ModelBefore {
    /// What is to be kept of `generation` once another takes its place; nothing of one without a model.
    pub(super) fn of(generation: &Arc<Generation>) -> Option<Self> {
        let side = generation.users.as_ref()?;
        let is_foreign = side.rows_of == RowsOf::Foreigners;
        Some(Self {
            frozen_at: generation.frozen_at,
            n_factors: side.base.params().n_factors(),
            items: generation.items.load().rows.clone(),
            foreigners: is_foreign.then(|| Arc::clone(generation)),
        })
    }

    /// Whether it holds `generation` itself.
    pub(super) fn holds(&self, generation: &Arc<Generation>) -> bool {
        self.foreigners.as_ref().is_some_and(|held| Arc::ptr_eq(held, generation))
    }

    /// Bytes of what it holds.
    pub(super) fn n_bytes(&self) -> u64 {
        let users = self.foreigners.as_ref().map_or(0, |generation| generation.n_bytes_of_users());
        users + self.items.n_bytes_of_rows() + self.items.n_bytes_of_index()
    }
}

impl Writer {
    /// The model before the latest.
    pub(super) fn model_to_go_back_to(&self) -> Result<Arc<ModelBefore>, TrainingError> {
        self.model_before.clone().ok_or(TrainingError::NoModelBefore)
    }

    /// Takes a model from before in, in the place of a training.
    pub(super) fn begin_rollback(&mut self, before: &ModelBefore) -> Result<Job, TrainingError> {
        if !self.may_come_back(before) {
            return Err(TrainingError::NoModelBefore);
        }
        let job = self.take_in(self.model_of(before))?;
        Ok(Job { gate: None, ..job })
    }

    /// A model is about to be replaced by another.
    pub(super) fn keep_model(&mut self) {
        let before = ModelBefore::of(&self.generation).filter(|before| self.may_come_back(before));
        let older = std::mem::replace(&mut self.model_before, before.map(Arc::new));
        self.sweep_pools.free(older);
    }

    /// What has learned of somebody who was forgotten may not.
    fn may_come_back(&self, before: &ModelBefore) -> bool {
        self.last_user_forgotten.is_none_or(|seq| before.frozen_at >= seq)
    }

    /// Whatever is still known of, in the form of a model from elsewhere: so it goes into the journal, and is replayed.
    fn model_of(&self, before: &ModelBefore) -> ForeignModel {
        let n_factors = before.n_factors;
        let items = (0..).map(ItemIdx::new).take(before.items.n_items());
        let items = side(
            n_factors,
            items.filter_map(|item| Some((self.shared.item_ids.key(item.get())?, before.items.row(item)))),
        );
        let users = before.foreigners.iter().flat_map(|generation| {
            let n_users = generation.users.as_ref().map_or(0, |side| side.factors.n_rows());
            (0..).map(UserIdx::new).take(n_users).filter_map(|user| {
                let state = self.shared.user(user)?;
                let is_as_published = state.seq <= generation.frozen_at;
                let row = generation.swept_row(user).filter(|_| is_as_published)?;
                Some((self.shared.user_ids.key(user.get())?, row))
            })
        });
        ForeignModel::new(side(n_factors, users), items).expect("rows of a model, each with an id of its own")
    }
}

fn side<'a, I>(n_factors: usize, rows: impl Iterator<Item = (I, &'a [f32])>) -> ForeignSide<I> {
    let (ids, rows): (Vec<I>, Vec<&[f32]>) = rows.unzip();
    let mut factors = Factors::zeros(rows.len(), n_factors);
    for (row, values) in rows.into_iter().enumerate() {
        factors.row_mut(row).copy_from_slice(values);
    }
    ForeignSide { ids, factors }
}
