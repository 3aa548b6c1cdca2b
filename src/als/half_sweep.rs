//! One side's rows, solved on the threads of a pool.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::base::UserBase;
use super::coarse::{CoarseFactors, CoarseRows};
use super::input::PairRows;
use super::row::{RowScratch, Rows, StepLimits, improve_row};
use super::{Factors, Side, SweepError};
use crate::kernel::{SimdPath, prefetch};

/// What one part of a half-sweep should cost, in observed pairs: a few milliseconds at most, so that threads
/// end together and a cancellation is soon heard.
const PART_COST: usize = 16_384;
/// What a row costs beside its pairs, in the same unit.
const ROW_COST: usize = 16;

/// The rows of one side that somebody has pairs with.
#[derive(Debug)]
pub(crate) struct Gathered<'a> {
    pub(crate) factors: &'a Factors,
    /// Of the observed rows, then of those that are observed next.
    pub(crate) indices: &'a [u32],
}

impl Rows for Gathered<'_> {
    fn row(&self, j: usize) -> &[f32] {
        self.factors.row(self.indices[j] as usize)
    }

    fn prefetch(&self, j: usize) {
        if let Some(&row) = self.indices.get(j) {
            prefetch(self.factors.row(row as usize));
        }
    }
}

/// What the threads of a half-sweep share.
pub(super) struct HalfSweep<'a> {
    pub(super) path: SimdPath,
    pub(super) side: Side,
    pub(super) solver: RowSolver,
    pub(super) base: &'a UserBase,
    pub(super) fixed: &'a Factors,
    pub(super) prior: Option<&'a Factors>,
    pub(super) pairs: PairRows<'a>,
    pub(super) cancelled: &'a AtomicBool,
}

/// How the rows are solved.
pub(super) enum RowSolver {
    Exact,
    /// By some steps each, on the fixed side in less detail if that is enough.
    Steps(StepLimits, Option<CoarseFactors>),
}

/// Some rows of a half-sweep and where they go.
struct Part<'a> {
    rows: Range<usize>,
    out: &'a mut [f32],
}

impl HalfSweep<'_> {
    /// Solves all rows into `solved`, in parts of equal cost. Of several errors the one of the first row is
    /// returned, so that it does not depend on the threads.
    pub(super) fn run(&self, solved: &mut Factors, pool: &ThreadPool) -> Result<(), SweepError> {
        let parts = self.parts(solved);
        let first_error = pool.install(|| {
            parts
                .into_par_iter()
                .map_init(RowScratch::default, |scratch, part| self.solve(part, scratch).err())
                .flatten()
                .min_by_key(|error| match error {
                    SweepError::NonFinite { row, .. } => row + 1,
                    SweepError::Cancelled | SweepError::ShapeMismatch { .. } => 0,
                })
        });
        first_error.map_or(Ok(()), Err)
    }

    fn parts<'a>(&self, solved: &'a mut Factors) -> Vec<Part<'a>> {
        let (n_rows, stride) = (solved.n_rows(), solved.stride());
        let mut rest = solved.values_mut();
        let mut parts = Vec::new();
        let (mut first, mut cost) = (0, 0);
        for row in 0..n_rows {
            cost += self.pairs.n_pairs_of(row) + ROW_COST;
            if cost >= PART_COST || row + 1 == n_rows {
                let (out, later) = rest.split_at_mut((row + 1 - first) * stride);
                parts.push(Part { rows: first..row + 1, out });
                (rest, first, cost) = (later, row + 1, 0);
            }
        }
        parts
    }

    fn solve(&self, part: Part<'_>, scratch: &mut RowScratch) -> Result<(), SweepError> {
        // ORDERING: the flag publishes nothing but itself.
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(SweepError::Cancelled);
        }
        if let (RowSolver::Steps(_, Some(coarse)), Some(first)) = (&self.solver, part.rows.clone().next()) {
            CoarseRows { factors: coarse, indices: self.pairs.indices_from(first) }.begin();
        }
        for (row, out) in part.rows.zip(part.out.chunks_exact_mut(self.fixed.stride())) {
            let (indices, pairs) = (self.pairs.indices_from(row), self.pairs.row(row).1);
            let prior = self.prior.map(|prior| prior.row(row));
            let rows = Gathered { factors: self.fixed, indices };
            match &self.solver {
                // Nobody's row is its prior mean and nothing else: steps would come near it only.
                RowSolver::Steps(limits, Some(coarse)) if !pairs.is_empty() => {
                    let rows = CoarseRows { factors: coarse, indices };
                    let problem = self.base.problem(&rows, pairs, prior);
                    improve_row(self.path, &problem, *limits, scratch, out);
                }
                RowSolver::Steps(limits, None) if !pairs.is_empty() => {
                    let problem = self.base.problem(&rows, pairs, prior);
                    improve_row(self.path, &problem, *limits, scratch, out);
                }
                RowSolver::Exact | RowSolver::Steps(..) => {
                    self.base.fold_in(self.path, &rows, pairs, prior, scratch, out);
                }
            }
            // All of them, as a loop that may end early is not vectorised.
            if !out.iter().fold(true, |are, value| are & value.is_finite()) {
                return Err(SweepError::NonFinite { side: self.side, row });
            }
        }
        Ok(())
    }
}
