//! Bad input is refused by name, counted, and changes nothing that was there before.

use std::time::Duration;

use crate::common::{Random, answers, now, random_events, small};
use segue::{
    AlsParams, CatalogueMode, Event, EventError, ItemId, Limits, ManualEngine, Outcome, ParamError, Refusal,
    Stats, Timestamp,
};

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn trained() -> ManualEngine {
    let mut engine = small().open_manual().expect("usable settings");
    for event in random_events(1, 500, 20, 20) {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
    engine.sweep().expect("there is something to learn");
    engine
}

fn refusal(engine: &mut ManualEngine, event: Event) -> Option<Refusal> {
    let outcome = engine.apply(event).expect("well formed");
    if let Outcome::Rejected(refusal) = outcome { Some(refusal) } else { None }
}

#[test]
fn malformed_events_are_handed_back() {
    let mut engine = trained();
    // What was handed back is counted, and so is how often the clock was asked.
    let known = |engine: &ManualEngine| {
        let Stats { applied, duplicates, refused, n_users, n_items, n_bytes, visible, .. } = engine.stats();
        let counts = (applied, duplicates, refused, n_users, n_items, n_bytes, visible);
        (answers(&engine.reader().view(), 20, 20), counts)
    };
    let before = known(&engine);
    let (fits, too_long) = ("x".repeat(256), "x".repeat(257));
    let far = Timestamp::from_unix_ms(now().unix_ms() + 24 * 3_600_000 + 1);
    let bad = [
        Event::listen("", "a"),
        Event::listen("a", ""),
        Event::listen(too_long.as_str(), "a"),
        Event::listen("a", too_long.as_str()),
        Event::listen("a", "b").key(too_long.as_str()),
        Event::custom("a", "b", too_long.as_str()),
        Event::undo(Event::listen("a", too_long.as_str())),
        Event::listen("a", "b").fraction(f32::NAN),
        Event::listen("a", "b").fraction(-0.1),
        Event::skip("a", "b").at_fraction(f32::INFINITY),
        Event::skip("a", "b").at_fraction(f32::NEG_INFINITY),
        Event::listen("a", "b").at(far),
        Event::listen("a", "b").at(Timestamp::from_unix_ms(i64::MAX)),
    ];
    for event in bad {
        let text = format!("{event:?}");
        let invalid = engine.apply(event).expect_err("it is not well formed");
        // As text: NaN is not equal to itself.
        assert_eq!(format!("{:?}", invalid.event), text);
    }
    engine.pump();
    assert!(known(&engine) == before, "nothing has changed");

    let long = Event::listen(fits.as_str(), fits.as_str()).at(Timestamp::from_unix_ms(far.unix_ms() - 1));
    assert!(matches!(engine.apply(long).expect("256 bytes and a day ahead fit"), Outcome::Applied(_)));
    let old = Event::listen("a", "b").at(Timestamp::from_unix_ms(i64::MIN));
    assert!(matches!(engine.apply(old).expect("the past is fine"), Outcome::Applied(_)));
    engine.sweep().expect("there is something to learn");
}

#[test]
fn caps_refuse_what_is_new_and_keep_what_is_there() {
    let limits = limits(|limits| (limits.max_users, limits.max_items) = (3, 2));
    let mut engine = small().limits(limits).open_manual().expect("usable settings");
    for (user, item) in [(1_u64, 1_u64), (2, 2), (3, 1)] {
        assert_eq!(refusal(&mut engine, Event::listen(user, item)), None);
    }
    let (users, items) = (Refusal::TooManyUsers { limit: 3 }, Refusal::TooManyItems { limit: 2 });
    assert_eq!(refusal(&mut engine, Event::listen(4, 1)), Some(users));
    assert_eq!(refusal(&mut engine, Event::listen(1, 3)), Some(items));
    assert_eq!(refusal(&mut engine, Event::listen(4, 3)), Some(users));
    assert_eq!(engine.add_items([1, 2]), Ok(0));
    assert_eq!(engine.add_items([2, 3]), Err(segue::EngineError::Refused(items)));
    assert_eq!(refusal(&mut engine, Event::listen(1, 2)), None, "what is known goes on");
    engine.pump();
    let stats = engine.stats();
    assert_eq!((stats.n_users, stats.n_items, stats.applied), (3, 2, 4));
    assert_eq!((stats.refused[&users], stats.refused[&items]), (2, 1));
    assert!(!engine.reader().view().user(4).is_known());
}

#[test]
fn a_full_engine_still_takes_more_of_what_it_knows() {
    let limits = limits(|limits| limits.max_bytes = 1);
    let mut engine = small().limits(limits).open_manual().expect("usable settings");
    assert_eq!(refusal(&mut engine, Event::listen(1, 1)), None, "the first fits: nothing is held yet");
    engine.pump();
    let full = Some(Refusal::TooManyBytes { limit: 1 });
    for event in [Event::listen(2, 1), Event::listen(1, 2), Event::listen(2, 2)] {
        assert_eq!(refusal(&mut engine, event), full);
    }
    assert_eq!(refusal(&mut engine, Event::like(1, 1)), None);
    assert_eq!(refusal(&mut engine, Event::undo(Event::like(1, 1))), None);
    engine.pump();
    let stats = engine.stats();
    assert_eq!((stats.n_users, stats.n_items, stats.applied), (1, 1, 3));
    assert!(stats.n_bytes > 1);
}

#[test]
fn a_full_history_drops_its_lightest_item_and_says_so() {
    let limits = limits(|limits| limits.max_history = 3);
    let mut engine = small().limits(limits).open_manual().expect("usable settings");
    for (item, fraction) in [(1_u64, 0.9), (2, 0.6), (3, 0.8), (4, 0.7), (5, 0.5)] {
        assert_eq!(refusal(&mut engine, Event::listen("ana", item).fraction(fraction)), None);
    }
    engine.fold_items();
    let view = engine.reader().view();
    let kept: Vec<_> = view.user("ana").history().iter().filter_map(|entry| entry.item.as_u64()).collect();
    // 2 goes for 4, then 4 for 5: the newest is never the one to go.
    assert_eq!(kept, [1, 3, 5]);
    assert_eq!(engine.stats().evicted_cells, 2);
    let counts: Vec<_> = view.popular().run().expect("always an answer").into_iter().collect();
    let counts: Vec<_> = counts.iter().map(|pick| (pick.item.as_u64(), pick.score)).collect();
    assert_eq!(counts, [(Some(1), 1.0), (Some(3), 1.0), (Some(5), 1.0), (Some(2), 0.0), (Some(4), 0.0)]);
    assert_eq!(refusal(&mut engine, Event::undo(Event::listen("ana", 2))), Some(Refusal::NothingToUndo));
}

#[test]
fn a_closed_catalogue_takes_only_what_was_added() {
    let mut engine = small().catalogue(CatalogueMode::Closed).open_manual().expect("usable settings");
    assert_eq!(refusal(&mut engine, Event::listen(1, "a")), Some(Refusal::UnknownItem));
    assert_eq!(engine.stats().n_users, 0, "whoever was refused is not known");
    assert_eq!(engine.add_items(["a", "b", "a"]), Ok(2));
    assert_eq!(refusal(&mut engine, Event::listen(1, "a")), None);
    assert_eq!(refusal(&mut engine, Event::listen(1, "c")), Some(Refusal::UnknownItem));
    assert_eq!(engine.stats().refused[&Refusal::UnknownItem], 2);
}

#[test]
fn refused_events_change_no_bit_of_any_answer() {
    let limits = limits(|limits| (limits.max_users, limits.max_items) = (20, 20));
    let mut engine = small().limits(limits).open_manual().expect("usable settings");
    for event in random_events(2, 800, 20, 20) {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
    engine.sweep().expect("there is something to learn");
    // Items move on after the users were solved, so that a needless solve would show.
    for event in random_events(3, 300, 20, 20) {
        engine.apply(event).expect("well formed");
    }
    engine.fold_items();
    let before = answers(&engine.reader().view(), 20, 20);
    let mut random = Random::new(4);
    for _ in 0..200 {
        let user = random.below(20);
        for event in [
            Event::undo(Event::save(user, random.below(20))),
            Event::undo(Event::custom(user, random.below(20), "never done")),
            Event::listen(100 + user, 3),
            Event::listen(user, 100),
        ] {
            assert!(refusal(&mut engine, event).is_some());
        }
        engine.pump();
    }
    let report = engine.import((0..20_u64).map(|user| Event::undo(Event::save(user, user))));
    assert_eq!((report.applied, report.refused[&Refusal::NothingToUndo]), (0, 20));
    assert!(answers(&engine.reader().view(), 20, 20) == before);
}

#[test]
fn action_names_are_not_used_up_by_what_is_refused() {
    let mut engine = small().open_manual().expect("usable settings");
    assert_eq!(refusal(&mut engine, Event::custom("ana", 1, "queued")), None);
    for n in 0..2_000 {
        let undo = Event::undo(Event::custom("ana", 1, format!("never done {n}")));
        assert_eq!(refusal(&mut engine, undo), Some(Refusal::NothingToUndo));
    }
    for n in 0..1_023 {
        assert_eq!(refusal(&mut engine, Event::custom("ana", 1, format!("name {n}"))), None, "{n}");
    }
    assert_eq!(refusal(&mut engine, Event::custom("ana", 1, "one more")), Some(Refusal::TooManyActionNames));
    assert_eq!(refusal(&mut engine, Event::custom("ana", 1, "queued")), None);
}

#[test]
fn an_import_counts_what_it_leaves_out_and_learns_all_the_rest() {
    // As many malformed events as travel together in a part, and then some, before and between good ones.
    for n_bad in [1, 4_095, 4_096, 4_097, 10_000_u64] {
        let bad = || (0..n_bad).map(|_| Event::listen("", 1));
        let events = bad().chain([Event::listen("ana", 1)]).chain(bad()).chain([Event::listen("ben", 2)]);
        let engine = small().open().expect("usable settings");
        let report = engine.import(events.clone()).expect("running");
        assert_eq!((report.applied, report.malformed), (2, 2 * n_bad), "{n_bad}");
        assert_eq!(report.first_malformed, Some((0, EventError::EmptyUserId)));
        let view = engine.reader().view();
        assert!(view.user("ana").is_known() && view.user("ben").is_known());
        let mut manual = small().open_manual().expect("usable settings");
        assert_eq!(manual.import(events), report, "by hand the same");
    }
}

#[test]
fn settings_without_a_meaning_are_refused() {
    let params = AlsParams::builder;
    assert_eq!(params().n_factors(0).build(), Err(ParamError::NFactors { got: 0 }));
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(params().regularization(bad).build(), Err(ParamError::Regularization { .. })));
    }
    assert!(small().queue_capacity(0).open().is_err());
    assert!(small().half_life(Duration::ZERO).open().is_err());
    assert!(small().sweeps(0, 1).open_manual().is_err());
    assert!(small().sweeps(1, 0).open_manual().is_err());
    let no_items = limits(|limits| limits.max_items = 0);
    assert!(small().limits(no_items).open().is_err());
}

#[test]
fn weights_of_a_taste_that_are_no_numbers_are_refused() {
    let engine = trained();
    let view = engine.reader().view();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.1e9] {
        let error = view.taste([(1, 1.0), (2, bad)]).expect_err("no number");
        assert!(matches!(error, segue::TasteError::Weight { ref item, .. } if *item == ItemId::from(2)));
    }
    assert!(view.taste([("unheard of", 1.0)]).expect("left out").run().is_ok());
}

#[test]
fn items_that_no_event_could_name_are_not_added() {
    let mut engine = crate::common::small().open_manual().expect("usable settings");
    for item in [String::new(), "x".repeat(257)] {
        let refused = engine.add_items(["fine".to_owned(), item]);
        assert!(matches!(refused, Err(segue::EngineError::InvalidItem { .. })), "{refused:?}");
    }
    assert_eq!(engine.stats().n_items, 0);
}
