//! How far a source was read is kept with the events before it, and never without them.

use crate::common::{PATIENCE, small};
use segue::{Durability, EngineError, Event, MAX_ID_BYTES, MemoryStorage, Outcome, Storage};

/// A copy of all files, as a crash of the process would leave them.
fn crash(storage: &MemoryStorage) -> MemoryStorage {
    let copy = MemoryStorage::new();
    for name in storage.list().expect("in memory") {
        copy.insert(name.clone(), storage.contents(&name).expect("listed"));
    }
    copy
}

#[test]
fn it_survives_a_crash_with_the_events_before_it() {
    let storage = MemoryStorage::new();
    let builder = small().store_in(storage.clone(), Durability::Immediate);
    let engine = builder.open().expect("a new store");
    assert_eq!(engine.source_offset("plays"), None);
    let sender = engine.sender();
    for offset in 1..=20 {
        sender.send(Event::listen("ana", offset)).expect("running");
        let receipt = sender.commit_offset("plays", offset).expect("running");
        receipt.wait_durable(PATIENCE).expect("the store is healthy");
        assert_eq!(engine.source_offset("plays"), Some(offset));
        let after = small().store_in(crash(&storage), Durability::Immediate).open_manual().expect("whole");
        assert_eq!(after.source_offset("plays"), Some(offset));
        assert_eq!(after.reader().view().user("ana").history().len() as u64, offset);
    }
    engine.checkpoint().expect("running").wait().expect("the store is healthy");
    drop(engine);
    let mut engine = small().store_in(storage, Durability::Immediate).open_manual().expect("whole");
    assert_eq!(engine.source_offset("plays"), Some(20));
    // The last one counts, be it the greater or not.
    assert!(matches!(engine.commit_offset("plays", 3), Ok(Outcome::Applied(_))));
    assert_eq!((engine.source_offset("plays"), engine.source_offset("likes")), (Some(3), None));
}

#[test]
fn a_name_that_cannot_be_kept_is_refused() {
    let mut engine = small().open_manual().expect("usable settings");
    for (name, got) in [(String::new(), 0), ("x".repeat(MAX_ID_BYTES + 1), MAX_ID_BYTES + 1)] {
        assert_eq!(engine.commit_offset(name, 1), Err(EngineError::SourceName { got }));
    }
    assert!(engine.commit_offset("x".repeat(MAX_ID_BYTES), 1).is_ok());
}
