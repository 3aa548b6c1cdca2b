//! The one row solver.

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::conjugate::{GatherRows, StepLimits, solve_conjugate};
use super::double::solve_double;
use super::dual::solve_dual;
use super::primal::solve_primal;
use super::{Base, RowMethod, RowProblem, RowReport, Rows};
use crate::kernel::{AlignedVec, LANES, SimdPath, is_portable, load, on_path, store};

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

/// Solves `problem` into `out`, which has the stride of its rows, from a cold start, by whatever is fastest. A pure
/// function of the problem, so that everybody who solves it gets the same bytes.
///
/// The result is finite if all inputs are and no square overflows f32; callers check where it matters.
pub(crate) fn solve_row<R: Rows>(
    path: SimdPath,
    problem: &RowProblem<'_, R>,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    let costs = Costs::of(problem, out.len());
    if costs.is_worth_steps() {
        match problem.prior {
            Some(prior) => out.copy_from_slice(prior),
            None => out.fill(0.0),
        }
        let limits = StepLimits::exact(costs.steps_of_direct());
        let report = on_path!(path, simd => improve_in(simd, problem, limits, scratch, out));
        if report.converged {
            return report;
        }
    }
    solve_directly(path, problem, costs.direct_method(), scratch, out)
}

/// Solves `problem` by elimination.
pub(crate) fn solve_directly<R: Rows>(
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
        RowMethod::Dual => on_path!(path, simd => solve_dual(simd, problem, scratch, out)),
        RowMethod::Primal => on_path!(path, simd => solve_primal(simd, problem, scratch, out)),
    };
    if !solved {
        solve_double(problem, method, &mut scratch.double, out);
    }
    RowReport { steps: 0, residual: 0.0, converged: true, double_precision: !solved }
}

/// Improves `out` by conjugate gradients, with rows that are only to be had by copying.
pub(crate) fn improve_row<R: GatherRows>(
    path: SimdPath,
    problem: &RowProblem<'_, R>,
    limits: StepLimits,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    on_path!(path, simd => improve_in(simd, problem, limits, scratch, out))
}

/// Compiled apart for the lengths that most use: sweeps take a quarter less time where the compiler knows how long loops are.
#[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
#[inline(always)]
fn improve_in<S: Simd, R: GatherRows>(
    simd: S,
    problem: &RowProblem<'_, R>,
    limits: StepLimits,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    if const { is_portable::<S>() } {
        return solve_conjugate(simd, problem, limits, scratch, out);
    }
    match out.len() {
        64 => solve_conjugate(simd, problem, limits, scratch, &mut out[..64]),
        128 => solve_conjugate(simd, problem, limits, scratch, &mut out[..128]),
        _ => solve_conjugate(simd, problem, limits, scratch, out),
    }
}

/// What the methods cost, in multiplications.
#[derive(Debug, Clone, Copy)]
struct Costs {
    dual: Option<usize>,
    primal: usize,
    step: usize,
}

impl Costs {
    /// Steps that a row usually takes to the end.
    const USUAL_STEPS: usize = 8;

    fn of<R>(problem: &RowProblem<'_, R>, k: usize) -> Self {
        let n = problem.pairs.len();
        let (dual, base) = match problem.base {
            Base::Diagonal(_) => (Some(n * n * k / 2 + n * n * n / 6), 10 * k),
            Base::Dense(_) => (None, k * k),
        };
        Self { dual, primal: n * k * k / 2 + k * k * k / 6, step: 2 * n * k + base }
    }

    fn is_worth_steps(self) -> bool {
        self.steps_of_direct() > Self::USUAL_STEPS
    }

    /// After how many steps the other method would have been done.
    fn steps_of_direct(self) -> usize {
        self.dual.unwrap_or(usize::MAX).min(self.primal) / self.step
    }

    /// The faster of the two; both are equally right.
    fn direct_method(self) -> RowMethod {
        match self.dual {
            // The two cross at n = k.
            Some(dual) if dual <= self.primal => RowMethod::Dual,
            Some(_) | None => RowMethod::Primal,
        }
    }
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
