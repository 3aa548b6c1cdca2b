//! A clock that panics, is set back, or is ahead at one listener's does no harm to the others.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{now, small};
use segue::{
    Clock, Degradation, Engine, Event, Health, ManualClock, ManualEngine, NeverSweep, Source, SweepEvery,
    Timestamp,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Two circles of listeners, each with items of its own.
fn listen_in_two_circles(engine: &mut ManualEngine) {
    for user in 0..20_u64 {
        for item in (0..12_u64).filter(|item| item % 2 == user % 2 && *item != user % 12) {
            engine.apply(Event::listen(user, item)).expect("well formed");
        }
    }
    engine.pump();
}

#[test]
fn one_event_from_a_clock_that_is_ahead_does_not_age_all_the_others() {
    let build = || small().half_life(HOUR).open_manual().expect("usable settings");
    let estimates = |mut engine: ManualEngine| {
        engine.sweep().expect("there is something to learn");
        engine.reader().view().user(1).estimate(0..12_u64)
    };
    let (mut engine, mut with_one_ahead) = (build(), build());
    listen_in_two_circles(&mut engine);
    listen_in_two_circles(&mut with_one_ahead);
    for engine in [&mut engine, &mut with_one_ahead] {
        engine.apply(Event::listen("late", 0)).expect("well formed");
    }
    let ahead = Event::listen("ahead", 0).at(now().saturating_add(23 * HOUR));
    with_one_ahead.apply(ahead).expect("within a day");
    let (expected, got) = (estimates(engine), estimates(with_one_ahead));
    for (item, (expected, got)) in expected.iter().zip(&got).enumerate() {
        let (expected, got) = (expected.expect("known"), got.expect("known"));
        // Item 0 itself gains a listener of enormous weight.
        assert!(item == 0 || (expected - got).abs() < 0.2, "item {item}: {got} for {expected}");
    }
}

#[test]
fn a_clock_set_back_does_not_stop_sweeps() {
    let clock = ManualClock::at(now());
    let policy = SweepEvery::minutes(1).first_after(10);
    let engine = Engine::builder().clock(clock.clone()).sweep_policy(policy).open().expect("usable settings");
    let sweeps_reach = |n: u64| {
        let mut sent = 0_u64;
        while engine.stats().sweeps < n {
            let receipt = engine.sender().send_tracked(Event::listen(sent % 7, sent % 5).at(now()));
            receipt.expect("the engine runs").wait(common::PATIENCE).expect("learned");
            sent += 1;
            clock.advance(Duration::from_secs(1));
            assert!(sent < 20_000, "no sweep {n} in {sent} seconds of its clock");
        }
    };
    sweeps_reach(1);
    // Events stay where they are; only the engine's clock loses a minute short of a day.
    clock.set(clock.now().saturating_add(24 * HOUR));
    sweeps_reach(2);
    clock.set(now());
    sweeps_reach(4);
}

/// Stands still until it is broken.
#[derive(Debug, Clone, Default)]
struct Breakable(Arc<AtomicBool>);

impl Clock for Breakable {
    fn now(&self) -> Timestamp {
        let on_writer = std::thread::current().name() == Some("segue-writer");
        assert!(!(on_writer && self.0.load(Ordering::SeqCst)), "the clock is broken");
        now()
    }
}

#[test]
fn a_clock_that_panics_is_named_and_survived() {
    let clock = Breakable::default();
    let engine =
        Engine::builder().clock(clock.clone()).sweep_policy(NeverSweep).open().expect("usable settings");
    clock.0.store(true, Ordering::SeqCst);
    for item in 0..100_u64 {
        let receipt = engine.sender().send_tracked(Event::listen("ana", item)).expect("the engine runs");
        engine.reader().view_after(&receipt, common::PATIENCE).expect("learned all the same");
    }
    let health = engine.health();
    let named = matches!(&health, Health::Degraded { why: Degradation::Plugin { seam: "clock", .. } });
    assert!(named, "{health:?}");
    let answer = engine.reader().view().user("ana").recommend().run().expect("always an answer");
    assert!(matches!(answer.provenance().source, Source::Cold(_)));
}

#[test]
fn a_history_is_decayed_before_the_first_sweep_too() {
    let mut engine = small().half_life(HOUR).open_manual().expect("usable settings");
    for hours in [30, 0] {
        let at = common::hours_ago(hours);
        let item = u64::try_from(hours).expect("small");
        engine.apply(Event::listen("ana", item).at(at)).expect("well formed");
    }
    engine.pump();
    let history = engine.reader().view().user("ana").history();
    let confidences: Vec<f32> = history.iter().map(|entry| entry.confidence).collect();
    assert!((confidences[1] - 1.0).abs() < 1e-6, "{confidences:?}");
    assert!((confidences[0] * 2_f32.powi(30) - 1.0).abs() < 1e-4, "{confidences:?}");
}
