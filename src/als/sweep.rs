//! Alternating least squares in progress.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rayon::ThreadPool;
use thiserror::Error;

use super::base::UserBase;
use super::coarse::CoarseFactors;
use super::gramian::Gramian;
use super::half_sweep::{HalfSweep, RowSolver};
use super::row::StepLimits;
use super::{AlsParams, Factors, TrainedModel, TrainingInput, objective};
use crate::kernel::{SimdPath, SplitMix64, dot, rounded};

/// From which tolerance on steps need the fixed side in 8 bits only.
const COARSE_TOLERANCE: f32 = 0.01;

/// How far approximate solves go, of the way from the last solution to the next: the sides answer each other's moves,
/// and overdoing one anticipates the answer. Any value below 2 lowers the objective; 1.2 to 1.3 lowered it the most.
const OVER_RELAXATION: f32 = 1.25;

/// Which side of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The users.
    Users,
    /// The items.
    Items,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Users => Self::Items,
            Self::Items => Self::Users,
        }
    }
}

/// How sweeps solve their rows. [`Als::finish`] is always exact.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SweepSolver {
    /// Each row to its minimum.
    Exact,
    /// Each row by conjugate gradients from where the last sweep left it, preconditioned by the Gramian, then a
    /// quarter further, as the sides of alternating least squares follow each other slowly (over-relaxation).
    ConjugateGradient {
        /// The most steps per row and sweep.
        max_steps: u32,
        /// Stop when no score is off by more than this times its uncertainty under the prior alone. At 0.01 and above
        /// the fixed side is read in 8 bits.
        tolerance: f32,
    },
}

/// Alternating least squares in progress.
///
/// Nothing here has a thread of its own: every call blocks its caller and works on the pool it is given.
/// Results do not depend on the number of threads or on the CPU.
///
/// ```
/// use segue::{Als, AlsParams, ItemIdx, Pair, TrainingInput, UserIdx};
///
/// let heard = Pair::new(1.0, 1.0)?;
/// let input = TrainingInput::from_pairs(2, 3, [
///     (UserIdx::new(0), ItemIdx::new(0), heard),
///     (UserIdx::new(0), ItemIdx::new(1), heard),
///     (UserIdx::new(1), ItemIdx::new(2), heard),
/// ])?;
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let params = AlsParams::builder().n_factors(8).build()?;
/// let mut als = Als::new(params, input.n_users(), input.n_items());
/// for _ in 0..10 {
///     als.sweep(&input, &pool)?;
/// }
/// let model = als.finish(&input, &pool)?;
/// let score = |item| model.score(UserIdx::new(0), ItemIdx::new(item));
/// assert!(score(1) > score(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Als {
    params: AlsParams,
    path: SimdPath,
    solver: SweepSolver,
    cancelled: Arc<AtomicBool>,
    // INVARIANT: both sides and both priors are in one basis, unless `failed`.
    users: Factors,
    items: Factors,
    /// Whether the users have been solved, so that a solve starts from somewhere.
    has_users: bool,
    /// Whether the items have been solved, and not only drawn.
    has_items: bool,
    user_prior: Option<Factors>,
    item_prior: Option<Factors>,
    /// Why the factors are half solved and no longer of use.
    failed: Option<SweepError>,
}

/// Why a sweep ended early. The run is spent then: every later call gives the same error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SweepError {
    /// The flag given to [`Als::cancel_with`] was raised.
    #[error("the sweep was cancelled")]
    Cancelled,
    /// A row came out NaN or infinite, or so large that its square is.
    #[error("row {row} of the {side:?} is not finite; look for factors or confidences of extreme size")]
    NonFinite {
        /// The side the row is on.
        side: Side,
        /// The first such row.
        row: usize,
    },
    /// The input has another number of users or items than the run, or a prior another shape.
    #[error(
        "{side:?} should be {expected_rows} rows of {expected_factors} factors, got {got_rows} of {got_factors}"
    )]
    ShapeMismatch {
        /// The side that does not fit.
        side: Side,
        /// The rows of the run.
        expected_rows: usize,
        /// The factors of the run.
        expected_factors: usize,
        /// The rows given.
        got_rows: usize,
        /// The factors given.
        got_factors: usize,
    },
}

impl SweepSolver {
    /// What an engine trains with: three steps at most, on the fixed side in 8 bits. Two to four times as fast as
    /// [`Exact`](Self::Exact), for models that rank as well: on MovieLens-1M (NCF protocol, 12 sweeps) NDCG@10 .4443
    /// to .4440 with 64 factors, .4541 to .4541 with 192.
    pub const APPROXIMATE: Self = Self::ConjugateGradient { max_steps: 3, tolerance: 0.03 };
}

impl Als {
    /// A cold start: items drawn from N(s, s²) with s = 0.1/√k or less, each a pure function of seed and row; users
    /// zero. Their common part is what everybody likes, which they find in the first sweep.
    pub fn new(params: AlsParams, n_users: usize, n_items: usize) -> Self {
        let k = params.n_factors();
        let mut items = Factors::zeros(n_items, k);
        let scale = f64::from(params.init_scale(n_items));
        (0..n_items).for_each(|row| draw_row(&params, scale, row, items.row_mut(row)));
        Self {
            path: SimdPath::detect(),
            solver: SweepSolver::Exact,
            cancelled: Arc::default(),
            users: Factors::zeros(n_users, k),
            items,
            has_users: false,
            has_items: false,
            user_prior: None,
            item_prior: None,
            failed: None,
            params,
        }
    }

    /// A warm start from known items. Rows beyond theirs, and rows of zeros, are drawn as in [`Als::new`]:
    /// nothing would ever move a row of zeros.
    ///
    /// # Errors
    /// [`SweepError::ShapeMismatch`] if there are more rows than `n_items`, or another number of factors than
    /// in `params`.
    pub fn warm(
        params: AlsParams,
        n_users: usize,
        n_items: usize,
        item_factors: &Factors,
    ) -> Result<Self, SweepError> {
        let mut als = Self::new(params, n_users, n_items);
        if item_factors.n_rows() > n_items || item_factors.n_factors() != als.params.n_factors() {
            return Err(mismatch(Side::Items, &als.items, item_factors.n_rows(), item_factors.n_factors()));
        }
        for row in 0..item_factors.n_rows() {
            let known = item_factors.row(row);
            if known.iter().any(|&value| value != 0.0) {
                als.items.row_mut(row).copy_from_slice(known);
                als.has_items = true;
            }
        }
        Ok(als)
    }

    /// Users shrink towards the rows of `prior` instead of towards zero. It is in the basis of the current
    /// factors and turns with them.
    ///
    /// # Errors
    /// [`SweepError::ShapeMismatch`] if it is not as large as the users.
    pub fn with_user_prior(mut self, prior: Factors) -> Result<Self, SweepError> {
        check_shape(Side::Users, &self.users, prior.n_rows(), prior.n_factors())?;
        self.user_prior = Some(prior);
        Ok(self)
    }

    /// Items shrink towards the rows of `prior` instead of towards zero. It is in the basis of the current
    /// factors and turns with them.
    ///
    /// # Errors
    /// [`SweepError::ShapeMismatch`] if it is not as large as the items.
    pub fn with_item_prior(mut self, prior: Factors) -> Result<Self, SweepError> {
        check_shape(Side::Items, &self.items, prior.n_rows(), prior.n_factors())?;
        self.item_prior = Some(prior);
        Ok(self)
    }

    /// Computes on `path`; by default on [`SimdPath::detect`]'s.
    #[must_use]
    pub fn on(self, path: SimdPath) -> Self {
        Self { path, ..self }
    }

    /// Solves rows with `solver`; by default exactly.
    #[must_use]
    pub fn solving_with(self, solver: SweepSolver) -> Self {
        Self { solver, ..self }
    }

    /// Gives up soon after `cancelled` becomes true.
    #[must_use]
    pub fn cancel_with(self, cancelled: Arc<AtomicBool>) -> Self {
        Self { cancelled, ..self }
    }

    /// The settings.
    pub fn params(&self) -> &AlsParams {
        &self.params
    }

    /// The users as they are, in the current basis.
    pub fn user_factors(&self) -> &Factors {
        &self.users
    }

    /// The items as they are, in the current basis.
    pub fn item_factors(&self) -> &Factors {
        &self.items
    }

    /// What users shrink towards, in the current basis; `None` if towards zero.
    pub fn user_prior(&self) -> Option<&Factors> {
        self.user_prior.as_ref()
    }

    /// What items shrink towards, in the current basis; `None` if towards zero.
    pub fn item_prior(&self) -> Option<&Factors> {
        self.item_prior.as_ref()
    }

    /// Solves the users, items held fixed.
    ///
    /// # Errors
    /// [`SweepError`], after which the run is spent.
    pub fn user_half_sweep(&mut self, input: &TrainingInput, pool: &ThreadPool) -> Result<(), SweepError> {
        self.half_sweep(Side::Users, self.solver, input, pool).map(drop)
    }

    /// Solves the items, users held fixed.
    ///
    /// # Errors
    /// [`SweepError`], after which the run is spent.
    pub fn item_half_sweep(&mut self, input: &TrainingInput, pool: &ThreadPool) -> Result<(), SweepError> {
        self.half_sweep(Side::Items, self.solver, input, pool).map(drop)
    }

    /// Solves the users, then the items.
    ///
    /// # Errors
    /// [`SweepError`], after which the run is spent.
    pub fn sweep(&mut self, input: &TrainingInput, pool: &ThreadPool) -> Result<(), SweepError> {
        self.user_half_sweep(input, pool)?;
        self.item_half_sweep(input, pool)
    }

    /// The value of the objective, in f64.
    ///
    /// # Errors
    /// [`SweepError::ShapeMismatch`] if the input has another number of users or items.
    pub fn objective(&self, input: &TrainingInput, pool: &ThreadPool) -> Result<f64, SweepError> {
        self.check(input)?;
        let sides = objective::Sides {
            users: &self.users,
            items: &self.items,
            user_prior: self.user_prior.as_ref(),
            item_prior: self.item_prior.as_ref(),
        };
        Ok(objective::value(self.path, &self.params, &sides, input, pool))
    }

    /// Ends on the users: each is solved exactly against the final items, as a fold-in of the same pairs will
    /// solve it again, bit for bit.
    ///
    /// # Errors
    /// [`SweepError`].
    pub fn finish(mut self, input: &TrainingInput, pool: &ThreadPool) -> Result<TrainedModel, SweepError> {
        let user_base = self.half_sweep(Side::Users, SweepSolver::Exact, input, pool)?;
        Ok(TrainedModel::new(self.path, self.users, self.items, user_base, self.user_prior, self.item_prior))
    }

    /// Gramian of the fixed side, its eigenbasis, everything turned into it, then each row of `side`.
    fn half_sweep(
        &mut self,
        side: Side,
        solver: SweepSolver,
        input: &TrainingInput,
        pool: &ThreadPool,
    ) -> Result<UserBase, SweepError> {
        self.check(input)?;
        let Self { users, items, user_prior, item_prior, has_users, has_items, .. } = self;
        let (solved, fixed, solved_prior, fixed_prior, has_been_solved, pairs) = match side {
            Side::Users => (users, items, user_prior, item_prior, has_users, input.user_rows()),
            Side::Items => (items, users, item_prior, user_prior, has_items, input.item_rows()),
        };
        let is_warm = std::mem::replace(has_been_solved, true);
        let gramian = Gramian::of(self.path, fixed, pool);
        if !gramian.is_finite() {
            let error = SweepError::NonFinite { side: side.other(), row: first_exploded(self.path, fixed) };
            self.failed = Some(error);
            return Err(error);
        }
        let basis = gramian.eigen();
        basis.rotate(self.path, fixed, pool);
        for prior in [&mut *solved_prior, fixed_prior].into_iter().flatten() {
            basis.rotate(self.path, prior, pool);
        }
        if solver != SweepSolver::Exact {
            // An exact row does not look at where it starts.
            basis.rotate(self.path, solved, pool);
        }
        let solver = match solver {
            SweepSolver::Exact => RowSolver::Exact,
            SweepSolver::ConjugateGradient { max_steps, tolerance } => {
                let coarse =
                    (tolerance >= COARSE_TOLERANCE).then(|| CoarseFactors::of(self.path, fixed, pool));
                let reach = if is_warm { OVER_RELAXATION } else { 1.0 };
                RowSolver::Steps(StepLimits::approximate(max_steps, tolerance, reach), coarse)
            }
        };
        let base = UserBase::new(self.params.clone(), &basis, fixed.n_rows());
        let half = HalfSweep {
            path: self.path,
            side,
            solver,
            base: &base,
            fixed,
            prior: solved_prior.as_ref(),
            pairs,
            cancelled: &self.cancelled,
        };
        let outcome = half.run(solved, pool);
        self.failed = outcome.err();
        outcome.map(|()| base)
    }

    fn check(&self, input: &TrainingInput) -> Result<(), SweepError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let k = self.params.n_factors();
        check_shape(Side::Users, &self.users, input.n_users(), k)?;
        check_shape(Side::Items, &self.items, input.n_items(), k)
    }
}

fn draw_row(params: &AlsParams, scale: f64, row: usize, out: &mut [f32]) {
    let mut random = SplitMix64::at(params.seed(), row as u64);
    out[..params.n_factors()].fill_with(|| rounded(scale * (1.0 + random.normal())));
}

/// The first row whose square overflows; 0 if only all of them together do.
fn first_exploded(path: SimdPath, factors: &Factors) -> usize {
    let exploded = |&row: &usize| !dot(path, factors.row(row), factors.row(row)).is_finite();
    (0..factors.n_rows()).find(exploded).unwrap_or(0)
}

fn check_shape(side: Side, expected: &Factors, n_rows: usize, n_factors: usize) -> Result<(), SweepError> {
    if (n_rows, n_factors) == (expected.n_rows(), expected.n_factors()) {
        Ok(())
    } else {
        Err(mismatch(side, expected, n_rows, n_factors))
    }
}

fn mismatch(side: Side, expected: &Factors, got_rows: usize, got_factors: usize) -> SweepError {
    SweepError::ShapeMismatch {
        side,
        expected_rows: expected.n_rows(),
        expected_factors: expected.n_factors(),
        got_rows,
        got_factors,
    }
}
