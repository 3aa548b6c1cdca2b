//! How a checkpoint comes into being, and what is left when it does not.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::world::World;
use crate::checkpoint::{CheckpointError, list, verify, write};
use crate::model::Folded;
use crate::storage::{AppendFile, MemoryStorage, ReadFile, Storage, StorageLock};
use crate::types::UserIdx;

/// Fails at one call of those that write, and can raise a flag there instead.
#[derive(Debug, Clone)]
struct Failing {
    inner: MemoryStorage,
    calls_left: Arc<AtomicUsize>,
    flag: Option<Arc<AtomicBool>>,
}

impl Failing {
    fn after(n_calls: usize) -> Self {
        let calls_left = Arc::new(AtomicUsize::new(n_calls));
        Self { inner: MemoryStorage::new(), calls_left, flag: None }
    }

    fn call(&self) -> io::Result<()> {
        let left = self.calls_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        match (left, &self.flag) {
            (Ok(_), _) => Ok(()),
            (Err(_), Some(flag)) => {
                flag.store(true, Ordering::Relaxed);
                Ok(())
            }
            (Err(_), None) => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

impl Storage for Failing {
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        self.inner.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        self.call()?;
        Ok(Arc::new(FailingFile { inner: self.inner.create(name)?, storage: self.clone() }))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.inner.truncate(name, len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call()?;
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.call()?;
        self.inner.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.inner.lock()
    }
}

#[derive(Debug)]
struct FailingFile {
    inner: Arc<dyn AppendFile>,
    storage: Failing,
}

impl AppendFile for FailingFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.storage.call()?;
        self.inner.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.storage.call()?;
        self.inner.sync()
    }
}

#[test]
fn a_failure_at_any_call_is_named_and_leaves_nothing_half_written() {
    let snapshot = World::SMALL.snapshot();
    let mut operations = Vec::new();
    for n_calls in 0.. {
        let storage = Failing::after(n_calls);
        match write(&snapshot, &storage, &AtomicBool::new(false)) {
            Ok(_) => break,
            Err(CheckpointError::Io { operation, .. }) => operations.push(operation),
            Err(other) => panic!("call {n_calls}: {other}"),
        }
        // After the renaming the file is whole, though a power cut may take it back.
        let finished = list(&storage).expect("memory does not fail");
        assert_eq!(finished.len(), usize::from(operations.ends_with(&["sync of the directory"])));
        assert_eq!(storage.list().expect("memory does not fail").len(), finished.len());
    }
    operations.dedup();
    assert_eq!(operations, ["create", "write", "sync", "rename", "sync of the directory"]);
}

#[test]
fn a_cancelled_checkpoint_is_taken_away_again() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let storage = Failing { flag: Some(Arc::clone(&cancelled)), ..Failing::after(5) };
    let result = write(&World::SMALL.snapshot(), &storage, &cancelled);
    assert!(matches!(result, Err(CheckpointError::Cancelled)));
    assert_eq!(storage.list().expect("memory does not fail"), [""; 0]);
}

#[test]
fn what_a_killed_process_left_and_the_one_before_are_replaced() {
    let snapshot = World::SMALL.snapshot();
    let storage = MemoryStorage::new();
    storage.insert("checkpoint-00000000000000000042.tmp", *b"half of");
    storage.insert("checkpoint-00000000000000000042.checkpoint", *b"of the same record");
    let report = write(&snapshot, &storage, &AtomicBool::new(false)).expect("memory takes everything");
    assert_eq!(storage.list().expect("memory does not fail"), [&*report.file]);
    let summary = verify(&storage, &report.file).expect("it was just written");
    assert_eq!(
        (report.n_bytes, report.n_users, report.n_cells),
        (summary.n_bytes, summary.n_users, summary.n_cells)
    );
    assert_eq!(report.n_items, 11);
}

#[test]
fn a_state_that_could_not_be_read_back_is_not_written() {
    let snapshot = World::SMALL.snapshot();
    let user = UserIdx::new(1);
    let old = snapshot.shared.user(user).expect("she has a state");
    let mut state = old.draft();
    let mut vector = old.folded.as_ref().expect("every third has an old one").vector.clone();
    vector[0] = f32::NAN;
    state.folded = Some(Folded { generation: snapshot.generation.id, vector });
    drop(snapshot.shared.slot(user).replace(Arc::new(state)));
    let storage = MemoryStorage::new();
    let refused = write(&snapshot, &storage, &AtomicBool::new(false)).expect_err("it is not a number");
    assert_eq!(refused.to_string(), "the vector of a user has a value that cannot be; please report it");
    assert_eq!(storage.list().expect("memory does not fail"), [""; 0]);
}
