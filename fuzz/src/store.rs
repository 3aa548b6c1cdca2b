//! All that can be done with a store of any bytes.

use segue::{Event, MemoryStorage};

/// Opens the store. What opens must go on, and open again.
pub fn open_everything(file: &str, bytes: &[u8]) {
    let storage = MemoryStorage::new();
    storage.insert(file, bytes);
    let Ok(mut engine) = crate::open(&storage) else {
        assert_eq!(storage.contents(file).as_deref(), Some(bytes), "what is refused is left as it was");
        return;
    };
    engine.apply(Event::listen("ana", "portishead")).expect("it is well formed");
    engine.pump();
    let digest = engine.digest();
    drop(engine);
    let mut engine = crate::open(&storage).expect("what was opened once opens again");
    assert_eq!(engine.digest(), digest, "and is the same");
}
