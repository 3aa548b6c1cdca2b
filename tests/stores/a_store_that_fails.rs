//! A store that fails, or is not what it should be: the cause is told, answers go on, nothing is touched that is
//! not understood, and nothing is made up.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::naive::{Naive, Step, music};
use crate::common::power::{Fault, FaultyStorage, Plan};
use crate::common::temp::TempDir;
use crate::common::{PATIENCE, now, random_events, small};
use segue::{
    AlsParams, AppendFile, BuildError, CheckpointError, CheckpointEvery, Degradation, DirStorage, Durability,
    Engine, EngineBuilder, EngineError, Event, Health, ManualEngine, Outcome, ReadFile, Receipt, Refusal,
    SendError, Storage, StorageLock, StoreError,
};

fn builder() -> EngineBuilder {
    small().checkpoint_every(CheckpointEvery::call())
}

fn send(engine: &Engine, user: &str) -> Outcome {
    let receipt = engine.sender().send_tracked(Event::listen(user, 1)).expect("it runs");
    receipt.wait(PATIENCE).expect("it is decided")
}

/// Whether the store failed before or under an event.
fn is_lost(receipt: &Receipt) -> bool {
    let outcome = receipt.wait(PATIENCE).expect("it is decided");
    matches!(outcome, Outcome::StoreFailed | Outcome::Rejected(Refusal::ReadOnly))
}

fn knows(engine: &Engine, user: &str) -> bool {
    engine.reader().view().user(user).is_known()
}

/// All files with their bytes.
fn files(storage: &FaultyStorage) -> Vec<(String, Vec<u8>)> {
    let names = storage.list().expect("it is on");
    names.into_iter().map(|name| (name.clone(), storage.contents(&name).expect("listed"))).collect()
}

/// A storage with these files and nothing else.
fn storage_with(files: &[(String, Vec<u8>)]) -> FaultyStorage {
    let storage = FaultyStorage::new(1);
    for (name, bytes) in files {
        storage.insert(name, bytes.clone());
    }
    storage
}

#[test]
fn after_a_failure_nothing_is_learned_and_answers_go_on() {
    for fault in [Fault::ShortWrite, Fault::Io, Fault::NoSpace, Fault::SyncFails] {
        let storage = FaultyStorage::new(1);
        let open = || builder().store_in(storage.clone(), Durability::Immediate).open();
        let engine = open().expect("a healthy storage");
        let Outcome::Applied(last) = send(&engine, "ana") else { panic!("a healthy storage") };
        // The batch of items that follows an event is over when this returns; the clock stands still.
        engine.flush().expect("a healthy storage");
        storage.set_plan(Plan::once(storage.operations() + 1, fault));

        // An idle writer marks what has become durable, and may be the one who notices.
        match engine.sender().send_tracked(Event::listen("ben", 1)) {
            Ok(receipt) => assert!(is_lost(&receipt), "{fault:?}: {:?}", receipt.outcome()),
            Err(refused) => assert_eq!(refused, SendError::ReadOnly(Event::listen("ben", 1)), "{fault:?}"),
        }
        let refused = engine.sender().send_tracked(Event::listen("cleo", 1)).expect_err("read-only");
        assert_eq!(refused, SendError::ReadOnly(Event::listen("cleo", 1)));
        let Health::ReadOnly { why } = engine.health() else { panic!("{fault:?}: {:?}", engine.health()) };
        let is_sync = fault == Fault::SyncFails;
        assert_eq!(why.operation, if is_sync { "sync" } else { "write" });
        assert_eq!(why.kind == io::ErrorKind::StorageFull, fault == Fault::NoSpace, "{why}");
        assert!(why.file.starts_with("journal-") && !why.message.is_empty(), "{why}");

        assert!(knows(&engine, "ana") && !knows(&engine, "ben") && !knows(&engine, "cleo"));
        let view = engine.reader().view();
        assert_eq!(view.user("ben").recommend().run().expect("always an answer").len(), 1);
        assert!(matches!(engine.flush(), Err(EngineError::ReadOnly(cause)) if cause == why));
        let checkpoint = engine.checkpoint().expect("it runs").wait();
        assert!(matches!(checkpoint, Err(CheckpointError::Journal(cause)) if cause == why));
        let erasure = engine.forget_user("ana").expect("it runs");
        assert_eq!(erasure.receipt().wait(PATIENCE), Some(Outcome::Rejected(Refusal::ReadOnly)));
        assert_eq!(engine.add_items([7]), Err(EngineError::Refused(Refusal::ReadOnly)));
        assert!(matches!(engine.health(), Health::ReadOnly { .. }));
        assert_eq!(engine.shutdown(PATIENCE).expect("the writer is well").applied, last, "{fault:?}");

        storage.free_space();
        let engine = open().expect("the cause is mended");
        assert!(knows(&engine, "ana") && !knows(&engine, "cleo"), "{fault:?}");
        assert!(matches!(send(&engine, "dora"), Outcome::Applied(_)));
        assert!(matches!(engine.health(), Health::Warming { recovery: Some(_), .. }));
    }
}

/// A disk on which there is no room for checkpoints.
#[derive(Debug, Clone)]
struct NoRoomForCheckpoints {
    disk: FaultyStorage,
    is_full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Full;

impl AppendFile for Full {
    fn append(&self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for NoRoomForCheckpoints {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        self.disk.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let file = self.disk.create(name)?;
        let is_full = self.is_full.load(Ordering::SeqCst) && name.starts_with("checkpoint-");
        if is_full { Ok(Arc::new(Full)) } else { Ok(file) }
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.disk.truncate(name, len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.disk.lock()
    }
}

#[test]
fn a_checkpoint_that_fails_leaves_the_engine_serving() {
    let is_full = Arc::new(AtomicBool::new(true));
    let storage = NoRoomForCheckpoints { disk: FaultyStorage::new(1), is_full: Arc::clone(&is_full) };
    let open = || builder().store_in(storage.clone(), Durability::Immediate).open();
    let engine = open().expect("a healthy storage");
    assert!(matches!(send(&engine, "ana"), Outcome::Applied(_)));
    for _ in 0..2 {
        let failed = engine.checkpoint().expect("it runs").wait();
        let Err(CheckpointError::Io { operation: "write", file, source }) = failed else {
            panic!("{failed:?}");
        };
        assert!(file.starts_with("checkpoint-") && source.kind() == io::ErrorKind::StorageFull);
    }
    let health = engine.health();
    assert!(matches!(&health, Health::Degraded { why: Degradation::CheckpointFailed { .. } }), "{health:?}");
    assert!(matches!(send(&engine, "ben"), Outcome::Applied(_)));
    engine.flush().expect("there is room for the journal");

    is_full.store(false, Ordering::SeqCst);
    engine.checkpoint().expect("it runs").wait().expect("there is room again");
    assert!(matches!(engine.health(), Health::Warming { .. }));
    drop(engine);
    let engine = open().expect("a healthy storage");
    assert!(knows(&engine, "ana") && knows(&engine, "ben"));
}

#[test]
fn a_backup_that_fails_says_why_and_says_nothing_of_the_engine() {
    let temp = TempDir::new();
    let engine = builder().store(temp.path(), Durability::Buffered).open().expect("an empty directory");
    assert!(matches!(send(&engine, "ana"), Outcome::Applied(_)));
    let error = engine.backup(temp.path()).expect("it runs").wait().expect_err("its own store");
    assert!(error.to_string().contains("open elsewhere"), "{error}");
    assert!(matches!(engine.health(), Health::Warming { .. }), "{:?}", engine.health());
    assert_eq!(engine.stats().checkpoints, 0);
    // What is wrong with the store itself is named with its cause.
    let is_full = Arc::new(AtomicBool::new(true));
    let storage = NoRoomForCheckpoints { disk: FaultyStorage::new(1), is_full };
    let full = builder().store_in(storage, Durability::Buffered).open().expect("a healthy storage");
    full.checkpoint().expect("it runs").wait().expect_err("there is no room");
    let Health::Degraded { why: Degradation::CheckpointFailed { message } } = full.health() else {
        panic!("{:?}", full.health());
    };
    assert!(message.contains("write of checkpoint-") && message.contains("no storage space"), "{message}");
}

#[test]
fn a_store_belongs_to_one_engine() {
    fn check(open: impl Fn() -> Result<ManualEngine, BuildError>) {
        let engine = open().expect("nobody has it");
        assert!(matches!(open(), Err(BuildError::Store(StoreError::InUse))));
        drop(engine);
        open().expect("nobody has it any more");
    }
    let temp = TempDir::new();
    check(|| builder().store(temp.path(), Durability::Buffered).open_manual());
    let storage = FaultyStorage::new(1);
    check(|| builder().store_in(storage.clone(), Durability::Buffered).open_manual());
}

/// A small store with a checkpoint and a journal after it, and the steps that it is of. `Closing` says whether its
/// engine came to a good end.
fn small_store(closing: Closing) -> (FaultyStorage, Vec<Step>) {
    let storage = FaultyStorage::new(1);
    let mut engine = open_tiny(&storage).expect("a healthy storage");
    let events = random_events(3, 12, 2, 2);
    let mut steps = Vec::new();
    for (at, event) in events.into_iter().enumerate() {
        if let Outcome::Applied(_) = engine.apply(event.clone()).expect("well formed") {
            steps.push(Step::from(event));
        }
        engine.pump();
        if at == 6 {
            engine.checkpoint().expect("a healthy storage");
        }
    }
    let storage = match closing {
        Closing::Whole => storage,
        Closing::Killed => storage.kill(),
    };
    drop(engine);
    (storage, steps)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    Whole,
    Killed,
}

fn tiny() -> EngineBuilder {
    let als = AlsParams::builder().n_factors(1).build().expect("usable settings");
    builder().als(als)
}

fn open_tiny(storage: &FaultyStorage) -> Result<ManualEngine, BuildError> {
    tiny().store_in(storage.clone(), Durability::Buffered).open_manual()
}

/// Opens a store with one file changed: what is found is a front part of the steps, or it is refused and left as
/// it is. Gives the number of steps found.
fn open_changed(files: &[(String, Vec<u8>)], at: usize, bytes: Vec<u8>, steps: &[Step]) -> Option<usize> {
    let mut changed = files.to_vec();
    changed[at].1 = bytes;
    let storage = storage_with(&changed);
    match open_tiny(&storage) {
        Ok(engine) => {
            let found = usize::try_from(engine.reader().applied().get()).expect("few");
            let naive = Naive::new(now(), music);
            naive.matches_prefix(&engine.reader().view(), steps, found).unwrap_or_else(|why| panic!("{why}"));
            Some(found)
        }
        Err(BuildError::Store(_)) => {
            assert_eq!(storage.operations(), 0, "it is left as it is: {storage:?}");
            assert_eq!(self::files(&storage), changed);
            None
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_store_cut_short_at_any_byte_is_a_front_part_or_refused() {
    for closing in [Closing::Whole, Closing::Killed] {
        let (storage, steps) = small_store(closing);
        let files = files(&storage);
        let (mut n_opened, mut n_refused) = (0, 0);
        for (at, (name, bytes)) in files.iter().enumerate() {
            for len in 0..bytes.len() {
                let found = catch_unwind(AssertUnwindSafe(|| {
                    open_changed(&files, at, bytes[..len].to_vec(), &steps)
                }))
                .unwrap_or_else(|_| panic!("{closing:?}, {name} cut to {len} of {}", bytes.len()));
                if let Some(found) = found {
                    n_opened += 1;
                    assert!(found >= 7 || !name.contains("checkpoint"), "the journal has it all");
                } else {
                    n_refused += 1;
                }
            }
        }
        println!("{closing:?}: {n_opened} opened, {n_refused} refused");
        assert!(n_opened > 100, "{n_opened} opened, {n_refused} refused");
    }
}

#[test]
fn a_store_with_any_byte_changed_is_a_front_part_or_refused() {
    for closing in [Closing::Whole, Closing::Killed] {
        let (storage, steps) = small_store(closing);
        let files = files(&storage);
        let (mut n_opened, mut n_refused) = (0, 0);
        for (at, (name, bytes)) in files.iter().enumerate() {
            for byte in 0..bytes.len() {
                for changed in [!bytes[byte], bytes[byte] ^ 1, 0] {
                    if changed == bytes[byte] {
                        continue;
                    }
                    let mut bytes = bytes.clone();
                    bytes[byte] = changed;
                    let found = catch_unwind(AssertUnwindSafe(|| open_changed(&files, at, bytes, &steps)));
                    match found.unwrap_or_else(|_| panic!("{closing:?}, {name}, byte {byte} to {changed}")) {
                        Some(_) => n_opened += 1,
                        None => n_refused += 1,
                    }
                }
            }
        }
        println!("{closing:?}: {n_opened} opened, {n_refused} refused");
        assert!(n_opened > 100 && n_refused > 10, "{n_opened} opened, {n_refused} refused");
    }
}

#[test]
fn another_half_life_is_refused_and_nothing_is_touched() {
    let (storage, steps) = small_store(Closing::Killed);
    let before = files(&storage);
    // With the checkpoint, and with the journal alone.
    let journal: Vec<_> = before.iter().filter(|(name, _)| name.starts_with("journal-")).cloned().collect();
    for files in [before, journal] {
        let storage = storage_with(&files);
        let other = tiny().half_life(Duration::from_secs(60));
        let opened = other.store_in(storage.clone(), Durability::Buffered).open_manual();
        let refused = opened.map(drop).expect_err("another setting");
        assert!(matches!(
            refused,
            BuildError::Store(StoreError::HalfLife { stored: None, asked: Some(asked) })
                if asked.to_bits() == 60_000.0_f64.to_bits()
        ));
        assert_eq!((storage.operations(), self::files(&storage)), (0, files));
        let engine = open_tiny(&storage).expect("with its own settings");
        Naive::new(now(), music)
            .matches_prefix(&engine.reader().view(), &steps, steps.len())
            .expect("all is there");
    }
}

/// The version stands after eight bytes of magic.
const VERSION: usize = 8;

/// What becomes of a store of `files` with one byte changed. Nothing is touched if it is refused.
fn open_with(files: &[(String, Vec<u8>)], at: usize, change: impl Fn(&mut [u8])) -> Result<(), BuildError> {
    let mut changed = files.to_vec();
    change(&mut changed[at].1);
    let storage = storage_with(&changed);
    open_tiny(&storage).map(drop).inspect_err(|_| {
        assert_eq!((storage.operations(), self::files(&storage)), (0, changed));
    })
}

/// Journal and checkpoint begin alike, with eight bytes of magic and four of version. Their header has another length, and
/// its checksum last.
fn of_version_99(file: &mut [u8]) {
    let n_checked = if file.starts_with(b"SEGUEJNL") { 44 } else { 20 };
    file[VERSION] = 99;
    let sum = crc32c::crc32c(&file[..n_checked]).to_le_bytes();
    file[n_checked..n_checked + 4].copy_from_slice(&sum);
}

fn by_another_program(file: &mut [u8]) {
    file[..12].copy_from_slice(b"#!/bin/sh\nls");
}

#[test]
fn what_a_later_version_wrote_is_refused_and_nothing_is_touched() {
    let (storage, _) = small_store(Closing::Whole);
    let files = files(&storage);
    // The first segment is of before the checkpoint, so nobody reads it.
    for at in (0..files.len()).filter(|&at| files[at].0 != "journal-00000000000000000001.segment") {
        let newer = open_with(&files, at, of_version_99).expect_err("not its own");
        assert!(
            matches!(&newer, BuildError::Store(StoreError::Newer { file, found: 99, .. }) if *file == files[at].0),
            "{newer:?}"
        );
    }
}

#[test]
fn what_another_program_wrote_is_refused_and_nothing_is_touched() {
    let (storage, _) = small_store(Closing::Whole);
    let all = files(&storage);
    for name in ["journal-00000000000000000001.segment", &all[0].0] {
        let alone: Vec<_> = all.iter().filter(|(file, _)| file == name).cloned().collect();
        let foreign = open_with(&alone, 0, by_another_program).expect_err("not its own");
        assert!(
            matches!(&foreign, BuildError::Store(StoreError::Foreign { file }) if file == name),
            "{foreign:?}"
        );
    }
    assert!(all[0].0.starts_with("checkpoint-"), "a checkpoint was among them");
    let foreign =
        open_with(&all, all.len() - 1, by_another_program).expect_err("the checkpoint goes on with it");
    assert!(matches!(&foreign, BuildError::Store(StoreError::Foreign { .. })), "{foreign:?}");
    // Where the journal reaches back to the beginning it stands in for a checkpoint.
    open_with(&all, 0, by_another_program).expect("nothing is lost");
}

#[test]
fn a_directory_that_vanishes_is_noticed_and_not_begun_anew() {
    let temp = TempDir::new();
    let directory = temp.path().join("store");
    // A segment for every batch, as the system goes on writing to a file that nobody can find any more.
    let builder = builder().store(&directory, Durability::Immediate).journal_segment_bytes(1);
    let engine = builder.open().expect("it can be made");
    assert!(matches!(send(&engine, "ana"), Outcome::Applied(_)));
    engine.flush().expect("it is there");
    // In one step: an idle writer may be writing a mark.
    fs::rename(&directory, temp.path().join("elsewhere")).expect("it is there");

    let ben = engine.sender().send_tracked(Event::listen("ben", 1));
    assert!(ben.is_err() || ben.is_ok_and(|receipt| is_lost(&receipt)));
    assert!(matches!(engine.health(), Health::ReadOnly { .. }));
    assert!(knows(&engine, "ana") && !knows(&engine, "ben"));
    drop(engine);
    assert!(!directory.exists(), "nothing is begun in its place");
    assert_eq!(DirStorage::new(&directory).list().expect("nothing is there"), Vec::<String>::new());
}
