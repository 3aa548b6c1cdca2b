//! Weighted sums of rows.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::LANES;
use super::dot::{load, store};

/// Chunks of 16 columns that are summed up in registers at once.
const TILE: usize = 4;

/// Adds `Σ_j weights_j row_j` to `target`, in the order of the rows. Rows are contiguous and as long as `target`,
/// a multiple of [`LANES`].
#[inline(always)]
pub(crate) fn add_combination<S: Simd>(simd: S, rows: &[f32], weights: &[f32], target: &mut [f32]) {
    let mut at = 0;
    while at + TILE * LANES <= target.len() {
        add_columns::<S, TILE>(simd, rows, weights, target, at);
        at += TILE * LANES;
    }
    while at < target.len() {
        add_columns::<S, 1>(simd, rows, weights, target, at);
        at += LANES;
    }
}

#[inline(always)]
fn add_columns<S: Simd, const N: usize>(
    simd: S,
    rows: &[f32],
    weights: &[f32],
    target: &mut [f32],
    at: usize,
) {
    let mut sums = [f32x16::splat(simd, 0.0); N];
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = load(simd, target, at + i * LANES);
    }
    for (row, &weight) in rows.chunks_exact(target.len()).zip(weights) {
        let (row, weight) = (&row[at..at + N * LANES], f32x16::splat(simd, weight));
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = weight.mul_add_precise(load(simd, row, i * LANES), *sum);
        }
    }
    for (i, sum) in sums.into_iter().enumerate() {
        store(sum, target, at + i * LANES);
    }
}
