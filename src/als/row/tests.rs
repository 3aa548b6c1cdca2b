use proptest::prelude::*;

use super::*;
use crate::als::Pair;
use crate::kernel::{AlignedVec, SimdPath, SplitMix64, rounded, stride_of};

/// Rows in one block of memory.
struct Stored {
    values: AlignedVec,
    stride: usize,
}

impl Rows for Stored {
    fn row(&self, j: usize) -> &[f32] {
        &self.values[j * self.stride..(j + 1) * self.stride]
    }
}

/// A row problem that owns its data.
struct World {
    k: usize,
    base: AlignedVec,
    dense: bool,
    regularization: f32,
    rows: Stored,
    pairs: Vec<Pair>,
    prior: Option<AlignedVec>,
}

impl World {
    /// `n` rows of `k` normal factors over a base whose elements fall from 4·`a0` to nearly nothing.
    fn random(n: usize, k: usize, a0: f32, regularization: f32, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let stride = stride_of(k);
        let mut base = AlignedVec::zeros(stride);
        for value in &mut base[..k] {
            *value = a0 * rounded(4.0 * random.uniform().powi(4));
        }
        base[..k].sort_by(|a, b| b.total_cmp(a));
        let mut values = AlignedVec::zeros(n * stride);
        for row in values.chunks_exact_mut(stride) {
            row[..k].fill_with(|| rounded(random.normal() * 0.5));
        }
        let mut pair = || {
            let confidence = rounded(random.uniform() * 5.0);
            let preference = if random.below(4) == 0 { -0.5 } else { 1.0 };
            Pair::new(confidence, confidence * preference).expect("usable")
        };
        let pairs = (0..n).map(|_| pair()).collect();
        let rows = Stored { values, stride };
        Self { k, base, dense: false, regularization, rows, pairs, prior: None }
    }

    fn with_prior(mut self, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut prior = AlignedVec::zeros(stride_of(self.k));
        prior[..self.k].fill_with(|| rounded(random.normal() * 0.3));
        self.prior = Some(prior);
        self
    }

    /// The same base as a matrix, with something off the diagonal.
    fn with_dense_base(mut self, seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let (k, stride) = (self.k, stride_of(self.k));
        let mut dense = AlignedVec::zeros(k * stride);
        (0..k).for_each(|i| dense[i * stride + i] = self.base[i]);
        for _ in 0..3 {
            let direction: Vec<f32> = (0..k).map(|_| rounded(random.normal() * 0.3)).collect();
            for i in 0..k {
                for j in 0..k {
                    dense[i * stride + j] += direction[i] * direction[j];
                }
            }
        }
        self.base = dense;
        self.dense = true;
        self
    }

    fn with_confidences(mut self, confidence: impl Fn(usize) -> f32) -> Self {
        for (j, pair) in self.pairs.iter_mut().enumerate() {
            *pair = Pair::new(confidence(j), confidence(j)).expect("usable");
        }
        self
    }

    fn problem(&self) -> RowProblem<'_, Stored> {
        RowProblem {
            base: if self.dense { Base::Dense(&self.base) } else { Base::Diagonal(&self.base) },
            regularization: self.regularization,
            rows: &self.rows,
            pairs: &self.pairs,
            prior: self.prior.as_deref(),
        }
    }

    fn solve_on(&self, path: SimdPath, method: Method) -> (Vec<f32>, RowReport) {
        let mut out = AlignedVec::zeros(stride_of(self.k));
        let report = solve_by(method, path, &self.problem(), &mut RowScratch::default(), &mut out);
        assert!(out[self.k..].iter().all(|&padding| padding == 0.0), "the padding stays zero");
        (out[..self.k].to_vec(), report)
    }

    fn solve(&self, method: Method) -> (Vec<f32>, RowReport) {
        self.solve_on(SimdPath::detect(), method)
    }

    /// The matrix and the right-hand side, in f64.
    fn normal_equations(&self) -> (Vec<Vec<f64>>, Vec<f64>) {
        let (k, stride) = (self.k, stride_of(self.k));
        let lambda = f64::from(self.regularization);
        let mut matrix = vec![vec![0.0; k]; k];
        let mut right = vec![0.0; k];
        for (i, row) in matrix.iter_mut().enumerate() {
            if self.dense {
                let base = &self.base[i * stride..i * stride + k];
                row.iter_mut().zip(base).for_each(|(element, &base)| *element = f64::from(base));
            } else {
                row[i] = f64::from(self.base[i]);
            }
            row[i] += lambda;
            right[i] = self.prior.as_ref().map_or(0.0, |prior| lambda * f64::from(prior[i]));
        }
        for (j, pair) in self.pairs.iter().enumerate() {
            let row: Vec<f64> = self.rows.row(j)[..k].iter().map(|&z| f64::from(z)).collect();
            for a in 0..k {
                right[a] += f64::from(pair.weighted_preference()) * row[a];
                for b in 0..k {
                    matrix[a][b] += f64::from(pair.confidence()) * row[a] * row[b];
                }
            }
        }
        (matrix, right)
    }

    /// The largest error of an element, relative to the largest element of the truth.
    fn error(&self, solution: &[f32]) -> f64 {
        let (matrix, right) = self.normal_equations();
        let truth = gauss(matrix, right);
        let scale = truth.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let worst = truth.iter().zip(solution).fold(0.0_f64, |worst, (truth, &x)| {
            assert!(x.is_finite());
            worst.max((truth - f64::from(x)).abs())
        });
        if scale == 0.0 { worst } else { worst / scale }
    }

    /// No less than the condition number after scaling by D^-½: the trace of `I + RᵀR`.
    fn condition(&self) -> f64 {
        let mut trace = 1.0;
        for (j, pair) in self.pairs.iter().enumerate() {
            for (z, base) in self.rows.row(j).iter().zip(&*self.base) {
                trace += f64::from(pair.confidence() * z * z / (base + self.regularization));
            }
        }
        trace
    }

    /// √((x − x*)ᵀ A (x − x*)) relative to √(x*ᵀ A x*): what ill-conditioned problems are judged by, as
    /// directions that hardly change the loss are not determined.
    fn energy_error(&self, solution: &[f32]) -> f64 {
        let (matrix, right) = self.normal_equations();
        let truth = gauss(matrix.clone(), right);
        let energy = |x: &[f64]| {
            let sum: f64 =
                (0..x.len()).map(|i| (0..x.len()).map(|j| x[i] * matrix[i][j] * x[j]).sum::<f64>()).sum();
            sum.max(0.0).sqrt()
        };
        let difference: Vec<f64> = truth.iter().zip(solution).map(|(t, &x)| t - f64::from(x)).collect();
        energy(&difference) / energy(&truth)
    }
}

/// Gaussian elimination with partial pivoting.
fn gauss(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))
            .expect("not empty");
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..n {
            let factor = matrix[row][column] / matrix[column][column];
            let (above, below) = matrix.split_at_mut(row);
            for (element, pivot) in below[0].iter_mut().zip(&above[column]).skip(column) {
                *element -= factor * pivot;
            }
            right[row] -= factor * right[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|j| matrix[row][j] * right[j]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

/// How a row is solved.
#[derive(Debug, Clone, Copy)]
enum Method {
    /// As everybody outside solves it.
    Chosen,
    Direct(RowMethod),
    Steps(StepLimits),
}

const DUAL: Method = Method::Direct(RowMethod::Dual);
const PRIMAL: Method = Method::Direct(RowMethod::Primal);
const EXACT: [Method; 3] = [DUAL, PRIMAL, Method::Chosen];

fn steps(max_steps: u32, tolerance: f32) -> Method {
    Method::Steps(StepLimits::approximate(max_steps, tolerance, 1.0))
}

/// Steps to the end.
fn conjugate() -> Method {
    steps(200, 1e-6)
}

fn solve_by(
    method: Method,
    path: SimdPath,
    problem: &RowProblem<'_, Stored>,
    scratch: &mut RowScratch,
    out: &mut [f32],
) -> RowReport {
    match method {
        Method::Chosen => solve_row(path, problem, scratch, out),
        Method::Direct(method) => solve_directly(path, problem, method, scratch, out),
        Method::Steps(limits) => improve_row(path, problem, limits, scratch, out),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    // A system in f32 is solved to a few roundings times its condition number.
    #[test]
    fn every_method_agrees_with_a_dense_solve(
        n in 0_usize..90,
        k in 1_usize..70,
        a0 in prop::sample::select(vec![0.0_f32, 0.01, 1.0]),
        regularization in prop::sample::select(vec![0.02_f32, 1.0, 50.0]),
        has_prior: bool,
        seed: u64,
    ) {
        let mut world = World::random(n, k, a0, regularization, seed);
        if has_prior {
            world = world.with_prior(seed ^ 1);
        }
        for method in EXACT {
            let (solution, _) = world.solve(method);
            let (error, bound) = (world.error(&solution), 2e-6 + 3.0 * f64::from(f32::EPSILON) * world.condition());
            prop_assert!(error < bound, "{method:?}: {error:e} against {bound:e}");
        }
        let (solution, report) = world.solve(conjugate());
        let (error, bound) = (world.error(&solution), 1e-5 * world.condition());
        prop_assert!(error < bound, "{error:e} against {bound:e}, {report:?}");
    }

    #[test]
    fn a_dense_base_agrees_with_a_dense_solve(n in 0_usize..90, k in 1_usize..70, seed: u64) {
        let world = World::random(n, k, 1.0, 0.5, seed).with_prior(seed ^ 1).with_dense_base(seed ^ 2);
        for method in [DUAL, PRIMAL, Method::Chosen, conjugate()] {
            let (solution, _) = world.solve(method);
            let error = world.error(&solution);
            prop_assert!(error < 1e-4, "{method:?}: {error:e}");
        }
    }
}

#[test]
fn typical_rows_are_solved_to_a_few_units_of_f32() {
    // The dual is the more exact one; both stay far below what a ranking could notice.
    let (mut dual, mut primal) = (0.0_f64, 0.0_f64);
    for seed in 0..20 {
        let world = World::random(40, 64, 0.1, 0.5, seed);
        dual = dual.max(world.error(&world.solve(DUAL).0));
        primal = primal.max(world.error(&world.solve(PRIMAL).0));
    }
    assert!(dual < 3e-6 && primal < 4e-5, "dual {dual:e}, primal {primal:e}");
}

#[test]
fn weights_from_dust_to_huge_stay_exact() {
    for (seed, exponents) in [(1, [-30, 0]), (2, [0, 9]), (3, [-30, 9]), (4, [9, 9])] {
        for n in [1, 5, 30, 64, 100] {
            let world = World::random(n, 64, 0.1, 0.5, seed)
                .with_prior(seed)
                .with_confidences(|j| 10.0_f32.powi(exponents[j % 2]));
            for method in EXACT {
                let (solution, report) = world.solve(method);
                let error = world.energy_error(&solution);
                // Where weights reach 1e9, f64 takes over; its result is rounded to f32, and that rounding
                // times √1e9 is what the energy sees.
                assert!(error < 1e-3, "{method:?}, n = {n}, {exponents:?}: {error:e}, {report:?}");
            }
        }
    }
}

#[test]
fn near_duplicate_rows_with_huge_weights_are_solved_in_double_precision() {
    for n in [20, 80] {
        let mut world = World::random(n, 64, 0.01, 0.05, 9).with_confidences(|_| 1e9);
        let first = world.rows.row(0).to_vec();
        for j in 1..n {
            let stride = world.rows.stride;
            let row = &mut world.rows.values[j * stride..(j + 1) * stride];
            for (value, &original) in row.iter_mut().zip(&first) {
                *value = original * (1.0 + *value * 1e-5);
            }
        }
        for method in EXACT {
            let (solution, report) = world.solve(method);
            assert!(report.double_precision, "{method:?}");
            let error = world.energy_error(&solution);
            assert!(error < 2e-3, "{method:?}, n = {n}: {error:e}");
        }
    }
}

#[test]
fn identical_rows_count_as_one_with_their_summed_weight() {
    let mut world = World::random(12, 32, 0.1, 0.5, 5).with_confidences(|_| 1.0);
    let first = world.rows.row(0).to_vec();
    for row in world.rows.values.chunks_exact_mut(world.rows.stride) {
        row.copy_from_slice(&first);
    }
    let mut single = World::random(1, 32, 0.1, 0.5, 5).with_confidences(|_| 12.0);
    single.rows.values.copy_from_slice(&first);
    single.base = world.base.clone();
    for method in EXACT {
        let (many, one) = (world.solve(method).0, single.solve(method).0);
        for (a, b) in many.iter().zip(one) {
            // Roundings of 6e-8 times a condition number of some two hundred.
            assert!((a - b).abs() < 1e-5, "{method:?}: {a} against {b}");
        }
    }
}

#[test]
fn rows_of_zeros_change_nothing() {
    let mut world = World::random(10, 20, 0.1, 0.5, 6).with_prior(6);
    world.rows.values.fill(0.0);
    for method in [DUAL, PRIMAL, Method::Chosen, conjugate()] {
        let (solution, _) = world.solve(method);
        assert!(world.error(&solution) < 1e-6, "{method:?}");
    }
}

#[test]
fn without_events_the_prior_is_shrunk_in_closed_form() {
    let world = World::random(0, 20, 0.1, 0.5, 7).with_prior(7);
    let prior = world.prior.as_ref().expect("given");
    for method in [DUAL, PRIMAL, Method::Chosen, conjugate()] {
        let (solution, _) = world.solve(method);
        for ((x, mean), base) in solution.iter().zip(&**prior).zip(&*world.base) {
            // λμ / (a0·g + λ), to a few roundings.
            assert!((x - 0.5 * mean / (base + 0.5)).abs() < 1e-6, "{method:?}");
        }
    }
}

#[test]
fn a_pair_without_confidence_still_pulls_by_its_preference() {
    let mut world = World::random(9, 24, 1.0, 0.5, 8).with_prior(8);
    world.pairs[0] = Pair::from_hu_koren_volinsky(1.0).expect("at least 1");
    world.pairs[4] = Pair::from_hu_koren_volinsky(-1.0).expect("at least 1");
    world.pairs[8] = Pair::from_hu_koren_volinsky(1.0).expect("at least 1");
    for method in [DUAL, PRIMAL, Method::Chosen, conjugate()] {
        let (solution, _) = world.solve(method);
        let error = world.error(&solution);
        assert!(error < 1e-5, "{method:?}: {error:e}");
    }
}

#[test]
fn fifty_thousand_observed_rows_lose_no_precision() {
    let world = World::random(50_000, 32, 0.1, 0.5, 10).with_prior(10);
    let (solution, _) = world.solve(Method::Chosen);
    let error = world.error(&solution);
    // Sums of 50,000 f32 terms in blocks of 64: some 800 roundings of 6e-8 in a row.
    assert!(error < 5e-5, "{error:e}");
}

#[test]
fn every_path_gives_the_same_bytes() {
    // The last two are gathered in several blocks by each step.
    for (n, k) in [(1, 1), (7, 16), (20, 40), (64, 64), (65, 64), (150, 33), (1_100, 64), (600, 128)] {
        for dense in [false, true] {
            let mut world = World::random(n, k, 0.1, 0.2, 11).with_prior(11);
            if dense {
                world = world.with_dense_base(12);
            }
            for method in [DUAL, PRIMAL, Method::Chosen, steps(3, 0.0)] {
                let (expected, _) = world.solve_on(SimdPath::portable(), method);
                for path in SimdPath::available() {
                    let (got, _) = world.solve_on(path, method);
                    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&got), bits(&expected), "{path}, {method:?}, n = {n}, k = {k}");
                }
            }
        }
    }
}

#[test]
fn a_used_scratch_changes_nothing() {
    let mut scratch = RowScratch::default();
    let worlds = [(80, 64), (3, 64), (30, 17), (5, 64), (200, 17)]
        .map(|(n, k)| World::random(n, k, 0.1, 0.2, 12).with_prior(13));
    for method in [DUAL, PRIMAL, Method::Chosen, conjugate()] {
        for world in &worlds {
            let mut out = AlignedVec::zeros(stride_of(world.k));
            solve_by(method, SimdPath::detect(), &world.problem(), &mut scratch, &mut out);
            assert_eq!(out[..world.k], world.solve(method).0, "{method:?}");
        }
    }
}

#[test]
fn conjugate_gradients_start_where_they_are_told_and_stop_when_near() {
    let world = World::random(30, 32, 0.1, 0.5, 14);
    let mut out = AlignedVec::zeros(stride_of(32));
    out[..32].copy_from_slice(&world.solve(DUAL).0);
    let method = steps(50, 1e-3);
    let report = solve_by(method, SimdPath::detect(), &world.problem(), &mut RowScratch::default(), &mut out);
    assert_eq!(report.steps, 0, "the solution is near the solution");
    let (_, cold) = world.solve(method);
    assert!(cold.steps > 0 && cold.residual < 1e-3);
}

/// Preconditioned conjugate gradients from zero, as textbooks have them, in f64.
fn textbook_steps(world: &World, n_steps: u32) -> Vec<f64> {
    let (matrix, right) = world.normal_equations();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let condition = |residual: &[f64]| -> Vec<f64> {
        let weights = world.base.iter().map(|&base| f64::from(base) + f64::from(world.regularization));
        residual.iter().zip(weights).map(|(residual, weight)| residual / weight).collect()
    };
    let (mut x, mut residual) = (vec![0.0; world.k], right);
    let mut conditioned = condition(&residual);
    let mut direction = conditioned.clone();
    for _ in 0..n_steps {
        let product: Vec<f64> = matrix.iter().map(|row| dot(row, &direction)).collect();
        let square = dot(&residual, &conditioned);
        let step = square / dot(&direction, &product);
        x.iter_mut().zip(&direction).for_each(|(x, direction)| *x += step * direction);
        residual.iter_mut().zip(&product).for_each(|(residual, product)| *residual -= step * product);
        conditioned = condition(&residual);
        let keep = dot(&residual, &conditioned) / square;
        direction.iter_mut().zip(&conditioned).for_each(|(at, conditioned)| *at = conditioned + keep * *at);
    }
    x
}

#[test]
fn each_step_leads_where_the_textbook_goes() {
    // A few rows, and more than are gathered at once.
    for (n, k) in [(3, 64), (50, 17), (1_100, 64), (1_500, 128)] {
        let world = World::random(n, k, 1.0, 0.5, 5).with_prior(6);
        for n_steps in 1..=4 {
            let truth = textbook_steps(&world, n_steps);
            let (x, report) = world.solve(steps(n_steps, 0.0));
            assert_eq!(report.steps, n_steps);
            let largest = truth.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
            for (&value, truth) in x.iter().zip(truth) {
                let error = (f64::from(value) - truth).abs();
                assert!(error <= 1e-4 * largest, "{value} for {truth}, {n} rows of {k}, {n_steps} steps");
            }
        }
    }
}

#[test]
fn the_residual_bounds_the_error_of_every_score() {
    for seed in 0..10 {
        let world = World::random(40, 32, 0.1, 0.2, seed);
        let (matrix, right) = world.normal_equations();
        let truth = gauss(matrix, right);
        for max_steps in [1, 2, 4] {
            let (x, _) = world.solve(steps(max_steps, 0.0));
            let mut out = AlignedVec::zeros(stride_of(32));
            out[..32].copy_from_slice(&x);
            let (path, mut scratch) = (SimdPath::detect(), RowScratch::default());
            let report = solve_by(steps(0, 0.0), path, &world.problem(), &mut scratch, &mut out);
            for j in 0..40 {
                let v = world.rows.row(j);
                let (mut off, mut uncertainty) = (0.0, 0.0);
                for i in 0..32 {
                    off += f64::from(v[i]) * (f64::from(x[i]) - truth[i]);
                    uncertainty += f64::from(v[i] * v[i]) / f64::from(world.base[i] + world.regularization);
                }
                // A hair for rounding.
                let bound = uncertainty.sqrt() * f64::from(report.residual) * 1.001 + 1e-6;
                assert!(off.abs() <= bound, "{max_steps} steps: {off} against {bound}");
            }
        }
    }
}

#[test]
fn rows_are_stepped_to_the_end_where_that_is_sooner_and_eliminated_where_it_is_not() {
    // A tenth of what the base weighs: a few directions stand out a little.
    let light = World::random(60, 64, 20.0, 0.5, 3).with_confidences(|_| 0.1);
    let (solution, report) = light.solve(Method::Chosen);
    assert!((2..20).contains(&report.steps) && report.converged, "{report:?}");
    assert!(light.error(&solution) < 1e-5);

    let short = World::random(3, 64, 20.0, 0.5, 3);
    assert_eq!(short.solve(Method::Chosen).1.steps, 0, "three rows are eliminated before one step is done");

    // One row as heavy as this is found in a step or two, and everything else would drown in its rounding.
    let heavy = World::random(60, 64, 20.0, 0.5, 3).with_confidences(|j| if j == 7 { 1e6 } else { 0.1 });
    let (solution, report) = heavy.solve(Method::Chosen);
    assert_eq!(report.steps, 0, "{report:?}");
    assert!(heavy.energy_error(&solution) < 1e-3);
}

#[test]
fn going_further_than_the_solution_is_going_further_from_the_start() {
    let world = World::random(30, 32, 0.1, 0.5, 14);
    let solved = |reach| {
        let mut out = AlignedVec::zeros(stride_of(32));
        out.fill(0.01);
        let limits = StepLimits::approximate(40, 1e-4, reach);
        improve_row(SimdPath::detect(), &world.problem(), limits, &mut RowScratch::default(), &mut out);
        out[..32].to_vec()
    };
    for (far, near) in solved(1.5).into_iter().zip(solved(1.0)) {
        assert!((far - (0.01 + 1.5 * (near - 0.01))).abs() < 1e-5, "{far} against {near}");
    }
}
