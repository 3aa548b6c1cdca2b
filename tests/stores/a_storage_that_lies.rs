//! A storage that panics or talks nonsense while it is read is refused with a reason, and harms nothing; one that a backup is
//! written into is named, too.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{PATIENCE, small};
use segue::plugin::Incident;
use segue::{
    AppendFile, BuildError, CheckpointEvery, Degradation, Durability, Engine, EngineBuilder, Event, Health,
    MemoryStorage, Outcome, ReadFile, Storage, StorageLock, StoreError, Timestamp,
};

/// What is wrong with reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    LenPanics,
    LenTooLarge,
    LenTooSmall,
    ReadPanics,
    ReadClaimsMore,
    AppendPanics,
    AppendSleeps,
    ErrorPanics,
    DropPanics,
}

/// A storage in memory with a flaw.
#[derive(Debug)]
struct Flawed(Flaw, MemoryStorage);

impl Storage for Flawed {
    fn list(&self) -> io::Result<Vec<String>> {
        self.1.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        Ok(Box::new(FlawedFile(self.0, self.1.open(name)?, Tripwire(self.0))))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        Ok(Arc::new(FlawedEnd(self.0, self.1.create(name)?, Tripwire(self.0))))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.1.truncate(name, len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.1.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.1.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.1.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        Ok(Box::new(FlawedLock(Tripwire(self.0), self.1.lock()?)))
    }
}

/// Panics when it is dropped, if that is the flaw.
#[derive(Debug)]
struct Tripwire(Flaw);

impl Drop for Tripwire {
    fn drop(&mut self) {
        assert!(self.0 != Flaw::DropPanics, "out of tune");
    }
}

#[derive(Debug)]
struct FlawedLock(
    #[expect(dead_code, reason = "dropped")] Tripwire,
    #[expect(dead_code, reason = "held")] Box<dyn StorageLock>,
);

impl StorageLock for FlawedLock {}

/// An error that cannot be told.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("out of tune")
    }
}

impl std::error::Error for Unspeakable {}

impl Drop for Unspeakable {
    fn drop(&mut self) {
        panic!("out of tune");
    }
}

#[derive(Debug)]
struct FlawedFile(Flaw, Box<dyn ReadFile>, #[expect(dead_code, reason = "dropped")] Tripwire);

impl Read for FlawedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.0 != Flaw::ReadPanics, "out of tune");
        let n_bytes = self.1.read(buffer)?;
        Ok(if self.0 == Flaw::ReadClaimsMore { buffer.len() + 1 } else { n_bytes })
    }
}

impl ReadFile for FlawedFile {
    fn len(&self) -> u64 {
        assert!(self.0 != Flaw::LenPanics, "out of tune");
        let len = self.1.len();
        if self.0 == Flaw::LenTooLarge { len + 1_000 } else { len - u64::from(self.0 == Flaw::LenTooSmall) }
    }
}

#[derive(Debug)]
struct FlawedEnd(Flaw, Arc<dyn AppendFile>, #[expect(dead_code, reason = "dropped")] Tripwire);

impl AppendFile for FlawedEnd {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        assert!(self.0 != Flaw::AppendPanics, "out of tune");
        if self.0 == Flaw::AppendSleeps {
            std::thread::sleep(Duration::from_millis(200));
        }
        if self.0 == Flaw::ErrorPanics {
            return Err(io::Error::other(Unspeakable));
        }
        self.1.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.1.sync()
    }
}

fn stored(flaw: Flaw, storage: &MemoryStorage) -> EngineBuilder {
    let every = CheckpointEvery::call();
    small().checkpoint_every(every).store_in(Flawed(flaw, storage.clone()), Durability::Immediate)
}

/// A store with a checkpoint and events after it.
fn store() -> MemoryStorage {
    let storage = MemoryStorage::new();
    let mut engine = stored(Flaw::None, &storage).open_manual().expect("a sound storage");
    for item in 0..5_u64 {
        engine.apply(Event::listen("ana", item)).expect("well formed");
        if item == 2 {
            engine.checkpoint().expect("a sound storage");
        }
    }
    drop(engine);
    storage
}

/// What is wrong with the storage, by an engine's refusal to open it.
fn cause(error: &BuildError) -> String {
    let BuildError::Store(error) = error else { panic!("{error:?}") };
    if let StoreError::Io { source, .. } = error { source.to_string() } else { error.to_string() }
}

#[test]
fn what_panics_or_lies_while_it_is_read_is_refused_with_a_reason_and_harms_nothing() {
    let storage = store();
    for (flaw, said) in [
        (Flaw::LenPanics, "the storage panicked: out of tune"),
        (Flaw::LenTooLarge, "the storage answered the end of a file after"),
        // Nobody reads a checkpoint beyond what it says is there, so it seems cut short.
        (Flaw::LenTooSmall, "is damaged at byte"),
        (Flaw::ReadPanics, "the storage panicked: out of tune"),
        (Flaw::ReadClaimsMore, "bytes where there was room for"),
    ] {
        let refused = stored(flaw, &storage).open().expect_err("it cannot be trusted");
        assert!(cause(&refused).contains(said), "{flaw:?}: {refused:?}");
        let refused = stored(flaw, &storage).replay_until(Timestamp::from_unix_ms(i64::MAX));
        assert!(refused.is_err(), "{flaw:?}");
    }
    let engine = stored(Flaw::None, &storage).open().expect("nothing has happened to it");
    assert_eq!(engine.reader().view().user("ana").history().len(), 5);
}

/// The engine learns and answers.
fn check_goes_on(engine: &Engine, item: u64) {
    let receipt = engine.sender().send_tracked(Event::listen("ana", item)).expect("running");
    assert!(matches!(receipt.wait(PATIENCE), Some(Outcome::Applied(_))));
    let view = engine.reader().view();
    assert!(view.user("ana").history().iter().any(|entry| entry.item == item.into()));
    view.user("ana").recommend().run().expect("always an answer");
}

#[test]
fn a_storage_that_panics_or_sleeps_in_a_backup_is_named_and_the_engine_goes_on() {
    for flaw in [Flaw::AppendPanics, Flaw::AppendSleeps] {
        let engine = small().open().expect("usable settings");
        check_goes_on(&engine, 1);
        let backup = engine.backup_in(Flawed(flaw, MemoryStorage::new())).expect("running").wait();
        assert_eq!(backup.is_err(), flaw == Flaw::AppendPanics, "{backup:?}");
        let health = engine.health();
        let Health::Degraded { why: Degradation::Plugin { seam: "storage", incident, .. } } = health else {
            panic!("{health:?}")
        };
        if let Incident::Slow { took, .. } = incident {
            assert!(took >= Duration::from_millis(200));
        } else {
            assert_eq!(incident, Incident::Panicked { message: "out of tune".to_owned() });
        }
        check_goes_on(&engine, 2);
    }
}

#[test]
fn what_panics_when_it_is_dropped_is_named_and_loses_nothing() {
    let storage = MemoryStorage::new();
    let engine = stored(Flaw::DropPanics, &storage).open().expect("all else is sound");
    for item in 0..5 {
        check_goes_on(&engine, item);
    }
    engine.checkpoint().expect("running").wait().expect("what was written is written");
    let plugins = engine.stats().plugins;
    assert!(plugins.iter().any(|one| one.seam == "storage" && one.panics > 0), "{plugins:?}");
    assert!(matches!(
        engine.health(),
        Health::Degraded {
            why: Degradation::Plugin { seam: "storage", incident: Incident::Panicked { .. }, .. }
        }
    ));
    let report = engine.shutdown(PATIENCE).expect("the writer is alive");
    assert_eq!(report.durable, Some(report.applied));
    let engine = stored(Flaw::None, &storage).open().expect("nothing is missing");
    assert_eq!(engine.reader().view().user("ana").history().len(), 5);
}

#[test]
fn an_error_that_panics_when_it_is_told_is_a_failure_like_any_other() {
    let storage = store();
    let engine = small().open().expect("usable settings");
    let backup = engine.backup_in(Flawed(Flaw::ErrorPanics, MemoryStorage::new())).expect("running").wait();
    assert!(format!("{backup:?}").contains("the storage panicked: out of tune"), "{backup:?}");
    check_goes_on(&engine, 1);

    // Where events are written it makes the engine read-only, not dead.
    let opened = stored(Flaw::ErrorPanics, &storage).open();
    let refused = opened.expect_err("opening begins a segment");
    assert!(cause(&refused).contains("the storage panicked: out of tune"), "{refused:?}");
}
