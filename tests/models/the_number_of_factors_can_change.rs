//! Another number of factors while an engine runs: the model in use is served until one of the new length takes its place.

use crate::common::{random_events, small};
use crossbeam_channel::{Receiver, Sender, bounded};
use segue::export::Export;
use segue::plugin::Notice;
use segue::{
    AlsParams, Durability, Engine, EngineBuilder, Event, GateFacts, GateRefusal, ItemId, ManualEngine,
    MemoryStorage, SweepGate, TrainingError, View,
};

/// What a user is shown, with scores.
type List = Vec<(ItemId, f32)>;

const USERS: u64 = 30;
const ITEMS: u64 = 40;

fn with_factors(builder: EngineBuilder, n_factors: usize) -> EngineBuilder {
    let als = AlsParams::builder().n_factors(n_factors).regularization(0.01).unobserved_weight(0.05);
    builder.als(als.build().expect("usable settings"))
}

/// Learns, and sweeps with eight factors.
fn swept(builder: EngineBuilder) -> ManualEngine {
    let mut engine = builder.open_manual().expect("usable settings");
    learn(&mut engine, 1);
    engine.sweep().expect("there is enough to learn from");
    engine
}

fn learn(engine: &mut ManualEngine, seed: u64) {
    for event in random_events(seed, 400, USERS, ITEMS) {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
}

fn retune(engine: &mut ManualEngine, n_factors: u16) {
    let mut settings = engine.settings();
    settings.n_factors = usize::from(n_factors);
    let changes = engine.retune(settings).expect("in range");
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].key, changes[0].after), ("als.n_factors", f64::from(n_factors)));
}

/// An engine that tells of each model it publishes.
fn telling(builder: EngineBuilder) -> (EngineBuilder, Receiver<()>) {
    let (sender, published) = bounded(8);
    let tell = move |notice: &Notice<'_>| {
        if let Notice::Published(_) = notice {
            sender.send(()).expect("the test listens");
        }
    };
    (builder.observe_with(tell), published)
}

fn n_factors(view: &View) -> Option<usize> {
    Export::of(view).n_factors()
}

/// Each user's list, with scores.
fn lists(engine: &ManualEngine) -> Vec<List> {
    let view = engine.reader().view();
    let list = |user: u64| {
        let list = view.user(user).recommend().limit(10).run().expect("always an answer");
        list.iter().map(|pick| (pick.item.clone(), pick.score)).collect()
    };
    (0..USERS).map(list).collect()
}

#[test]
fn the_model_in_use_is_served_until_the_new_one_is_there() {
    let mut engine = swept(small());
    let before = lists(&engine);
    retune(&mut engine, 12);
    assert_eq!(lists(&engine), before);
    learn(&mut engine, 2);
    engine.apply(Event::listen(3, "new")).expect("well formed");
    engine.fold_items();
    assert_eq!(n_factors(&engine.reader().view()), Some(8), "folded in with the model that is there");
    let report = engine.sweep().expect("there is enough to learn from");
    assert_eq!(n_factors(&engine.reader().view()), Some(12));
    // It is what an engine finds that never had another number.
    let mut always = with_factors(small(), 12).open_manual().expect("usable settings");
    learn(&mut always, 1);
    learn(&mut always, 2);
    always.apply(Event::listen(3, "new")).expect("well formed");
    let first = always.sweep().expect("there is enough to learn from");
    assert_eq!(report.n_sweeps, first.n_sweeps, "it begins from nothing");
    assert_eq!(lists(&engine), lists(&always));
    learn(&mut engine, 3);
    let later = engine.sweep().expect("there is enough to learn from");
    assert!(later.n_sweeps < first.n_sweeps, "it goes on from there");
}

#[test]
fn it_goes_back_to_a_model_of_another_length() {
    let mut engine = swept(small());
    let before = lists(&engine);
    retune(&mut engine, 20);
    engine.sweep().expect("there is enough to learn from");
    engine.rollback().expect("there is one");
    assert_eq!(n_factors(&engine.reader().view()), Some(8));
    let close = |one: &List, other: &List| {
        one.iter()
            .zip(other)
            .all(|((item, score), (other, other_score))| item == other && (score - other_score).abs() < 1e-4)
    };
    assert!(lists(&engine).iter().zip(&before).all(|(one, other)| close(one, other)));
    engine.sweep().expect("there is enough to learn from");
    assert_eq!(n_factors(&engine.reader().view()), Some(20), "as the settings have it");
}

#[test]
fn a_store_has_it_whether_from_a_checkpoint_or_from_the_journal() {
    // At each stage a model of another length than the settings, or of the same, is in the files.
    for stage in 0..4 {
        let (whole, with_checkpoint) = (MemoryStorage::default(), MemoryStorage::default());
        let lived = |storage: &MemoryStorage, takes_checkpoint: bool| {
            let mut engine = swept(small().store_in(storage.clone(), Durability::Buffered));
            retune(&mut engine, 12);
            learn(&mut engine, 2);
            if stage > 0 {
                engine.sweep().expect("there is enough to learn from");
            }
            if stage > 1 {
                engine.rollback().expect("there is one");
            }
            if takes_checkpoint {
                engine.checkpoint().expect("in memory");
            }
            if stage > 2 {
                learn(&mut engine, 3);
                engine.sweep().expect("there is enough to learn from");
            }
            engine.digest()
        };
        let (digest, again) = (lived(&whole, false), lived(&with_checkpoint, true));
        assert_eq!(digest, again, "stage {stage}");
        for storage in [whole, with_checkpoint] {
            let opened = with_factors(small(), 12).store_in(storage, Durability::Buffered).open_manual();
            let mut opened = opened.expect("its own store");
            assert_eq!(opened.digest(), digest, "stage {stage}");
            opened.sweep().expect("there is enough to learn from");
            assert_eq!(n_factors(&opened.reader().view()), Some(12));
        }
    }
}

#[test]
fn a_store_opened_with_another_number_serves_its_model_until_the_new_one_is_there() {
    let storage = MemoryStorage::default();
    let store_of = |builder: EngineBuilder| builder.store_in(storage.clone(), Durability::Buffered);
    let engine = swept(store_of(small()));
    let before = lists(&engine);
    drop(engine);
    let mut engine = store_of(with_factors(small(), 12)).open_manual().expect("its own store");
    assert_eq!(lists(&engine), before);
    engine.sweep().expect("there is enough to learn from");
    assert_eq!(n_factors(&engine.reader().view()), Some(12));
    drop(engine);
    // It never sweeps by itself.
    let (builder, published) = telling(store_of(with_factors(small(), 4)));
    let engine = builder.open().expect("its own store");
    published.recv().expect("it is begun at once");
    assert_eq!(n_factors(&engine.reader().view()), Some(4));
}

#[test]
fn it_may_change_before_there_is_any_model() {
    let storage = MemoryStorage::default();
    let mut engine =
        small().store_in(storage.clone(), Durability::Buffered).open_manual().expect("usable settings");
    learn(&mut engine, 1);
    engine.add_items(["new"]).expect("there is room");
    retune(&mut engine, 12);
    engine.checkpoint().expect("in memory");
    let digest = engine.digest();
    drop(engine);
    let opened = with_factors(small(), 12).store_in(storage, Durability::Buffered).open_manual();
    let mut engine = opened.expect("its own store");
    assert_eq!(engine.digest(), digest);
    engine.sweep().expect("there is enough to learn from");
    assert_eq!(n_factors(&engine.reader().view()), Some(12));
}

#[test]
fn a_running_engine_trains_at_once() {
    // It never sweeps by itself.
    let (builder, published) = telling(small());
    let engine = builder.open().expect("usable settings");
    engine.import(random_events(1, 600, USERS, ITEMS)).expect("running");
    let mut settings = engine.settings();
    settings.n_factors = 4;
    engine.retune(settings.clone()).expect("in range");
    engine.sweep_now().expect("running").wait().expect("there is enough to learn from");
    published.recv().expect("the first");
    assert_eq!(
        n_factors(&engine.reader().view()),
        Some(4),
        "without a model there was nothing to do at once"
    );
    settings.n_factors = 16;
    engine.retune(settings).expect("in range");
    published.recv().expect("the second");
    assert_eq!(n_factors(&engine.reader().view()), Some(16));
}

/// A gate that waits in front of one model, and lets everything pass.
#[derive(Debug)]
struct Turnstile {
    /// The model in use when it waits.
    before: u64,
    arrived: Sender<()>,
    go_on: Receiver<()>,
}

impl SweepGate for Turnstile {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        if facts.before.get() == self.before {
            self.arrived.send(()).expect("the test listens");
            self.go_on.recv().expect("the test lets it go on");
        }
        Ok(())
    }
}

/// An engine that tells of what it publishes, and whose trainings stand before their gate while that model is in use.
fn with_turnstile(before: u64) -> (Engine, Receiver<()>, Receiver<()>, Sender<()>) {
    let ((arrived, has_arrived), (go, go_on)) = (bounded(1), bounded(1));
    let (builder, published) = telling(small().sweep_gate(Turnstile { before, arrived, go_on }));
    let engine = builder.open().expect("usable settings");
    engine.import(random_events(1, 600, USERS, ITEMS)).expect("running");
    (engine, published, has_arrived, go)
}

fn retune_running(engine: &Engine, n_factors: usize) {
    let mut settings = engine.settings();
    settings.n_factors = n_factors;
    engine.retune(settings).expect("in range");
}

#[test]
fn it_may_change_while_the_first_training_is_under_way() {
    let (engine, published, has_arrived, go) = with_turnstile(0);
    let first = engine.sweep_now().expect("running");
    has_arrived.recv().expect("it comes to the gate");
    retune_running(&engine, 12);
    go.send(()).expect("it waits");
    first.wait().expect("nobody gives it up");
    published.recv().expect("what was under way");
    published.recv().expect("what was asked for since");
    assert_eq!(n_factors(&engine.reader().view()), Some(12));
}

#[test]
fn what_is_trained_for_a_number_that_is_taken_back_is_given_up() {
    let (engine, published, has_arrived, go) = with_turnstile(1);
    engine.sweep_now().expect("running").wait().expect("there is enough to learn from");
    published.recv().expect("the first");
    retune_running(&engine, 12);
    has_arrived.recv().expect("it comes to the gate");
    retune_running(&engine, 8);
    let second = engine.sweep_now().expect("running");
    go.send(()).expect("it waits");
    has_arrived.recv().expect("the next comes to the gate");
    assert_eq!(n_factors(&engine.reader().view()), Some(8));
    go.send(()).expect("it waits");
    assert_eq!(second.wait().expect("there is enough to learn from").generation.get(), 2);
    assert_eq!(n_factors(&engine.reader().view()), Some(8));
}

#[test]
fn memory_is_reckoned_by_the_rows_there_are() {
    let storage = MemoryStorage::default();
    let store_of = |builder: EngineBuilder| builder.store_in(storage.clone(), Durability::Buffered);
    let mut engine = swept(store_of(small()));
    let before = engine.stats().n_bytes;
    retune(&mut engine, 40);
    engine.sweep().expect("there is enough to learn from");
    engine.pump();
    let after = engine.stats().n_bytes;
    // Rows of 40 are 48 floats long, those of 8 are 16.
    assert!(after >= before + ITEMS * 32 * 4, "{after} after {before}");
    engine.checkpoint().expect("in memory");
    drop(engine);
    let mut opened = store_of(with_factors(small(), 40)).open_manual().expect("its own store");
    opened.pump();
    assert_eq!(opened.stats().n_bytes, after);
}

#[derive(Debug)]
struct OnlyTheFirst;

impl SweepGate for OnlyTheFirst {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        if facts.before.get() == 0 {
            return Ok(());
        }
        assert_eq!((facts.norm_before, facts.growth), (None, f64::INFINITY), "norms are of another size");
        Err(GateRefusal::Other { reason: "enough".to_owned() })
    }
}

#[test]
fn one_that_is_refused_leaves_the_old_one_in_use() {
    let mut engine = swept(small().sweep_gate(OnlyTheFirst));
    let before = lists(&engine);
    retune(&mut engine, 12);
    assert!(matches!(engine.sweep(), Err(TrainingError::Refused(GateRefusal::Other { .. }))));
    assert_eq!(lists(&engine), before);
    learn(&mut engine, 2);
    assert_eq!(n_factors(&engine.reader().view()), Some(8));
}

#[test]
fn what_is_no_number_of_factors_changes_nothing() {
    let mut engine = swept(small());
    for n_factors in [0, 1_025, usize::MAX] {
        let mut settings = engine.settings();
        settings.n_factors = n_factors;
        let refused = engine.retune(settings).expect_err("out of range").to_string();
        assert!(refused.starts_with("als.n_factors must be between 1 and 1024 and whole"), "{refused}");
    }
    assert_eq!(engine.settings().n_factors, 8);
}
