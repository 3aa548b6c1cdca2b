//! What an engine remembers is what a naive model works out from the same events.

use std::time::Duration;

use crate::common::naive::{Naive, Step, Verdict, music, users_of};
use crate::common::{Random, now, random_events, small};
use segue::{Event, ManualEngine, Outcome, Refusal, UserId, View};

fn naive() -> Naive {
    Naive::new(now(), music)
}

fn engine() -> ManualEngine {
    small().open_manual().expect("usable settings")
}

/// What became of an event, in the words of the model.
fn verdict(engine: &mut ManualEngine, event: &Event) -> Verdict {
    match engine.apply(event.clone()).expect("well formed") {
        Outcome::Applied(_) => Verdict::Learned,
        Outcome::Duplicate => Verdict::Duplicate,
        Outcome::Rejected(Refusal::NothingToUndo) => Verdict::NothingToUndo,
        other @ (Outcome::Rejected(_) | Outcome::Stopped | _) => panic!("{event:?} was not to be {other:?}"),
    }
}

/// All kinds of events, some of them sent twice, some at times that the clock gives.
fn strange_events(seed: u64, n: usize) -> Vec<Event> {
    let mut random = Random::new(seed);
    let mut events = Vec::with_capacity(n);
    while events.len() < n {
        let (user, item) = (random.below(8), random.below(12));
        let event = match random.below(7) {
            0 => Event::like(user, item),
            1 => Event::dislike(user, item),
            2 => Event::save(user, item),
            3 => Event::custom(user, item, ["queued", "shared"][usize::from(random.below(2) == 0)]),
            4 => Event::skip(user, item),
            5 => Event::listen(user, item),
            _ => Event::listen(user, item).played(Duration::from_secs(random.below(400))),
        };
        let event = if random.below(4) == 0 { Event::undo(event) } else { event };
        let key = random.below(2 * n as u64);
        events.push(if key < n as u64 { event.key(format!("key-{key}")) } else { event });
    }
    events
}

/// Sends `events` to an engine and the model; every outcome and, now and then, every history is compared.
fn compare(mut engine: ManualEngine, events: Vec<Event>) -> (ManualEngine, [usize; 3]) {
    let mut naive = naive();
    let users = users_of(&events.iter().cloned().map(Step::from).collect::<Vec<_>>());
    let mut counts = [0; 3];
    for (at, event) in events.into_iter().enumerate() {
        let expected = naive.take(&Step::Event(event.clone()));
        assert_eq!(verdict(&mut engine, &event), expected, "{event:?}");
        counts[expected as usize] += 1;
        if at % 97 == 0 {
            engine.pump();
            naive.compare(&engine.reader().view(), &users).unwrap_or_else(|why| panic!("after {at}: {why}"));
        }
    }
    engine.pump();
    naive.compare(&engine.reader().view(), &users).unwrap_or_else(|why| panic!("{why}"));
    (engine, counts)
}

#[test]
fn random_events_are_remembered() {
    for seed in 0..20 {
        // Few users, so that what can be taken back runs out; many, so that histories are short.
        for (users, items) in [(3, 20), (100, 50)] {
            let (_, counts) = compare(engine(), random_events(seed, 3_000, users, items));
            assert!(counts[0] > 2_000 && counts[2] > 10, "{counts:?}");
        }
    }
}

#[test]
fn all_kinds_of_events_are_remembered_with_their_keys() {
    for seed in 0..20 {
        let (_, counts) = compare(engine(), strange_events(seed, 3_000));
        assert!(counts.iter().all(|&count| count > 50), "{counts:?}");
    }
}

#[test]
fn a_sweep_changes_no_history() {
    let events = random_events(3, 4_000, 30, 40);
    let steps: Vec<Step> = events.iter().cloned().map(Step::from).collect();
    let (mut engine, _) = compare(engine(), events);
    engine.sweep().expect("there is something to learn");
    naive().matches_prefix(&engine.reader().view(), &steps, steps.len()).expect("the same histories");
}

#[test]
fn a_prefix_is_told_from_its_neighbours() {
    let events = random_events(4, 400, 10, 20);
    let steps: Vec<Step> = events.iter().cloned().map(Step::from).collect();
    let mut engine = engine();
    let mut seen = 0;
    for (m, event) in events.iter().enumerate() {
        let learned = verdict(&mut engine, event);
        engine.pump();
        let view = engine.reader().view();
        let found = naive().matching_prefix(&view, &steps, 0..=steps.len());
        naive().matches_prefix(&view, &steps, m + 1).expect("the events so far");
        if learned == Verdict::Learned {
            let before = naive().matches_prefix(&view, &steps, m);
            assert!(before.is_err(), "event {m} is seen: {event:?}");
            // An event and its taking back, next to each other, are as if they had never been.
            assert!(found.is_some_and(|found| found > m), "{found:?}");
            seen += usize::from(found == Some(m + 1));
        }
        assert_eq!(naive().matching_prefix(&view, &steps, 0..=m / 2).filter(|_| m > 100), None);
    }
    assert!(seen > 300, "most states are like no other: {seen}");
}

#[test]
fn differences_are_told() {
    let mut engine = engine();
    verdict(&mut engine, &Event::listen("ana", 1).fraction(0.75));
    engine.pump();
    let view = engine.reader().view();
    let why = |steps: &[Event]| {
        let steps: Vec<Step> = steps.iter().cloned().map(Step::from).collect();
        naive().matches_prefix(&view, &steps, steps.len()).expect_err("they differ")
    };
    let told = |why: String, what: &str| assert!(why.contains(what), "{what} in {why}");
    told(why(&[Event::listen("ana", 2)]), "ItemId(1)");
    told(why(&[Event::listen("ana", 1), Event::listen("ana", 1)]), "the number of events");
    told(why(&[Event::listen("ana", 1).fraction(0.750_001)]), "the confidence");
    told(why(&[Event::dislike("ana", 1)]), "the confidence");
    told(why(&[Event::listen("ana", 1).fraction(0.75).at(crate::common::hours_ago(1))]), "last seen");
}

/// Nothing of the crate's can be compared with these yet: the model itself is held against plain sense.
#[test]
fn the_model_forgets_and_merges() {
    let [ana, ben]: [UserId; 2] = ["ana".into(), "ben".into()];
    let steps: Vec<Step> = vec![
        Event::listen("ana", 1).fraction(0.5).key("k").into(),
        Event::like("ana", 2).into(),
        Event::listen("ben", 1).into(),
        Event::like("ben", 2).into(),
        Step::MergeUsers { from: ben.clone(), into: ana.clone() },
        Event::undo(Event::like("ana", 2)).into(),
        Step::ForgetItem(2.into()),
        Event::listen("ana", 1).key("k").into(),
        Step::ForgetUser(ana.clone()),
        Event::listen("ana", 1).key("k").into(),
    ];
    let sums = |m: usize, user: &UserId| -> Vec<(u64, u32, f64)> {
        let history = naive().after(&steps[..m]).history(user);
        let sums = |(item, sums): (&segue::ItemId, &crate::common::naive::Sums)| {
            (item.as_u64().expect("a number"), sums.events, sums.confidence)
        };
        history.iter().map(sums).collect()
    };
    assert_eq!(sums(4, &ben), [(1, 1, 1.0), (2, 1, 3.0)]);
    assert_eq!((sums(5, &ben), sums(5, &ana)), (vec![], vec![(1, 2, 1.5), (2, 2, 6.0)]));
    assert_eq!(sums(6, &ana), [(1, 2, 1.5), (2, 1, 3.0)]);
    assert_eq!(sums(7, &ana), [(1, 2, 1.5)]);
    assert_eq!(sums(8, &ana), [(1, 2, 1.5)], "the key was seen");
    assert_eq!(sums(9, &ana), []);
    assert_eq!(sums(10, &ana), [(1, 1, 1.0)], "the key went with its user");
    assert_eq!(users_of(&steps).into_iter().collect::<Vec<_>>(), [ana, ben]);
}

#[test]
fn a_view_of_nothing_matches_no_steps() {
    let view: View = engine().reader().view();
    naive().matches_prefix(&view, &[Event::listen("ana", 1).into()], 0).expect("nothing is known");
    let steps = [Event::like(1, 2).into(), Event::undo(Event::like(1, 2)).into()];
    assert_eq!(naive().matching_prefix(&view, &steps, 0..=2), Some(2));
}
