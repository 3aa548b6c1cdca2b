//! One training run: freeze, sweep, gate.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use thiserror::Error;

use super::exam::Exam;
use super::foreign::{Foreign, Place};
use super::freezer::{FreezeSize, freeze_histories};
use super::gate::{GateFacts, GateRefusal, GateReport, WatchedGate, rms_norm};
use super::hold_out::{Frozen, hold_out};
use super::progress::Progress;
use super::steps::Steps;
use crate::als::{
    Als, AlsParams, Factors, Gramian, ModelParts, SweepError, SweepSolver, TrainingInput, UserBase,
};
use crate::kernel::{AlignedVec, SimdPath, count_as_f64};
use crate::model::{Generation, ItemRows, Refusal, RowsOf, Shared, UserState, Weighing};
use crate::publish::Freeze;
use crate::storage::StorageFailure;
use crate::types::{EventSeq, GenerationId, ItemIdx, Timestamp, UserIdx};

/// How often a training that went out of bounds is tried again.
const MAX_BACK_OFFS: u32 = 3;
/// How many times the regularization it is tried again with.
const BACK_OFF: f32 = 10.0;
/// Sweeps at least, when it is: it starts at random.
const COLD_SWEEPS: usize = 8;

/// Everything a training run needs, taken at the moment of the freeze.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) freeze: Arc<Freeze<UserState>>,
    pub(crate) params: AlsParams,
    pub(crate) path: SimdPath,
    pub(crate) weighing: Weighing,
    pub(crate) as_of: Timestamp,
    pub(crate) size: FreezeSize,
    /// The model in use. Its items are where the sweeps start from; zero rows start at random.
    pub(crate) before: Arc<Generation>,
    /// Its items at the freeze.
    pub(crate) items: ItemRows,
    pub(crate) n_sweeps: usize,
    /// A model from elsewhere, to be taken as it is instead of a training.
    pub(crate) foreign: Option<Foreign>,
    pub(crate) norm_before: Option<f64>,
    /// `None` if whoever called has decided already.
    pub(crate) gate: Option<Arc<WatchedGate>>,
    /// The by-item index at the freeze: what counts as solved once this is published.
    pub(crate) confidences: Vec<f64>,
    pub(crate) cancel: Arc<AtomicBool>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) began: Instant,
}

/// A trained model, ready to be published if the gate lets it pass.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) users: Factors,
    pub(crate) items: ItemRows,
    pub(crate) user_base: UserBase,
    pub(crate) user_gramian: Gramian,
    pub(crate) item_gramian: Gramian,
    /// What [`norm`](Self::norm) gave.
    norm: Option<f64>,
    pub(crate) frozen_at: EventSeq,
    pub(crate) as_of: Timestamp,
    pub(crate) weighing: Weighing,
    pub(crate) rows_of: RowsOf,
    pub(crate) confidences: Vec<f64>,
    pub(crate) report: SweepReport,
}

/// A candidate before the gate.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) candidate: Candidate,
    exam: Exam,
    gate: Option<Arc<WatchedGate>>,
    before: Arc<Generation>,
    norm_before: Option<f64>,
    began: Instant,
}

/// Rows that were forgotten while a candidate was being trained.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    pub(crate) users: Vec<UserIdx>,
    pub(crate) items: Vec<ItemIdx>,
}

impl Trained {
    /// The candidate, if the gate lets it pass.
    pub(crate) fn judged(self, steps: &mut Steps<'_>) -> Result<Candidate, TrainingError> {
        let Self { mut candidate, exam, gate, before, norm_before, began } = self;
        let norm = steps.run(|_| candidate.norm());
        if !norm.is_finite() {
            return Err(GateRefusal::NotFinite.into());
        }
        // Here too: readers and the writer take this lock.
        let now = before.items.load();
        let result = steps.run(|pool| exam.sit(&candidate.user_base, &candidate.items, &now.rows, pool));
        let seen = |seq: EventSeq| count_as_f64(usize::try_from(seq.get()).unwrap_or(usize::MAX));
        // Lists of another's training are others, however little has happened since.
        let is_own = |rows_of| rows_of == RowsOf::Sweep;
        let follows = norm_before.is_some()
            && before.users.as_ref().is_some_and(|side| is_own(side.rows_of))
            && is_own(candidate.rows_of);
        let facts = GateFacts {
            before: before.id,
            n_pairs: candidate.report.n_pairs,
            growth: if follows { seen(candidate.frozen_at) / seen(before.frozen_at) } else { f64::INFINITY },
            norm_before,
            norm,
            coverage: result.coverage,
            overlap: result.overlap,
            trials: &result.trials,
        };
        if let Some(gate) = gate {
            gate.judge(&facts)?;
        }
        candidate.report.gate = GateReport::of(&result);
        candidate.report.duration = began.elapsed();
        Ok(candidate)
    }
}

impl Candidate {
    /// The root mean square norm of the items' vectors, which takes a millisecond the first time.
    pub(crate) fn norm(&mut self) -> f64 {
        *self.norm.get_or_insert_with(|| rms_norm(&self.items))
    }

    /// Takes rows out of a candidate that has learned from them. What it has learned stays in the others
    /// until the next sweep.
    pub(crate) fn forget(&mut self, forgotten: Forgotten, path: SimdPath) {
        let mut users = forgotten.users;
        users.retain(|user| user.index() < self.users.n_rows());
        users.sort_unstable();
        subtract_rows(path, &mut self.user_gramian, users.iter().map(|user| self.users.row(user.index())));
        for user in users {
            self.users.row_mut(user.index()).fill(0.0);
        }
        let mut items = forgotten.items;
        items.retain(|item| item.index() < self.items.n_items());
        items.sort_unstable();
        subtract_rows(path, &mut self.item_gramian, items.iter().map(|&item| self.items.row(item)));
        let none = AlignedVec::zeros(self.items.stride());
        if !items.is_empty() {
            self.norm = None;
        }
        for item in items {
            self.items.set_row(item, &none);
        }
    }
}

fn subtract_rows<'a>(path: SimdPath, gramian: &mut Gramian, rows: impl Iterator<Item = &'a [f32]>) {
    gramian.subtract(&Gramian::of_rows(path, gramian.n_factors(), rows));
}

/// What a training run did.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SweepReport {
    /// The generation it published.
    pub generation: GenerationId,
    /// Where the model came from.
    pub origin: ModelOrigin,
    /// The last event it has seen.
    pub frozen_at: EventSeq,
    /// Users it solved, or a model from elsewhere was published with.
    pub n_users: usize,
    /// Items likewise.
    pub n_items: usize,
    /// User–item pairs it learned from.
    pub n_pairs: usize,
    /// Sweeps over both sides; 0 of a model from elsewhere.
    pub n_sweeps: usize,
    /// The objective after them (`docs::numerics`); the last pass over the users lowers it further. 0 of a model from
    /// elsewhere, which was not trained for it.
    pub objective: f64,
    /// The regularization it was trained with: the engine's, or more if a training with that went out of bounds. Of a model
    /// from elsewhere that by which others are folded in.
    pub regularization: f32,
    /// What was found out about it before it was published.
    pub gate: GateReport,
    /// From the freeze to the verdict, waiting for the pool included.
    pub duration: Duration,
}

/// Where a model came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ModelOrigin {
    /// A sweep.
    #[default]
    Trained,
    /// From elsewhere: it was [adopted](crate::Engine::adopt), or read from a watched file.
    Adopted,
    /// From before the one in use: a [rollback](crate::Engine::rollback).
    RolledBack,
}

/// Why a training run gave no model. The model in use stays in use.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// No user has any history.
    #[error("there is nothing to learn from yet; send events first")]
    NothingToLearn,
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Cancelled,
    /// The engine is read-only, as its journal has failed.
    #[error("the engine is read-only; open it again")]
    ReadOnly(#[source] StorageFailure),
    /// A solve failed.
    #[error("the sweep failed")]
    Solve(#[source] SweepError),
    /// The model to adopt has rows of another length than the engine trains.
    #[error(
        "the model has {model} factors and the engine {engine}; train it with {engine}, or retune the engine"
    )]
    OtherFactors {
        /// Those of the model.
        model: usize,
        /// Those in the engine's settings.
        engine: usize,
    },
    /// The model to adopt has more users or items than the engine has room for; nothing of it was taken.
    #[error("the model does not fit in")]
    Full(#[source] Refusal),
    /// Another model was called for before this one was in use.
    #[error("it was given up for another model that was called for meanwhile")]
    Superseded,
    /// There is no model to roll back to: none was replaced since the engine was opened, or a user was forgotten
    /// since.
    #[error("there is no model before the one in use; sweep or adopt one")]
    NoModelBefore,
    /// The gate refused the candidate.
    #[error("the candidate was not published")]
    Refused(#[from] GateRefusal),
    /// The run panicked: a bug of this crate.
    #[error("the sweep panicked: {message}; please report it")]
    Panicked {
        /// What it said.
        message: String,
    },
}

impl Job {
    /// Trains and asks the gate. Runs on the calling thread and in `steps`; checks `cancel` between chunks of rows.
    pub(crate) fn run(self, mut steps: Steps<'_>) -> Result<Candidate, TrainingError> {
        let span = tracing::info_span!(
            target: "segue::sweep",
            "sweep",
            n_users = self.size.users,
            n_items = self.size.items,
            n_sweeps = self.n_sweeps
        );
        let _entered = span.entered();
        self.train(&mut steps)?.judged(&mut steps)
    }

    /// Trains; what is published is somebody else's decision.
    pub(crate) fn train(mut self, steps: &mut Steps<'_>) -> Result<Trained, TrainingError> {
        let has_model = self.before.users.is_some();
        let since = if has_model { self.before.as_of } else { Timestamp::from_unix_ms(i64::MAX) };
        let histories = steps.run_here(|| {
            freeze_histories(&self.shared, &self.freeze, self.size, self.weighing, self.as_of, since)
        });
        let (before, path) = (Arc::clone(&self.before), self.path);
        let (mut input, muted, exam) = steps.run(move |_| {
            let Frozen { mut input, discoveries } = histories.into_input();
            let held_back = hold_out(&input, discoveries);
            let muted = input.mute(&held_back);
            let exam = Exam::new(&input, &held_back, before, path);
            (input, muted, exam)
        });
        if input.n_pairs() == 0 && self.foreign.is_none() {
            return Err(TrainingError::NothingToLearn);
        }
        self.progress.takes(&input, self.size.users, self.size.items, self.params.n_factors());
        if let Some(foreign) = self.foreign.take() {
            input.unmute(muted);
            let model = steps.run(|pool| {
                foreign.place(&Place {
                    path: self.path,
                    params: &self.params,
                    input: &input,
                    cancel: &self.cancel,
                    pool,
                })
            })?;
            self.confidences = foreign.solved(self.size.items);
            // Nobody is asked about what was in use before.
            let origin = if self.gate.is_none() { ModelOrigin::RolledBack } else { ModelOrigin::Adopted };
            let report = self.report(input.n_pairs(), origin, 0.0, self.params.regularization());
            // Without rows of its own for users, everybody has what their history gives.
            let rows_of = if foreign.users.is_empty() { RowsOf::Sweep } else { RowsOf::Foreigners };
            return Ok(self.trained(input, model, rows_of, report, exam, steps));
        }
        let als = self.sweep_within_bounds(&input, steps)?;
        let objective = steps.run(|pool| {
            // The users know everything: what was held back is missing from the items alone.
            input.unmute(muted);
            als.objective(&input, pool)
        });
        let objective = objective.map_err(solve_error)?;
        let model = steps.run(|pool| als.finish(&input, pool)).map_err(solve_error)?;
        let regularization = model.params().regularization();
        let report = self.report(input.n_pairs(), ModelOrigin::Trained, objective, regularization);
        Ok(self.trained(input, model.into_parts(), RowsOf::Sweep, report, exam, steps))
    }

    fn report(
        &self,
        n_pairs: usize,
        origin: ModelOrigin,
        objective: f64,
        regularization: f32,
    ) -> SweepReport {
        SweepReport {
            origin,
            generation: GenerationId::ZERO,
            frozen_at: self.freeze.at(),
            n_users: self.size.users as usize,
            n_items: self.size.items,
            n_pairs,
            n_sweeps: self.n_sweeps,
            objective,
            regularization,
            gate: GateReport::default(),
            duration: self.began.elapsed(),
        }
    }

    fn trained(
        self,
        input: TrainingInput,
        model: ModelParts,
        rows_of: RowsOf,
        report: SweepReport,
        exam: Exam,
        steps: &mut Steps<'_>,
    ) -> Trained {
        let (gate, before) = (self.gate.clone(), Arc::clone(&self.before));
        let (norm_before, began) = (self.norm_before, self.began);
        let candidate = steps.run(|pool| {
            // Some milliseconds of freeing, as it is large.
            drop(input);
            self.candidate(model, rows_of, report, pool)
        });
        Trained { candidate, exam, gate, before, norm_before, began }
    }

    /// Sweeps; where that goes out of bounds, anew from the start and with more regularization. A pure function of the
    /// input, so a replay backs off as far.
    fn sweep_within_bounds(
        &self,
        input: &TrainingInput,
        steps: &mut Steps<'_>,
    ) -> Result<Als, TrainingError> {
        let outcome = within_bounds(&self.params, |params, n_back_offs| {
            if n_back_offs == 0 {
                return self.sweep(params.clone(), || self.start(), self.n_sweeps, input, steps);
            }
            tracing::warn!(
                target: "segue::sweep",
                regularization = params.regularization(),
                "a sweep went out of bounds and begins anew with more regularization"
            );
            let nothing = || Factors::zeros(0, params.n_factors());
            self.sweep(params.clone(), nothing, self.n_sweeps.max(COLD_SWEEPS), input, steps)
        });
        outcome.map_err(solve_error)
    }

    fn sweep(
        &self,
        params: AlsParams,
        start: impl FnOnce() -> Factors + Send,
        n_sweeps: usize,
        input: &TrainingInput,
        steps: &mut Steps<'_>,
    ) -> Result<Als, SweepError> {
        let als = steps.run(|_| Als::warm(params, self.size.users as usize, self.size.items, &start()))?;
        let mut als =
            als.on(self.path).solving_with(SweepSolver::APPROXIMATE).cancel_with(Arc::clone(&self.cancel));
        for done in 1..=n_sweeps {
            steps.run(|pool| als.user_half_sweep(input, pool))?;
            steps.run(|pool| als.item_half_sweep(input, pool))?;
            self.progress.has_done(done.min(self.n_sweeps));
        }
        Ok(als)
    }

    fn candidate(
        self,
        model: ModelParts,
        rows_of: RowsOf,
        report: SweepReport,
        pool: &ThreadPool,
    ) -> Candidate {
        let ModelParts { users, items, user_base } = model;
        Candidate {
            user_gramian: Gramian::of(self.path, &users, pool),
            item_gramian: Gramian::of(self.path, &items, pool),
            items: ItemRows::from_factors(&items),
            norm: None,
            users,
            user_base,
            frozen_at: self.freeze.at(),
            as_of: self.as_of,
            weighing: self.weighing,
            rows_of,
            confidences: self.confidences,
            report,
        }
    }

    /// The rows of the model in use; none, from which a sweep draws new ones, if there is no model or it is of another length.
    fn start(&self) -> Factors {
        let n_factors = self.params.n_factors();
        if self.before.n_factors() != Some(n_factors) {
            return Factors::zeros(0, n_factors);
        }
        let mut start = Factors::zeros(self.size.items, n_factors);
        for row in 0..self.size.items.min(self.items.n_items()) {
            let item = ItemIdx::new(u32::try_from(row).expect("items are capped at u32"));
            start.row_mut(row).copy_from_slice(self.items.row(item));
        }
        start
    }
}

/// What `sweep` gives, which is told how often it has been tried before; as long as that goes out of bounds, what it gives
/// with more regularization.
fn within_bounds<T>(
    params: &AlsParams,
    mut sweep: impl FnMut(&AlsParams, u32) -> Result<T, SweepError>,
) -> Result<T, SweepError> {
    let mut outcome = sweep(params, 0);
    let mut params = params.clone();
    for n_back_offs in 1..=MAX_BACK_OFFS {
        let stiffer = params.with_regularization(params.regularization() * BACK_OFF);
        let (Err(SweepError::NonFinite { .. }), Some(stiffer)) = (&outcome, stiffer) else { break };
        outcome = sweep(&stiffer, n_back_offs);
        params = stiffer;
    }
    outcome
}

fn solve_error(error: SweepError) -> TrainingError {
    if error == SweepError::Cancelled { TrainingError::Cancelled } else { TrainingError::Solve(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::als::Side;

    /// The regularizations that are tried in turn, and what comes of it, if the first so many go out of bounds.
    fn tried(regularization: f32, n_bad: usize) -> (Vec<f32>, Result<(), TrainingError>) {
        let params = AlsParams::builder().regularization(regularization).build().expect("in range");
        let mut tried = Vec::new();
        let outcome = within_bounds(&params, |params, n_back_offs| {
            assert_eq!(tried.len(), n_back_offs as usize);
            tried.push(params.regularization());
            if tried.len() > n_bad {
                Ok(())
            } else {
                Err(SweepError::NonFinite { side: Side::Items, row: 3 })
            }
        });
        (tried, outcome.map_err(solve_error))
    }

    #[test]
    fn a_training_out_of_bounds_is_tried_three_times_more_and_then_given_up_with_the_reason() {
        assert_eq!(tried(0.5, 0), (vec![0.5], Ok(())));
        assert_eq!(tried(0.5, 2), (vec![0.5, 5.0, 50.0], Ok(())));
        let reason = || Err(TrainingError::Solve(SweepError::NonFinite { side: Side::Items, row: 3 }));
        assert_eq!(tried(0.5, 9), (vec![0.5, 5.0, 50.0, 500.0], reason()));
        assert_eq!(tried(1e5, 9), (vec![1e5, 1e6], reason()), "more is no regularization");
        let other = within_bounds(&AlsParams::default(), |_, _| Err::<(), _>(SweepError::Cancelled));
        assert_eq!(other, Err(SweepError::Cancelled));
    }
}
