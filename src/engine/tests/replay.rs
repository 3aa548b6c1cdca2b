//! Opening a store gives every byte of the state again, whatever plug-ins, threads and instructions there were.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{builder, clock, events, vectors_of_users};
use crate::als::AlsParams;
use crate::checkpoint::StateDigest;
use crate::engine::{EngineBuilder, Health, ManualEngine};
use crate::journal::Durability;
use crate::kernel::{SimdPath, SplitMix64};
use crate::model::{Limits, Saturation};
use crate::storage::{MemoryStorage, Storage};
use crate::training::TrainingError;
use crate::types::{ActionKind, Event, ManualClock, Signal};

/// A weigher that no replay could ask again: it draws lots.
fn weighing_by_lot(builder: EngineBuilder) -> EngineBuilder {
    let drawn = Arc::new(AtomicU64::new(0));
    builder.weigh_with(move |facts| {
        let mut random = SplitMix64::at(9, drawn.fetch_add(1, Ordering::Relaxed));
        let sign = if matches!(facts.action, ActionKind::Skip) { -0.5 } else { 1.0 };
        #[expect(clippy::cast_possible_truncation, reason = "a confidence for a test")]
        Signal::new(sign, 4.0 * random.uniform() as f32).expect("in range")
    })
}

/// A copy of all files, as a crash of the process would leave them.
fn copy(storage: &MemoryStorage) -> MemoryStorage {
    let copy = MemoryStorage::new();
    for name in storage.list().expect("in memory") {
        copy.insert(name.clone(), storage.contents(&name).expect("listed"));
    }
    copy
}

fn open(builder: EngineBuilder, storage: &MemoryStorage) -> ManualEngine {
    let builder = builder.store_in(storage.clone(), Durability::Buffered).journal_segment_bytes(20_000);
    builder.open_manual().expect("a whole store")
}

/// Everything that can happen to an engine, some of it a few times.
fn live(engine: &mut ManualEngine, clock: &ManualClock, seed: u64, rounds: std::ops::Range<u64>) {
    for round in rounds {
        let seed = 100 * seed + round;
        let size = usize::try_from(round).expect("small");
        for event in events(seed, 400, 60 + 20 * size, 50 + 10 * size) {
            engine.apply(event).expect("well formed");
            if seed.is_multiple_of(2) {
                engine.pump();
                clock.advance(Duration::from_millis(3));
            }
        }
        engine.pump();
        clock.advance(Duration::from_secs(1));
        engine.pump();
        if round == 2 {
            // A sweep that gives nothing.
            let job = engine.writer.begin_sweep();
            drop(job);
            let refused =
                engine.writer.end_sweep(Err(TrainingError::Panicked { message: "a lie".to_owned() }));
            assert!(refused.is_err());
        } else {
            engine.sweep().expect("there is something to learn");
        }
        engine.import(events(seed + 10, 300, 90, 90));
        engine.add_items([format!("unheard-{round}")]).expect("room");
        // A sweep during which much happens.
        let job = engine.writer.begin_sweep();
        for event in events(seed + 20, 300, 90, 90) {
            engine.apply(event.key(format!("key-{round}-{}", seed % 7))).expect("well formed");
            engine.pump();
            clock.advance(Duration::from_millis(3));
        }
        engine.import(events(seed + 30, 200, 90, 90));
        engine.forget_user(3 + round);
        engine.forget_item(5 + round);
        engine.merge_users(20 + round, 40 + round);
        engine.merge_users(25 + round, format!("somebody-new-{round}"));
        let candidate = job.run(engine.writer.sweep_pools.begin());
        engine.writer.end_sweep(candidate).expect("a sound candidate");
        // Events and imports reach some before they are brought into the generation.
        engine.import(events(seed + 40, 100, 90, 90));
        engine.apply(Event::like(7, "late")).expect("well formed");
        engine.pump();
        while engine.writer.refold_some() {}
        engine.fold_items();
    }
}

/// All there is to compare: what is digested, every user's vector, and the norm that the next model is measured by.
type State = (StateDigest, Vec<Vec<u32>>, Option<u64>);

fn state_of(engine: &mut ManualEngine) -> State {
    (engine.digest(), vectors_of_users(engine), engine.writer.norm_of_model.map(f64::to_bits))
}

/// The state after a run of which `seed` decides, with a checkpoint after round `checkpoint_after`.
fn state_and_store(seed: u64, checkpoint_after: Option<u64>) -> (State, MemoryStorage) {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let mut engine = open(weighing_by_lot(builder(&clock)), &storage);
    for round in 0..4 {
        live(&mut engine, &clock, seed, round..round + 1);
        if checkpoint_after == Some(round) {
            engine.checkpoint().expect("in memory");
        }
    }
    let state = state_of(&mut engine);
    engine.flush().expect("in memory");
    (state, copy(&storage))
}

#[test]
fn the_journal_alone_gives_every_byte_again() {
    for seed in 1..=2 {
        let (state, storage) = state_and_store(seed, None);
        for path in SimdPath::available() {
            for threads in [1, 2, 8] {
                let storage = copy(&storage);
                let mut again = open(builder(&clock()).threads(threads).simd_path(path), &storage);
                assert_eq!(state_of(&mut again), state, "{threads} threads, {path}");
                let Health::Serving { recovery: Some(recovery), .. } = again.health() else {
                    panic!("{:?}", again.health());
                };
                assert_eq!(recovery.checkpoint, None);
                assert!(recovery.sweeps == 7 && recovery.events > 1_000, "{recovery:?}");
            }
        }
    }
}

#[test]
fn a_checkpoint_and_the_rest_of_the_journal_give_every_byte_again() {
    for (seed, after) in [(1, 0), (2, 1), (1, 2), (2, 3)] {
        let (state, storage) = state_and_store(seed, Some(after));
        for path in SimdPath::available() {
            for threads in [1, 2, 8] {
                let mut again = open(builder(&clock()).threads(threads).simd_path(path), &copy(&storage));
                assert_eq!(
                    state_of(&mut again),
                    state,
                    "checkpoint after {after}, {threads} threads, {path}"
                );
                let Health::Serving { recovery: Some(recovery), .. } = again.health() else {
                    panic!("{:?}", again.health());
                };
                assert!(recovery.checkpoint.is_some());
            }
        }
    }
}

#[test]
fn an_engine_goes_on_as_if_it_had_never_been_closed() {
    let (clock_a, clock_b) = (clock(), clock());
    let (storage_a, storage_b) = (MemoryStorage::new(), MemoryStorage::new());
    let mut never_closed = open(builder(&clock_a), &storage_a);
    for round in 0..3 {
        live(&mut never_closed, &clock_a, 5, round..round + 1);
        let mut reopened = open(builder(&clock_b), &storage_b);
        live(&mut reopened, &clock_b, 5, round..round + 1);
        assert_eq!(state_of(&mut reopened), state_of(&mut never_closed), "round {round}");
        if round == 1 {
            never_closed.checkpoint().expect("in memory");
            reopened.checkpoint().expect("in memory");
        }
    }
}

#[test]
fn settings_that_change_at_every_opening_are_replayed_as_they_were() {
    let changed = |clock: &ManualClock, round: u64| {
        let step = [0, 1, 2][usize::try_from(round).expect("small")];
        let als = AlsParams::builder().n_factors(8).regularization([0.01, 0.05, 0.002][step]);
        let limits = Limits {
            max_history: [40, 12, 25][step],
            recent_events: [8, 3, 16][step],
            dedupe_window: [5, 50, 2][step],
            ..Limits::default()
        };
        let builder = builder(clock).als(als.build().expect("in range")).limits(limits);
        weighing_by_lot(builder.saturation([Saturation::Log, Saturation::None, Saturation::Log][step]))
    };
    for checkpoint_in in [None, Some(0), Some(1), Some(2)] {
        let (clock, storage) = (clock(), MemoryStorage::new());
        for round in 0..3 {
            let mut engine = open(changed(&clock, round), &storage);
            live(&mut engine, &clock, 4, round..round + 1);
            if checkpoint_in == Some(round) {
                engine.checkpoint().expect("in memory");
            }
            engine.import(events(round, 50, 90, 90));
            engine.pump();
            let digest = engine.digest();
            engine.flush().expect("in memory");
            let mut again = open(changed(&clock, round), &copy(&storage));
            assert_eq!(again.digest(), digest, "round {round}, checkpoint in {checkpoint_in:?}");
        }
    }
}
