//! Sums of outer products: the Gram matrix of the columns of a block of rows.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::dot::{load, store};
use super::{LANES, PANEL, has_wide_registers};

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
                    if has_wide_registers::<S>() {
                        add_tile::<S, PANEL>(simd, rows, row_stride, first, at, panel_rows, stride);
                    } else {
                        let (upper, lower) = panel_rows.split_at_mut(PANEL / 2 * stride);
                        add_tile::<S, { PANEL / 2 }>(simd, rows, row_stride, first, at, upper, stride);
                        add_tile::<S, { PANEL / 2 }>(
                            simd,
                            rows,
                            row_stride,
                            first + PANEL / 2,
                            at,
                            lower,
                            stride,
                        );
                    }
                }
            }
        },
    );
}

/// Rows `first .. first + N`, columns `at .. at + 16`, in N accumulators.
#[inline(always)]
fn add_tile<S: Simd, const N: usize>(
    simd: S,
    rows: &[f32],
    row_stride: usize,
    first: usize,
    at: usize,
    panel: &mut [f32],
    stride: usize,
) {
    // Closures of the standard library would leave the code that knows the instructions.
    let mut sums = [f32x16::splat(simd, 0.0); N];
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = load(simd, panel, i * stride + at);
    }
    for row in rows.chunks_exact(row_stride) {
        let left = &row[first..first + N];
        let right = load(simd, row, at);
        for (sum, &left) in sums.iter_mut().zip(left) {
            *sum = f32x16::splat(simd, left).mul_add_precise(right, *sum);
        }
    }
    for (i, sum) in sums.into_iter().enumerate() {
        store(sum, panel, i * stride + at);
    }
}
