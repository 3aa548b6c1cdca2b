//! The evaluation of a small world whose truth is known: what the report says is what one counts by hand.

#![expect(clippy::float_cmp, reason = "equal bytes are the claim where floats are compared with ==")]

use std::collections::HashSet;
use std::num::NonZeroUsize;

use rayon::{ThreadPool, ThreadPoolBuilder};
use segue::eval::{
    Confidence, Evaluation, GivenNegatives, Interaction, RankingReport, SeenNegatives, Split, Trained,
    check_negatives, train, training_input,
};
use segue::{AlsParams, ItemIdx, SweepSolver, TrainingInput, UserIdx};

/// Users know items of their own block only.
const N_BLOCKS: u32 = 4;
const N_USERS: u32 = 120;
const N_ITEMS: u32 = 80;
/// The share of its block that a user knows, in the training or in the test part.
const SHARE: f64 = 0.7;

struct World {
    split: Split,
    input: TrainingInput,
    trained: Trained,
    pool: ThreadPool,
}

impl World {
    fn on_threads(n_threads: usize) -> Self {
        let pool = pool(n_threads);
        let pairs = (0..N_USERS).flat_map(|user| (0..N_ITEMS).map(move |item| line(user, item)));
        let own_block = pairs.filter(|one| one.user.get() % N_BLOCKS == one.item.get() % N_BLOCKS);
        let known = Split::at_random(&own_block.collect::<Vec<_>>(), SHARE, 1).test;
        let split = Split::at_random(&known, 0.25, 2);
        let input = training_input(N_USERS as usize, N_ITEMS as usize, &split.train, Confidence::Ones)
            .expect("rows are in range");
        let trained =
            train(params(), SweepSolver::Exact, &input, 10, &pool, |_| ()).expect("the world is harmless");
        Self { split, input, trained, pool }
    }

    fn evaluation(&self) -> Evaluation<'_> {
        Evaluation::new(&self.trained.model, &self.input).expect("the model is of this input")
    }

    fn rank_all(&self, test: &[Interaction], k: usize) -> RankingReport {
        self.evaluation().rank_all(test, &[cutoff(k)], &self.pool).expect("nobody is folded in")
    }

    fn rank_given(&self, case: GivenNegatives, seen: SeenNegatives) -> RankingReport {
        let cutoffs = [cutoff(N_ITEMS as usize)];
        self.evaluation().rank_given(&[case], seen, &cutoffs, &self.pool).expect("nobody is folded in")
    }

    fn has_in_training(&self, user: u32, item: u32) -> bool {
        self.input.by_user().get(user as usize, item as usize).is_some()
    }

    fn score(&self, user: u32, item: u32) -> f32 {
        self.trained.model.score(UserIdx::new(user), ItemIdx::new(item)).expect("both are known")
    }

    /// All items that the user does not have in training, best first, by sorting.
    fn ranking(&self, user: u32) -> Vec<u32> {
        let mut ranked: Vec<u32> = (0..N_ITEMS).filter(|&item| !self.has_in_training(user, item)).collect();
        ranked.sort_by(|&a, &b| self.score(user, b).total_cmp(&self.score(user, a)).then(a.cmp(&b)));
        ranked
    }

    fn test_items(&self, user: u32) -> HashSet<u32> {
        let own = self.split.test.iter().filter(|one| one.user.get() == user);
        own.map(|one| one.item.get()).collect()
    }
}

fn params() -> AlsParams {
    let builder = AlsParams::builder().n_factors(8).regularization(0.003).unobserved_weight(0.1).seed(3);
    builder.build().expect("usable")
}

fn pool(n_threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads can be had")
}

fn line(user: u32, item: u32) -> Interaction {
    Interaction { user: UserIdx::new(user), item: ItemIdx::new(item), value: 1.0 }
}

fn case(user: u32, positive: u32, negatives: impl IntoIterator<Item = u32>) -> GivenNegatives {
    GivenNegatives {
        user: UserIdx::new(user),
        positive: ItemIdx::new(positive),
        negatives: negatives.into_iter().map(ItemIdx::new).collect(),
    }
}

fn cutoff(k: usize) -> NonZeroUsize {
    NonZeroUsize::new(k).expect("cutoffs start at 1")
}

fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).expect("few"))
}

#[test]
fn items_of_the_own_block_are_found_again() {
    let world = World::on_threads(2);
    let report = world.rank_all(&world.split.test, 10);
    let n_tested = (0..N_USERS).filter(|&user| !world.test_items(user).is_empty()).count();
    assert_eq!(report.mean.n_users(), n_tested);
    let mean = report.mean.at(cutoff(10)).expect("users were ranked for");
    // A block has 20 items, of which a user has some 10.5 in training: the 9.5 that are left fill ten places,
    // more or less, and all test items are among them. A list at random has a recall of 10 / 69.5.
    assert!(mean.recall > 0.9, "{mean:?}");
}

#[test]
fn the_report_is_what_sorting_all_scores_gives() {
    let world = World::on_threads(2);
    for k in [3, 7] {
        let (mut recall, mut reciprocal, mut n_users) = (0.0, 0.0, 0.0);
        for user in 0..N_USERS {
            let relevant = world.test_items(user);
            if relevant.is_empty() {
                continue;
            }
            let ranked = world.ranking(user);
            recall += count(ranked[..k].iter().filter(|item| relevant.contains(item)).count())
                / count(relevant.len());
            let first = ranked[..k].iter().position(|item| relevant.contains(item));
            reciprocal += first.map_or(0.0, |index| 1.0 / count(index + 1));
            n_users += 1.0;
        }
        let report = world.rank_all(&world.split.test, k);
        let mean = report.mean.at(cutoff(k)).expect("users were ranked for");
        // Sums of the same numbers in the same order, up to a rounding.
        assert!((mean.recall - recall / n_users).abs() < 1e-12, "{mean:?}");
        assert!((mean.reciprocal_rank - reciprocal / n_users).abs() < 1e-12, "{mean:?}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let reports = [1, 4].map(|n_threads| {
        let world = World::on_threads(n_threads);
        let cases: Vec<_> = (0..N_USERS).map(|user| case(user, user % N_ITEMS, 0..N_ITEMS)).collect();
        let given = world.evaluation().rank_given(&cases, SeenNegatives::Keep, &[cutoff(5)], &world.pool);
        (world.rank_all(&world.split.test, 5), given.expect("nobody is folded in"))
    });
    assert_eq!(reports[0], reports[1]);
}

#[test]
fn a_folded_in_user_is_ranked_for_as_if_trained() {
    let world = World::on_threads(2);
    // Strangers with rows after the known users, each with the history and the test items of one of these.
    let strangers = |lines: &[Interaction]| -> Vec<_> {
        lines.iter().map(|one| line(one.user.get() + N_USERS, one.item.get())).collect()
    };
    let (history, test) = (strangers(&world.split.train), strangers(&world.split.test));
    let known = world.rank_all(&world.split.test, 5);
    let unknown = world.rank_all(&test, 5);
    assert_eq!((unknown.mean.n_users(), unknown.n_unknown_users), (0, known.mean.n_users()));

    let evaluation = world.evaluation().with_histories(&history, Confidence::Ones).expect("usable");
    let folded = evaluation.rank_all(&test, &[cutoff(5)], &world.pool).expect("histories are harmless");
    assert_eq!((folded.n_folded_in, folded.n_unknown_users), (known.mean.n_users(), 0));
    assert_eq!(folded.mean, known.mean);
}

#[test]
fn a_history_of_unknown_items_alone_leaves_the_user_unknown() {
    let world = World::on_threads(1);
    let history = [line(N_USERS, N_ITEMS), line(N_USERS + 1, N_ITEMS), line(N_USERS + 1, 0)];
    let evaluation = world.evaluation().with_histories(&history, Confidence::Ones).expect("usable");
    let test = [line(N_USERS, 4), line(N_USERS + 1, 4)];
    let report = evaluation.rank_all(&test, &[cutoff(5)], &world.pool).expect("histories are harmless");
    assert_eq!((report.n_folded_in, report.n_unknown_users), (1, 1));
}

#[test]
fn items_without_a_row_are_relevant_and_out_of_reach() {
    let world = World::on_threads(1);
    let best = world.ranking(0)[0];
    let report = world.rank_all(&[line(0, best), line(0, N_ITEMS), line(0, N_ITEMS + 7)], 80);
    assert_eq!(report.n_unknown_items, 2);
    assert_eq!(report.mean.at(cutoff(80)).expect("one user").recall, 1.0 / 3.0);
}

#[test]
fn what_the_user_has_in_training_is_no_longer_asked_for() {
    let world = World::on_threads(1);
    let had = world.split.train[0];
    let user = had.user.get();
    let best = world.ranking(user)[0];
    let report = world.rank_all(&[had, line(user, best), line(user, best)], 1);
    assert_eq!(report.n_repeats, 1);
    assert_eq!(report.mean.at(cutoff(1)).expect("one user").recall, 1.0);

    let report = world.rank_all(&[had], 1);
    assert_eq!((report.mean.n_users(), report.mean.n_without_relevant()), (0, 1));
}

#[test]
fn the_place_among_given_negatives_is_what_counting_better_scores_gives() {
    let world = World::on_threads(2);
    for user in [0, 33, 119] {
        for positive in [0, 41, 79] {
            let report = world.rank_given(case(user, positive, 0..N_ITEMS), SeenNegatives::Keep);
            let score = |item| world.score(user, item);
            let others = (0..N_ITEMS).filter(|&item| item != positive);
            let place = 1 + others.filter(|&item| score(item) >= score(positive)).count();
            let mean = report.mean.at(cutoff(80)).expect("one case");
            assert_eq!(mean.reciprocal_rank, 1.0 / count(place));
        }
    }
}

#[test]
fn a_negative_given_twice_or_equal_to_the_positive_counts_not_again() {
    let world = World::on_threads(1);
    let ranked = world.ranking(5);
    let (better, positive, worse) = (ranked[0], ranked[4], ranked[9]);
    let given = case(5, positive, [better, positive, better, worse]);
    let report = world.rank_given(given, SeenNegatives::Keep);
    assert_eq!(report.n_repeated_negatives, 2);
    assert_eq!(report.mean.at(cutoff(80)).expect("one case").reciprocal_rank, 0.5);
}

#[test]
fn ties_go_against_the_positive() {
    let pool = pool(1);
    // Items 0 and 1 have the same listeners, so their rows and scores are the same.
    let heard = [line(0, 0), line(0, 1), line(1, 0), line(1, 1), line(2, 2)];
    let input = training_input(4, 3, &heard, Confidence::Ones).expect("rows are in range");
    let trained = train(params(), SweepSolver::Exact, &input, 3, &pool, |_| ()).expect("harmless");
    let score = |item| trained.model.score(UserIdx::new(0), ItemIdx::new(item));
    assert_eq!(score(0), score(1), "the scene is set wrongly");
    let evaluation = Evaluation::new(&trained.model, &input).expect("the model is of this input");
    for (positive, negative) in [(0, 1), (1, 0)] {
        let cases = [case(0, positive, [negative])];
        let report = evaluation.rank_given(&cases, SeenNegatives::Keep, &[cutoff(1)], &pool);
        let mean = report.expect("nobody is folded in").mean.at(cutoff(1)).expect("one case");
        assert_eq!(mean.hit_rate, 0.0);
    }
}

#[test]
fn negatives_in_training_are_ranked_unless_they_are_dropped() {
    let world = World::on_threads(1);
    // The last of the ranking: most of what the user has in training scores higher.
    let positive = *world.ranking(0).last().expect("the user does not have everything");
    let seen: Vec<u32> = (0..N_ITEMS)
        .filter(|&item| world.has_in_training(0, item) && world.score(0, item) > world.score(0, positive))
        .collect();
    assert!(!seen.is_empty(), "the scene is set wrongly");
    for (rule, place) in [(SeenNegatives::Keep, seen.len() + 1), (SeenNegatives::Drop, 1)] {
        let report = world.rank_given(case(0, positive, seen.iter().copied()), rule);
        assert_eq!(report.n_seen_negatives, seen.len());
        let mean = report.mean.at(cutoff(80)).expect("one case");
        assert_eq!(mean.reciprocal_rank, 1.0 / count(place), "{rule:?}");
    }
}

#[test]
fn a_positive_without_a_row_is_a_miss() {
    let world = World::on_threads(1);
    let report = world.rank_given(case(0, N_ITEMS, [N_ITEMS + 1]), SeenNegatives::Keep);
    assert_eq!(report.n_unknown_items, 1);
    assert_eq!(report.mean.at(cutoff(80)).expect("one case").hit_rate, 0.0);
}

#[test]
fn a_case_of_a_stranger_is_skipped_and_counted() {
    let world = World::on_threads(1);
    let report = world.rank_given(case(N_USERS, 0, [1]), SeenNegatives::Keep);
    assert_eq!((report.mean.n_users(), report.n_unknown_users), (0, 1));
}

#[test]
fn given_negatives_of_another_split_are_noticed() {
    let test = [line(0, 1), line(1, 2)];
    assert_eq!(check_negatives(&test, &[case(1, 2, [5]), case(0, 1, [5])]), Ok(()));
    let error = check_negatives(&test, &[case(0, 1, [5]), case(7, 2, [5]), case(8, 2, [5])]);
    let error = error.expect_err("user 1 has no negatives, users 7 and 8 no test pair");
    assert_eq!((error.n_without_negatives, error.n_without_test), (1, 2));
}

#[test]
fn a_model_of_another_input_is_refused() {
    let world = World::on_threads(1);
    let other = training_input(1, 1, &[line(0, 0)], Confidence::Ones).expect("rows are in range");
    assert!(Evaluation::new(&world.trained.model, &other).is_err());
}

#[test]
fn sweeps_are_recorded_in_order_and_never_raise_the_objective() {
    let world = World::on_threads(2);
    let numbers: Vec<usize> = world.trained.sweeps.iter().map(|sweep| sweep.number).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    for pair in world.trained.sweeps.windows(2) {
        // Rows are solved in f32: near the minimum the objective trembles by some 1e-7 of itself.
        assert!(pair[1].objective <= pair[0].objective * (1.0 + 1e-6), "{pair:?}");
    }
}
