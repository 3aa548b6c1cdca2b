//! Whole training runs on small worlds, against dense solves and naive sums.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ndarray::Array2;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::*;
use crate::kernel::{AlignedVec, SimdPath, SplitMix64, count_as_f64, rounded, stride_of};
use crate::types::{ItemIdx, UserIdx};

fn pool(n_threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads")
}

fn params(n_factors: usize, exponent: f32) -> AlsParams {
    AlsParams::builder()
        .n_factors(n_factors)
        .regularization(0.02)
        .unobserved_weight(0.1)
        .frequency_exponent(exponent)
        .seed(7)
        .build()
        .expect("usable")
}

fn idx(row: usize) -> u32 {
    u32::try_from(row).expect("small")
}

/// Random pairs, a fifth of them with a negative preference; the last user and the first item have none.
fn random_world(n_users: usize, n_items: usize, n_pairs: usize, seed: u64) -> TrainingInput {
    let mut random = SplitMix64::new(seed);
    let pairs: Vec<_> = (0..n_pairs)
        .map(|_| {
            let user = UserIdx::new(idx(random.below((n_users - 1).max(1))));
            let item = ItemIdx::new(idx((1 + random.below((n_items - 1).max(1))).min(n_items - 1)));
            let confidence = rounded(0.1 + 3.0 * random.uniform());
            let preference = if random.below(5) == 0 { -0.5 } else { 1.0 };
            (user, item, Pair::new(confidence, confidence * preference).expect("usable"))
        })
        .collect();
    TrainingInput::from_pairs(n_users, n_items, pairs).expect("in range")
}

fn random_factors(n_rows: usize, n_factors: usize, scale: f64, seed: u64) -> Factors {
    let mut random = SplitMix64::new(seed);
    let array = Array2::from_shape_simple_fn((n_rows, n_factors), || rounded(scale * random.normal()));
    Factors::from_array(array.view()).expect("finite")
}

fn bits(factors: &Factors) -> Vec<u32> {
    factors.view().iter().map(|value| value.to_bits()).collect()
}

fn trained(input: &TrainingInput, path: SimdPath, pool: &ThreadPool, solver: SweepSolver) -> TrainedModel {
    let prior = random_factors(input.n_items(), 20, 0.1, 3);
    let mut als = Als::new(params(20, 1.0), input.n_users(), input.n_items())
        .with_item_prior(prior)
        .expect("of the right shape")
        .on(path)
        .solving_with(solver);
    for _ in 0..2 {
        als.sweep(input, pool).expect("a finite world");
    }
    als.finish(input, pool).expect("a finite world")
}

const CONJUGATE: SweepSolver = SweepSolver::ConjugateGradient { max_steps: 2, tolerance: 1e-4 };

#[test]
fn every_path_trains_the_same_bytes() {
    let input = random_world(60, 40, 900, 1);
    for solver in [SweepSolver::Exact, CONJUGATE] {
        let expected = trained(&input, SimdPath::portable(), &pool(1), solver);
        for path in SimdPath::available() {
            let model = trained(&input, path, &pool(1), solver);
            assert_eq!(bits(model.user_factors()), bits(expected.user_factors()), "{path}");
            assert_eq!(bits(model.item_factors()), bits(expected.item_factors()), "{path}");
        }
    }
}

#[test]
fn one_two_and_eight_threads_train_the_same_bytes() {
    // Enough rows for several parts of a half-sweep and several chunks of a Gramian.
    let input = random_world(5_000, 1_500, 60_000, 2);
    for solver in [SweepSolver::Exact, CONJUGATE] {
        let expected = trained(&input, SimdPath::detect(), &pool(1), solver);
        for n_threads in [2, 8] {
            let model = trained(&input, SimdPath::detect(), &pool(n_threads), solver);
            assert_eq!(bits(model.user_factors()), bits(expected.user_factors()), "{n_threads}");
            assert_eq!(bits(model.item_factors()), bits(expected.item_factors()), "{n_threads}");
        }
    }
}

#[test]
fn an_exact_half_sweep_never_raises_the_objective() {
    let pool = pool(1);
    for seed in 0..6 {
        let input = random_world(50, 30, 400, seed);
        for exponent in [0.0, 0.5, 1.0] {
            for with_priors in [false, true] {
                let mut als = Als::new(params(12, exponent), 50, 30);
                if with_priors {
                    let (of_users, of_items) =
                        (random_factors(50, 12, 0.2, seed), random_factors(30, 12, 0.2, seed + 100));
                    als =
                        als.with_user_prior(of_users).expect("fits").with_item_prior(of_items).expect("fits");
                }
                let mut before = als.objective(&input, &pool).expect("fits");
                for half in 0..12 {
                    if half % 2 == 0 {
                        als.user_half_sweep(&input, &pool).expect("finite");
                    } else {
                        als.item_half_sweep(&input, &pool).expect("finite");
                    }
                    let after = als.objective(&input, &pool).expect("fits");
                    // Rotation and factors in f32 leave 1e-7 of the value, near the minimum all of it.
                    assert!(
                        after <= before * (1.0 + 1e-6),
                        "ν = {exponent}, half {half}: {before} to {after}"
                    );
                    before = after;
                }
            }
        }
    }
}

#[test]
fn the_objective_equals_its_naive_sum() {
    for exponent in [0.0, 0.5, 1.0] {
        let (n_users, n_items, k) = (15, 11, 9);
        let input = random_world(n_users, n_items, 60, 5);
        let (of_users, of_items) = (random_factors(n_users, k, 0.2, 6), random_factors(n_items, k, 0.2, 7));
        let mut als = Als::new(params(k, exponent), n_users, n_items)
            .with_user_prior(of_users)
            .expect("fits")
            .with_item_prior(of_items)
            .expect("fits");
        als.sweep(&input, &pool(1)).expect("finite");

        let (a0, lambda) = (f64::from(0.1_f32), f64::from(0.02_f32));
        let (x, y) = (als.user_factors().view(), als.item_factors().view());
        let (mu_x, mu_y) = (als.user_prior().expect("given"), als.item_prior().expect("given"));
        let mut naive = 0.0;
        let (mut of_user, mut of_item) = (vec![0.0; n_users], vec![0.0; n_items]);
        for user in 0..n_users {
            for item in 0..n_items {
                let score: f64 = (0..k).map(|f| f64::from(x[[user, f]]) * f64::from(y[[item, f]])).sum();
                naive += a0 * score * score;
                if let Some(pair) = input.by_user().get(user, item) {
                    let confidence = f64::from(pair.confidence());
                    let preference = f64::from(pair.weighted_preference()) / confidence;
                    naive += confidence * (preference - score).powi(2);
                    of_user[user] += confidence;
                    of_item[item] += confidence;
                }
            }
        }
        let distance = |a: &ndarray::ArrayView2<'_, f32>, b: &Factors, row: usize| -> f64 {
            (0..k).map(|f| (f64::from(a[[row, f]]) - f64::from(b.view()[[row, f]])).powi(2)).sum()
        };
        for (user, of_user) in of_user.into_iter().enumerate() {
            let scale = (of_user + a0 * 11.0).powf(f64::from(exponent));
            naive += lambda * scale * distance(&x, mu_x, user);
        }
        for (item, of_item) in of_item.into_iter().enumerate() {
            let scale = (of_item + a0 * 15.0).powf(f64::from(exponent));
            naive += lambda * scale * distance(&y, mu_y, item);
        }
        let value = als.objective(&input, &pool(1)).expect("fits");
        // Scores, Gramian chunks and the rows' regularizations are f32.
        assert!((value - naive).abs() < 1e-5 * naive.abs(), "{value} against {naive}");
    }
}

#[test]
fn rotation_changes_scores_by_rounding_only() {
    let pool = pool(2);
    for k in [1, 8, 20, 64] {
        let (mut users, mut items) = (random_factors(40, k, 1.0, 8), random_factors(700, k, 1.0, 9));
        let scores = |users: &Factors, items: &Factors| users.view().dot(&items.view().t());
        let before = scores(&users, &items);
        let path = SimdPath::detect();
        let gramian = Gramian::of(path, &items, &pool);
        let basis = gramian.eigen();
        basis.rotate(path, &mut users, &pool);
        basis.rotate(path, &mut items, &pool);
        for (before, after) in before.iter().zip(&scores(&users, &items)) {
            // Scores are sums of k products around 1: about √k in size.
            assert!(
                (before - after).abs() < 1e-5 * rounded(count_as_f64(k).sqrt() + 1.0),
                "{before}, {after}"
            );
        }
        let rotated = Gramian::of(path, &items, &pool);
        for i in 0..k {
            for j in 0..k {
                let expected = if i == j { basis.eigenvalues()[i] } else { 0.0 };
                // 700 rows of unit variance: eigenvalues around 700.
                assert!((rotated.values()[i * k + j] - expected).abs() < 2e-3, "{i}, {j} of {k}");
            }
        }
    }
}

#[test]
fn the_gramian_is_that_of_a_sum_in_double_precision() {
    let (path, k) = (SimdPath::detect(), 20);
    let factors = random_factors(5_000, k, 1.0, 10);
    let gramian = Gramian::of(path, &factors, &pool(2));
    let rows = || (0..5_000).map(|row| factors.row(row));
    assert_eq!(gramian, Gramian::of_rows(path, k, rows()));
    for i in 0..k {
        for j in 0..k {
            let exact: f64 = rows().map(|row| f64::from(row[i]) * f64::from(row[j])).sum();
            // Chunks of 1,024 in f32 leave about 1e-6 of elements around 5,000.
            assert!((gramian.values()[i * k + j] - exact).abs() < 5e-3, "element {i}, {j}");
        }
    }
    let mut running = Gramian::zeros(k);
    running.add(&gramian);
    running.subtract(&Gramian::of_rows(path, k, rows()));
    assert_eq!(running, Gramian::zeros(k), "what was added is taken out again");
}

/// Solves `matrix · x = right` by Gaussian elimination with partial pivoting.
fn dense_solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
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

#[test]
fn hu_koren_volinsky_confidences_have_the_minimiser_of_their_objective() {
    let (n_items, k, regularization) = (30, 10, 0.3_f32);
    let mut random = SplitMix64::new(11);
    // Positive, exactly 1, negative and exactly −1: per item at most once.
    let confidences: Vec<(usize, f32)> = (0..n_items)
        .filter_map(|item| match random.below(6) {
            0 => Some((item, 1.0)),
            1 => Some((item, -1.0)),
            2 => Some((item, rounded(-1.0 - 8.0 * random.uniform()))),
            3 => Some((item, rounded(1.0 + 40.0 * random.uniform()))),
            _ => None,
        })
        .collect();
    let pairs = confidences.iter().map(|&(item, confidence)| {
        let pair = Pair::from_hu_koren_volinsky(confidence).expect("at least 1");
        (UserIdx::new(0), ItemIdx::new(idx(item)), pair)
    });
    let input = TrainingInput::from_pairs(1, n_items, pairs).expect("in range");
    let params = AlsParams::hu_koren_volinsky(k, regularization).expect("usable");
    let items = random_factors(n_items, k, 0.5, 12);
    let mut als = Als::warm(params, 1, n_items, &items).expect("fits");
    als.user_half_sweep(&input, &pool(1)).expect("finite");

    // Their normal equations: YᵀY + Yᵀ(C − I)Y + λI and YᵀCp, in the basis the run has turned to.
    let y = als.item_factors().view();
    let mut matrix = vec![vec![0.0; k]; k];
    let mut right = vec![0.0; k];
    for item in 0..n_items {
        let given = confidences.iter().find(|(given, _)| *given == item).map_or(0.0, |(_, c)| f64::from(*c));
        let weight = if given == 0.0 { 1.0 } else { given.abs() };
        for a in 0..k {
            right[a] += given.max(0.0) * f64::from(y[[item, a]]);
            for b in 0..k {
                matrix[a][b] += weight * f64::from(y[[item, a]]) * f64::from(y[[item, b]]);
            }
        }
    }
    for (a, row) in matrix.iter_mut().enumerate() {
        row[a] += f64::from(regularization);
    }
    for (x, truth) in als.user_factors().view().iter().zip(dense_solve(matrix, right)) {
        // The basis of the f32 rows is diagonal to 1e-6 only, and the condition number is about a hundred.
        assert!((f64::from(*x) - truth).abs() < 5e-5, "{x} against {truth}");
    }
}

#[test]
fn folding_a_training_history_in_gives_the_published_row_bit_for_bit() {
    let input = random_world(200, 120, 9_000, 13);
    let mut als = Als::new(params(32, 1.0), 200, 120);
    als.sweep(&input, &pool(2)).expect("finite");
    let model = als.finish(&input, &pool(2)).expect("finite");
    let mut lengths = Vec::new();
    for user in 0..200 {
        let (items, pairs) = input.user_rows().row(user);
        // In reverse, because the order of a history must not matter.
        let history: Vec<(ItemIdx, Pair)> =
            items.iter().zip(pairs).rev().map(|(&item, &pair)| (ItemIdx::new(item), pair)).collect();
        lengths.push(history.len());
        assert_eq!(
            model.fold_in(&history).expect("known items"),
            model.user_factors().view().row(user).to_vec()
        );
    }
    let both_methods = lengths.iter().any(|&n| n < 32) && lengths.iter().any(|&n| n > 40);
    assert!(both_methods, "short and long rows: {lengths:?}");
}

#[test]
fn folding_in_with_a_prior_gives_the_published_row_of_a_run_with_priors() {
    let input = random_world(30, 20, 200, 14);
    let mut als =
        Als::new(params(8, 1.0), 30, 20).with_user_prior(random_factors(30, 8, 0.3, 15)).expect("fits");
    als.sweep(&input, &pool(1)).expect("finite");
    let model = als.finish(&input, &pool(1)).expect("finite");
    for user in 0..30 {
        let (items, pairs) = input.user_rows().row(user);
        let history: Vec<(ItemIdx, Pair)> =
            items.iter().zip(pairs).map(|(&item, &pair)| (ItemIdx::new(item), pair)).collect();
        let published = model.user_factors().view().row(user).to_vec();
        let prior = model.user_prior().expect("given").view().row(user).to_vec();
        assert_eq!(model.fold_in_with_prior(&history, &prior).expect("known"), published);
    }
}

#[test]
fn unusable_histories_are_refused() {
    let input = random_world(5, 4, 10, 16);
    let model = Als::new(params(4, 1.0), 5, 4).finish(&input, &pool(1)).expect("finite");
    let unknown = [(ItemIdx::new(4), Pair::default())];
    assert_eq!(model.fold_in(&unknown), Err(FoldInError::ItemOutOfRange { got: 4, n_items: 4 }));
    let refused = model.fold_in_with_prior(&[], &[0.0; 3]);
    assert_eq!(refused, Err(FoldInError::PriorLength { expected: 4, got: 3 }));
    assert_eq!(model.score(UserIdx::new(5), ItemIdx::new(0)), None);
    assert_eq!(model.score(UserIdx::new(0), ItemIdx::new(4)), None);
}

#[test]
fn an_item_folds_in_to_the_minimum_over_its_listeners() {
    let (n_users, k) = (40, 12);
    let users = random_factors(n_users, k, 0.5, 17);
    let gramian = Gramian::of(SimdPath::detect(), &users, &pool(1));
    let params = params(k, 1.0);
    let base = ItemBase::new(params.clone(), &gramian, n_users);
    let listeners: Vec<u32> = (0..15).map(|user| 2 * user).collect();
    let pairs: Vec<Pair> =
        (1..16_u8).map(|c| Pair::new(f32::from(c), f32::from(c)).expect("usable")).collect();
    let rows = super::half_sweep::Gathered { factors: &users, indices: &listeners };
    let mut prior = AlignedVec::zeros(stride_of(k));
    prior[..k].fill(0.25);
    let mut out = AlignedVec::zeros(stride_of(k));
    base.fold_in(SimdPath::detect(), &rows, &pairs, Some(&prior), &mut RowScratch::default(), &mut out);

    let x = users.view();
    // Σc = 120.
    let lambda = f64::from(0.02_f32) * (120.0 + f64::from(0.1_f32) * 40.0);
    let mut matrix = vec![vec![0.0; k]; k];
    let mut right = vec![lambda * 0.25; k];
    for user in 0..n_users {
        let place = listeners.iter().position(|&listener| listener as usize == user);
        let confidence = place.map_or(0.0, |j| f64::from(pairs[j].confidence()));
        for a in 0..k {
            right[a] += confidence * f64::from(x[[user, a]]);
            for b in 0..k {
                matrix[a][b] +=
                    (confidence + f64::from(0.1_f32)) * f64::from(x[[user, a]]) * f64::from(x[[user, b]]);
            }
        }
    }
    for (a, row) in matrix.iter_mut().enumerate() {
        row[a] += lambda;
    }
    for (y, truth) in out.iter().zip(dense_solve(matrix, right)) {
        // Condition number about 50.
        assert!((f64::from(*y) - truth).abs() < 2e-5, "{y} against {truth}");
    }
}

#[test]
fn a_warm_start_keeps_going_down() {
    let pool = pool(1);
    let input = random_world(60, 40, 600, 18);
    let mut als = Als::new(params(8, 1.0), 60, 40);
    for _ in 0..3 {
        als.sweep(&input, &pool).expect("finite");
    }
    let reached = als.objective(&input, &pool).expect("fits");
    let mut warm = Als::warm(params(8, 1.0), 60, 40, als.item_factors()).expect("fits");
    warm.sweep(&input, &pool).expect("finite");
    let after = warm.objective(&input, &pool).expect("fits");
    assert!(after < reached, "{reached} to {after}");
}

#[test]
fn a_warm_start_draws_the_rows_it_is_not_given() {
    let cold = Als::new(params(8, 1.0), 3, 6);
    let mut known = Factors::zeros(4, 8);
    known.row_mut(1)[0] = 1.0;
    let warm = Als::warm(params(8, 1.0), 3, 6, &known).expect("fits");
    assert_eq!(warm.item_factors().row(1), known.row(1));
    for row in [0, 2, 3, 4, 5] {
        assert_eq!(warm.item_factors().row(row), cold.item_factors().row(row));
    }
}

#[test]
fn conjugate_gradients_reach_the_objective_of_exact_sweeps() {
    let pool = pool(1);
    let input = random_world(300, 100, 4_000, 19);
    let reached = |solver| {
        let mut als = Als::new(params(16, 1.0), 300, 100).solving_with(solver);
        for _ in 0..12 {
            als.sweep(&input, &pool).expect("finite");
        }
        als.objective(&input, &pool).expect("fits")
    };
    let (exact, conjugate) = (reached(SweepSolver::Exact), reached(CONJUGATE));
    // Different paths down a function that is not convex, not yet at its bottom.
    assert!((conjugate - exact).abs() < 0.01 * exact, "{conjugate} against {exact}");
}

#[test]
fn a_cancelled_run_stops_and_stays_stopped() {
    let input = random_world(20, 10, 50, 20);
    let cancelled = Arc::new(AtomicBool::new(true));
    let mut als = Als::new(params(4, 1.0), 20, 10).cancel_with(Arc::clone(&cancelled));
    assert_eq!(als.sweep(&input, &pool(1)), Err(SweepError::Cancelled));
    cancelled.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(als.sweep(&input, &pool(1)), Err(SweepError::Cancelled));
    assert_eq!(als.finish(&input, &pool(1)).map(drop), Err(SweepError::Cancelled));
}

#[test]
fn rows_that_are_not_finite_are_reported_not_published() {
    let input = random_world(20, 10, 50, 21);
    let mut items = random_factors(10, 4, 0.1, 22);
    items.row_mut(3)[1] = 1e30;
    let mut als = Als::warm(params(4, 1.0), 20, 10, &items).expect("fits");
    let expected = SweepError::NonFinite { side: Side::Items, row: 3 };
    assert_eq!(als.sweep(&input, &pool(1)), Err(expected));
    assert_eq!(als.finish(&input, &pool(1)).map(drop), Err(expected));

    let mut prior = Factors::zeros(20, 4);
    prior.row_mut(7)[0] = f32::MAX;
    prior.row_mut(7)[1] = f32::MAX;
    let als = Als::new(params(4, 2.0), 20, 10).with_user_prior(prior).expect("fits");
    let outcome = als.finish(&input, &pool(1)).map(drop);
    assert!(matches!(outcome, Err(SweepError::NonFinite { side: Side::Users, row: 7 })), "{outcome:?}");
}

#[test]
fn an_input_of_another_shape_is_refused() {
    let input = random_world(20, 10, 50, 23);
    let mut als = Als::new(params(4, 1.0), 19, 10);
    let refused = als.sweep(&input, &pool(1)).expect_err("19 are not 20");
    assert!(
        matches!(refused, SweepError::ShapeMismatch { side: Side::Users, got_rows: 20, .. }),
        "{refused}"
    );
    let prior = Factors::zeros(10, 5);
    assert!(Als::new(params(4, 1.0), 20, 10).with_item_prior(prior).is_err());
    let longer = Factors::zeros(11, 4);
    assert!(Als::warm(params(4, 1.0), 20, 10, &longer).is_err());
}

#[test]
fn the_smallest_and_the_emptiest_worlds_end_finite() {
    for (n_users, n_items, n_pairs) in [(1, 1, 1), (1, 1, 0), (3, 2, 4), (0, 0, 0), (0, 5, 0), (5, 0, 0)] {
        for a0 in [0.0, 0.1] {
            let params = AlsParams::builder().n_factors(40).unobserved_weight(a0).build().expect("usable");
            let input = if n_pairs == 0 {
                TrainingInput::from_pairs(n_users, n_items, []).expect("empty")
            } else {
                random_world(n_users, n_items, n_pairs, 24)
            };
            let mut als = Als::new(params, n_users, n_items);
            for _ in 0..3 {
                als.sweep(&input, &pool(1)).expect("finite");
            }
            assert!(als.objective(&input, &pool(1)).expect("fits").is_finite());
            let model = als.finish(&input, &pool(1)).expect("finite");
            assert!(model.user_factors().view().iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn listeners_of_their_own_parity_are_recommended_it() {
    let (n_users, n_items) = (40, 30);
    // Everybody heard half of the items of their parity.
    let mut random = SplitMix64::new(25);
    let mut pairs = Vec::new();
    for user in 0..n_users {
        for item in (user % 2..n_items).step_by(2) {
            if random.below(2) == 0 {
                let pair = Pair::new(1.0, 1.0).expect("usable");
                pairs.push((UserIdx::new(idx(user)), ItemIdx::new(idx(item)), pair));
            }
        }
    }
    let input = TrainingInput::from_pairs(n_users, n_items, pairs).expect("in range");
    let mut als = Als::new(params(2, 1.0), n_users, n_items);
    for _ in 0..10 {
        als.sweep(&input, &pool(1)).expect("finite");
    }
    let model = als.finish(&input, &pool(1)).expect("finite");
    for user in 0..n_users {
        let score = |item: usize| {
            model.score(UserIdx::new(idx(user)), ItemIdx::new(idx(item))).expect("both are known")
        };
        let own = (user % 2..n_items).step_by(2).map(score).fold(f32::INFINITY, f32::min);
        let other = (1 - user % 2..n_items).step_by(2).map(score).fold(f32::NEG_INFINITY, f32::max);
        assert!(own > other, "user {user}: worst of their own {own}, best of the others {other}");
    }
}

#[test]
fn rows_without_pairs_are_zero_whatever_the_solver() {
    // User 3 and item 4 are in no pair; items start at random.
    let heard = Pair::new(1.0, 1.0).expect("usable");
    let pairs = [(0, 0), (0, 1), (1, 2), (2, 3), (2, 0)];
    let pairs = pairs.map(|(user, item)| (UserIdx::new(user), ItemIdx::new(item), heard));
    let input = TrainingInput::from_pairs(4, 5, pairs).expect("in range");
    for solver in [SweepSolver::Exact, SweepSolver::APPROXIMATE, CONJUGATE] {
        let mut als = Als::new(params(20, 1.0), 4, 5).solving_with(solver);
        als.sweep(&input, &pool(1)).expect("a finite world");
        let model = als.finish(&input, &pool(1)).expect("a finite world");
        for row in [model.user_factors().get(3), model.item_factors().get(4)] {
            assert!(row.expect("there").iter().all(|&value| value == 0.0), "{solver:?}: {row:?}");
        }
    }
}
