//! An item that came after the sweep is recommended and similar as soon as its batch is solved.

use std::time::Duration;

use crate::common::{now, small};
use segue::{Event, ItemVersion, ManualClock, ManualEngine, QueryError};

/// Two circles: users below 10 hear items below 8, users from 10 on hear items from 8 on.
fn two_circles(clock: &ManualClock) -> ManualEngine {
    let mut engine = small().clock(clock.clone()).open_manual().expect("usable settings");
    for user in 0..20_u64 {
        for item in 0..6_u64 {
            let own = (user / 10) * 8 + (user * 5 + item) % 8;
            engine.apply(Event::listen(user, own)).expect("well formed");
        }
    }
    engine.pump();
    engine.sweep().expect("there is something to learn");
    engine
}

#[test]
fn it_is_recommended_within_its_circle_and_to_nobody_else() {
    let clock = ManualClock::at(now());
    let mut engine = two_circles(&clock);
    for fan in 0..5_u64 {
        engine.apply(Event::listen(fan, "new")).expect("well formed");
    }
    engine.pump();
    let view = engine.reader().view();
    assert_eq!(view.similar("new").run(), Err(QueryError::UnknownItem { item: "new".into() }), "not due yet");
    clock.advance(Duration::from_millis(99));
    engine.pump();
    assert_eq!(engine.reader().view().item_version(), view.item_version());
    clock.advance(Duration::from_millis(1));
    engine.pump();

    let view = engine.reader().view();
    assert!(view.item_version() > ItemVersion::ZERO, "a batch was solved");
    let close = view.similar("new").limit(8).run().expect("it has a vector");
    assert!(close.ids().all(|id| id.as_u64().is_some_and(|item| item < 8)), "{close:?}");
    let score = |user: u64| view.user(user).estimate(["new"])[0].expect("it is known");
    for user in 5..10 {
        let list = view.user(user).recommend().limit(3).run().expect("always an answer");
        assert!(list.ids().any(|id| *id == "new".into()), "{user}: {list:?}");
        for stranger in 10..20 {
            assert!(score(user) > score(stranger) + 0.05);
        }
    }
    for fan in 0..5 {
        assert!(score(fan) > score(7), "their own vectors took it in");
    }
}

#[test]
fn an_item_is_solved_again_once_it_has_grown_by_a_twentieth() {
    let clock = ManualClock::at(now());
    let mut engine = small().clock(clock.clone()).open_manual().expect("usable settings");
    for user in 0..40_u64 {
        engine.apply(Event::listen(user, "big")).expect("well formed");
        engine.apply(Event::listen(user, user % 10)).expect("well formed");
    }
    engine.pump();
    engine.sweep().expect("there is something to learn");
    let folds = |engine: &mut ManualEngine| {
        clock.advance(Duration::from_secs(1));
        engine.pump();
        engine.stats().item_folds
    };
    let before = folds(&mut engine);
    // 40 + 2 is a growth of 5 %, and no more than that: not yet due.
    for user in 0..2_u64 {
        engine.apply(Event::listen(user, "big")).expect("well formed");
        assert_eq!(folds(&mut engine), before, "{user}");
    }
    engine.apply(Event::listen(2, "big")).expect("well formed");
    assert_eq!(folds(&mut engine), before + 1, "43 is more than 5 % above 40");
    engine.apply(Event::listen(3, "big")).expect("well formed");
    assert_eq!(folds(&mut engine), before + 1, "44 is not, above 43");
}

#[test]
fn items_that_came_during_an_import_have_a_vector_after_the_next_sweep() {
    let clock = ManualClock::at(now());
    let mut engine = two_circles(&clock);
    engine.import((100..110_u64).flat_map(|user| [Event::listen(user, 3), Event::listen(user, "new")]));
    engine.sweep().expect("there is something to learn");
    assert!(engine.reader().view().similar("new").run().is_ok());
}
