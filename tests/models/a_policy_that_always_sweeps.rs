//! A policy that always wants a sweep begins none while there is nothing to learn from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{PATIENCE, small};
use segue::plugin::SweepDecision;
use segue::{Durability, Engine, Event, MemoryStorage, Notice, Storage, TrainingError};

/// Between any two of these the policy could have its way; the pool gets some time, too.
fn let_time_pass(engine: &Engine) {
    for _ in 0..200 {
        engine.flush().expect("in memory");
    }
}

fn n_bytes(storage: &MemoryStorage) -> u64 {
    let names = storage.list().expect("in memory");
    names.iter().map(|name| storage.open(name).expect("listed").len()).sum()
}

#[test]
fn over_nothing_there_is_no_sweep_and_the_journal_does_not_grow() {
    let storage = MemoryStorage::new();
    let in_vain = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&in_vain);
    let builder = small().sweep_policy_with(|_| SweepDecision::Sweep).observe_with(move |notice| {
        if matches!(notice, Notice::SweepFailed(TrainingError::NothingToLearn)) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let n_in_vain = || in_vain.load(Ordering::SeqCst);
    let engine = builder.store_in(storage.clone(), Durability::Immediate).open().expect("usable settings");
    engine.flush().expect("in memory");
    let before = n_bytes(&storage);
    let_time_pass(&engine);
    assert_eq!((engine.stats().sweeps, n_in_vain()), (0, 0));
    assert_eq!(n_bytes(&storage), before);

    engine.sender().send(Event::like("ana", 1)).expect("running");
    while engine.stats().sweeps == 0 {
        engine.flush().expect("in memory");
    }
    // A user, an item, and no pair: that is found out once.
    let receipt = engine.sender().send_tracked(Event::undo(Event::like("ana", 1))).expect("running");
    receipt.wait(PATIENCE).expect("learned");
    while n_in_vain() == 0 {
        engine.flush().expect("in memory");
    }
    engine.flush().expect("in memory");
    let before = n_bytes(&storage);
    let_time_pass(&engine);
    assert_eq!(n_in_vain(), 1);
    assert_eq!(n_bytes(&storage), before);
    assert_eq!(engine.reader().view().popular().run().expect("always an answer").len(), 1);
}
