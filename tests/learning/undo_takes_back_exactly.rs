//! What was undone has never been: not in the history, not in any answer after a sweep.

use crate::common::{PATIENCE, Random, answers, hours_ago, small};
use segue::{Event, ManualEngine, Outcome, Refusal};

fn apply(engine: &mut ManualEngine, event: Event) -> Outcome {
    engine.apply(event).expect("well formed")
}

#[test]
fn each_action_is_taken_back_once() {
    let mut engine = small().open_manual().expect("usable settings");
    let (play, like) = (Event::listen("ana", "tricky").fraction(0.75), Event::like("ana", "tricky"));
    assert!(matches!(apply(&mut engine, play.clone()), Outcome::Applied(_)));
    assert!(matches!(apply(&mut engine, like.clone()), Outcome::Applied(_)));
    engine.pump();
    let entry = engine.reader().view().user("ana").history().remove(0);
    assert_eq!((entry.events, entry.confidence, entry.preference), (2, 3.75, 1.0));

    assert!(matches!(apply(&mut engine, Event::undo(like.clone())), Outcome::Applied(_)));
    engine.pump();
    let entry = engine.reader().view().user("ana").history().remove(0);
    assert_eq!((entry.events, entry.confidence), (1, 0.75));

    let nothing = Outcome::Rejected(Refusal::NothingToUndo);
    assert_eq!(apply(&mut engine, Event::undo(like.clone())), nothing);
    assert!(matches!(apply(&mut engine, Event::undo(play.clone())), Outcome::Applied(_)));
    engine.pump();
    let user = engine.reader().view();
    assert_eq!((user.user("ana").history(), user.user("ana").is_known()), (vec![], true));
    for event in [play, like, Event::save("ana", "tricky"), Event::like("ben", "tricky")] {
        assert_eq!(apply(&mut engine, Event::undo(event)), nothing);
    }
    assert_eq!(engine.stats().refused[&Refusal::NothingToUndo], 5);
}

#[test]
fn the_receipt_of_an_undo_without_an_action_says_so() {
    let engine = small().open().expect("usable settings");
    let sender = engine.sender();
    sender.send(Event::like("ana", 1)).expect("running");
    let first = sender.send_tracked(Event::undo(Event::like("ana", 1))).expect("running");
    let second = sender.send_tracked(Event::undo(Event::like("ana", 1))).expect("running");
    assert!(matches!(first.wait(PATIENCE), Some(Outcome::Applied(_))));
    assert_eq!(second.wait(PATIENCE), Some(Outcome::Rejected(Refusal::NothingToUndo)));
    let error = engine.reader().view_after(&second, PATIENCE).expect_err("there is no moment after it");
    assert_eq!(error, segue::ViewAfterError::Rejected(Refusal::NothingToUndo));
}

/// Two worlds: in one there are events on top that are all taken back, some at once, some much later.
#[test]
fn a_world_with_undone_events_is_the_world_without_them_after_a_sweep() {
    const USERS: u64 = 40;
    const ITEMS: u64 = 30;
    for seed in 0..5 {
        let mut random = Random::new(seed);
        let mut plain = small().open_manual().expect("usable settings");
        let mut regretted = small().open_manual().expect("usable settings");
        let mut to_undo: Vec<Event> = Vec::new();
        for at in 0..1_200 {
            let (user, item) = (random.below(USERS), random.below(ITEMS));
            let event = Event::listen(user, item).fraction(random.share()).at(hours_ago(2_000 - at));
            assert!(matches!(apply(&mut plain, event.clone()), Outcome::Applied(_)));
            assert!(matches!(apply(&mut regretted, event.clone()), Outcome::Applied(_)));
            // Only with users and items that both worlds have: an item is not forgotten.
            if random.below(3) == 0 {
                let regret = match random.below(3) {
                    0 => Event::like(user, item),
                    1 => Event::dislike(user, item),
                    _ => Event::save(user, item),
                };
                assert!(matches!(apply(&mut regretted, regret.clone()), Outcome::Applied(_)));
                to_undo.push(Event::undo(regret));
            }
            if random.below(4) == 0 && !to_undo.is_empty() {
                let at = usize::try_from(random.below(to_undo.len() as u64)).expect("small");
                let undo = to_undo.swap_remove(at);
                assert!(matches!(apply(&mut regretted, undo), Outcome::Applied(_)));
            }
            if random.below(50) == 0 {
                regretted.pump();
            }
        }
        for undo in to_undo {
            assert!(matches!(apply(&mut regretted, undo), Outcome::Applied(_)));
        }
        plain.sweep().expect("there is something to learn");
        regretted.sweep().expect("there is something to learn");
        let of = |engine: &ManualEngine| answers(&engine.reader().view(), USERS, ITEMS);
        assert!(of(&plain) == of(&regretted), "seed {seed}");
    }
}

#[test]
fn a_new_listener_brings_back_an_item_that_had_lost_all_of_its() {
    let mut engine =
        small().item_batch_every(std::time::Duration::ZERO).open_manual().expect("usable settings");
    for event in (0..400_u64).map(|n| Event::listen(n % 20, n % 13)) {
        apply(&mut engine, event);
    }
    let likes = (0..20_u64).map(|user| Event::like(user, "regretted"));
    likes.clone().for_each(|like| assert!(matches!(apply(&mut engine, like), Outcome::Applied(_))));
    likes.for_each(|like| assert!(matches!(apply(&mut engine, Event::undo(like)), Outcome::Applied(_))));
    engine.sweep().expect("there is something to learn");
    assert!(engine.reader().view().similar("regretted").run().is_err(), "nobody listens to it");
    apply(&mut engine, Event::listen(3, "regretted"));
    engine.fold_items();
    assert!(engine.reader().view().similar("regretted").run().is_ok(), "one listen is a growth of any size");
}
