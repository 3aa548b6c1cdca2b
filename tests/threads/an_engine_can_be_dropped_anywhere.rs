//! Dropping an engine returns: while a sweep runs, on a thread of its own pool, before or after its readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{PATIENCE, random_events, small};
use rayon::ThreadPoolBuilder;
use segue::{AlsParams, Event, Signal, SweepEvery, TrainingError};

/// A sweep of it takes much longer than a test may.
fn endless() -> segue::EngineBuilder {
    let als = AlsParams::builder().n_factors(64).build().expect("usable settings");
    small().als(als).sweeps(1_000_000, 1_000_000)
}

#[test]
fn while_a_sweep_runs() {
    let engine = endless().open().expect("usable settings");
    engine.import(random_events(1, 5_000, 100, 100)).expect("running");
    let sweep = engine.sweep_now().expect("running");
    while engine.stats().sweep.is_none() {
        std::thread::yield_now();
    }
    let reader = engine.reader();
    drop(engine);
    assert_eq!(sweep.wait(), Err(TrainingError::Cancelled));
    assert!(!reader.view().has_model(), "it was never published");
}

#[test]
fn while_sweeps_are_called_for_that_never_begin() {
    let engine = endless().open().expect("usable settings");
    engine.import(random_events(2, 2_000, 50, 50)).expect("running");
    let sweeps: Vec<_> = (0..5).map(|_| engine.sweep_now().expect("running")).collect();
    drop(engine);
    for sweep in sweeps {
        assert_eq!(sweep.wait(), Err(TrainingError::Cancelled));
    }
}

#[test]
fn on_a_thread_of_the_pool_it_shares() {
    for threads in [1, 2] {
        let pool = Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool"));
        let engine = small().shared_pool(Arc::clone(&pool)).open().expect("usable settings");
        engine.import(random_events(3, 2_000, 50, 50)).expect("running");
        engine.sweep_now().expect("running").wait().expect("there is something to learn");
        let reader = engine.reader();
        pool.install(move || {
            // The sweep has no thread to run on as long as this one is not done.
            let _sweep = engine.sweep_now().expect("running");
            drop(engine);
        });
        assert!(reader.view().has_model());
        let list = reader.view().recommend_batch(&[1.into(), 2.into()], 3).expect("always an answer");
        assert_eq!(list.len(), 2);
    }
}

#[test]
fn before_its_last_reader() {
    let engine = small().open().expect("usable settings");
    engine.import(random_events(4, 2_000, 50, 50)).expect("running");
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    let (reader, sender) = (engine.reader(), engine.sender());
    let receipt = sender.send_tracked(Event::listen("ana", 3)).expect("running");
    let before = reader.view_after(&receipt, PATIENCE).expect("learned");
    let list = before.user("ana").recommend().run().expect("always an answer");
    drop(engine);
    let after = std::thread::spawn(move || {
        let list = reader.view().user("ana").recommend().run().expect("always an answer");
        drop(reader);
        list
    });
    assert_eq!(after.join().expect("no panic").ids().collect::<Vec<_>>(), list.ids().collect::<Vec<_>>());
    assert!(sender.send(Event::listen("ana", 4)).is_err());
}

#[test]
fn with_a_policy_that_always_wants_a_sweep() {
    let policy = SweepEvery::events(1).first_after(1);
    let engine = small().sweep_policy(policy).open().expect("usable settings");
    let sender = engine.sender();
    for event in random_events(5, 2_000, 30, 30) {
        sender.send(event).expect("running");
    }
    let report = engine.shutdown(PATIENCE).expect("the writer is well");
    assert_eq!(report.unprocessed, 0);
}

#[test]
fn in_the_midst_of_an_import_that_panics() {
    let engine = small().open().expect("usable settings");
    let events = (0..20_000_u64).map(|n| {
        assert!(n < 10_000, "the host's iterator fails");
        Event::listen(n % 50, n % 70)
    });
    let import = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine.import(events).is_ok()));
    assert!(import.is_err());
    // What was handed over before is learned, and the engine goes on.
    let receipt = engine.sender().send_tracked(Event::listen("ana", 1)).expect("running");
    assert!(engine.reader().view_after(&receipt, PATIENCE).is_ok());
    let report = engine.shutdown(PATIENCE).expect("the writer is well");
    assert!(report.applied.get() >= 8_192, "{report:?}");
}

#[test]
fn with_a_weigher_that_sees_it_end() {
    struct Told(Arc<AtomicBool>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let told = Told(Arc::clone(&dropped));
    let engine = small()
        .weigh_with(move |_| {
            let _ = &told;
            Signal::positive(1.0).expect("in range")
        })
        .open()
        .expect("usable settings");
    engine.sender().send(Event::listen(1, 1)).expect("running");
    let reader = engine.reader();
    drop(engine);
    assert!(dropped.load(Ordering::SeqCst), "plug-ins go with the engine, not with its last reader");
    drop(reader);
}
