//! Sums of outer products: the Gram matrix of the columns of a block of rows.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::dot::{load, store};
use super::{LANES, PANEL};

/// Adds `Σ row rowᵀ` over the rows to the upper triangle of `matrix`.
///
/// `rows` holds rows of `row_stride` floats, `matrix` has `dim` rows of `stride` floats; `dim` is a multiple
/// of [`PANEL`] with `dim <= row_stride`, strides are multiples of [`LANES`]. Whole chunks of 16 columns are
/// written, so some elements below the diagonal are too, and with `dim` not a multiple of 16 the columns from
/// `dim` to the end of the chunk: rows that are zero there leave a right-hand side alone.
#[inline(always)]
pub(crate) fn add_gram<S: Simd>(
    simd: S,
    rows: &[f32],
    row_stride: usize,
    matrix: &mut [f32],
    dim: usize,
    stride: usize,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for (panel, panel_rows) in matrix[..dim * stride].chunks_exact_mut(PANEL * stride).enumerate() {
                let first = panel * PANEL;
                for at in (first / LANES * LANES..dim).step_by(LANES) {
                    add_tile(simd, rows, row_stride, first, at, panel_rows, stride);
                }
            }
        },
    );
}

/// Rows `first .. first + 8`, columns `at .. at + 16`, in eight accumulators.
#[inline(always)]
fn add_tile<S: Simd>(
    simd: S,
    rows: &[f32],
    row_stride: usize,
    first: usize,
    at: usize,
    panel: &mut [f32],
    stride: usize,
) {
    let mut a0 = load(simd, panel, at);
    let mut a1 = load(simd, panel, stride + at);
    let mut a2 = load(simd, panel, 2 * stride + at);
    let mut a3 = load(simd, panel, 3 * stride + at);
    let mut a4 = load(simd, panel, 4 * stride + at);
    let mut a5 = load(simd, panel, 5 * stride + at);
    let mut a6 = load(simd, panel, 6 * stride + at);
    let mut a7 = load(simd, panel, 7 * stride + at);
    for row in rows.chunks_exact(row_stride) {
        let left = &row[first..first + PANEL];
        let right = load(simd, row, at);
        a0 = f32x16::splat(simd, left[0]).mul_add_precise(right, a0);
        a1 = f32x16::splat(simd, left[1]).mul_add_precise(right, a1);
        a2 = f32x16::splat(simd, left[2]).mul_add_precise(right, a2);
        a3 = f32x16::splat(simd, left[3]).mul_add_precise(right, a3);
        a4 = f32x16::splat(simd, left[4]).mul_add_precise(right, a4);
        a5 = f32x16::splat(simd, left[5]).mul_add_precise(right, a5);
        a6 = f32x16::splat(simd, left[6]).mul_add_precise(right, a6);
        a7 = f32x16::splat(simd, left[7]).mul_add_precise(right, a7);
    }
    store(a0, panel, at);
    store(a1, panel, stride + at);
    store(a2, panel, 2 * stride + at);
    store(a3, panel, 3 * stride + at);
    store(a4, panel, 4 * stride + at);
    store(a5, panel, 5 * stride + at);
    store(a6, panel, 6 * stride + at);
    store(a7, panel, 7 * stride + at);
}
