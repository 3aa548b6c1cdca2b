//! A damaged store is refused with file and offset, and repaired at the price that the plan names.

use std::collections::BTreeMap;

use crate::common::small;
use segue::maintenance::{Repair, RepairError, inspect, verify};
use segue::{BuildError, Durability, Event, ManualEngine, MemoryStorage, Storage, StoreError};

fn open(storage: &MemoryStorage) -> Result<ManualEngine, BuildError> {
    small().store_in(storage.clone(), Durability::Buffered).open_manual()
}

fn files(storage: &MemoryStorage) -> BTreeMap<String, Vec<u8>> {
    let names = storage.list().expect("memory does not fail");
    names.into_iter().map(|name| (name.clone(), storage.contents(&name).expect("listed"))).collect()
}

/// Four listens of as many users; each is durable before the next.
fn store() -> MemoryStorage {
    let storage = MemoryStorage::new();
    let mut engine = open(&storage).expect("it is new");
    for user in 0..4_u64 {
        engine.apply(Event::listen(user, "portishead")).expect("well formed");
        engine.flush().expect("memory does not fail");
    }
    storage
}

/// Flips a bit of the file, at the place that `find` gives.
fn flip(storage: &MemoryStorage, name: &str, at: usize) {
    let mut bytes = storage.contents(name).expect("it is there");
    bytes[at] ^= 1;
    storage.insert(name, bytes);
}

#[test]
fn damage_in_the_middle_is_cut_off_and_nothing_before_it() {
    let storage = store();
    verify(storage.clone()).expect("it is whole");
    let name = "journal-00000000000000000001.segment";
    let at = storage.contents(name).expect("the first segment").len() / 2;
    flip(&storage, name, at);
    let before = files(&storage);

    let Err(BuildError::Store(StoreError::Damaged { file, offset, .. })) = open(&storage) else {
        panic!("it is damaged")
    };
    assert!(file == name && offset <= at as u64);
    let said = |error: Result<(), StoreError>| match error {
        Err(StoreError::Damaged { file, offset, .. }) => (file, offset),
        other => panic!("it is damaged, but {other:?}"),
    };
    let report = inspect(storage.clone()).expect("memory does not fail");
    assert_eq!(said(report.opening.map(drop)), (file.clone(), offset));
    assert_eq!(said(verify(storage.clone())), (file.clone(), offset));

    let repair = Repair::plan(storage.clone()).expect("something is left");
    let tail = repair.dropped_tail().expect("the journal is cut");
    assert_eq!((&tail.file, tail.offset), (&file, offset));
    assert!(tail.n_events > 0 && repair.to_string().contains(&format!("at byte {offset}")));
    assert_eq!(files(&storage), before, "nothing was touched so far");

    let lock = storage.lock().expect("it is free");
    let refused = Repair::plan(storage.clone()).expect("as before").apply();
    assert!(matches!(refused, Err(RepairError::Store(StoreError::InUse))));
    assert_eq!(files(&storage), before);
    drop(lock);
    repair.apply().expect("memory does not fail");

    let kept = usize::try_from(offset).expect("small");
    assert_eq!(files(&storage)[name], before[name][..kept], "a front part of it");
    let engine = open(&storage).expect("it is repaired");
    let view = engine.reader().view();
    let known: Vec<_> = (0..4_u64).map(|user| view.user(user).is_known()).collect();
    assert!(known.is_sorted_by(|a, b| a >= b) && known[0] && !known[3], "{known:?} is a front part");
    drop(engine);
    verify(storage).expect("it is whole again");
}

#[test]
fn a_damaged_checkpoint_is_dropped_if_the_journal_stands_in() {
    let storage = store();
    let mut engine = open(&storage).expect("it is whole");
    let file = engine.checkpoint().expect("memory does not fail").file;
    let digest = engine.digest();
    drop(engine);
    flip(&storage, &file, 100);
    assert!(matches!(verify(storage.clone()), Err(StoreError::Damaged { file: bad, .. }) if bad == file));
    let repair = Repair::plan(storage.clone()).expect("the journal is there");
    assert!(repair.is_needed() && repair.dropped_tail().is_none());
    assert_eq!(repair.dropped_checkpoints()[0].0, file);
    repair.apply().expect("memory does not fail");
    assert!(storage.contents(&file).is_none());
    assert_eq!(open(&storage).expect("it is whole").digest(), digest);
}

#[test]
fn a_repair_that_would_leave_nothing_is_refused() {
    let storage = store();
    flip(&storage, "journal-00000000000000000001.segment", 15);
    assert!(Repair::plan(storage).is_err());
}

#[test]
fn a_store_that_changed_since_the_plan_is_left_alone() {
    let storage = store();
    let name = "journal-00000000000000000001.segment";
    let at = storage.contents(name).expect("the first segment").len() / 2;
    flip(&storage, name, at);
    let repair = Repair::plan(storage.clone()).expect("something is left");
    flip(&storage, name, at);
    assert!(matches!(repair.apply(), Err(RepairError::Changed)));
    open(&storage).expect("it is whole");
}

#[test]
fn a_store_that_has_lost_the_backup_it_began_with_is_beyond_repair() {
    let mut engine = ManualEngine::builder().open_manual().expect("usable settings");
    engine.apply(Event::listen("ana", "portishead")).expect("well formed");
    let storage = MemoryStorage::new();
    let backup = engine.backup_in(storage.clone()).expect("an empty place").file;
    let open = || ManualEngine::builder().store_in(storage.clone(), Durability::Buffered).open_manual();
    let mut engine = open().expect("a whole store");
    engine.apply(Event::listen("ben", "tricky")).expect("well formed");
    engine.pump();
    drop(engine);
    let mut bytes = storage.contents(&backup).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    storage.insert(&*backup, bytes.clone());

    let refused = open().expect_err("ana would be gone").to_string();
    assert!(refused.contains("is damaged at byte"), "{refused}");
    let report = inspect(storage.clone()).expect("memory reads");
    assert_eq!(report.opening.expect_err("as opening").to_string(), refused);
    let beyond = Repair::plan(storage.clone()).expect_err("nothing stands in for it");
    assert!(matches!(&beyond, RepairError::NothingLeft(StoreError::Damaged { .. })), "{beyond:?}");
    assert_eq!(storage.contents(&backup), Some(bytes), "as it was");
}
