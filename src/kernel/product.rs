//! Rows times a square matrix.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::dot::{load, store};
use super::{LANES, PANEL, SimdPath, has_wide_registers, on_path};

/// Replaces every row of `rows` by `row · matrix`.
///
/// Rows are contiguous with `stride` floats; `matrix` has `stride` rows of `stride` floats. `scratch` is at
/// least [`PANEL`] rows long.
pub(crate) fn multiply_rows(
    path: SimdPath,
    rows: &mut [f32],
    matrix: &[f32],
    stride: usize,
    scratch: &mut [f32],
) {
    on_path!(path, simd => multiply_rows_in(simd, rows, matrix, stride, scratch));
}

#[inline(always)]
fn multiply_rows_in<S: Simd>(simd: S, rows: &mut [f32], matrix: &[f32], stride: usize, scratch: &mut [f32]) {
    let source = &mut scratch[..PANEL * stride];
    for block in rows.chunks_mut(PANEL * stride) {
        // The last block may be short: the missing rows are whatever was there, and their products dropped.
        source[..block.len()].copy_from_slice(block);
        for at in (0..stride).step_by(LANES) {
            if has_wide_registers::<S>() {
                multiply_tile::<S, PANEL>(simd, source, matrix, stride, at, block);
            } else {
                let half = PANEL / 2 * stride;
                let (upper, lower) = block.split_at_mut(half.min(block.len()));
                multiply_tile::<S, { PANEL / 2 }>(simd, &source[..half], matrix, stride, at, upper);
                multiply_tile::<S, { PANEL / 2 }>(simd, &source[half..], matrix, stride, at, lower);
            }
        }
    }
}

/// Columns `at .. at + 16` of the product of N rows, into as many as `products` has.
#[inline(always)]
fn multiply_tile<S: Simd, const N: usize>(
    simd: S,
    source: &[f32],
    matrix: &[f32],
    stride: usize,
    at: usize,
    products: &mut [f32],
) {
    let rows: [&[f32]; N] = std::array::from_fn(|i| &source[i * stride..][..stride]);
    let matrix = &matrix[..stride * stride];
    let mut sums = [f32x16::splat(simd, 0.0); N];
    for l in 0..stride {
        let right = load(simd, matrix, l * stride + at);
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum = f32x16::splat(simd, row[l]).mul_add_precise(right, *sum);
        }
    }
    for (product, sum) in products.chunks_exact_mut(stride).zip(sums) {
        store(sum, product, at);
    }
}
