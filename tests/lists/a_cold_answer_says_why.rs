//! Who nothing is known of gets what is popular, and the answer says why: never an error.

use crate::common::{PATIENCE, small};
use segue::{CatalogueMode, ColdCause, Event, ManualEngine, QueryError, Recommendations, Source, View};

fn cold(list: &Recommendations) -> ColdCause {
    let source = list.provenance().source;
    let Source::Cold(cause) = source else { panic!("{source:?} is not cold") };
    cause
}

fn ids(list: &Recommendations) -> Vec<String> {
    list.ids().map(ToString::to_string).collect()
}

fn ask(view: &View, user: &str) -> Recommendations {
    view.user(user).recommend().run().expect("always an answer")
}

/// Item 0 has the most listeners, item 4 the fewest.
fn fed() -> ManualEngine {
    let mut engine = small().open_manual().expect("usable settings");
    for item in 0..5_u64 {
        for user in 0..10 - item {
            engine.apply(Event::listen(user, item)).expect("well formed");
        }
    }
    engine.fold_items();
    engine
}

#[test]
fn an_empty_engine_gives_an_empty_list() {
    let engine = small().open().expect("usable settings");
    let view = engine.reader().view();
    assert!(!view.has_model());
    let list = ask(&view, "ana");
    assert_eq!((cold(&list), list.len()), (ColdCause::UnknownUser, 0));
    assert!(view.popular().run().expect("always an answer").is_empty());
    let taste = view.taste([("a", 1.0)]).expect("a finite weight").run().expect("always an answer");
    assert_eq!((cold(&taste), taste.len()), (ColdCause::NoModel, 0));
    assert_eq!(view.similar("a").run(), Err(QueryError::UnknownItem { item: "a".into() }));
    assert_eq!(view.user("ana").similar(3), Err(QueryError::NoUserVector { user: "ana".into() }));
    assert_eq!(view.user("ana").estimate(["a"]), [None]);
}

#[test]
fn before_the_first_sweep_everybody_is_cold() {
    let engine = fed();
    let view = engine.reader().view();
    assert_eq!(ids(&ask(&view, "stranger")), ["0", "1", "2", "3", "4"]);
    assert_eq!(cold(&ask(&view, "stranger")), ColdCause::UnknownUser);
    // User 8 knows items 0 and 1.
    let list = ask(&view, "8");
    assert_eq!((cold(&list), ids(&list)), (ColdCause::NoModel, vec!["2".into(), "3".into(), "4".into()]));
    assert!(list.iter().map(|pick| pick.score).eq([8.0, 7.0, 6.0]));
    assert_eq!(view.similar(0).run(), Err(QueryError::NoItemVector { item: 0.into() }));
}

#[test]
fn after_it_only_those_nothing_is_known_of() {
    let mut engine = fed();
    engine.sweep().expect("there is something to learn");
    let known = engine.reader().view();
    assert_eq!(ask(&known, "3").provenance().source, Source::Personal);
    assert_eq!(cold(&ask(&known, "stranger")), ColdCause::UnknownUser);

    // Known, but only with an item that has no vector yet.
    engine.apply(Event::listen("ana", "brand-new")).expect("well formed");
    engine.pump();
    let view = engine.reader().view();
    let list = ask(&view, "ana");
    assert_eq!((cold(&list), view.user("ana").is_known()), (ColdCause::NothingKnown, true));
    assert_eq!(ids(&list), ["0", "1", "2", "3", "4"]);

    // Known, and everything taken back.
    for event in [Event::like("eve", 1), Event::undo(Event::like("eve", 1))] {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
    let list = ask(&engine.reader().view(), "eve");
    // Her item is new to her again, and the brand-new one has had its batch.
    assert_eq!((cold(&list), list.len()), (ColdCause::NothingKnown, 6));
}

#[test]
fn items_without_listeners_are_in_the_list_but_never_similar() {
    let engine = small().catalogue(CatalogueMode::Closed).open().expect("usable settings");
    assert_eq!(engine.add_items(["a", "b", "unheard"]), Ok(3));
    let sender = engine.sender();
    for (user, item) in [(1_u64, "a"), (2, "a"), (1, "b"), (3, "b"), (2, "b")] {
        sender.send(Event::listen(user, item)).expect("running");
    }
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    let receipt = sender.send_tracked(Event::listen("ana", "b")).expect("running");
    let view = engine.reader().view_after(&receipt, PATIENCE).expect("learned");
    assert_eq!(ids(&ask(&view, "ana")), ["a", "unheard"]);
    assert_eq!(ask(&view, "ana").provenance().source, Source::Personal);
    assert_eq!(view.similar("unheard").run(), Err(QueryError::NoItemVector { item: "unheard".into() }));
    assert_eq!(ids(&view.similar("a").run().expect("it has a vector")), ["b"]);
    let taste = view.taste([("unheard", 1.0)]).expect("a finite weight").run().expect("always an answer");
    assert_eq!(cold(&taste), ColdCause::NothingKnown);
}
