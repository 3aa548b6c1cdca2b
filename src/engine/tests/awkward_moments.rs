//! Stores that fail, or are found in an odd state, at awkward moments.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{builder, clock, events, feed, vectors_of_users};
use crate::engine::{BuildError, CheckpointEvery, EngineBuilder, EraseError, Health, ManualEngine};
use crate::journal::Durability;
use crate::model::Outcome;
use crate::storage::{AppendFile, MemoryStorage, ReadFile, Storage, StorageLock, StoreError};
use crate::training::TrainingError;
use crate::types::{Event, ManualClock, Timestamp};

fn copy(storage: &MemoryStorage) -> MemoryStorage {
    let copy = MemoryStorage::new();
    for name in storage.list().expect("it works") {
        copy.insert(name.clone(), storage.contents(&name).expect("it works"));
    }
    copy
}

fn open(builder: EngineBuilder, storage: &MemoryStorage) -> ManualEngine {
    builder.store_in(storage.clone(), Durability::Buffered).open_manual().expect("a whole store")
}

#[derive(Debug, Clone, Default)]
struct Faulty {
    disk: MemoryStorage,
    fail_journal: Arc<AtomicBool>,
    panic_checkpoint: Arc<AtomicBool>,
    fail_checkpoint: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn AppendFile>,
    name: String,
    all: Faulty,
}

impl AppendFile for FaultyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if self.name.starts_with("journal") && self.all.fail_journal.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.name.starts_with("checkpoint") {
            if self.all.fail_checkpoint.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.file.append(bytes)?;
            // The second half of a checkpoint: what is before it is on the disk.
            assert!(
                !(self.all.panic_checkpoint.load(Ordering::SeqCst)
                    && bytes.windows(6).any(|w| w == b"victim")),
                "a storage may panic"
            );
            return Ok(());
        }
        self.file.append(bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

impl Storage for Faulty {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        self.disk.open(name)
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let file = self.disk.create(name)?;
        Ok(Arc::new(FaultyFile { file, name: name.to_owned(), all: self.clone() }))
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

fn holds(storage: &MemoryStorage, text: &[u8]) -> Vec<String> {
    let names = storage.list().expect("it works");
    names
        .into_iter()
        .filter(|name| {
            storage.contents(name).expect("it works").windows(text.len()).any(|window| window == text)
        })
        .collect()
}

#[test]
fn a_damaged_backup_is_not_opened_without_it() {
    let clock = clock();
    let mut engine = builder(&clock).open_manual().expect("it works");
    engine.apply(Event::listen("ana", "portishead")).expect("it works");
    let backup = MemoryStorage::new();
    engine.backup_in(backup.clone()).expect("it works");
    let mut engine = open(builder(&clock), &backup);
    engine.apply(Event::listen("ben", "tricky")).expect("it works");
    engine.pump();
    drop(engine);
    let name = "checkpoint-00000000000000000001.checkpoint";
    let mut bytes = backup.contents(name).expect("the backup");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    backup.insert(name, bytes);
    let opened = builder(&clock).store_in(backup.clone(), Durability::Buffered).open_manual();
    assert!(matches!(opened, Err(BuildError::Store(StoreError::Damaged { .. }))), "opened without ana");
    backup.remove(name).expect("it is there");
    let opened = builder(&clock).store_in(backup, Durability::Buffered).open_manual();
    assert!(matches!(opened, Err(BuildError::Store(StoreError::Missing { .. }))), "opened without ana");
}

#[test]
fn a_sweep_that_begins_while_users_are_brought_in_is_replayed_exactly() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let mut engine = open(builder(&clock), &storage);
    let listen = |engine: &mut ManualEngine, seed: u64, n| {
        for event in events(seed, n, 900, 60) {
            engine.apply(event).expect("it works");
        }
        engine.pump();
    };
    listen(&mut engine, 1, 4_000);
    engine.sweep().expect("it works");
    let job = engine.writer.begin_sweep();
    for user in 0..800_u64 {
        engine.apply(Event::listen(user, user % 60)).expect("it works");
    }
    engine.pump();
    let pools = engine.writer.sweep_pools.clone();
    let candidate = job.run(pools.begin());
    engine.writer.end_sweep(candidate).expect("it works");
    // The next was called for meanwhile.
    assert!(engine.writer.refold_some(), "some are left");
    assert!(!engine.writer.may_sweep(), "they would count as changed, and in a replay they would not");
    while engine.writer.refold_some() {}
    let job = engine.writer.begin_sweep();
    let candidate = job.run(pools.begin());
    engine.writer.end_sweep(candidate).expect("it works");
    while engine.writer.refold_some() {}
    engine.fold_items();
    let (digest, vectors) = (engine.digest(), vectors_of_users(&engine));
    engine.flush().expect("it works");
    let mut again = open(builder(&clock), &copy(&storage));
    let (digest_again, vectors_again) = (again.digest(), vectors_of_users(&again));
    let differing = vectors.iter().zip(&vectors_again).filter(|(a, b)| a != b).count();
    assert_eq!(digest_again, digest, "{differing} vectors differ");
}

#[test]
fn a_duplicate_of_what_was_lost_is_no_duplicate() {
    let storage = Faulty::default();
    let clock = clock();
    let engine = builder(&clock).store_in(storage.clone(), Durability::Immediate).open().expect("it works");
    storage.fail_journal.store(true, Ordering::SeqCst);
    // Both in one batch: import is one.
    let twice = [Event::listen("ana", "x").key("k"), Event::listen("ana", "x").key("k")];
    let report = engine.import(twice).expect("it works");
    drop(engine);
    storage.fail_journal.store(false, Ordering::SeqCst);
    let engine =
        builder(&clock).store_in(storage.clone(), Durability::Immediate).open_manual().expect("it works");
    assert!(!engine.reader().view().user("ana").is_known(), "it is lost");
    assert_eq!(report.duplicates, 0, "nor is there anything that it could be a duplicate of");
}

#[test]
fn items_that_were_not_journalled_are_not_acknowledged() {
    let storage = Faulty::default();
    let clock = clock();
    let engine = builder(&clock).store_in(storage.clone(), Durability::Immediate).open().expect("it works");
    storage.fail_journal.store(true, Ordering::SeqCst);
    let added = engine.add_items(["a", "b"]);
    drop(engine);
    assert!(added.is_err(), "acknowledged although the journal had failed: {added:?}");
}

#[test]
fn a_sweep_that_was_not_journalled_is_not_acknowledged() {
    let storage = Faulty::default();
    let clock = clock();
    let engine = builder(&clock).store_in(storage.clone(), Durability::Immediate).open().expect("it works");
    engine.import(events(1, 400, 20, 20)).expect("it works");
    engine.flush().expect("it works");
    storage.fail_journal.store(true, Ordering::SeqCst);
    let report = engine.sweep_now().expect("it works").wait();
    assert!(report.is_err(), "acknowledged although the journal had failed: {report:?}");
}

#[test]
fn waiting_for_an_erasure_ends_when_the_store_has_failed() {
    let storage = Faulty::default();
    let clock = clock();
    let engine = builder(&clock).store_in(storage.clone(), Durability::Buffered).open().expect("it works");
    engine.import([Event::listen("victim", "x")]).expect("it works");
    storage.fail_checkpoint.store(true, Ordering::SeqCst);
    let erasure = engine.forget_user("victim").expect("it works");
    assert!(matches!(erasure.receipt().wait(Duration::from_secs(5)), Some(Outcome::Applied(_))));
    storage.fail_journal.store(true, Ordering::SeqCst);
    while !matches!(engine.health(), Health::ReadOnly { .. }) {
        let _ = engine.import([Event::listen("ben", "x")]);
    }
    let waited = erasure.wait_erased(Duration::MAX);
    assert_eq!(waited, Err(EraseError::Stopped));
}

#[test]
fn an_erasure_keeps_the_checkpoint_it_has_verified() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let mut engine = open(builder(&clock), &storage);
    engine.apply(Event::listen("ana", "x")).expect("it works");
    engine.apply(Event::listen("victim", "x")).expect("it works");
    engine.checkpoint().expect("it works");
    engine.apply(Event::listen("ben", "x")).expect("it works");
    engine.checkpoint().expect("it works");
    engine.apply(Event::listen("cleo", "x")).expect("it works");
    engine.checkpoint().expect("it works");
    // Somebody's file of a later name.
    storage.insert("checkpoint-00000000000000009999.checkpoint", *b"noise");
    engine.forget_user("victim");
    engine.checkpoint().expect("there is room");
    drop(engine);
    let opened = builder(&clock).store_in(storage.clone(), Durability::Buffered).open_manual();
    let engine = opened.expect("nothing is lost");
    assert!(engine.reader().view().user("ana").is_known());
}

#[test]
fn no_byte_of_somebody_forgotten_is_left_in_an_unfinished_checkpoint() {
    let storage = Faulty::default();
    let clock = clock();
    let engine = builder(&clock)
        .checkpoint_every(CheckpointEvery::call())
        .store_in(storage.clone(), Durability::Buffered)
        .open()
        .expect("it works");
    engine.import([Event::listen("victim", "x"), Event::listen("ana", "x")]).expect("it works");
    storage.panic_checkpoint.store(true, Ordering::SeqCst);
    assert!(engine.checkpoint().expect("it works").wait().is_err());
    storage.panic_checkpoint.store(false, Ordering::SeqCst);
    let erasure = engine.forget_user("victim").expect("it works");
    // The pause after a failure is ten seconds of the engine's clock.
    clock.advance(Duration::from_secs(11));
    assert_eq!(erasure.wait_erased(Duration::from_secs(20)), Ok(()));
    let left = holds(&storage.disk, b"victim");
    assert!(left.is_empty(), "said to be erased, but in {left:?}");
}

#[test]
fn small_segments_do_not_multiply() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let mut engine = builder(&clock)
        .store_in(storage.clone(), Durability::Buffered)
        .journal_segment_bytes(1)
        .open_manual()
        .expect("it works");
    let before = storage.list().expect("it works").len();
    for _ in 0..100 {
        engine.pump();
    }
    let after = storage.list().expect("it works").len();
    assert!(after - before <= 2, "{} segments without a record", after - before);
}

#[test]
fn a_backup_half_removed_gives_no_wrong_past() {
    let clock = clock();
    let mut engine = builder(&clock).open_manual().expect("it works");
    engine.apply(Event::listen("ana", "portishead")).expect("it works");
    let store = MemoryStorage::new();
    engine.backup_in(store.clone()).expect("it works");
    let mut engine = open(builder(&clock).keep_journal(), &store);
    engine.apply(Event::listen("ben", "tricky")).expect("it works");
    engine.pump();
    clock.advance(Duration::from_secs(10));
    let then = Timestamp::from_unix_seconds(super::START_SECONDS + 5);
    engine.checkpoint().expect("it works");
    engine.flush().expect("it works");
    let half = copy(&store);
    half.remove("checkpoint-00000000000000000001.checkpoint").expect("it works");
    let past = builder(&clock).store_in(half, Durability::Buffered).replay_until(then);
    assert!(past.is_err());
}

#[test]
fn an_idle_engine_wants_no_checkpoint() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let every = CheckpointEvery::call().time(Duration::from_secs(60));
    let mut engine = open(builder(&clock).checkpoint_every(every), &storage);
    engine.apply(Event::listen("ana", "x")).expect("it works");
    clock.advance(Duration::from_secs(61));
    engine.pump();
    assert!(engine.writer.wants_checkpoint());
    engine.checkpoint().expect("it works");
    for _ in 0..4 {
        // Writes marks of what has become durable.
        engine.flush().expect("it works");
        clock.advance(Duration::from_secs(61));
        engine.pump();
        assert!(!engine.writer.wants_checkpoint(), "nothing is new");
    }
}

#[test]
fn an_erasure_is_tried_again_though_the_clock_was_set_back() {
    let storage = Faulty::default();
    let clock = clock();
    let every = CheckpointEvery::call();
    let store = builder(&clock).checkpoint_every(every).store_in(storage.clone(), Durability::Buffered);
    let mut engine = store.open_manual().expect("it works");
    engine.apply(Event::listen("victim", "x")).expect("it works");
    engine.pump();
    engine.forget_user("victim");
    storage.fail_checkpoint.store(true, Ordering::SeqCst);
    engine.checkpoint().expect_err("there is no room");
    assert!(!engine.writer.wants_checkpoint(), "it has just failed");
    clock.set(Timestamp::from_unix_seconds(super::START_SECONDS - 3_600));
    assert!(engine.writer.wants_checkpoint());
}

#[test]
fn a_merge_that_was_not_journalled_is_seen_by_nobody() {
    let storage = Faulty::default();
    let clock = clock();
    let mut engine =
        builder(&clock).store_in(storage.clone(), Durability::Buffered).open_manual().expect("a new store");
    feed(&mut engine, &[Event::listen("ana", "x"), Event::listen("ben", "y")]);
    storage.fail_journal.store(true, Ordering::SeqCst);
    let outcome = engine.merge_users("ana", "ben");
    assert_eq!(outcome, Outcome::StoreFailed);
    let view = engine.reader().view();
    assert!(view.user("ana").is_known());
    assert_eq!(view.user("ben").history().len(), 1);
    assert_eq!(engine.stats().applied, 2);
    assert!(matches!(engine.sweep(), Err(TrainingError::ReadOnly(_))));
}

/// Flips a bit in the middle of a file.
fn damage(storage: &MemoryStorage, name: &str) {
    let mut bytes = storage.contents(name).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    storage.insert(name, bytes);
}

/// Applies an event and writes a checkpoint; gives the name of that.
fn checkpoint_after(engine: &mut ManualEngine, event: Event) -> String {
    engine.apply(event).expect("well formed");
    engine.checkpoint().expect("memory works").file
}

#[test]
fn a_damaged_checkpoint_is_none_of_the_two_that_are_kept() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let mut engine = open(builder(&clock), &storage);
    for item in ["a", "b"] {
        checkpoint_after(&mut engine, Event::listen("ana", item));
    }
    let third = checkpoint_after(&mut engine, Event::listen("ana", "c"));
    drop(engine);
    damage(&storage, &third);
    let mut engine = open(builder(&clock), &storage);
    let fourth = checkpoint_after(&mut engine, Event::listen("ana", "d"));
    let digest = engine.digest();
    drop(engine);
    damage(&storage, &fourth);
    assert_eq!(open(builder(&clock), &storage).digest(), digest, "the second one stands in");
}

#[test]
fn a_past_does_not_depend_on_checkpoints_though_the_clock_was_set_back() {
    let clock = clock();
    let start = Timestamp::from_unix_seconds(super::START_SECONDS);
    let run = |with_checkpoint: bool| {
        clock.set(start);
        let storage = MemoryStorage::new();
        let mut engine = open(builder(&clock).keep_journal(), &storage);
        for (second, item) in [(10, "a"), (20, "b"), (5, "c"), (8, "d")] {
            clock.set(Timestamp::from_unix_seconds(super::START_SECONDS + second));
            feed(&mut engine, &[Event::listen("ana", item)]);
            if with_checkpoint && second == 5 {
                engine.checkpoint().expect("memory works");
            }
        }
        drop(engine);
        (0..30).map(move |second| {
            let then = Timestamp::from_unix_seconds(super::START_SECONDS + second);
            let past = builder(&ManualClock::at(start)).store_in(storage.clone(), Durability::Buffered);
            let past = past.replay_until(then).expect("it reaches back to the start");
            past.reader().view().user("ana").history().len()
        })
    };
    let lens: Vec<_> = run(false).collect();
    assert_eq!(lens[..], *[[0; 10], [1; 10], [4; 10]].concat());
    assert_eq!(lens, run(true).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_under_the_name_of_another_is_passed_over() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let mut engine = open(builder(&clock), &storage);
    let first = checkpoint_after(&mut engine, Event::listen("ana", "a"));
    let second = checkpoint_after(&mut engine, Event::listen("ana", "b"));
    let digest = engine.digest();
    drop(engine);
    storage.insert(&*second, storage.contents(&first).expect("it is there"));
    let mut engine = open(builder(&clock), &storage);
    assert_eq!(engine.digest(), digest);
    let Health::Warming { recovery: Some(recovery), .. } = engine.health() else { panic!("no sweep yet") };
    assert_eq!((recovery.checkpoint.as_deref(), recovery.skipped_checkpoints.len()), (Some(&*first), 1));
}

#[test]
fn a_file_of_somebody_else_that_only_looks_like_the_next_segment_is_not_touched() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    feed(&mut open(builder(&clock), &storage), &[Event::listen("ana", "a")]);
    let name = "journal-00000000000000009999.segment";
    storage.insert(name, *b"shopping: bread, and a great deal more that is no journal at all");
    let opened = builder(&clock).store_in(storage.clone(), Durability::Buffered).open_manual();
    assert!(
        matches!(&opened, Err(BuildError::Store(StoreError::Foreign { file })) if file == name),
        "{opened:?}"
    );
    assert!(storage.contents(name).is_some());
}

#[test]
fn an_erasure_that_was_interrupted_goes_on_beside_a_checkpoint_that_cannot_be_read() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let mut engine = open(builder(&clock).keep_journal(), &storage);
    feed(&mut engine, &[Event::listen("victim", "x"), Event::listen("ana", "x")]);
    engine.checkpoint().expect("memory works");
    engine.forget_user("victim");
    engine.flush().expect("memory works");
    let before = copy(&storage);
    let erasing = engine.checkpoint().expect("memory works").file;
    // Killed after the checkpoint was there and before anything was removed; a later name is somebody's.
    for name in storage.list().expect("memory works") {
        before.insert(name.clone(), storage.contents(&name).expect("listed"));
    }
    before.insert("checkpoint-00000000000000009999.checkpoint", *b"noise");
    assert!(!holds(&before, b"victim").is_empty(), "it is there still");
    drop(engine);
    let engine = open(builder(&clock).keep_journal(), &before);
    assert!(before.contents(&erasing).is_some() && engine.reader().view().user("ana").is_known());
    assert_eq!(holds(&before, b"victim"), Vec::<String>::new());
}

#[test]
fn a_checkpoint_is_due_though_the_clock_was_set_back() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let every = CheckpointEvery::call().time(Duration::from_secs(60));
    let mut engine = open(builder(&clock).checkpoint_every(every), &storage);
    engine.checkpoint().expect("memory works");
    clock.set(Timestamp::from_unix_seconds(super::START_SECONDS - 1_000_000));
    feed(&mut engine, &[Event::listen("ana", "x")]);
    assert!(!engine.writer.wants_checkpoint());
    clock.advance(Duration::from_secs(61));
    assert!(engine.writer.wants_checkpoint());
}
