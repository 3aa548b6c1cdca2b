//! Symmetric positive definite systems in f32: `LDLᵀ` elimination with the right-hand side along.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::LANES;
use super::dot::{load, store, sum_of_lanes};

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
            let mut smallest = f32::INFINITY;
            for first in (0..dim).step_by(PANEL) {
                let (done, panel) = system[..dim * stride].split_at_mut(first * stride);
                for at in (first / LANES * LANES..stride).step_by(LANES) {
                    let pivot = eliminate_tile(simd, done, panel, multipliers, first, at, stride);
                    // NaN must not pass as large.
                    smallest = if pivot >= smallest { smallest } else { pivot };
                }
            }
            if smallest >= floor {
                substitute_back(simd, multipliers, solution, dim, stride);
            }
            smallest >= floor
        },
    )
}

/// Takes the rows above out of eight rows and one chunk of columns, then these rows out of each other.
///
/// `multipliers` holds the finished rows divided by minus their pivots. The chunk on the diagonal comes
/// first and determines the pivots; returned is the smallest of them, or infinity in the other chunks.
#[inline(always)]
fn eliminate_tile<S: Simd>(
    simd: S,
    done: &[f32],
    panel: &mut [f32],
    multipliers: &mut [f32],
    first: usize,
    at: usize,
    stride: usize,
) -> f32 {
    let mut a0 = load(simd, panel, at);
    let mut a1 = load(simd, panel, stride + at);
    let mut a2 = load(simd, panel, 2 * stride + at);
    let mut a3 = load(simd, panel, 3 * stride + at);
    let mut a4 = load(simd, panel, 4 * stride + at);
    let mut a5 = load(simd, panel, 5 * stride + at);
    let mut a6 = load(simd, panel, 6 * stride + at);
    let mut a7 = load(simd, panel, 7 * stride + at);
    for (row, factors) in done.chunks_exact(stride).zip(multipliers.chunks_exact(stride)) {
        let factors = &factors[first..first + PANEL];
        let row = load(simd, row, at);
        a0 = f32x16::splat(simd, factors[0]).mul_add_precise(row, a0);
        a1 = f32x16::splat(simd, factors[1]).mul_add_precise(row, a1);
        a2 = f32x16::splat(simd, factors[2]).mul_add_precise(row, a2);
        a3 = f32x16::splat(simd, factors[3]).mul_add_precise(row, a3);
        a4 = f32x16::splat(simd, factors[4]).mul_add_precise(row, a4);
        a5 = f32x16::splat(simd, factors[5]).mul_add_precise(row, a5);
        a6 = f32x16::splat(simd, factors[6]).mul_add_precise(row, a6);
        a7 = f32x16::splat(simd, factors[7]).mul_add_precise(row, a7);
    }
    let on_diagonal = at <= first;
    let mut smallest = f32::INFINITY;
    // One step: find the pivot, store the row and its multipliers, and take it out of the rows below. The
    // multiplier of the pivot itself is never used, so minus its inverse waits there for the other chunks
    // and saves them the division.
    macro_rules! finish {
        ($r:literal, $row:ident, [$($s:literal => $below:ident),*]) => {
            let base = (first + $r) * stride;
            let inverse = if on_diagonal {
                let pivot = $row[first - at + $r];
                smallest = if pivot >= smallest { smallest } else { pivot };
                -1.0 / pivot
            } else {
                multipliers[base + first + $r]
            };
            store($row, panel, $r * stride + at);
            store($row * f32x16::splat(simd, inverse), multipliers, base + at);
            if on_diagonal {
                multipliers[base + first + $r] = inverse;
            }
            $($below = f32x16::splat(simd, multipliers[base + first + $s]).mul_add_precise($row, $below);)*
        };
    }
    finish!(0, a0, [1 => a1, 2 => a2, 3 => a3, 4 => a4, 5 => a5, 6 => a6, 7 => a7]);
    finish!(1, a1, [2 => a2, 3 => a3, 4 => a4, 5 => a5, 6 => a6, 7 => a7]);
    finish!(2, a2, [3 => a3, 4 => a4, 5 => a5, 6 => a6, 7 => a7]);
    finish!(3, a3, [4 => a4, 5 => a5, 6 => a6, 7 => a7]);
    finish!(4, a4, [5 => a5, 6 => a6, 7 => a7]);
    finish!(5, a5, [6 => a6, 7 => a7]);
    finish!(6, a6, [7 => a7]);
    finish!(7, a7, []);
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
