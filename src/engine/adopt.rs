//! A model from elsewhere: from the host to the journal, and from there to what a sweep would have found.

use std::sync::Arc;

use crossbeam_channel::bounded;

use super::apply::{n_bytes_of_id, n_bytes_of_row};
use super::handle::{Engine, EngineError, SweepHandle};
use super::manual::ManualEngine;
use super::queue::Queued;
use super::writer::Writer;
use crate::als::Factors;
use crate::exchange::{ForeignModel, ForeignModelError, ForeignSide};
use crate::journal::{ForeignPart, Record};
use crate::model::{Refusal, UserState};
use crate::storage::StorageFailure;
use crate::training::{Foreign, Job, SweepReport, TrainingError};
use crate::types::{ItemId, ItemIdx, Timestamp, UserId, UserIdx};

/// Rows in one record at most.
const ROWS_OF_A_RECORD: usize = 1_000;
/// Floats in one record at most, 256 KB: with the longest of ids it stays far below the longest payload.
const FLOATS_OF_A_RECORD: usize = 1 << 16;

impl Engine {
    /// Calls for a model from elsewhere to take the place of the one in use, after everything the calling thread has sent so
    /// far. It goes the way of a sweep, past the gate and into the journal, and is a generation like any other: its users are
    /// served its rows as they are until they do something, and then folded in against its items, as everybody else is.
    ///
    /// Users and items it names and the engine does not know are added, whether the gate then lets it pass or not; those it
    /// does not know are folded in. To have an item of one's history forgotten counts as doing something. Its items' rows stay
    /// as they are until the next sweep. That trains on the histories alone, beginning with its items if they have
    /// as many factors as the settings: to go on serving it, sweep [never](crate::NeverSweep). Whoever was forgotten and is in it comes back.
    ///
    /// Waits only for room in the queue; wait for the publication by the handle, which also tells if the model does not fit
    /// in. One model waits for a sweep under way to end: a newer one takes its [place](TrainingError::Superseded).
    ///
    /// ```
    /// use ndarray::array;
    /// use segue::import::{ForeignModel, ForeignSide};
    /// use segue::{AlsParams, Engine, Factors};
    ///
    /// let users = ForeignSide {
    ///     ids: vec!["ana".into()],
    ///     factors: Factors::from_array(array![[1.0, 2.0]].view())?,
    /// };
    /// let items = ForeignSide {
    ///     ids: vec!["muse".into(), "tricky".into()],
    ///     factors: Factors::from_array(array![[1.0, 0.0], [1.0, 1.0]].view())?,
    /// };
    /// let engine = Engine::builder().als(AlsParams::builder().n_factors(2).build()?).open()?;
    /// engine.adopt(ForeignModel::new(users, items)?)?.wait()?;
    /// let best = engine.reader().view().user("ana").recommend().limit(1).run()?;
    /// assert_eq!(best.items()[0].item, "tricky".into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EngineError::Stopped`] if the engine has stopped.
    pub fn adopt(&self, model: ForeignModel) -> Result<SweepHandle, EngineError> {
        let (done, report) = bounded(1);
        self.sender().send_queued(Queued::Adopt { model: Box::new(model), done })?;
        Ok(SweepHandle::new(report))
    }
}

impl ManualEngine {
    /// Publishes a model from elsewhere, as [`Engine::adopt`] does. Blocks until it is done.
    ///
    /// # Errors
    /// [`TrainingError`] says why it is not published; the model in use stays.
    pub fn adopt(&mut self, model: ForeignModel) -> Result<SweepReport, TrainingError> {
        self.publish();
        let job = self.writer.begin_adoption(model)?;
        self.run(job)
    }
}

impl Writer {
    /// Whether a model can be taken in.
    pub(super) fn check_adoption(&self, model: &ForeignModel) -> Result<(), TrainingError> {
        self.check_journal()?;
        self.check_length(model)?;
        self.check_room_for(model)
    }

    fn check_journal(&self) -> Result<(), TrainingError> {
        self.journal_failure.as_ref().map_or(Ok(()), |failure| Err(TrainingError::ReadOnly(failure.clone())))
    }

    fn check_length(&self, model: &ForeignModel) -> Result<(), TrainingError> {
        let (model, engine) = (model.n_factors(), self.n_factors_to_come());
        if model == engine { Ok(()) } else { Err(TrainingError::OtherFactors { model, engine }) }
    }

    fn check_room_for(&self, model: &ForeignModel) -> Result<(), TrainingError> {
        self.check_rows(model).and_then(|()| self.check_bytes_of(model)).map_err(TrainingError::Full)
    }

    /// Takes a model from elsewhere in, in the place of a training. The job runs elsewhere; the writer goes on.
    pub(super) fn begin_adoption(&mut self, model: ForeignModel) -> Result<Job, TrainingError> {
        self.check_length(&model)?;
        self.take_in(model)
    }

    /// Takes a model in, of whatever length its rows are.
    pub(super) fn take_in(&mut self, model: ForeignModel) -> Result<Job, TrainingError> {
        self.check_journal()?;
        self.check_room_for(&model)?;
        let now = self.now();
        // Without any event there is no time that decay could be reckoned at.
        let has_events = self.stream_time > Timestamp::from_unix_ms(i64::MIN);
        let as_of = if has_events { self.stream_time.min(now) } else { now };
        // INVARIANT: in the journal first, as readers see the new users at once.
        self.log_model(&model).map_err(TrainingError::ReadOnly)?;
        self.log(|| Record::Freeze { as_of, at: now, n_sweeps: 0 });
        self.commit().map_err(TrainingError::ReadOnly)?;
        let foreign = self.perform_foreign_rows(model);
        let job = self.perform_freeze(as_of, now, 0, Some(foreign));
        self.meters.sweep_began(Arc::clone(&job.progress), 0);
        Ok(job)
    }

    /// When the input of the model in use was frozen; `None` if there is none.
    #[cfg(all(feature = "npz", feature = "reload"))]
    pub(super) fn model_since(&self) -> Option<Timestamp> {
        self.generation.users.as_ref().and(self.model_begun_at)
    }

    /// Whether there are rows left for whoever is new, whatever they weigh.
    pub(super) fn check_rows(&self, model: &ForeignModel) -> Result<(), Refusal> {
        let limits = &self.settings.limits;
        let n_new = |n_new: usize| u32::try_from(n_new).unwrap_or(u32::MAX);
        let n_users = n_new(self.new_users(model).count());
        if n_users > limits.max_users.saturating_sub(self.shared.user_ids.len()) {
            return Err(Refusal::TooManyUsers { limit: limits.max_users });
        }
        let n_items = n_new(self.new_items(model).count());
        if n_items > limits.max_items.saturating_sub(self.shared.item_ids.len()) {
            return Err(Refusal::TooManyItems { limit: limits.max_items });
        }
        Ok(())
    }

    fn check_bytes_of(&self, model: &ForeignModel) -> Result<(), Refusal> {
        let limit = self.settings.limits.max_bytes;
        let of_state = UserState::default().n_bytes() as u64;
        let users = self.new_users(model).map(|id| n_bytes_of_id(id.len_bytes()) + of_state);
        let items = self.new_items(model).map(|id| n_bytes_of_id(id.len_bytes()));
        let added = users.chain(items).fold(0, u64::saturating_add);
        // Its rows take the place of those that are there.
        let n_items = u64::from(self.shared.item_ids.len()) + self.new_items(model).count() as u64;
        let rows = n_items.saturating_mul(n_bytes_of_row(model.n_factors()));
        // Who adds nothing is not refused, however full it is: as with events.
        let fits = added == 0 || self.n_bytes.saturating_add(added).saturating_add(rows) <= limit;
        if fits { Ok(()) } else { Err(Refusal::TooManyBytes { limit }) }
    }

    fn new_users<'m>(&self, model: &'m ForeignModel) -> impl Iterator<Item = &'m UserId> {
        model.users().ids.iter().filter(|id| self.shared.user_ids.get(id).is_none())
    }

    fn new_items<'m>(&self, model: &'m ForeignModel) -> impl Iterator<Item = &'m ItemId> {
        model.items().ids.iter().filter(|id| self.shared.item_ids.get(id).is_none())
    }

    /// Notes all rows, the items first. Without the freeze after them they say nothing, so they may be written bit by bit.
    fn log_model(&mut self, model: &ForeignModel) -> Result<(), StorageFailure> {
        if self.journal.is_none() {
            return Ok(());
        }
        for part in parts(model.items()) {
            self.log(|| Record::ForeignItems(part));
            self.write_marks()?;
        }
        // An empty side has one part, which only the items need: it begins the model.
        for part in parts(model.users()).filter(|part| !part.ids.is_empty()) {
            self.log(|| Record::ForeignUsers(part));
            self.write_marks()?;
        }
        Ok(())
    }

    /// Gives rows to whoever is new. Readers know the users at once, so that they can be forgotten; the items come with the
    /// model, or the next batch.
    pub(super) fn perform_foreign_rows(&mut self, model: ForeignModel) -> Foreign {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before a model is taken in");
        let (users, items) = model.into_sides();
        let item_rows = items.ids.iter().map(|id| match self.shared.item_ids.get(id) {
            Some(row) => ItemIdx::new(row),
            None => self.add_item(id),
        });
        let item_rows = item_rows.collect();
        let user_rows = users.ids.iter().map(|id| {
            let user = match self.shared.user_ids.get(id) {
                Some(row) => UserIdx::new(row),
                None => self.add_user(id),
            };
            if self.shared.user(user).is_none() {
                self.replace_state(user, Some(UserState::default()));
            }
            user
        });
        let user_rows = user_rows.collect();
        Foreign {
            users: user_rows,
            user_factors: users.factors,
            items: item_rows,
            item_factors: items.factors,
        }
    }
}

/// The rows of a side in parts that fit into records: one without any if there are none.
fn parts<I: Clone>(side: &ForeignSide<I>) -> impl Iterator<Item = ForeignPart<I>> + '_ {
    let n_factors = side.factors.n_factors();
    let n_rows = ROWS_OF_A_RECORD.min(FLOATS_OF_A_RECORD / n_factors).max(1);
    let part = move |from: usize| {
        let rows = from..(from + n_rows).min(side.ids.len());
        ForeignPart {
            from: from as u64,
            n_factors,
            ids: side.ids[rows.clone()].to_vec(),
            values: rows.filter_map(|row| side.factors.get(row)).flatten().copied().collect(),
        }
    };
    (0..side.ids.len().max(1)).step_by(n_rows).map(part)
}

/// A model as its records come back.
#[derive(Debug)]
pub(super) struct ForeignParts {
    n_factors: usize,
    items: ForeignRows<ItemId>,
    users: ForeignRows<UserId>,
}

#[derive(Debug)]
struct ForeignRows<I> {
    ids: Vec<I>,
    values: Vec<f32>,
}

impl<I> Default for ForeignRows<I> {
    fn default() -> Self {
        Self { ids: Vec::new(), values: Vec::new() }
    }
}

impl ForeignParts {
    /// `before` with more items, or another model, which the first items begin. `None` if they do not go on where it ends.
    pub(super) fn with_items(before: Option<Self>, part: ForeignPart<ItemId>) -> Option<Self> {
        let begun =
            Self { n_factors: part.n_factors, items: ForeignRows::default(), users: ForeignRows::default() };
        let mut parts = if part.from == 0 { begun } else { before? };
        let follows = parts.users.ids.is_empty() && parts.n_factors == part.n_factors;
        (follows && parts.items.add(part)).then_some(parts)
    }

    /// The same with more users.
    pub(super) fn with_users(before: Option<Self>, part: ForeignPart<UserId>) -> Option<Self> {
        let mut parts = before?;
        (parts.n_factors == part.n_factors && parts.users.add(part)).then_some(parts)
    }

    /// All of it.
    pub(super) fn into_model(self) -> Result<ForeignModel, ForeignModelError> {
        let Self { n_factors, items, users } = self;
        ForeignModel::new(users.into_side(n_factors), items.into_side(n_factors))
    }
}

impl<I> ForeignRows<I> {
    /// Says whether they go on where those before end.
    fn add(&mut self, part: ForeignPart<I>) -> bool {
        let follows = part.from == self.ids.len() as u64;
        self.ids.extend(part.ids);
        self.values.extend(part.values);
        follows
    }

    fn into_side(self, n_factors: usize) -> ForeignSide<I> {
        let mut factors = Factors::zeros(self.ids.len(), n_factors);
        for (row, values) in self.values.chunks_exact(n_factors).enumerate() {
            factors.row_mut(row)[..n_factors].copy_from_slice(values);
        }
        ForeignSide { ids: self.ids, factors }
    }
}
