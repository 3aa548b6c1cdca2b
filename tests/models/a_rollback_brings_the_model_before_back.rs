//! A rollback serves the model before the latest again, with all that was learned since; there is none where there is none to
//! go back to, or where it has learned of somebody who was forgotten.

use crate::common::{PATIENCE, random_events, small};
use crossbeam_channel::{Receiver, Sender, bounded};
use segue::import::{ForeignModel, ForeignSide};
use segue::{
    Durability, Engine, EngineBuilder, Event, Factors, GateFacts, GateRefusal, ItemId, Limits, ManualEngine,
    MemoryStorage, ModelOrigin, Notice, Outcome, Refusal, SweepGate, SweepHandle, TrainingError, UserId,
    View,
};

/// Who does nothing after the first sweep, and who does.
const CALM: std::ops::Range<u64> = 0..20;
const BUSY: std::ops::Range<u64> = 20..30;

/// The score of each item, for each user.
type Lists = Vec<Vec<(ItemId, f32)>>;

/// Rows are turned in `f32` when a model comes back.
const CLOSE: f32 = 1e-4;

/// Lets the first two generations pass and nothing else.
#[derive(Debug)]
struct TwoAreEnough;

impl SweepGate for TwoAreEnough {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        if facts.before.get() < 2 { Ok(()) } else { Err(GateRefusal::Other { reason: "enough".to_owned() }) }
    }
}

fn learn(engine: &mut ManualEngine, events: impl IntoIterator<Item = Event>) {
    for event in events {
        // Some of the random ones take back what was not done.
        engine.apply(event).expect("well formed");
    }
}

/// What the busy ones do after the first sweep.
fn more() -> impl Iterator<Item = Event> {
    BUSY.flat_map(|user| (0..15).map(move |item| Event::listen(user, (7 * user + item) % 40)))
}

/// Two generations, and the lists of the first.
fn twice_swept(builder: EngineBuilder) -> (ManualEngine, Lists) {
    let mut engine = builder.open_manual().expect("usable settings");
    learn(&mut engine, random_events(1, 600, 30, 40));
    assert_eq!(engine.rollback(), Err(TrainingError::NoModelBefore), "there is no model at all");
    engine.sweep().expect("there is enough to learn from");
    let first = lists(&engine.reader().view());
    assert_eq!(engine.rollback(), Err(TrainingError::NoModelBefore), "it is the first");
    learn(&mut engine, more());
    engine.sweep().expect("there is enough to learn from");
    assert!(!are_close(&lists(&engine.reader().view()), &first), "there is something to go back from");
    (engine, first)
}

/// The scores of all items, by item, for each of the calm ones.
fn lists(view: &View) -> Lists {
    let list = |user: u64| {
        let list = view.user(user).recommend().allow_known().limit(100).run().expect("always an answer");
        let mut scores: Vec<(ItemId, f32)> =
            list.iter().map(|pick| (pick.item.clone(), pick.score)).collect();
        scores.sort_by_key(|(item, _)| item.to_string());
        scores
    };
    CALM.map(list).collect()
}

fn are_close(some: &[Vec<(ItemId, f32)>], others: &[Vec<(ItemId, f32)>]) -> bool {
    some.iter()
        .flatten()
        .zip(others.iter().flatten())
        .all(|((item, score), (other, other_score))| item == other && (score - other_score).abs() < CLOSE)
}

#[test]
fn it_serves_what_was_served_before_and_twice_what_is_served_now() {
    let (mut engine, first) = twice_swept(small().sweep_gate(TwoAreEnough));
    let second = lists(&engine.reader().view());
    let report = engine.rollback().expect("no gate is asked");
    assert_eq!((report.generation.get(), report.n_sweeps), (3, 0));
    assert_eq!(report.origin, ModelOrigin::RolledBack);
    let told = Notice::Published(&report).to_string();
    assert!(told.starts_with("generation 3 is in use: it is the one from before, "), "{told}");
    assert!(are_close(&lists(&engine.reader().view()), &first));
    engine.rollback().expect("no gate is asked");
    assert!(are_close(&lists(&engine.reader().view()), &second));
}

#[test]
fn what_was_learned_since_is_not_lost() {
    let (mut engine, _) = twice_swept(small());
    engine.rollback().expect("there is one");
    let view = engine.reader().view();
    for event in more() {
        let known = view.user(event.user().clone()).recommend().limit(40).run().expect("always an answer");
        assert!(known.iter().all(|pick| pick.item != *event.item()), "{event:?} is known");
    }
    // And goes on: an item nobody knew is folded in.
    learn(&mut engine, BUSY.map(|user| Event::listen(user, "new")));
    engine.fold_items();
    let similar = engine.reader().view().similar("new").run().expect("it has a vector");
    assert!(!similar.is_empty());
    engine.sweep().expect("what comes back is trained on");
}

#[test]
fn what_has_learned_of_somebody_forgotten_does_not_come_back() {
    let (mut engine, _) = twice_swept(small());
    assert!(matches!(engine.forget_user(UserId::from(3)), Outcome::Applied(_)));
    assert_eq!(engine.rollback(), Err(TrainingError::NoModelBefore));
    engine.sweep().expect("there is enough to learn from");
    assert_eq!(
        engine.rollback(),
        Err(TrainingError::NoModelBefore),
        "the one before had learned of them, too"
    );
    engine.sweep().expect("there is enough to learn from");
    engine.rollback().expect("this one has not");
}

#[test]
fn a_forgotten_item_stays_away() {
    let (mut engine, _) = twice_swept(small());
    assert!(matches!(engine.forget_item(ItemId::from(5)), Outcome::Applied(_)));
    engine.rollback().expect("there is one");
    let lists = lists(&engine.reader().view());
    assert!(lists.iter().flatten().all(|(item, _)| *item != ItemId::from(5)));
}

#[test]
fn it_is_still_there_when_the_engine_is_opened_again() {
    let storage = MemoryStorage::default();
    let stored = || small().store_in(storage.clone(), Durability::Buffered);
    let (mut engine, first) = twice_swept(stored());
    engine.rollback().expect("there is one");
    learn(&mut engine, [Event::listen(25, 3)]);
    let digest = engine.digest();
    drop(engine);
    let mut again = stored().open_manual().expect("its own store");
    assert_eq!(again.digest(), digest);
    assert!(are_close(&lists(&again.reader().view()), &first));
}

#[test]
fn a_running_engine_rolls_back_too() {
    let engine = small().open().expect("usable settings");
    let none = engine.rollback().expect("running").wait();
    assert_eq!(none, Err(TrainingError::NoModelBefore));
    engine.import(random_events(1, 600, 30, 40)).expect("running");
    for _ in 0..2 {
        engine.sweep_now().expect("running").wait().expect("there is enough to learn from");
    }
    let report = engine.rollback().expect("running").wait().expect("there is one");
    assert_eq!(engine.stats().last_sweep.map(|last| last.generation), Some(report.generation));
}

/// A gate that waits in front of the third model, and lets everything pass.
#[derive(Debug)]
struct Turnstile {
    arrived: Sender<()>,
    go_on: Receiver<()>,
}

impl SweepGate for Turnstile {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        if facts.before.get() == 2 {
            // The test may be over.
            let _ = self.arrived.send(());
            let _ = self.go_on.recv();
        }
        Ok(())
    }
}

/// An engine twice swept whose third sweep stands before its gate, the first lists, the sweep, and what lets it go on.
fn amid_a_sweep() -> (Engine, Lists, SweepHandle, Sender<()>) {
    let ((arrived, has_arrived), (go, go_on)) = (bounded(1), bounded(1));
    let engine = small().sweep_gate(Turnstile { arrived, go_on }).open().expect("usable settings");
    engine.import(random_events(1, 600, 30, 40)).expect("running");
    engine.sweep_now().expect("running").wait().expect("there is enough to learn from");
    let first = lists(&engine.reader().view());
    // Not an import, which would have items solved anew before the second sweep.
    more().for_each(|event| engine.sender().send(event).expect("running"));
    engine.sweep_now().expect("running").wait().expect("there is enough to learn from");
    let third = engine.sweep_now().expect("running");
    has_arrived.recv().expect("it comes to the gate");
    (engine, first, third, go)
}

/// Everything that was called for has reached the writer.
fn catch_up(engine: &Engine) {
    let receipt = engine.sender().send_tracked(Event::listen(25, 3)).expect("running");
    assert!(matches!(receipt.wait(PATIENCE), Some(Outcome::Applied(_))));
}

#[test]
fn what_is_being_trained_meanwhile_is_given_up() {
    let (engine, first, third, go) = amid_a_sweep();
    let later = engine.sweep_now().expect("running");
    let (one, other) = (engine.rollback().expect("running"), engine.rollback().expect("running"));
    catch_up(&engine);
    go.send(()).expect("it waits");
    assert_eq!(third.wait(), Err(TrainingError::Superseded));
    assert_eq!(later.wait(), Err(TrainingError::Superseded));
    let report = one.wait().expect("there is one");
    assert_eq!(report.generation.get(), 3, "nothing came in between");
    assert_eq!(other.wait(), Ok(report));
    assert!(are_close(&lists(&engine.reader().view()), &first));
}

#[test]
fn of_models_that_wait_to_be_taken_in_the_newest_is() {
    let (engine, _, third, go) = amid_a_sweep();
    let model = || {
        let ids: Vec<ItemId> = (0..3_u64).map(ItemId::from).collect();
        let items = ForeignSide { ids, factors: Factors::zeros(3, 8) };
        ForeignModel::new(ForeignSide { ids: Vec::new(), factors: Factors::zeros(0, 8) }, items)
    };
    let older = engine.adopt(model().expect("well formed")).expect("running");
    let between = engine.sweep_now().expect("running");
    let newer = engine.adopt(model().expect("well formed")).expect("running");
    catch_up(&engine);
    assert_eq!(older.wait(), Err(TrainingError::Superseded), "at once");
    go.send(()).expect("it waits");
    let reports = [third, between, newer].map(|handle| handle.wait().expect("it is published"));
    assert_eq!(reports.map(|report| report.generation.get()), [3, 4, 5]);
}

#[test]
fn who_does_nothing_is_served_what_their_history_gives() {
    let (mut engine, _) = twice_swept(small());
    learn(&mut engine, BUSY.map(|user| Event::listen(user, "new")));
    engine.rollback().expect("there is one");
    let scores = |engine: &ManualEngine| {
        let view = engine.reader().view();
        let list = view.user(BUSY.start).recommend().limit(5).run().expect("always an answer");
        list.iter().map(|pick| pick.score).collect::<Vec<_>>()
    };
    let before = scores(&engine);
    // Solved anew, with the same history.
    let listen = Event::listen(BUSY.start, "newer");
    learn(&mut engine, [listen.clone(), Event::undo(listen)]);
    engine.pump();
    let after = scores(&engine);
    assert!(
        before.iter().zip(&after).all(|(one, other)| (one - other).abs() < CLOSE),
        "{before:?}, {after:?}"
    );
}

#[test]
fn a_full_engine_goes_back_too() {
    let mut limits = Limits::default();
    limits.max_bytes = 60_000;
    let (mut engine, _) = twice_swept(small().limits(limits));
    let is_full = (1_000..100_000_u64).any(|user| {
        let outcome = engine.apply(Event::listen(user, user)).expect("well formed");
        matches!(outcome, Outcome::Rejected(Refusal::TooManyBytes { .. }))
    });
    assert!(is_full);
    // What is known goes on growing.
    learn(&mut engine, more());
    engine.rollback().expect("nothing is added");
}
