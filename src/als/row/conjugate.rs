//! Approximately, from a known start: conjugate gradients preconditioned by the base.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use std::hint::black_box;

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::solve::{fill_scale, touch_row};
use super::{Base, RowProblem, RowReport, RowScratch, Rows};
use crate::als::Pair;
use crate::kernel::{LANES, add_combination, dot_in, load, score_rows_in, store};

/// Observed rows that are gathered at once, 64 KB at k = 64: most rows of a matrix are gathered once, and every step
/// finds them in the cache.
const BLOCK_ROWS: usize = 256;

/// Rows that are asked of memory before the ones before them are copied: as many as it serves at once. They lie
/// anywhere, and waiting for one after the other is half the time of a sweep.
const AHEAD: usize = 16;

/// The factors of the observed rows, to be had by copying.
pub(crate) trait GatherRows {
    /// Copies the j-th observed row with its padding.
    fn gather<S: Simd>(&self, simd: S, j: usize, out: &mut [f32]);

    /// Reads something of each cache line of the j-th row, so that they are on their way when it is copied.
    fn touch(&self, j: usize) -> u32;
}

impl<R: Rows> GatherRows for R {
    #[inline(always)]
    fn gather<S: Simd>(&self, _simd: S, j: usize, out: &mut [f32]) {
        out.copy_from_slice(self.row(j));
    }

    #[inline(always)]
    fn touch(&self, j: usize) -> u32 {
        touch_row(self.row(j))
    }
}

/// Improves `out`, the start. Since A ⪰ D, the error of a score is at most `√(vᵀD⁻¹v)·√(rᵀD⁻¹r)`, and the
/// second factor is what the iteration has at hand.
#[inline(always)]
pub(super) fn solve_conjugate<S: Simd, R: GatherRows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    max_steps: u32,
    tolerance: f32,
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
    let block_rows = BLOCK_ROWS.min(problem.pairs.len());
    let mut observed = Observed {
        rows: problem.rows,
        pairs: problem.pairs,
        gathered: scaled.at_least(block_rows * dim),
        weights: weights.at_least(block_rows),
        holds: None,
    };

    fill_base_part(simd, problem, out, residual);
    let missing = |pair: &Pair, score: f32| pair.weighted_preference() - pair.confidence() * score;
    observed.add(simd, out, missing, residual);
    let mut square = condition(simd, residual, scale, conditioned);
    direction.copy_from_slice(conditioned);
    let mut steps = 0;
    while steps < max_steps && square > tolerance * tolerance {
        fill_base_product(simd, problem.base, problem.regularization, direction, product);
        observed.add(simd, direction, |pair, score| pair.confidence() * score, product);
        let curvature = dot_in(simd, direction, product);
        let step = square / curvature;
        if !step.is_finite() {
            // The direction has vanished or overflowed: what is there is the best there is.
            break;
        }
        axpy(simd, step, direction, out);
        axpy(simd, -step, product, residual);
        let next = condition(simd, residual, scale, conditioned);
        let keep = f32x16::splat(simd, next / square);
        for at in (0..dim).step_by(LANES) {
            let turned = keep.mul_add_precise(load(simd, direction, at), load(simd, conditioned, at));
            store(turned, direction, at);
        }
        square = next;
        steps += 1;
    }
    RowReport { steps, residual: square.max(0.0).sqrt(), double_precision: false }
}

/// The observed rows, a block at a time.
struct Observed<'a, R> {
    rows: &'a R,
    pairs: &'a [Pair],
    gathered: &'a mut [f32],
    weights: &'a mut [f32],
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
        let dim = vector.len();
        for (block, pairs) in self.pairs.chunks(BLOCK_ROWS).enumerate() {
            let gathered = &mut self.gathered[..pairs.len() * dim];
            if self.holds != Some(block) {
                let first = block * BLOCK_ROWS;
                let touch = |from: usize| {
                    let ahead = from..pairs.len().min(from + AHEAD);
                    black_box(ahead.fold(0, |all, j| all ^ self.rows.touch(first + j)));
                };
                touch(0);
                for (part, rows) in gathered.chunks_mut(AHEAD * dim).enumerate() {
                    let from = part * AHEAD;
                    touch(from + AHEAD);
                    for (j, row) in rows.chunks_exact_mut(dim).enumerate() {
                        self.rows.gather(simd, first + from + j, row);
                    }
                }
                self.holds = Some(block);
            }
            let weights = &mut self.weights[..pairs.len()];
            score_rows_in(simd, vector, gathered, weights);
            for (value, pair) in weights.iter_mut().zip(pairs) {
                *value = weight(pair, *value);
            }
            add_combination(simd, gathered, weights, target);
        }
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
