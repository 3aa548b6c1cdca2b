//! A clock that panics, is set back, or is ahead at one listener's does no harm to the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use crate::common::{now, small};
use segue::plugin::Incident;
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
            if engine.stats().sweep.is_some() {
                // It takes as long as the machine takes, and none of the engine's time.
                std::thread::yield_now();
                continue;
            }
            let receipt = engine.sender().send_tracked(Event::listen(sent % 7, sent % 5).at(now()));
            receipt.expect("the engine runs").wait(crate::common::PATIENCE).expect("learned");
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
        engine.reader().view_after(&receipt, crate::common::PATIENCE).expect("learned all the same");
    }
    let health = engine.health();
    let named = matches!(&health, Health::Degraded { why: Degradation::Plugin { seam: "clock", .. } });
    assert!(named, "{health:?}");
    let answer = engine.reader().view().user("ana").recommend().run().expect("always an answer");
    assert!(matches!(answer.provenance().source, Source::Cold(_)));
}

const FINE: u8 = 0;
const PANICS: u8 = 1;
const NONSENSE: u8 = 2;
const SLEEPS: u8 = 3;

/// An engine whose filter notes when it was asked, the mood of its clock, and what the filter has noted.
fn asked_for_the_time() -> (ManualEngine, Arc<AtomicU8>, Arc<AtomicI64>) {
    let (mood, seen) = (Arc::new(AtomicU8::new(FINE)), Arc::new(AtomicI64::new(0)));
    let (of_clock, by_filter) = (Arc::clone(&mood), Arc::clone(&seen));
    let tell = move || match of_clock.load(Ordering::SeqCst) {
        PANICS => panic!("the clock is broken"),
        NONSENSE => Timestamp::from_unix_ms(i64::MAX),
        SLEEPS => {
            std::thread::sleep(Duration::from_millis(200));
            now()
        }
        _ => now(),
    };
    let note = move |request: &segue::plugin::Request<'_>, _: &segue::plugin::Candidate| {
        by_filter.store(request.at.unix_ms(), Ordering::SeqCst);
        true
    };
    let mut engine = small().clock_with(tell).filter_with(note).open_manual().expect("usable settings");
    engine.apply(Event::listen("ana", 1)).expect("well formed");
    engine.pump();
    (engine, mood, seen)
}

fn incident(engine: &ManualEngine) -> Incident {
    let health = engine.health();
    let Health::Degraded { why: Degradation::Plugin { seam: "clock", incident, .. } } = health else {
        panic!("{health:?}")
    };
    incident
}

#[test]
fn a_query_is_told_the_last_time_there_was_by_a_clock_that_panics_or_shows_none() {
    for mood in [PANICS, NONSENSE] {
        let (engine, of_clock, seen) = asked_for_the_time();
        of_clock.store(mood, Ordering::SeqCst);
        let popular = engine.reader().view().popular().run().expect("always an answer");
        assert_eq!((popular.len(), seen.load(Ordering::SeqCst)), (1, now().unix_ms()));
        let said = incident(&engine).to_string();
        let expected = if mood == PANICS { "it panicked: the clock is broken" } else { "which is no time" };
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_query_waits_for_a_clock_that_dawdles_and_it_is_named() {
    let (engine, of_clock, seen) = asked_for_the_time();
    of_clock.store(SLEEPS, Ordering::SeqCst);
    // One call in sixteen is timed.
    for _ in 0..16 {
        assert_eq!(engine.reader().view().popular().run().expect("always an answer").len(), 1);
    }
    let Incident::Slow { took, budget } = incident(&engine) else { panic!("{:?}", engine.health()) };
    assert!(took >= Duration::from_millis(200) && budget == Duration::from_millis(1));
    assert_eq!(seen.load(Ordering::SeqCst), now().unix_ms());
}

#[test]
fn a_history_is_decayed_before_the_first_sweep_too() {
    let mut engine = small().half_life(HOUR).open_manual().expect("usable settings");
    for hours in [30, 0] {
        let at = crate::common::hours_ago(hours);
        let item = u64::try_from(hours).expect("small");
        engine.apply(Event::listen("ana", item).at(at)).expect("well formed");
    }
    engine.pump();
    let history = engine.reader().view().user("ana").history();
    let confidences: Vec<f32> = history.iter().map(|entry| entry.confidence).collect();
    assert!((confidences[1] - 1.0).abs() < 1e-6, "{confidences:?}");
    assert!((confidences[0] * 2_f32.powi(30) - 1.0).abs() < 1e-4, "{confidences:?}");
}
