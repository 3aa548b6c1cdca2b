//! Users are written where they lie or in a copy, alone or many at once, and nobody can tell.

use std::sync::Arc;
use std::time::Duration;

use super::{builder, clock, events, feed, n_users, open};
use crate::engine::ManualEngine;
use crate::journal::Durability;
use crate::model::UserState;
use crate::storage::MemoryStorage;
use crate::training::{Job, TrainingError};
use crate::types::{Event, UserIdx};

/// What somebody who asks holds of every user.
fn held(engine: &ManualEngine) -> Vec<Arc<UserState>> {
    (0..n_users(engine)).filter_map(|row| engine.writer.shared.user(UserIdx::new(row))).collect()
}

/// What is reckoned of memory is that of the states.
fn assert_bytes(engine: &ManualEngine) {
    let states = held(engine);
    let sum = |of: fn(&UserState) -> usize| states.iter().map(|state| of(state) as u64).sum::<u64>();
    let writer = &engine.writer;
    let reckoned = (writer.n_state_bytes, writer.n_vector_bytes);
    assert_eq!(reckoned, (sum(UserState::n_bytes), sum(UserState::n_vector_bytes)));
}

#[test]
fn whoever_holds_a_user_changes_no_byte() {
    let live = |holds: bool| {
        let clock = clock();
        let mut engine = open(builder(&clock));
        let mut digests = Vec::new();
        for seed in 0..8 {
            let held = if holds { held(&engine) } else { Vec::new() };
            for part in events(seed, 600, 90, 60).chunks(150) {
                feed(&mut engine, part);
                clock.advance(Duration::from_millis(200));
            }
            if seed % 3 == 0 {
                engine.sweep().expect("there is enough to learn from");
            }
            digests.push(engine.digest());
            assert_bytes(&engine);
            drop(held);
        }
        (digests, engine.stats().n_bytes)
    };
    assert_eq!(live(true), live(false));
}

/// A store whose engine does `during` while a checkpoint, or a sweep that comes to nothing, is under way.
fn reopened_after(during: impl Fn(&mut ManualEngine)) {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let stored = || open(builder(&clock).store_in(storage.clone(), Durability::Buffered));
    let mut engine = stored();
    feed(&mut engine, &events(1, 1_500, 90, 60));
    engine.sweep().expect("there is enough to learn from");
    feed(&mut engine, &events(2, 600, 90, 60));
    clock.advance(Duration::from_millis(200));
    engine.pump();
    during(&mut engine);
    clock.advance(Duration::from_millis(200));
    feed(&mut engine, &events(4, 300, 90, 60));
    let digest = engine.digest();
    assert_bytes(&engine);
    drop(engine);
    assert_eq!(stored().digest(), digest);
}

#[test]
fn what_happens_during_a_checkpoint_is_replayed() {
    reopened_after(|engine| {
        let job = engine.writer.begin_checkpoint(None).expect("nothing is under way");
        feed(engine, &events(3, 900, 100, 60));
        let result = job.run();
        assert!(result.is_ok());
        engine.writer.end_checkpoint(&result);
    });
}

#[test]
fn what_happens_during_a_sweep_that_comes_to_nothing_is_replayed() {
    reopened_after(|engine| {
        let job: Job = engine.writer.begin_sweep();
        feed(engine, &events(3, 900, 100, 60));
        drop(job);
        let refused = engine.writer.end_sweep(Err(TrainingError::Panicked { message: "a lie".to_owned() }));
        assert!(refused.is_err());
    });
}

#[test]
fn how_many_events_are_written_at_once_changes_no_byte() {
    // More than are noted before they are written, by few users: most of them are written in a copy.
    let all: Vec<Event> = (0..10).flat_map(|seed| events(seed, 27_000, 12, 40)).collect();
    let digest_by = |n: usize| {
        let mut engine = open(builder(&clock()));
        all.chunks(n).for_each(|part| feed(&mut engine, part));
        assert_bytes(&engine);
        // How often it is pumped does count as item batches, which are of no generation yet.
        engine.digest().histories
    };
    let at_once = digest_by(all.len());
    assert_eq!(at_once, digest_by(1_000));
    assert_eq!(at_once, digest_by(7));
}
