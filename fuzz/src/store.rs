//! All that can be done with a store of any bytes.

use segue::maintenance::{Repair, inspect, verify};
use segue::{Event, MemoryStorage, journaled_events};

/// Opens the store. What opens must go on, and open again.
pub fn open_everything(file: &str, bytes: &[u8]) {
    let storage = MemoryStorage::new();
    storage.insert(file, bytes);
    look_into(&storage);
    let Ok(mut engine) = crate::open(&storage) else {
        assert_eq!(storage.contents(file).as_deref(), Some(bytes), "what is refused is left as it was");
        return;
    };
    engine.apply(Event::listen("ana", "portishead")).expect("it is well formed");
    engine.apply(Event::listen("cleo", "a new one")).expect("it is well formed");
    engine.pump();
    engine.fold_items();
    // Whatever is known has some outcome, if only that the gate refuses it.
    let _ = engine.sweep();
    let _ = engine.merge_users("cleo", "ana");
    let digest = engine.digest();
    drop(engine);
    let mut engine = crate::open(&storage).expect("what was opened once opens again");
    assert_eq!(engine.digest(), digest, "and is the same");
    if engine.checkpoint().is_ok() {
        drop(engine);
        let mut engine = crate::open(&storage).expect("what was written is read");
        assert_eq!(engine.digest(), digest, "and says the same");
    }
}

/// Whatever is in a store can be looked at without a panic.
fn look_into(storage: &MemoryStorage) {
    if let Ok(report) = inspect(storage.clone()) {
        let _ = report.to_string();
    }
    let _ = verify(storage.clone());
    if let Ok(repair) = Repair::plan(storage.clone()) {
        let _ = repair.to_string();
    }
    if let Ok(events) = journaled_events(storage.clone()) {
        events.for_each(drop);
    }
}
