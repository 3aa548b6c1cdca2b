//! Symmetric positive definite systems in f32: `LDLᵀ` elimination with the right-hand side along.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::dot::{load, store, sum_of_lanes};
use super::{LANES, has_wide_registers};

/// Rows that are eliminated together, each in one register.
pub(crate) const PANEL: usize = 8;

/// `UNITS[i]` is 1 in lane i: a lane is set by an addition, without a trip through memory.
const UNITS: [[f32; LANES]; LANES] = {
    let mut units = [[0.0; LANES]; LANES];
    let mut lane = 0;
    while lane < LANES {
        units[lane][lane] = 1.0;
        lane += 1;
    }
    units
};

/// Floats that a row of a system of `dim` unknowns takes: the unknowns, the right-hand side in column `dim`,
/// and the padding.
pub(crate) fn system_stride(dim: usize) -> usize {
    (dim + 1).next_multiple_of(LANES)
}

/// Solves the system whose matrix is in the upper triangle of `system` and whose right-hand side is in its
/// column `dim`; `solution` gets it in its first `dim` floats. `dim` is a multiple of [`PANEL`].
///
/// `system` and `multipliers` have `dim` rows of [`system_stride`] floats, `solution` one such row. `system`
/// is overwritten. Returns whether every pivot was at least `floor`; if not, the solution is meaningless.
#[inline(always)]
pub(crate) fn solve_system<S: Simd>(
    simd: S,
    system: &mut [f32],
    multipliers: &mut [f32],
    solution: &mut [f32],
    dim: usize,
    floor: f32,
) -> bool {
    simd.vectorize(
        #[inline(always)]
        || {
            let stride = system_stride(dim);
            let system = &mut system[..dim * stride];
            let smallest = if has_wide_registers::<S>() {
                eliminate::<S, PANEL>(simd, system, multipliers, stride)
            } else {
                eliminate::<S, { PANEL / 2 }>(simd, system, multipliers, stride)
            };
            if smallest >= floor {
                substitute_back(simd, multipliers, solution, dim, stride);
            }
            smallest >= floor
        },
    )
}

/// Eliminates N rows at a time, which changes no byte, and returns the smallest pivot.
#[inline(always)]
fn eliminate<S: Simd, const N: usize>(
    simd: S,
    system: &mut [f32],
    multipliers: &mut [f32],
    stride: usize,
) -> f32 {
    let mut smallest = f32::INFINITY;
    for first in (0..system.len() / stride).step_by(N) {
        let (done, panel) = system.split_at_mut(first * stride);
        for at in (first / LANES * LANES..stride).step_by(LANES) {
            let pivot = eliminate_tile::<S, N>(simd, done, panel, multipliers, first, at, stride);
            // NaN must not pass as large.
            smallest = if pivot >= smallest { smallest } else { pivot };
        }
    }
    smallest
}

/// Takes the rows above out of N rows and one chunk of columns, then these rows out of each other.
///
/// `multipliers` holds the finished rows divided by minus their pivots. The chunk on the diagonal comes
/// first and determines the pivots; returned is the smallest of them, or infinity in the other chunks.
#[inline(always)]
fn eliminate_tile<S: Simd, const N: usize>(
    simd: S,
    done: &[f32],
    panel: &mut [f32],
    multipliers: &mut [f32],
    first: usize,
    at: usize,
    stride: usize,
) -> f32 {
    let mut rows = [f32x16::splat(simd, 0.0); N];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = load(simd, panel, i * stride + at);
    }
    for (above, factors) in done.chunks_exact(stride).zip(multipliers.chunks_exact(stride)) {
        let above = load(simd, above, at);
        for (row, &factor) in rows.iter_mut().zip(&factors[first..first + N]) {
            *row = f32x16::splat(simd, factor).mul_add_precise(above, *row);
        }
    }
    let on_diagonal = at <= first;
    let mut smallest = f32::INFINITY;
    // One step: find the pivot, store the row and its multipliers, and take it out of the rows below. The
    // multiplier of the pivot itself is never used, so minus its inverse waits there for the other chunks
    // and saves them the division.
    for i in 0..N {
        let (row, base) = (rows[i], (first + i) * stride);
        let inverse = if on_diagonal {
            let pivot = row[first - at + i];
            smallest = if pivot >= smallest { smallest } else { pivot };
            -1.0 / pivot
        } else {
            multipliers[base + first + i]
        };
        store(row, panel, i * stride + at);
        store(row * f32x16::splat(simd, inverse), multipliers, base + at);
        if on_diagonal {
            multipliers[base + first + i] = inverse;
        }
        let factors = &multipliers[base + first..base + first + N];
        for (below, &factor) in rows.iter_mut().zip(factors).skip(i + 1) {
            *below = f32x16::splat(simd, factor).mul_add_precise(row, *below);
        }
    }
    smallest
}

/// Solves the triangular system that elimination left.
///
/// With −1 in the column of the right-hand side, an unknown is the dot product of its row of multipliers
/// with everything right of it.
#[inline(always)]
fn substitute_back<S: Simd>(simd: S, multipliers: &[f32], solution: &mut [f32], dim: usize, stride: usize) {
    let solution = &mut solution[..stride];
    solution.fill(0.0);
    solution[dim] = -1.0;
    for at in (0..dim).step_by(LANES).rev() {
        // The chunk being solved stays in a register.
        let mut current = load(simd, solution, at);
        for i in (at..dim.min(at + LANES)).rev() {
            let row = &multipliers[i * stride..(i + 1) * stride];
            let mut sum = f32x16::splat(simd, 0.0);
            for right in (at + LANES..stride).step_by(LANES) {
                sum = load(simd, row, right).mul_add_precise(load(simd, solution, right), sum);
            }
            let value = sum_of_lanes(load(simd, row, at).mul_add_precise(current, sum));
            current =
                f32x16::splat(simd, value).mul_add_precise(f32x16::from_slice(simd, &UNITS[i - at]), current);
        }
        store(current, solution, at);
    }
}
