//! A bulk import accounts for every event it was given, whatever is wrong with some of them.

use std::time::Instant;

use crate::common::PATIENCE;
use segue::{Engine, Event, EventError, ItemId, NeverSweep, Source};

/// More than two of the parts that an import travels in.
const N_EVENTS: u64 = 10_000;

fn engine() -> Engine {
    Engine::builder().sweep_policy(NeverSweep).open().expect("usable settings")
}

#[test]
fn malformed_events_are_counted_and_the_others_learned() {
    let engine = engine();
    // The whole first part is malformed, and then one event in a hundred.
    let events = (0..N_EVENTS).map(|n| match n {
        n if n < 4_096 || n % 100 == 0 => Event::listen("", n),
        n => Event::listen(n % 50, n),
    });
    let malformed = 4_096 + (4_096..N_EVENTS).filter(|n| n % 100 == 0).count() as u64;
    let report = engine.import(events).expect("the engine runs");
    assert_eq!((report.malformed, report.applied), (malformed, N_EVENTS - malformed));
    assert_eq!(report.first_malformed, Some((0, EventError::EmptyUserId)));
    assert_eq!(engine.stats().applied, report.applied);
}

#[test]
fn what_was_imported_is_popular_at_once() {
    let engine = engine();
    // In the last of several parts, the item that most have heard.
    let some = (0..N_EVENTS).map(|n| Event::listen(n, n % 10));
    let most = (0..N_EVENTS / 5).map(|n| Event::listen(n, "most"));
    engine.import(some.chain(most)).expect("the engine runs");
    let popular = engine.reader().view().popular().limit(20).run().expect("always an answer");
    assert_eq!((popular.len(), popular.ids().next()), (11, Some(&ItemId::from("most"))));
}

#[test]
fn what_was_given_is_learned_before_more_is_asked_for() {
    let (engine, began) = (engine(), Instant::now());
    let events = (0..N_EVENTS).map(|n| {
        // An iterator that goes on once a part of it has been learned.
        while n >= 8_192 && engine.stats().applied < 4_096 {
            assert!(began.elapsed() < PATIENCE, "nothing is learned before all is given");
            std::thread::yield_now();
        }
        Event::listen(n % 50, n)
    });
    assert_eq!(engine.import(events).expect("the engine runs").applied, N_EVENTS);
}

#[test]
fn an_import_of_nothing_is_nothing() {
    assert_eq!(engine().import([]).expect("the engine runs").applied, 0);
}

#[test]
fn what_was_imported_is_answered_for_after_a_sweep_and_without_one() {
    let engine = engine();
    let plays = |user: u64| (0..20_u64).filter(move |item| item % 2 == user % 2 && *item != user % 20);
    engine
        .import((0..40).flat_map(|user| plays(user).map(move |item| Event::listen(user, item))))
        .expect("runs");
    engine.sweep_now().expect("runs").wait().expect("there is something to learn");
    engine.import([Event::listen("late", 2), Event::listen("late", 4)]).expect("runs");
    let view = engine.reader().view();
    for (user, parity) in [("0".to_owned(), 0), ("7".to_owned(), 1), ("late".to_owned(), 0)] {
        let picks = view.user(user.as_str()).recommend().limit(1).run().expect("always an answer");
        assert_eq!(picks.provenance().source, Source::Personal, "{user}");
        let pick = picks.ids().next().and_then(ItemId::as_u64).expect("a number");
        assert_eq!(pick % 2, parity, "{user} got {pick}");
    }
}
