//! One training run: freeze, sweep, gate.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use thiserror::Error;

use super::freezer::freeze_input;
use super::gate::{self, GateRefusal};
use crate::als::{Als, AlsParams, Factors, Gramian, ModelParts, SweepError, SweepSolver, UserBase};
use crate::kernel::{AlignedVec, SimdPath};
use crate::model::{ItemRows, Shared, UserState, Weighing};
use crate::publish::Freeze;
use crate::storage::StorageFailure;
use crate::types::{EventSeq, GenerationId, ItemIdx, Timestamp, UserIdx};

/// Everything a training run needs, taken at the moment of the freeze.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) freeze: Arc<Freeze<UserState>>,
    pub(crate) params: AlsParams,
    pub(crate) path: SimdPath,
    pub(crate) weighing: Weighing,
    pub(crate) as_of: Timestamp,
    pub(crate) n_users: u32,
    pub(crate) n_items: usize,
    /// Where the sweeps start from; zero rows start at random.
    pub(crate) items: ItemRows,
    pub(crate) n_sweeps: usize,
    pub(crate) norm_before: Option<f64>,
    /// The by-item index at the freeze: what counts as solved once this is published.
    pub(crate) confidences: Vec<f64>,
    pub(crate) cancel: Arc<AtomicBool>,
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
    pub(crate) norm: f64,
    pub(crate) frozen_at: EventSeq,
    pub(crate) as_of: Timestamp,
    pub(crate) weighing: Weighing,
    pub(crate) confidences: Vec<f64>,
    pub(crate) report: SweepReport,
}

/// Rows that were forgotten while a candidate was being trained.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    pub(crate) users: Vec<UserIdx>,
    pub(crate) items: Vec<ItemIdx>,
}

impl Candidate {
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
    /// The last event it has seen.
    pub frozen_at: EventSeq,
    /// Users it solved.
    pub n_users: usize,
    /// Items it solved.
    pub n_items: usize,
    /// User–item pairs it learned from.
    pub n_pairs: usize,
    /// Sweeps over both sides.
    pub n_sweeps: usize,
    /// The objective after them (`docs::numerics`); the last pass over the users lowers it further.
    pub objective: f64,
    /// From the freeze to the candidate, waiting for the pool included.
    pub duration: Duration,
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
    /// Trains and asks the gate. Runs on a thread of `pool`; checks `cancel` between chunks of rows.
    pub(crate) fn run(self, pool: &ThreadPool) -> Result<Candidate, TrainingError> {
        let norm_before = self.norm_before;
        let candidate = self.train(pool)?;
        gate::check(norm_before, candidate.norm)?;
        Ok(candidate)
    }

    /// Trains; what is published is somebody else's decision.
    pub(crate) fn train(self, pool: &ThreadPool) -> Result<Candidate, TrainingError> {
        let input =
            freeze_input(&self.shared, &self.freeze, (self.n_users, self.n_items), self.weighing, self.as_of);
        if input.n_pairs() == 0 {
            return Err(TrainingError::NothingToLearn);
        }
        let mut als = Als::warm(self.params.clone(), self.n_users as usize, self.n_items, &self.start())
            .map_err(TrainingError::Solve)?
            .on(self.path)
            .solving_with(SweepSolver::APPROXIMATE)
            .cancel_with(Arc::clone(&self.cancel));
        for _ in 0..self.n_sweeps {
            als.sweep(&input, pool).map_err(solve_error)?;
        }
        let objective = als.objective(&input, pool).map_err(solve_error)?;
        let model = als.finish(&input, pool).map_err(solve_error)?;
        let ModelParts { users, items, user_base } = model.into_parts();
        Ok(Candidate {
            user_gramian: Gramian::of(self.path, &users, pool),
            item_gramian: Gramian::of(self.path, &items, pool),
            norm: gate::rms_norm(&items),
            items: ItemRows::from_factors(&items),
            users,
            user_base,
            frozen_at: self.freeze.at(),
            as_of: self.as_of,
            weighing: self.weighing,
            report: SweepReport {
                generation: GenerationId::ZERO,
                frozen_at: self.freeze.at(),
                n_users: self.n_users as usize,
                n_items: self.n_items,
                n_pairs: input.n_pairs(),
                n_sweeps: self.n_sweeps,
                objective,
                duration: self.began.elapsed(),
            },
            confidences: self.confidences,
        })
    }

    fn start(&self) -> Factors {
        let mut start = Factors::zeros(self.n_items, self.params.n_factors());
        for row in 0..self.n_items.min(self.items.n_items()) {
            let item = ItemIdx::new(u32::try_from(row).expect("items are capped at u32"));
            start.row_mut(row).copy_from_slice(self.items.row(item));
        }
        start
    }
}

fn solve_error(error: SweepError) -> TrainingError {
    if error == SweepError::Cancelled { TrainingError::Cancelled } else { TrainingError::Solve(error) }
}
