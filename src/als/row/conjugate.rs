//! Approximately, from a known start: conjugate gradients preconditioned by the base.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use std::ops::Range;

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::solve::fill_scale;
use super::{Base, RowProblem, RowReport, RowScratch, Rows};
use crate::als::Pair;
use crate::kernel::{LANES, add_combination, dot_in, load, score_rows_in, store, sum_of_lanes};

/// Floats that are gathered at once, 256 KB: 1,024 observed rows at k = 64. Most rows of a matrix are gathered once, and
/// every step finds them in the second cache.
const BLOCK_FLOATS: usize = 65_536;

/// Rows that go through a pass together: what one part of it leaves in the first cache the next finds there.
const PART_ROWS: usize = 16;

/// How many rows before its turn a row is asked of memory: they lie anywhere, and waiting for them was half the time
/// of a sweep.
pub(crate) const AHEAD: usize = 48;

/// The factors of the observed rows, to be had by copying.
pub(crate) trait GatherRows {
    /// Asks memory for the first `n_rows`, unless they were asked for as those that come next.
    fn expect(&self, n_rows: usize);

    /// Copies rows, from the `first` on, with their padding: each is `dim` long. Asks memory for those that come [`AHEAD`] of them;
    /// beyond the last, for those that will be observed next, if that is known.
    fn gather<S: Simd>(&self, simd: S, first: usize, dim: usize, out: &mut [f32]);
}

impl<R: Rows> GatherRows for R {
    #[inline(always)]
    fn expect(&self, n_rows: usize) {
        for j in 0..n_rows {
            self.prefetch(j);
        }
    }

    #[inline(always)]
    fn gather<S: Simd>(&self, _simd: S, first: usize, dim: usize, out: &mut [f32]) {
        for (j, out) in out.chunks_exact_mut(dim).enumerate() {
            self.prefetch(first + j + AHEAD);
            out.copy_from_slice(self.row(first + j));
        }
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StepLimits {
    /// The most steps to take.
    pub(crate) max_steps: u32,
    /// What `√(rᵀD⁻¹r)` of the residual r should fall to.
    pub(crate) tolerance: f32,
    /// The same, as a share of what it was at the start: either will do.
    share: f32,
    /// How many times the base the matrix may be in any direction.
    max_curvature: f32,
    /// How far to go, of the way to the solution that the steps find.
    reach: f32,
    /// Whether it is asked where the last step has led; if not, that step takes half the time.
    looks_back: bool,
}

impl StepLimits {
    pub(crate) fn approximate(max_steps: u32, tolerance: f32, reach: f32) -> Self {
        Self { max_steps, tolerance, share: 0.0, max_curvature: f32::INFINITY, reach, looks_back: false }
    }

    /// To where f32 ends, unless elimination would sooner be there, or rounding would be felt.
    pub(super) fn exact(max_steps: usize) -> Self {
        let max_steps = u32::try_from(max_steps).unwrap_or(u32::MAX);
        Self { max_steps, tolerance: 0.0, share: 1e-6, max_curvature: 256.0, reach: 1.0, looks_back: true }
    }
}

/// Improves `out`, the start. Since A ⪰ D, the error of a score is at most `√(vᵀD⁻¹v)·√(rᵀD⁻¹r)`, and the
/// second factor is what the iteration has at hand.
#[inline(always)]
pub(super) fn solve_conjugate<S: Simd, R: GatherRows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    limits: StepLimits,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    let dim = out.len();
    let RowScratch { scale, vectors, scaled, weights, .. } = scratch;
    let scale = scale.at_least(dim);
    fill_scale(simd, problem.base, problem.regularization, scale);
    let (residual, rest) = vectors.at_least(4 * dim).split_at_mut(dim);
    let (conditioned, rest) = rest.split_at_mut(dim);
    let (direction, product) = rest.split_at_mut(dim);
    let block_rows = (BLOCK_FLOATS / dim).next_multiple_of(PART_ROWS);
    let mut observed = Observed {
        block_rows,
        rows: problem.rows,
        pairs: problem.pairs,
        gathered: scaled.at_least(block_rows.min(problem.pairs.len()) * dim),
        scores: weights.at_least(PART_ROWS),
        holds: None,
    };

    problem.rows.expect(problem.pairs.len().min(AHEAD));
    fill_base_part(simd, problem, out, residual);
    let missing = |pair: &Pair, score: f32| pair.weighted_preference() - pair.confidence() * score;
    observed.add(simd, out, missing, residual);
    let mut square = condition(simd, residual, scale, conditioned);
    direction.copy_from_slice(conditioned);
    let aim = (limits.tolerance * limits.tolerance).max(square * (limits.share * limits.share));
    let mut steps = 0;
    while steps < limits.max_steps && square > aim {
        fill_base_product(simd, problem.base, problem.regularization, direction, product);
        let is_blind = steps + 1 == limits.max_steps && !limits.looks_back;
        let curvature = if is_blind {
            dot_in(simd, direction, product) + observed.energy(simd, direction)
        } else {
            observed.add(simd, direction, |pair, score| pair.confidence() * score, product);
            dot_in(simd, direction, product)
        };
        let step = square / curvature;
        // False if the direction has vanished or overflowed: what is there is the best there is.
        if !(step.is_finite() && curvature <= limits.max_curvature * square) {
            break;
        }
        axpy(simd, limits.reach * step, direction, out);
        steps += 1;
        if is_blind {
            break;
        }
        axpy(simd, -step, product, residual);
        let next = condition(simd, residual, scale, conditioned);
        let keep = f32x16::splat(simd, next / square);
        for at in (0..dim).step_by(LANES) {
            let turned = keep.mul_add_precise(load(simd, direction, at), load(simd, conditioned, at));
            store(turned, direction, at);
        }
        square = next;
    }
    RowReport { steps, residual: square.max(0.0).sqrt(), converged: square <= aim, double_precision: false }
}

/// The observed rows, a block at a time, each of them a part at a time.
struct Observed<'a, R> {
    rows: &'a R,
    pairs: &'a [Pair],
    block_rows: usize,
    gathered: &'a mut [f32],
    scores: &'a mut [f32],
    /// The block that is gathered.
    holds: Option<usize>,
}

impl<R: GatherRows> Observed<'_, R> {
    /// Adds `Σ_j weight(pair_j, z_j·vector) z_j` to `target`.
    #[inline(always)]
    fn add<S: Simd>(
        &mut self,
        simd: S,
        vector: &[f32],
        weight: impl Fn(&Pair, f32) -> f32,
        target: &mut [f32],
    ) {
        for (block, pairs) in self.pairs.chunks(self.block_rows).enumerate() {
            for (part, pairs) in pairs.chunks(PART_ROWS).enumerate() {
                let rows = self.scored(simd, (block, part), pairs.len(), vector);
                let scores = &mut self.scores[..pairs.len()];
                for (score, pair) in scores.iter_mut().zip(pairs) {
                    *score = weight(pair, *score);
                }
                add_combination(simd, &self.gathered[rows], scores, target);
            }
            self.holds = Some(block);
        }
    }

    /// `Σ_j confidence_j (z_j·vector)²`.
    #[inline(always)]
    fn energy<S: Simd>(&mut self, simd: S, vector: &[f32]) -> f32 {
        const { assert!(PART_ROWS == LANES, "a lane for each row of a part") };
        let mut sums = [0.0; PART_ROWS];
        for (block, pairs) in self.pairs.chunks(self.block_rows).enumerate() {
            for (part, pairs) in pairs.chunks(PART_ROWS).enumerate() {
                self.scored(simd, (block, part), pairs.len(), vector);
                let scores = &self.scores[..pairs.len()];
                for ((sum, score), pair) in sums.iter_mut().zip(scores).zip(pairs) {
                    *sum += pair.confidence() * score * score;
                }
            }
            self.holds = Some(block);
        }
        sum_of_lanes(load(simd, &sums, 0))
    }

    /// The products of a part's rows with `vector`; gathers them if they are not there, and says where they are.
    #[inline(always)]
    fn scored<S: Simd>(
        &mut self,
        simd: S,
        (block, part): (usize, usize),
        n_rows: usize,
        vector: &[f32],
    ) -> Range<usize> {
        let (from, dim) = (part * PART_ROWS, vector.len());
        let range = from * dim..(from + n_rows) * dim;
        let rows = &mut self.gathered[range.clone()];
        if self.holds != Some(block) {
            self.rows.gather(simd, block * self.block_rows + from, dim, rows);
        }
        score_rows_in(simd, vector, rows, &mut self.scores[..n_rows]);
        range
    }
}

/// `residual` = λμ − (base + λI) x: what the residual is without the observed rows.
#[inline(always)]
fn fill_base_part<S: Simd, R>(simd: S, problem: &RowProblem<'_, R>, x: &[f32], residual: &mut [f32]) {
    fill_base_product(simd, problem.base, problem.regularization, x, residual);
    let regularization = f32x16::splat(simd, problem.regularization);
    for at in (0..x.len()).step_by(LANES) {
        let negative = -load(simd, residual, at);
        let with_prior = match problem.prior {
            Some(prior) => regularization.mul_add_precise(load(simd, prior, at), negative),
            None => negative,
        };
        store(with_prior, residual, at);
    }
}

/// `product` = (base + λI) · `vector`.
#[inline(always)]
fn fill_base_product<S: Simd>(
    simd: S,
    base: Base<'_>,
    regularization: f32,
    vector: &[f32],
    product: &mut [f32],
) {
    let lambda = f32x16::splat(simd, regularization);
    match base {
        Base::Diagonal(base) => {
            for at in (0..vector.len()).step_by(LANES) {
                store((load(simd, base, at) + lambda) * load(simd, vector, at), product, at);
            }
        }
        Base::Dense(base) => {
            product.fill(0.0);
            for (i, row) in base.chunks_exact(vector.len()).enumerate() {
                product[i] = regularization * vector[i] + dot_in(simd, row, vector);
            }
        }
    }
}

/// `conditioned` = D⁻¹ · `residual`; returns their dot product.
#[inline(always)]
fn condition<S: Simd>(simd: S, residual: &[f32], scale: &[f32], conditioned: &mut [f32]) -> f32 {
    for at in (0..residual.len()).step_by(LANES) {
        let scale = load(simd, scale, at);
        store(load(simd, residual, at) * scale * scale, conditioned, at);
    }
    dot_in(simd, residual, conditioned)
}

/// `target` += `factor` · `source`.
#[inline(always)]
fn axpy<S: Simd>(simd: S, factor: f32, source: &[f32], target: &mut [f32]) {
    let factor = f32x16::splat(simd, factor);
    for at in (0..target.len()).step_by(LANES) {
        store(factor.mul_add_precise(load(simd, source, at), load(simd, target, at)), target, at);
    }
}
