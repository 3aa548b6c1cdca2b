//! Approximately, from a known start: conjugate gradients preconditioned by the base.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::solve::fill_scale;
use super::{Base, RowProblem, RowReport, RowScratch, Rows};
use crate::kernel::{LANES, dot_in, load, store};

/// Improves `out`, the start. Since A ⪰ D, the error of a score is at most `√(vᵀD⁻¹v)·√(rᵀD⁻¹r)`, and the
/// second factor is what the iteration has at hand.
#[inline(always)]
pub(super) fn solve_conjugate<S: Simd, R: Rows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    max_steps: u32,
    tolerance: f32,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    let dim = out.len();
    let RowScratch { scale, vectors, .. } = scratch;
    let scale = scale.at_least(dim);
    fill_scale(simd, problem.base, problem.regularization, scale);
    let (residual, rest) = vectors.at_least(4 * dim).split_at_mut(dim);
    let (conditioned, rest) = rest.split_at_mut(dim);
    let (direction, product) = rest.split_at_mut(dim);

    fill_residual(simd, problem, scale, out, residual);
    let mut square = condition(simd, residual, scale, conditioned);
    direction.copy_from_slice(conditioned);
    let mut steps = 0;
    while steps < max_steps && square > tolerance * tolerance {
        multiply(simd, problem, scale, direction, product);
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

/// r = b − A x, each observed row visited once.
#[inline(always)]
fn fill_residual<S: Simd, R: Rows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    scale: &[f32],
    x: &[f32],
    residual: &mut [f32],
) {
    fill_base_product(simd, problem.base, problem.regularization, x, residual);
    let regularization = f32x16::splat(simd, problem.regularization);
    for at in (0..scale.len()).step_by(LANES) {
        let negative = -load(simd, residual, at);
        let with_prior = match problem.prior {
            Some(prior) => regularization.mul_add_precise(load(simd, prior, at), negative),
            None => negative,
        };
        store(with_prior, residual, at);
    }
    for (j, pair) in problem.pairs.iter().enumerate() {
        let row = problem.rows.row(j);
        let missing = pair.weighted_preference() - pair.confidence() * dot_in(simd, row, x);
        axpy(simd, missing, row, residual);
    }
}

/// `product` = A · `vector`.
#[inline(always)]
fn multiply<S: Simd, R: Rows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    scale: &[f32],
    vector: &[f32],
    product: &mut [f32],
) {
    debug_assert_eq!(scale.len(), vector.len(), "one stride");
    fill_base_product(simd, problem.base, problem.regularization, vector, product);
    for (j, pair) in problem.pairs.iter().enumerate() {
        let row = problem.rows.row(j);
        axpy(simd, pair.confidence() * dot_in(simd, row, vector), row, product);
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
