#![expect(clippy::float_cmp, reason = "a perfect list has exactly 1, not nearly")]

use std::collections::HashSet;
use std::num::NonZeroUsize;

use proptest::prelude::{Just, Strategy, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::{Hits, MetricsMean, RankingMetrics};

/// A few roundings of f64; every metric is at most 1.
const ROUNDING: f64 = 1e-12;

fn cutoff(k: usize) -> NonZeroUsize {
    NonZeroUsize::new(k).expect("cutoffs start at 1")
}

fn metrics(ranked: &[u32], relevant: &[u32], k: usize) -> Option<RankingMetrics> {
    Hits::of(ranked, &relevant.iter().copied().collect::<HashSet<u32>>()).at(cutoff(k))
}

fn all_of(metrics: RankingMetrics) -> [f64; 7] {
    [
        metrics.recall,
        metrics.truncated_recall,
        metrics.precision,
        metrics.ndcg,
        metrics.hit_rate,
        metrics.average_precision,
        metrics.reciprocal_rank,
    ]
}

fn assert_close(got: RankingMetrics, expected: [f64; 7]) {
    for (got, expected) in all_of(got).into_iter().zip(expected) {
        assert!((got - expected).abs() < ROUNDING, "{got} should be {expected}");
    }
}

#[test]
fn a_list_worked_by_hand_has_the_values_worked_by_hand() {
    // Hits at places 2 and 5 of five, with three relevant items: the third is not in the list.
    let got = metrics(&[7, 1, 8, 9, 2], &[1, 2, 3], 5).expect("three are relevant");
    let gain = 1.0 / 3.0_f64.log2() + 1.0 / 6.0_f64.log2();
    let best = 1.0 + 1.0 / 3.0_f64.log2() + 0.5;
    let average_precision = (1.0 / 2.0 + 2.0 / 5.0) / 3.0;
    assert_close(got, [2.0 / 3.0, 2.0 / 3.0, 0.4, gain / best, 1.0, average_precision, 0.5]);
}

#[test]
fn with_more_relevant_items_than_places_only_plain_recall_divides_by_them_all() {
    // Two places, four relevant items, a hit at place 1.
    let got = metrics(&[1, 9, 2], &[1, 2, 3, 4], 2).expect("four are relevant");
    let ndcg = 1.0 / (1.0 + 1.0 / 3.0_f64.log2());
    assert_close(got, [0.25, 0.5, 0.5, ndcg, 1.0, 0.5, 1.0]);
}

#[test]
fn places_that_a_short_list_does_not_fill_are_misses() {
    let got = metrics(&[1], &[1, 2], 4).expect("two are relevant");
    let ndcg = 1.0 / (1.0 + 1.0 / 3.0_f64.log2());
    assert_close(got, [0.5, 0.5, 0.25, ndcg, 1.0, 0.5, 1.0]);
    let got = metrics(&[], &[1], 4).expect("one is relevant");
    assert_close(got, [0.0; 7]);
}

#[test]
fn a_repeated_item_counts_once_and_keeps_its_second_place_as_a_miss() {
    let repeated = metrics(&[1, 1, 2], &[1, 2], 3);
    let missed = metrics(&[1, 9, 2], &[1, 2], 3);
    assert_eq!(repeated, missed);
}

#[test]
fn a_single_positive_has_the_formulas_of_leave_one_out() {
    // He et al. (WWW 2017): NDCG of one positive is ln 2 / ln(2 + position from 0).
    for place in 1..=10_u32 {
        let got = Hits::of_one(NonZeroUsize::new(place as usize)).at(cutoff(10)).expect("one is relevant");
        let ndcg = 2.0_f64.ln() / f64::from(place + 1).ln();
        let reciprocal = 1.0 / f64::from(place);
        assert_close(got, [1.0, 1.0, 0.1, ndcg, 1.0, reciprocal, reciprocal]);
    }
    for place in [NonZeroUsize::new(11), None] {
        assert_close(Hits::of_one(place).at(cutoff(10)).expect("one is relevant"), [0.0; 7]);
    }
}

#[test]
fn users_without_relevant_items_are_counted_and_left_out() {
    let nothing: HashSet<u32> = HashSet::new();
    assert_eq!(Hits::of(&[1, 2], &nothing).at(cutoff(1)), None);
    let mut mean = MetricsMean::new(&[cutoff(1), cutoff(3)]);
    assert_eq!(mean.at(cutoff(1)), None);
    mean.add(&Hits::of(&[1, 2], &nothing));
    mean.add(&Hits::of_one(NonZeroUsize::new(1)));
    mean.add(&Hits::of_one(NonZeroUsize::new(2)));
    assert_eq!((mean.n_users(), mean.n_without_relevant()), (2, 1));
    let reciprocal = |k| mean.at(cutoff(k)).map(|mean| mean.reciprocal_rank);
    assert_eq!((reciprocal(1), reciprocal(3), reciprocal(2)), (Some(0.5), Some(0.75), None));
}

/// The definitions once more, place by place and without cleverness.
fn naive(ranked: &[u32], relevant: &[u32], k: usize) -> [f64; 7] {
    let (mut n_hits, mut gain, mut precisions, mut reciprocal) = (0.0, 0.0, 0.0, 0.0);
    let mut place = 0.0_f64;
    for (index, item) in ranked.iter().enumerate().take(k) {
        place += 1.0;
        if relevant.contains(item) && !ranked[..index].contains(item) {
            n_hits += 1.0;
            gain += 1.0 / (place + 1.0).log2();
            precisions += n_hits / place;
            if reciprocal == 0.0 {
                reciprocal = 1.0 / place;
            }
        }
    }
    let (mut best, mut best_gain) = (0.0_f64, 0.0);
    for _ in relevant.iter().take(k) {
        best += 1.0;
        best_gain += 1.0 / (best + 1.0).log2();
    }
    let n_relevant = relevant.iter().fold(0.0, |count, _| count + 1.0);
    let n_places = (0..k).fold(0.0, |count, _| count + 1.0);
    let hit = if n_hits > 0.0 { 1.0 } else { 0.0 };
    [
        n_hits / n_relevant,
        n_hits / best,
        n_hits / n_places,
        gain / best_gain,
        hit,
        precisions / best,
        reciprocal,
    ]
}

/// A list that may repeat items, some relevant items (each once), and a cutoff.
fn cases() -> impl Strategy<Value = (Vec<u32>, Vec<u32>, usize)> {
    let ranked = prop::collection::vec(0..20_u32, 0..25);
    let relevant = prop::collection::hash_set(0..20_u32, 1..12).prop_map(|set| set.into_iter().collect());
    (ranked, relevant, 1..30_usize)
}

/// All items in some order, some of them relevant, and a cutoff.
fn whole_rankings() -> impl Strategy<Value = (Vec<u32>, Vec<u32>, usize)> {
    (Just((0..20).collect::<Vec<u32>>()).prop_shuffle(), 1..12_usize, 1..30_usize).prop_map(
        |(ranked, n_relevant, k)| {
            let relevant = (0..20).take(n_relevant).collect();
            (ranked, relevant, k)
        },
    )
}

proptest! {
    #[test]
    fn all_metrics_agree_with_a_naive_walk((ranked, relevant, k) in cases()) {
        let got = all_of(metrics(&ranked, &relevant, k).expect("something is relevant"));
        for (got, expected) in got.into_iter().zip(naive(&ranked, &relevant, k)) {
            prop_assert!((got - expected).abs() < ROUNDING, "{got} should be {expected}");
        }
    }

    #[test]
    fn all_metrics_stay_between_zero_and_one((ranked, relevant, k) in cases()) {
        for value in all_of(metrics(&ranked, &relevant, k).expect("something is relevant")) {
            prop_assert!((0.0..=1.0).contains(&value), "{value}");
        }
    }

    #[test]
    fn more_places_never_lower_recall_hit_rate_and_reciprocal_rank((ranked, relevant, k) in cases()) {
        let at = |k| metrics(&ranked, &relevant, k).expect("something is relevant");
        let (fewer, more) = (at(k), at(k + 1));
        prop_assert!(fewer.recall <= more.recall);
        prop_assert!(fewer.hit_rate <= more.hit_rate);
        prop_assert!(fewer.reciprocal_rank <= more.reciprocal_rank);
    }

    #[test]
    fn a_perfect_list_has_exactly_one_wherever_one_can_be_had((ranked, relevant, k) in whole_rankings()) {
        let (mut perfect, rest): (Vec<u32>, Vec<u32>) =
            ranked.into_iter().partition(|item| relevant.contains(item));
        perfect.extend(rest);
        let got = metrics(&perfect, &relevant, k).expect("something is relevant");
        let always = [
            got.truncated_recall, got.ndcg, got.hit_rate, got.average_precision, got.reciprocal_rank,
        ];
        prop_assert_eq!(always, [1.0; 5]);
        prop_assert_eq!(got.recall == 1.0, k >= relevant.len());
        prop_assert_eq!(got.precision == 1.0, k <= relevant.len());
    }

    #[test]
    fn moving_a_relevant_item_up_never_lowers_a_metric(
        (ranked, relevant, k) in whole_rankings(),
        at in 0..19_usize,
    ) {
        let mut better = ranked.clone();
        if relevant.contains(&ranked[at + 1]) && !relevant.contains(&ranked[at]) {
            better.swap(at, at + 1);
        }
        let of = |ranked: &[u32]| all_of(metrics(ranked, &relevant, k).expect("something is relevant"));
        for (before, after) in of(&ranked).into_iter().zip(of(&better)) {
            prop_assert!(after >= before - ROUNDING, "{before} became {after}");
        }
    }
}
