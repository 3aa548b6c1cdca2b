//! Worlds at the edge: the answers are finite numbers, or a typed refusal says why there are none.

use std::time::Duration;

use crate::common::{Random, hours_ago, now, small};
use segue::{
    AlsParams, ColdCause, EngineBuilder, Event, Health, Limits, ManualClock, ManualEngine, Saturation,
    Signal, Source, Timestamp, TrainingError,
};

fn params(n_factors: usize, regularization: f32, unobserved_weight: f32, exponent: f32) -> AlsParams {
    AlsParams::builder()
        .n_factors(n_factors)
        .regularization(regularization)
        .unobserved_weight(unobserved_weight)
        .frequency_exponent(exponent)
        .build()
        .expect("in range")
}

fn fed(builder: EngineBuilder, events: impl IntoIterator<Item = Event>) -> ManualEngine {
    let mut engine = builder.item_batch_every(Duration::ZERO).open_manual().expect("usable settings");
    for event in events {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
    engine
}

/// Every estimate of every user, all of them finite.
fn finite_scores(engine: &ManualEngine, users: u64, items: u64) -> Vec<f32> {
    let view = engine.reader().view();
    let mut scores = Vec::new();
    for user in 0..users {
        let user = view.user(user);
        let list = user.recommend().allow_known().limit(usize::MAX).run().expect("always an answer");
        assert_eq!(list.len(), view.n_items(), "no score was lost to NaN");
        scores.extend(user.estimate(0..items).into_iter().flatten());
    }
    assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");
    scores
}

#[test]
fn a_sweep_over_nothing_says_so_and_harms_nothing() {
    let mut engine = small().open_manual().expect("usable settings");
    assert_eq!(engine.sweep(), Err(TrainingError::NothingToLearn));
    engine.add_items(["a", "b"]).expect("there is room");
    assert_eq!(engine.sweep(), Err(TrainingError::NothingToLearn));
    // One event, taken back: a user, an item, and no pair.
    for event in [Event::like(1, "a"), Event::undo(Event::like(1, "a"))] {
        engine.apply(event).expect("well formed");
    }
    assert_eq!(engine.sweep(), Err(TrainingError::NothingToLearn));
    assert!(matches!(engine.health(), Health::Warming { events: 2, .. }), "{:?}", engine.health());
    engine.apply(Event::like(1, "a")).expect("well formed");
    assert!(engine.sweep().is_ok());
    assert!(matches!(engine.health(), Health::Serving { .. }));
}

#[test]
fn one_user_and_one_item() {
    let mut engine = fed(small(), [Event::listen(0, 0)]);
    for _ in 0..3 {
        engine.sweep().expect("there is something to learn");
        finite_scores(&engine, 1, 1);
    }
    let view = engine.reader().view();
    assert!(view.user(0).recommend().run().expect("always an answer").is_empty(), "nothing is new to them");
    assert!(view.similar(0).run().map_or(true, |list| list.is_empty()));
    assert!(view.user(0).similar(5).map_or(true, |list| list.is_empty()));
}

#[test]
fn more_factors_than_items() {
    for n_factors in [1, 15, 64, 200] {
        let builder = small().als(params(n_factors, 0.01, 0.05, 1.0)).sweeps(20, 2);
        let mut engine = fed(builder, (0..40_u64).map(|n| Event::listen(n % 8, n % 5)));
        for _ in 0..3 {
            engine.sweep().expect("there is something to learn");
            finite_scores(&engine, 8, 5);
        }
    }
}

#[test]
fn a_user_with_fifty_thousand_items() {
    let mut limits = Limits::default();
    limits.max_history = 60_000;
    let mut engine = small().limits(limits).sweeps(1, 1).open_manual().expect("usable settings");
    let giant = (0..50_000_u64).map(|item| Event::listen(0, item));
    let others = (0..2_000_u64).map(|n| Event::listen(1 + n % 50, n * 7));
    let report = engine.import(giant.chain(others));
    assert_eq!(report.applied, 52_000);
    assert_eq!(engine.sweep().expect("there is something to learn").n_pairs, 52_000);
    engine.apply(Event::like(0, 49_999)).expect("well formed");
    engine.pump();
    finite_scores(&engine, 2, 50_000);
    assert_eq!(engine.reader().view().user(0).history().len(), 50_000);
}

#[test]
fn identical_users_get_identical_answers() {
    let mut engine = fed(small(), (0..300_u64).map(|n| Event::listen(n % 30, n / 30)));
    engine.sweep().expect("there is something to learn");
    finite_scores(&engine, 30, 10);
    let view = engine.reader().view();
    let of = |user: u64| view.user(user).estimate(0..10_u64);
    for user in 1..30 {
        assert_eq!(of(user), of(0));
    }
    let alike = view.user(0).similar(40).expect("she has a vector");
    // Cosines of equal vectors: 1 but for the rounding of two roots and a quotient.
    assert!(alike.len() == 29 && alike.iter().all(|other| (other.score - 1.0).abs() < 1e-6), "{alike:?}");
}

#[test]
fn confidences_of_any_size() {
    for saturation in [Saturation::None, Saturation::Log] {
        for exponent in [0.0, 1.0, 2.0] {
            for unobserved_weight in [0.0, 0.05, 1e6] {
                for regularization in [f32::MIN_POSITIVE, 0.01, 1e6] {
                    for sizes in [&[1e-30_f32][..], &[1e9], &[1e-30, 1.0, 1e9], &[0.0, 1e-45]] {
                        let als = params(8, regularization, unobserved_weight, exponent);
                        hold(als, saturation, sizes);
                    }
                }
            }
        }
    }
}

/// Either there is a model whose answers are finite, or a typed refusal and the engine goes on.
fn hold(als: AlsParams, saturation: Saturation, sizes: &[f32]) {
    let what = format!("{als:?}, {saturation:?}, {sizes:?}");
    let of_event = sizes.to_vec();
    let builder = small().als(als).saturation(saturation).weigh_with(move |facts| {
        let (user, item) = (facts.user.as_u64().unwrap_or(0), facts.item.as_u64().unwrap_or(0));
        let size = of_event[usize::try_from(user * 3 + item).expect("small") % of_event.len()];
        Signal::new(if item % 4 == 3 { -1.0 } else { 1.0 }, size).expect("in range")
    });
    let mut random = Random::new(1);
    let mut events =
        || -> Vec<Event> { (0..150).map(|_| Event::listen(random.below(20), random.below(15))).collect() };
    let mut engine = fed(builder, events());
    for round in 0..3 {
        let swept = engine.sweep();
        if let Err(error) = swept {
            assert!(
                matches!(error, TrainingError::Solve(_) | TrainingError::Refused(_)),
                "{what}, round {round}: {error:?}"
            );
            assert!(matches!(engine.health(), Health::Degraded { .. }), "{what}: {:?}", engine.health());
        }
        // Item batches and fold-ins between sweeps, too.
        for event in events() {
            engine.apply(event).expect("well formed");
            engine.pump();
        }
        let view = engine.reader().view();
        for user in 0..20_u64 {
            let user = view.user(user);
            let scores: Vec<f32> = user.estimate(0..15_u64).into_iter().flatten().collect();
            assert!(scores.iter().all(|score| score.is_finite()), "{what}, round {round}: {scores:?}");
            let list = user.recommend().allow_known().limit(usize::MAX).run().expect("always an answer");
            assert_eq!(list.len(), view.n_items(), "{what}, round {round}: a score was lost to NaN");
        }
    }
}

#[test]
fn only_negative_preferences() {
    let mut engine = fed(small(), (0..200_u64).map(|n| Event::dislike(n % 20, n % 13)));
    engine.sweep().expect("there is something to learn");
    let scores = finite_scores(&engine, 20, 13);
    // Nothing pulls up, so nothing should be scored as liked.
    assert!(scores.iter().all(|&score| score < 0.05), "{scores:?}");
    assert!(matches!(engine.health(), Health::Serving { .. }));
}

#[test]
fn events_far_ahead_of_the_last_sweep_and_far_behind_it() {
    // Time stamps a thousand half-lives apart, in any order, with the largest confidences there are.
    for (half_life, saturation) in [
        (Duration::from_nanos(1), Saturation::None),
        (Duration::from_secs(3_600), Saturation::None),
        (Duration::from_secs(3_600), Saturation::Log),
        (Duration::MAX, Saturation::Log),
    ] {
        let clock = ManualClock::at(now());
        let builder = small().clock(clock.clone()).half_life(half_life).saturation(saturation);
        let builder = builder.weigh_with(|_| Signal::positive(1e9).expect("in range"));
        let mut engine = fed(builder, (0..200_u64).map(|n| Event::listen(n % 20, n % 13).at(hours_ago(900))));
        engine.sweep().expect("there is something to learn");
        for hours in [899, 850, 45, 6, 0, 500, 1_000_000, 30] {
            for user in 0..20_u64 {
                let event = Event::listen(user, (user + hours) % 13);
                engine.apply(event.at(hours_ago(i64::try_from(hours).expect("small")))).expect("well formed");
            }
            engine.pump();
            finite_scores(&engine, 20, 13);
        }
        engine.apply(Event::listen(3, 4).at(Timestamp::from_unix_ms(i64::MIN))).expect("well formed");
        engine.pump();
        finite_scores(&engine, 20, 13);
        engine.sweep().expect("there is something to learn");
        finite_scores(&engine, 20, 13);
    }
}

#[test]
fn a_user_whose_confidence_is_nothing_is_cold() {
    let builder = small().weigh_with(|facts| {
        let nothing = facts.user.as_str() == Some("nobody");
        Signal::positive(if nothing { 0.0 } else { 1.0 }).expect("in range")
    });
    let events = (0..100_u64).map(|n| Event::listen(n % 10, n % 7)).chain([Event::listen("nobody", 1)]);
    let mut engine = fed(builder, events);
    engine.sweep().expect("there is something to learn");
    let list = engine.reader().view().user("nobody").recommend().run().expect("always an answer");
    assert_eq!(list.provenance().source, Source::Cold(ColdCause::NothingKnown));
}
