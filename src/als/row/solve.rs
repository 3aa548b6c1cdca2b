//! The one row solver.

use fearless_simd::{Simd, SimdBase, SimdFloat, dispatch, f32x16};

use super::conjugate::{GatherRows, solve_conjugate};
use super::double::solve_double;
use super::dual::solve_dual;
use super::primal::solve_primal;
use super::{Base, RowMethod, RowProblem, RowReport, Rows};
use crate::kernel::{AlignedVec, LANES, SimdPath, load, store};

/// Systems are solved in f64 instead if rounding errors of f32 may reach this share of their smallest
/// eigenvalue, which is 1. At a half the elimination could break down; a 32nd holds what a solution misses
/// of the least loss, in its square root, to about 1e-4. Rows of common weights are a hundred times below.
pub(super) const MAX_ROUNDING: f32 = 1.0 / 32.0;
/// What rounding to f32 costs, relatively.
pub(super) const F32_ROUNDING: f32 = f32::EPSILON / 2.0;
/// Pivots are at least 1 but for rounding; one below this shows that rounding has won.
pub(super) const PIVOT_FLOOR: f32 = 0.5;

/// The buffers of row solves. They grow to what the largest row so far needed and are reused.
#[derive(Debug, Default)]
pub(crate) struct RowScratch {
    /// D^-½: the square root of what the base and the regularization say of a coordinate, inverted.
    pub(super) scale: AlignedVec,
    /// √c of the observed rows, later what each of them adds to the solution.
    pub(super) weights: AlignedVec,
    /// Scaled rows, transposed by the dual.
    pub(super) scaled: AlignedVec,
    pub(super) system: AlignedVec,
    pub(super) multipliers: AlignedVec,
    pub(super) solution: AlignedVec,
    /// Vectors of k.
    pub(super) vectors: AlignedVec,
    pub(super) double: Vec<f64>,
}

/// Solves `problem` into `out`, which has the stride of its rows.
///
/// The result is finite if all inputs are and no square overflows f32; callers check where it matters.
pub(crate) fn solve_row<R: Rows>(
    path: SimdPath,
    problem: &RowProblem<'_, R>,
    method: RowMethod,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    let method = match (method, problem.base) {
        (RowMethod::Dual, Base::Dense(_)) => RowMethod::Primal,
        (method, Base::Dense(_) | Base::Diagonal(_)) => method,
    };
    let solved = match method {
        RowMethod::Dual => dispatch!(path.level(), simd => solve_dual(simd, problem, scratch, out)),
        RowMethod::Primal => dispatch!(path.level(), simd => solve_primal(simd, problem, scratch, out)),
        RowMethod::ConjugateGradient { max_steps, tolerance } => {
            return improve_row(path, problem, max_steps, tolerance, scratch, out);
        }
    };
    if !solved {
        solve_double(problem, method, &mut scratch.double, out);
    }
    RowReport { double_precision: !solved, ..RowReport::default() }
}

/// Reads one float of each cache line of a row, which asks memory for the others.
#[expect(clippy::inline_always, reason = "a few loads between others")]
#[inline(always)]
pub(super) fn touch_row(row: &[f32]) -> u32 {
    row.iter().step_by(LANES).fold(0, |all, value| all ^ value.to_bits())
}

/// Improves `out` by conjugate gradients, as [`RowMethod::ConjugateGradient`] says, with rows that are only to be had
/// by copying.
pub(crate) fn improve_row<R: GatherRows>(
    path: SimdPath,
    problem: &RowProblem<'_, R>,
    max_steps: u32,
    tolerance: f32,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    dispatch!(path.level(), simd => solve_conjugate(simd, problem, max_steps, tolerance, scratch, out))
}

/// Fills `scale` with D^-½, where D is the diagonal of base plus regularization.
#[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
#[inline(always)]
pub(super) fn fill_scale<S: Simd>(simd: S, base: Base<'_>, regularization: f32, scale: &mut [f32]) {
    match base {
        Base::Diagonal(base) => scale.copy_from_slice(base),
        Base::Dense(base) => {
            let stride = scale.len();
            scale.fill(0.0);
            for (i, row) in base.chunks_exact(stride).enumerate() {
                scale[i] = row[i];
            }
        }
    }
    let one = f32x16::splat(simd, 1.0);
    let regularization = f32x16::splat(simd, regularization);
    for at in (0..scale.len()).step_by(LANES) {
        store(one / (load(simd, scale, at) + regularization).sqrt(), scale, at);
    }
}
