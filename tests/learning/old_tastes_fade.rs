//! With a half-life, what was heard long ago counts less, in whatever order it is told.

use std::time::Duration;

use crate::common::{Random, answers, hours_ago, small};
use segue::{AlsParams, Event, ManualEngine};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Everybody else hears items of one half, 0..20 or 20..40; Ana heard the first half long ago, the second
/// lately.
fn events() -> Vec<Event> {
    let mut random = Random::new(1);
    let mut events = Vec::new();
    for user in 0..60_u64 {
        for _ in 0..12 {
            let item = (user % 2) * 20 + random.below(20);
            events.push(
                Event::listen(user, item).at(hours_ago(i64::try_from(random.below(24)).expect("small"))),
            );
        }
    }
    for item in 0..8_u64 {
        events.push(Event::listen("ana", item).at(hours_ago(24 * 60)));
        events.push(Event::listen("ana", 20 + item).at(hours_ago(2)));
    }
    events
}

fn trained(half_life: Option<Duration>, events: Vec<Event>) -> ManualEngine {
    // A world of two halves needs few factors; with many it is learned by heart.
    let als = AlsParams::builder().n_factors(4).regularization(0.05).build().expect("usable settings");
    let builder = match half_life {
        None => small().als(als),
        Some(half_life) => small().als(als).half_life(half_life),
    };
    let mut engine = builder.open_manual().expect("usable settings");
    engine.import(events);
    engine.sweep().expect("there is something to learn");
    engine
}

/// Ana's mean score of what she has not heard of each half.
fn halves(engine: &ManualEngine) -> (f32, f32) {
    let view = engine.reader().view();
    let mean = |items: std::ops::Range<u64>| {
        let scores = view.user("ana").estimate(items);
        scores.iter().flatten().sum::<f32>() / 12.0
    };
    (mean(8..20), mean(28..40))
}

#[test]
fn what_was_heard_long_ago_gives_way_in_the_list() {
    let (old, new) = halves(&trained(None, events()));
    // Without decay, both count the same; the halves are alike but for the draw of their events, which in
    // so small a world may favour one by half.
    assert!((0.5..2.0).contains(&(old / new)), "{old} and {new}");
    let engine = trained(Some(10 * DAY), events());
    let (old, new) = halves(&engine);
    assert!(old < 0.2 * new, "{old} and {new}");
    let view = engine.reader().view();
    let list = view.user("ana").recommend().limit(8).run().expect("always an answer");
    assert!(list.ids().all(|id| id.as_u64().is_some_and(|item| item >= 28)), "{list:?}");
}

#[test]
fn a_history_tells_the_decayed_confidence() {
    let engine = trained(
        Some(DAY),
        vec![
            Event::listen("ana", "three days ago").at(hours_ago(72)),
            Event::listen("ana", "today").at(hours_ago(0)),
            Event::listen("ana", "yesterday").at(hours_ago(24)),
        ],
    );
    let history = engine.reader().view().user("ana").history();
    let of =
        |item: &str| history.iter().find(|entry| entry.item == item.into()).expect("she heard it").confidence;
    // Powers of two are exact.
    assert_eq!((of("today"), of("yesterday"), of("three days ago")), (1.0, 0.5, 0.125));
}

#[test]
fn the_order_in_which_events_are_told_does_not_matter() {
    // Whole half-lives apart and with weights of powers of two, the sums are exact in any order. Users and
    // items are introduced in one order first, so that rows are the same.
    let half_life = DAY;
    let mut random = Random::new(2);
    let introduction: Vec<Event> =
        (0..20_u64).map(|n| Event::listen(n, n % 15).at(hours_ago(24 * 12))).collect();
    let told: Vec<Event> = (0..600)
        .map(|_| {
            let days = i64::try_from(random.below(12)).expect("small");
            Event::listen(random.below(20), random.below(15)).at(hours_ago(24 * days))
        })
        .collect();
    let mut shuffled = told.clone();
    for at in (1..shuffled.len()).rev() {
        shuffled.swap(at, usize::try_from(random.below(at as u64 + 1)).expect("small"));
    }
    let mut sorted = told.clone();
    sorted.sort_by_key(Event::timestamp);
    let run = |told: Vec<Event>| {
        let engine = trained(Some(half_life), introduction.iter().cloned().chain(told).collect());
        answers(&engine.reader().view(), 20, 15)
    };
    let expected = run(sorted);
    assert!(run(told) == expected);
    assert!(run(shuffled) == expected);
}
