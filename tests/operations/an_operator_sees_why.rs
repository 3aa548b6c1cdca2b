//! `stats` and `health` tell what the engine does, what it was given and did not take, and how far it is behind.

use std::sync::mpsc;
use std::time::Duration;

use crate::common::temp::TempDir;
use crate::common::{PATIENCE, now, random_events, small};
use segue::{Durability, Event, Health, ManualClock, MemoryStats, Outcome, Refusal, Signal, TrySendError};

#[test]
fn every_stage_of_an_event_is_timed() {
    let directory = TempDir::new();
    let store = |durability| small().store(directory.path(), durability);
    let engine = store(Durability::Immediate).open().expect("usable settings");
    engine.import(random_events(1, 500, 30, 20)).expect("it runs");
    engine.sweep_now().expect("it runs").wait().expect("there is something to learn");
    for n in 0..40_u64 {
        let receipt = engine.sender().send_tracked(Event::listen(n % 7, n % 11)).expect("it runs");
        assert!(matches!(receipt.wait(PATIENCE), Some(Outcome::Applied(_))));
    }
    engine.checkpoint().expect("it runs").wait().expect("it is written");
    for n in 0..3_u64 {
        engine.reader().view().user(n).recommend().run().expect("always an answer");
    }
    let stages = engine.stats().stages;
    // Each event was waited for, so each was a batch of its own.
    assert_eq!((stages.queue_wait.count, stages.event_to_visible.count, stages.query.count), (40, 40, 3));
    for (stage, latency, least) in [
        ("weigh", stages.weigh, 500 / 16),
        ("apply", stages.apply, 41),
        ("journal", stages.journal, 41),
        ("fold_in", stages.fold_in, 40),
        ("publish", stages.publish, 41),
        ("freeze", stages.freeze, 2),
        ("sweep", stages.sweep, 1),
        ("swap", stages.swap, 1),
        ("checkpoint", stages.checkpoint, 1),
        ("sync", stages.sync, 41),
    ] {
        assert!(latency.count >= least, "{stage}: {latency:?}");
        assert!(latency.p50 <= latency.p99 && latency.p99 <= latency.max, "{stage}: {latency:?}");
        assert!(
            latency.total > Duration::ZERO && latency.total <= latency.max * 10_000,
            "{stage}: {latency:?}"
        );
    }
}

#[test]
fn what_is_behind_shows_as_depth_and_lag() {
    let (entered, has_entered) = mpsc::channel();
    let (let_go, is_let_go) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new((entered, is_let_go));
    let engine = small()
        .queue_capacity(8)
        .weigh_with(move |facts| {
            if facts.item.as_str() == Some("gate") {
                let gate = gate.lock().expect("no test panics inside");
                gate.0.send(()).expect("the test waits");
                // That the other end is gone is the word to go on.
                let _ = gate.1.recv();
            }
            Signal::positive(1.0).expect("in range")
        })
        .open()
        .expect("usable settings");
    assert_eq!((engine.stats().lag, engine.stats().queue_len), (Duration::ZERO, 0));
    let sender = engine.sender();
    sender.send(Event::listen("ana", "gate")).expect("it runs");
    has_entered.recv().expect("the weigher is asked");
    let mut refused = 0;
    let mut taken = 0_u64;
    while refused < 5 {
        match sender.try_send(Event::listen("ana", taken)) {
            Ok(()) => taken += 1,
            Err(TrySendError::Full(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    let stats = engine.stats();
    assert_eq!((stats.handed_back["queue_full"], stats.queue_len, stats.queue_capacity), (5, 8, 8));
    let first = stats.lag;
    assert!(first > Duration::ZERO, "the first event is in hand");
    assert!(engine.stats().lag > first, "it grows older");
    drop(let_go);
    let last = sender.send_tracked(Event::listen("ana", "last")).expect("it runs");
    last.wait(PATIENCE).expect("decided");
    let stats = engine.stats();
    assert_eq!((stats.lag, stats.queue_len, stats.applied), (Duration::ZERO, 0, taken + 2));
}

#[test]
fn what_is_not_taken_is_counted_by_reason() {
    let mut limits = segue::Limits::default();
    limits.max_users = 2;
    let engine = small().limits(limits).open().expect("usable settings");
    let sender = engine.sender();
    for user in ["a", "b", "c", "d"] {
        let receipt = sender.send_tracked(Event::listen(user, 1)).expect("it runs");
        receipt.wait(PATIENCE).expect("decided");
    }
    for event in [Event::listen("", 1), Event::skip("a", 1).at_fraction(f32::NAN), Event::listen("a", "")] {
        assert!(sender.send(event).is_err());
    }
    let ahead = Event::listen("a", 1).at(now().saturating_add(Duration::from_secs(48 * 3_600)));
    let report = engine.import([ahead, Event::listen("a", 1)]).expect("it runs");
    assert_eq!((report.applied, report.malformed), (1, 1));
    let stats = engine.stats();
    assert_eq!(stats.refused[&Refusal::TooManyUsers { limit: 2 }], 2);
    let counted: Vec<_> = stats.handed_back.into_iter().filter(|(_, n)| *n > 0).collect();
    assert_eq!(counted, [("empty_item_id", 1), ("empty_user_id", 1), ("fraction", 1), ("future", 1)]);
    engine.shutdown(PATIENCE).expect("it runs");
    assert!(sender.send(Event::listen("a", 1)).is_err());
}

#[test]
fn a_generation_has_an_age_and_a_churn() {
    let directory = TempDir::new();
    let clock = ManualClock::at(now());
    let open = || {
        small()
            .clock(clock.clone())
            .store(directory.path(), Durability::Buffered)
            .open()
            .expect("usable settings")
    };
    let engine = open();
    assert_eq!((engine.stats().generation.get(), engine.stats().generation_age), (0, None));
    engine.import(random_events(1, 2_000, 60, 40)).expect("it runs");
    let sweep = |engine: &segue::Engine| {
        engine.sweep_now().expect("it runs").wait().expect("there is something to learn")
    };
    assert_eq!(sweep(&engine).gate.overlap, None, "the first changes nothing");
    sweep(&engine);
    engine.import(random_events(2, 6_000, 60, 40)).expect("it runs");
    let overlap = sweep(&engine).gate.overlap.expect("there was one before");
    let stats = engine.stats();
    assert_eq!(
        (stats.generation.get(), stats.sweep, stats.last_sweep.and_then(|last| last.gate.overlap)),
        (3, None, Some(overlap))
    );
    assert!(stats.generation_age.is_some_and(|age| age < PATIENCE));
    engine.shutdown(PATIENCE).expect("it runs");

    // An hour later, by the engine's clock, it is opened again.
    clock.advance(Duration::from_secs(3_600));
    let stats = open().stats();
    assert_eq!(stats.generation.get(), 3);
    let age = stats.generation_age.expect("it was frozen an hour ago");
    assert!(age >= Duration::from_secs(3_600) && age < Duration::from_secs(3_600) + PATIENCE, "{age:?}");
}

#[test]
fn memory_is_told_by_part() {
    let mut engine = small().open_manual().expect("usable settings");
    let empty = engine.stats().memory;
    let MemoryStats { histories, user_vectors, ids, user_factors, by_item, .. } = empty;
    assert_eq!((histories, user_vectors, ids, user_factors, by_item), (0, 0, 0, 0, 0));
    for event in random_events(1, 3_000, 100, 50) {
        engine
            .apply(event.clone().key(format!("{event:?}").chars().take(200).collect::<String>()))
            .expect("well formed");
    }
    engine.pump();
    engine.sweep().expect("there is something to learn");
    for event in random_events(2, 200, 100, 50) {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
    let stats = engine.stats();
    let memory = stats.memory;
    let n_cells: usize = (0..100_u64).map(|user| engine.reader().view().user(user).history().len()).sum();
    // A row is padded to sixteen floats; a cell takes some tens of bytes.
    assert_eq!(memory.user_factors, 100 * 64);
    assert!(memory.item_factors >= 50 * 64 && memory.search_index >= 50 * 16);
    assert!(memory.histories > n_cells as u64 * 16, "{memory:?}");
    assert!(memory.by_item >= n_cells as u64 * 4, "{memory:?}");
    assert!(memory.user_vectors > 0 && memory.user_vectors <= 100 * 64, "{memory:?}");
    assert!(memory.ids >= 150 * 64 && memory.dedupe > 0);
    let of_cap = memory.histories + memory.user_vectors + memory.ids + 50 * 64;
    assert_eq!(of_cap, stats.n_bytes, "what the cap is held against");
    assert_eq!(memory.total(), memory.iter().map(|(_, bytes)| bytes).sum::<u64>());

    for user in 0..100_u64 {
        engine.forget_user(user);
    }
    engine.pump();
    let memory = engine.stats().memory;
    assert_eq!((memory.histories, memory.user_vectors, memory.dedupe), (0, 0, 0));
}

#[test]
fn a_sweep_tells_how_far_it_has_come() {
    let als = segue::AlsParams::builder().n_factors(32).build().expect("usable settings");
    let engine = small().als(als).sweeps(200, 200).open().expect("usable settings");
    engine.import(random_events(1, 20_000, 500, 200)).expect("it runs");
    let sweep = engine.sweep_now().expect("it runs");
    let (mut seen, mut n_bytes) = (Vec::new(), 0);
    while engine.stats().sweeps == 0 {
        let stats = engine.stats();
        if let Some(progress) = stats.sweep {
            assert!(progress.done <= progress.of && progress.of == 200);
            seen.push(progress.done);
            n_bytes = n_bytes.max(stats.memory.training);
        }
        std::thread::yield_now();
    }
    assert!(seen.is_sorted(), "it never goes back");
    sweep.wait().expect("there is something to learn");
    // Two hundred passes take long enough to be looked at: 700 rows of 32 factors, and what they learn from.
    assert!(n_bytes > 700 * 128, "{n_bytes}");
    assert_eq!((engine.stats().sweep, engine.stats().memory.training), (None, 0));
    assert_eq!(engine.health().name(), "serving");
    assert!(matches!(engine.health(), Health::Serving { sweeping: false, .. }));
}
