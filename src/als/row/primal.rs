//! Long rows: through the k × k matrix.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::conjugate::AHEAD;
use super::solve::{F32_ROUNDING, MAX_ROUNDING, PIVOT_FLOOR, fill_scale};
use super::{Base, RowProblem, RowScratch, Rows};
use crate::als::Pair;
use crate::kernel::{LANES, add_gram, count_as_f64, load, rounded, solve_system, store, system_stride};

/// Observed rows that are gathered and multiplied at once: 16 KB at k = 64.
const BLOCK_ROWS: usize = 64;

/// Solves `D^-½ A D^-½ x' = D^-½ b`, then `x = D^-½ x'`. The scaling makes the matrix `I + RᵀR` over a diagonal
/// base, so that the dual's tests of precision hold here too. Returns whether f32 was enough.
#[inline(always)]
pub(super) fn solve_primal<S: Simd, R: Rows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> bool {
    let RowProblem { base, regularization, rows, pairs, prior } = *problem;
    let dim = out.len();
    let RowScratch { scale, scaled, system, multipliers, solution, vectors, .. } = scratch;
    let scale = scale.at_least(dim);
    fill_scale(simd, base, regularization, scale);
    let system_stride = system_stride(dim);
    let system = system.at_least(dim * system_stride);
    let multipliers = multipliers.at_least(dim * system_stride);
    let solution = solution.at_least(system_stride);
    let smallest = fill_base(simd, base, regularization, scale, system, system_stride);

    // `out` collects b meanwhile; each block's share is summed up apart, which keeps long sums exact.
    match prior {
        Some(prior) => {
            let regularization = f32x16::splat(simd, regularization);
            for at in (0..dim).step_by(LANES) {
                store(load(simd, prior, at) * regularization, out, at);
            }
        }
        None => out.fill(0.0),
    }
    let share = vectors.at_least(dim);
    let scaled = scaled.at_least(BLOCK_ROWS * dim);
    for (block, block_pairs) in pairs.chunks(BLOCK_ROWS).enumerate() {
        let scaled = &mut scaled[..block_pairs.len() * dim];
        gather(simd, rows, block * BLOCK_ROWS, block_pairs, scale, scaled, share);
        add_gram(simd, scaled, dim, system, dim, system_stride);
        for at in (0..dim).step_by(LANES) {
            store(load(simd, out, at) + load(simd, share, at), out, at);
        }
    }
    for ((row, b), scale) in system.chunks_exact_mut(system_stride).zip(&*out).zip(&*scale) {
        row[dim] = b * scale;
    }

    let largest = (0..dim).fold(0.0_f32, |largest, i| largest.max(system[i * system_stride + i]));
    if rounded(count_as_f64(dim)) * largest * F32_ROUNDING > MAX_ROUNDING
        || !solve_system(simd, system, multipliers, solution, dim, PIVOT_FLOOR * smallest)
    {
        return false;
    }
    for at in (0..dim).step_by(LANES) {
        store(load(simd, solution, at) * load(simd, scale, at), out, at);
    }
    true
}

/// Fills the system with the scaled base and regularization, and returns a lower bound of its eigenvalues.
#[inline(always)]
fn fill_base<S: Simd>(
    simd: S,
    base: Base<'_>,
    regularization: f32,
    scale: &[f32],
    system: &mut [f32],
    system_stride: usize,
) -> f32 {
    system.fill(0.0);
    let mut smallest = 1.0_f32;
    if let Base::Dense(base) = base {
        let dim = scale.len();
        for ((row, base), &row_scale) in
            system.chunks_exact_mut(system_stride).zip(base.chunks_exact(dim)).zip(scale)
        {
            smallest = smallest.min(regularization * row_scale * row_scale);
            let row_scale = f32x16::splat(simd, row_scale);
            for at in (0..dim).step_by(LANES) {
                store(load(simd, base, at) * row_scale * load(simd, scale, at), row, at);
            }
        }
    }
    // The scale is what makes the diagonal 1.
    for (i, row) in system.chunks_exact_mut(system_stride).enumerate() {
        row[i] = 1.0;
    }
    smallest
}

/// Fills `scaled` with the rows of C^½ Z D^-½ from `first` on, and `share` with what they add to b.
#[inline(always)]
fn gather<S: Simd, R: Rows>(
    simd: S,
    rows: &R,
    first: usize,
    pairs: &[Pair],
    scale: &[f32],
    scaled: &mut [f32],
    share: &mut [f32],
) {
    let dim = scale.len();
    share.fill(0.0);
    for (j, (pair, scaled)) in pairs.iter().zip(scaled.chunks_exact_mut(dim)).enumerate() {
        rows.prefetch(first + j + AHEAD);
        let row = rows.row(first + j);
        let weight = f32x16::splat(simd, pair.confidence().sqrt());
        let preference = f32x16::splat(simd, pair.weighted_preference());
        for at in (0..dim).step_by(LANES) {
            let lanes = load(simd, row, at);
            store(lanes * weight * load(simd, scale, at), scaled, at);
            store(preference.mul_add_precise(lanes, load(simd, share, at)), share, at);
        }
    }
}
