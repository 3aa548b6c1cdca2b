//! Short rows: through the n × n matrix of the observed rows.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::conjugate::AHEAD;
use super::solve::{F32_ROUNDING, MAX_ROUNDING, PIVOT_FLOOR, fill_scale};
use super::{RowProblem, RowScratch, Rows};
use crate::als::Pair;
use crate::kernel::{
    LANES, PANEL, add_gram, count_as_f64, dot_in, load, rounded, solve_system, store, system_stride,
    transpose,
};

/// With `R = C^½ Z D^-½` the matrix of the dual is `S = I + R Rᵀ`, and
///
/// ```text
/// x = μ' + D⁻¹ Zᵀ C^½ S⁻¹ (C^-½ c·p − C^½ Z μ'),   μ' = D⁻¹ (λμ + Σ_{c=0} c·p z)
/// ```
///
/// Pairs without confidence move μ' alone. Returns whether f32 was enough.
#[inline(always)]
pub(super) fn solve_dual<S: Simd, R: Rows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> bool {
    let RowProblem { base, regularization, rows, pairs, prior } = *problem;
    let (stride, n) = (out.len(), pairs.len());
    let RowScratch { scale, weights, scaled, system, multipliers, solution, .. } = scratch;
    let scale = scale.at_least(stride);
    fill_scale(simd, base, regularization, scale);
    let has_mean = fill_mean(simd, regularization, rows, pairs, prior, scale, out);
    if n == 0 {
        return true;
    }

    let (dim, columns) = (n.next_multiple_of(PANEL), n.next_multiple_of(LANES));
    let weights = weights.at_least(columns);
    weights.fill(0.0);
    for (weight, pair) in weights.iter_mut().zip(pairs) {
        *weight = pair.confidence().sqrt();
    }
    // Asks memory for all rows at once: they lie anywhere, and one after the other takes longer than solving.
    (0..n).for_each(|j| rows.prefetch(j));
    let scaled = scaled.at_least(stride * columns);
    gather_transposed(simd, rows, n, weights, scale, scaled);
    (n..n + AHEAD).for_each(|j| rows.prefetch(j));

    let system_stride = system_stride(dim);
    let system = system.at_least(dim * system_stride);
    let multipliers = multipliers.at_least(dim * system_stride);
    let solution = solution.at_least(system_stride);
    system.fill(0.0);
    for (i, row) in system.chunks_exact_mut(system_stride).enumerate() {
        row[i] = 1.0;
    }
    for (j, pair) in pairs.iter().enumerate().filter(|(_, pair)| pair.confidence() > 0.0) {
        let expected = if has_mean { dot_in(simd, rows.row(j), out) } else { 0.0 };
        system[j * system_stride + dim] = pair.weighted_preference() / weights[j] - weights[j] * expected;
    }
    add_gram(simd, scaled, columns, system, dim, system_stride);
    let largest = (0..n).fold(0.0_f32, |largest, j| largest.max(system[j * system_stride + j]));
    if rounded(count_as_f64(n)) * largest * F32_ROUNDING > MAX_ROUNDING
        || !solve_system(simd, system, multipliers, solution, dim, PIVOT_FLOOR)
    {
        return false;
    }
    for (weight, dual) in weights.iter_mut().zip(&solution[..n]) {
        *weight *= dual;
    }
    add_combination(simd, rows, &weights[..n], scale, out);
    true
}

/// Fills `out` with μ' and returns whether it is anything but zero.
#[inline(always)]
fn fill_mean<S: Simd, R: Rows>(
    simd: S,
    regularization: f32,
    rows: &R,
    pairs: &[Pair],
    prior: Option<&[f32]>,
    scale: &[f32],
    out: &mut [f32],
) -> bool {
    match prior {
        Some(prior) => {
            let regularization = f32x16::splat(simd, regularization);
            for at in (0..out.len()).step_by(LANES) {
                store(load(simd, prior, at) * regularization, out, at);
            }
        }
        None => out.fill(0.0),
    }
    let mut has_mean = prior.is_some();
    for (j, pair) in pairs.iter().enumerate() {
        if pair.confidence() == 0.0 && pair.weighted_preference() != 0.0 {
            has_mean = true;
            let preference = f32x16::splat(simd, pair.weighted_preference());
            let row = rows.row(j);
            for at in (0..out.len()).step_by(LANES) {
                store(preference.mul_add_precise(load(simd, row, at), load(simd, out, at)), out, at);
            }
        }
    }
    if has_mean {
        for at in (0..out.len()).step_by(LANES) {
            let scale = load(simd, scale, at);
            store(load(simd, out, at) * scale * scale, out, at);
        }
    }
    has_mean
}

/// Fills `scaled` with Rᵀ: as many rows as there are factors, one column for each weight. Columns from `n`
/// on have weight 0 and become zero.
#[inline(always)]
fn gather_transposed<S: Simd, R: Rows>(
    simd: S,
    rows: &R,
    n: usize,
    weights: &[f32],
    scale: &[f32],
    scaled: &mut [f32],
) {
    let columns = weights.len();
    for first in (0..columns).step_by(LANES) {
        let block_weights = load(simd, weights, first);
        // Any row does where the weight is 0: the last one is at hand.
        let row = |j: usize| rows.row((first + j).min(n - 1));
        let block = [
            row(0),
            row(1),
            row(2),
            row(3),
            row(4),
            row(5),
            row(6),
            row(7),
            row(8),
            row(9),
            row(10),
            row(11),
            row(12),
            row(13),
            row(14),
            row(15),
        ];
        for at in (0..scale.len()).step_by(LANES) {
            let turned = transpose([
                load(simd, block[0], at),
                load(simd, block[1], at),
                load(simd, block[2], at),
                load(simd, block[3], at),
                load(simd, block[4], at),
                load(simd, block[5], at),
                load(simd, block[6], at),
                load(simd, block[7], at),
                load(simd, block[8], at),
                load(simd, block[9], at),
                load(simd, block[10], at),
                load(simd, block[11], at),
                load(simd, block[12], at),
                load(simd, block[13], at),
                load(simd, block[14], at),
                load(simd, block[15], at),
            ]);
            for (i, lanes) in turned.into_iter().enumerate() {
                let scale = f32x16::splat(simd, scale[at + i]);
                store(lanes * block_weights * scale, scaled, (at + i) * columns + first);
            }
        }
    }
}

/// Adds `D⁻¹ Σ_j weights_j z_j` to `out`.
#[inline(always)]
fn add_combination<S: Simd, R: Rows>(simd: S, rows: &R, weights: &[f32], scale: &[f32], out: &mut [f32]) {
    const WIDE: usize = 4 * LANES;
    let zero = f32x16::splat(simd, 0.0);
    let mut at = 0;
    while at + WIDE <= out.len() {
        let (mut a0, mut a1, mut a2, mut a3) = (zero, zero, zero, zero);
        for (j, &weight) in weights.iter().enumerate() {
            let row = &rows.row(j)[at..at + WIDE];
            let weight = f32x16::splat(simd, weight);
            a0 = weight.mul_add_precise(load(simd, row, 0), a0);
            a1 = weight.mul_add_precise(load(simd, row, LANES), a1);
            a2 = weight.mul_add_precise(load(simd, row, 2 * LANES), a2);
            a3 = weight.mul_add_precise(load(simd, row, 3 * LANES), a3);
        }
        for (i, sum) in [a0, a1, a2, a3].into_iter().enumerate() {
            add_scaled(simd, sum, scale, out, at + i * LANES);
        }
        at += WIDE;
    }
    while at < out.len() {
        let mut sum = zero;
        for (j, &weight) in weights.iter().enumerate() {
            sum = f32x16::splat(simd, weight).mul_add_precise(load(simd, rows.row(j), at), sum);
        }
        add_scaled(simd, sum, scale, out, at);
        at += LANES;
    }
}

/// Adds `sum` times D⁻¹ to 16 floats of `out`.
#[inline(always)]
fn add_scaled<S: Simd>(simd: S, sum: f32x16<S>, scale: &[f32], out: &mut [f32], at: usize) {
    let scale = load(simd, scale, at);
    store(load(simd, out, at) + sum * scale * scale, out, at);
}
