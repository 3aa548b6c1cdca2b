//! Rows times a square matrix.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, dispatch, f32x16};

use super::dot::{load, store};
use super::{LANES, PANEL, SimdPath};

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
    dispatch!(path.level(), simd => multiply_rows_in(simd, rows, matrix, stride, scratch));
}

#[inline(always)]
fn multiply_rows_in<S: Simd>(simd: S, rows: &mut [f32], matrix: &[f32], stride: usize, scratch: &mut [f32]) {
    let source = &mut scratch[..PANEL * stride];
    for block in rows.chunks_mut(PANEL * stride) {
        // The last block may be short: the missing rows are zeros and their products dropped.
        source.fill(0.0);
        source[..block.len()].copy_from_slice(block);
        for at in (0..stride).step_by(LANES) {
            let products = multiply_tile(simd, source, matrix, stride, at);
            for (row, product) in block.chunks_exact_mut(stride).zip(products) {
                store(product, row, at);
            }
        }
    }
}

/// Columns `at .. at + 16` of the product of eight rows.
#[inline(always)]
fn multiply_tile<S: Simd>(
    simd: S,
    source: &[f32],
    matrix: &[f32],
    stride: usize,
    at: usize,
) -> [f32x16<S>; PANEL] {
    let (r0, rest) = source.split_at(stride);
    let (r1, rest) = rest.split_at(stride);
    let (r2, rest) = rest.split_at(stride);
    let (r3, rest) = rest.split_at(stride);
    let (r4, rest) = rest.split_at(stride);
    let (r5, rest) = rest.split_at(stride);
    let (r6, rest) = rest.split_at(stride);
    let r7 = &rest[..stride];
    let zero = f32x16::splat(simd, 0.0);
    let (mut a0, mut a1, mut a2, mut a3) = (zero, zero, zero, zero);
    let (mut a4, mut a5, mut a6, mut a7) = (zero, zero, zero, zero);
    for (l, matrix_row) in matrix.chunks_exact(stride).enumerate().take(stride) {
        let m = load(simd, matrix_row, at);
        a0 = f32x16::splat(simd, r0[l]).mul_add_precise(m, a0);
        a1 = f32x16::splat(simd, r1[l]).mul_add_precise(m, a1);
        a2 = f32x16::splat(simd, r2[l]).mul_add_precise(m, a2);
        a3 = f32x16::splat(simd, r3[l]).mul_add_precise(m, a3);
        a4 = f32x16::splat(simd, r4[l]).mul_add_precise(m, a4);
        a5 = f32x16::splat(simd, r5[l]).mul_add_precise(m, a5);
        a6 = f32x16::splat(simd, r6[l]).mul_add_precise(m, a6);
        a7 = f32x16::splat(simd, r7[l]).mul_add_precise(m, a7);
    }
    [a0, a1, a2, a3, a4, a5, a6, a7]
}
