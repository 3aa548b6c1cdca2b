//! An event with a key seen before changes nothing and says that it is a duplicate.

use crate::common::{PATIENCE, answers, small};
use segue::{Event, Limits, Outcome, Refusal};

fn limits(dedupe_window: usize) -> Limits {
    let mut limits = Limits::default();
    limits.dedupe_window = dedupe_window;
    limits
}

#[test]
fn the_second_changes_nothing() {
    let mut engine = small().open_manual().expect("usable settings");
    for event in (0..100_u64).map(|n| Event::listen(n % 10, n % 7).key(format!("play-{n}"))) {
        assert!(matches!(engine.apply(event).expect("well formed"), Outcome::Applied(_)));
    }
    engine.sweep().expect("there is something to learn");
    let before = (answers(&engine.reader().view(), 10, 7), engine.stats());
    for n in 0..100_u64 {
        // Another event under a key that was used: the key is what counts.
        let event = Event::like("somebody", "something").key(format!("play-{n}"));
        assert_eq!(engine.apply(event).expect("well formed"), Outcome::Duplicate);
    }
    engine.pump();
    let after = engine.stats();
    assert_eq!(answers(&engine.reader().view(), 10, 7), before.0);
    assert_eq!((after.duplicates, after.applied, after.n_users), (100, before.1.applied, before.1.n_users));
    assert_eq!(after.visible, before.1.visible);
}

#[test]
fn the_window_forgets_the_oldest_key_first() {
    let mut engine = small().limits(limits(3)).open_manual().expect("usable settings");
    let mut send = |key: &str| engine.apply(Event::listen(1, 1).key(key)).expect("well formed");
    for key in ["a", "b", "c", "d"] {
        assert!(matches!(send(key), Outcome::Applied(_)));
    }
    assert_eq!(send("b"), Outcome::Duplicate, "a duplicate does not move the window");
    assert!(matches!(send("a"), Outcome::Applied(_)), "forgotten");
    assert!(matches!(send("b"), Outcome::Applied(_)), "forgotten for the a");
    assert_eq!(send("d"), Outcome::Duplicate);

    let mut engine = small().limits(limits(0)).open_manual().expect("usable settings");
    let mut send = || engine.apply(Event::listen(1, 1).key("a")).expect("well formed");
    assert!(matches!(send(), Outcome::Applied(_)));
    assert!(matches!(send(), Outcome::Applied(_)), "a window of nothing remembers nothing");
}

#[test]
fn the_key_of_a_refused_event_may_be_sent_again() {
    let mut engine = small().open_manual().expect("usable settings");
    let undo = || Event::undo(Event::like("ana", 1)).key("k");
    let nothing = Outcome::Rejected(Refusal::NothingToUndo);
    assert_eq!(engine.apply(undo()).expect("well formed"), nothing);
    assert_eq!(engine.apply(undo()).expect("well formed"), nothing);
    engine.apply(Event::like("ana", 1)).expect("well formed");
    assert!(matches!(engine.apply(undo()).expect("well formed"), Outcome::Applied(_)));
    assert_eq!(engine.apply(undo()).expect("well formed"), Outcome::Duplicate);
}

#[test]
fn after_the_receipt_of_a_duplicate_the_effect_of_the_original_is_there() {
    let engine = small().open().expect("usable settings");
    std::thread::scope(|scope| {
        for sender in 0..4_u64 {
            let (events, reader) = (engine.sender(), engine.reader());
            scope.spawn(move || {
                for n in 0..500_u64 {
                    // Two of them share each key, and race.
                    let (user, key) = (sender / 2, format!("{}-{n}", sender / 2));
                    let event = Event::listen(user, n).key(key);
                    let receipt = events.send_tracked(event).expect("running");
                    let view = reader.view_after(&receipt, PATIENCE).expect("learned, by one or the other");
                    let history = view.user(user).history();
                    let entry = history.iter().find(|entry| entry.item == n.into());
                    assert_eq!(entry.map(|entry| entry.events), Some(1));
                }
            });
        }
    });
    let stats = engine.stats();
    assert_eq!((stats.applied, stats.duplicates), (1_000, 1_000));
    let again = (0..500_u64).map(|n| Event::listen(0, n).key(format!("0-{n}")));
    let report = engine.import(again.chain([Event::listen(0, 1).key("new")])).expect("running");
    assert_eq!((report.applied, report.duplicates), (1, 500));
}

#[test]
fn an_action_with_a_key_is_taken_back_by_its_undo() {
    let mut engine = crate::common::small().open_manual().expect("usable settings");
    let like = Event::like("ana", "tricky").key("k1");
    let learned = engine.apply(like.clone()).expect("well formed");
    assert!(matches!(learned, Outcome::Applied(_)));
    let undone = engine.apply(Event::undo(like)).expect("well formed");
    assert!(matches!(undone, Outcome::Applied(_)), "{undone:?}");
    engine.pump();
    assert!(engine.reader().view().user("ana").history().is_empty());
}
