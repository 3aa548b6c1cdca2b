//! A storage under watch.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::traits::{AppendFile, ReadFile, Storage, StorageLock};
use crate::guard::{LatencyHistogram, Watch, fenced};

/// What is seen of a storage at work.
#[derive(Debug)]
pub(crate) struct StorageWatch {
    /// Over each call but those that read: how long these take is for the length of the files to say.
    pub(crate) watch: Watch,
    /// How long syncs take, of files and of the directory.
    pub(crate) syncs: LatencyHistogram,
}

impl Default for StorageWatch {
    fn default() -> Self {
        // A disk that turns syncs in some ten milliseconds; one that is shared may take its time now and then.
        let (budget, patience) = (Duration::from_millis(100), Duration::from_secs(2));
        Self { watch: Watch::patient("storage", budget, patience), syncs: LatencyHistogram::default() }
    }
}

/// A storage that may be the host's: a panic in it is a failure like any other, and calls that take long are counted.
///
/// Nothing is made better: what fails has failed.
#[derive(Debug)]
pub(crate) struct WatchedStorage {
    storage: Arc<dyn Storage>,
    seen: Arc<StorageWatch>,
}

impl WatchedStorage {
    pub(crate) fn new(storage: Arc<dyn Storage>, seen: Arc<StorageWatch>) -> Self {
        Self { storage, seen }
    }
}

impl StorageWatch {
    fn ask<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.watch.try_call(call).unwrap_or_else(|message| Err(panicked(&message)))
    }

    fn sync(&self, call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let began = Instant::now();
        let synced = self.ask(call);
        self.syncs.record(began.elapsed());
        synced
    }
}

impl Storage for WatchedStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        self.seen.ask(|| self.storage.list())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        let file = self.seen.ask(|| self.storage.open(name))?;
        Ok(Box::new(Reading { file, seen: Arc::clone(&self.seen) }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let file = self.seen.ask(|| self.storage.create(name))?;
        Ok(Arc::new(Appending { file, seen: Arc::clone(&self.seen) }))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.seen.ask(|| self.storage.truncate(name, len))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.seen.ask(|| self.storage.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.seen.ask(|| self.storage.remove(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.seen.sync(|| self.storage.sync_directory())
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.seen.ask(|| self.storage.lock())
    }
}

#[derive(Debug)]
struct Appending {
    file: Arc<dyn AppendFile>,
    seen: Arc<StorageWatch>,
}

impl AppendFile for Appending {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.seen.ask(|| self.file.append(bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.seen.sync(|| self.file.sync())
    }
}

#[derive(Debug)]
struct Reading {
    file: Box<dyn ReadFile>,
    seen: Arc<StorageWatch>,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fenced(|| self.file.read(buffer)).unwrap_or_else(|message| {
            let error = panicked(&message);
            self.seen.watch.panicked(message);
            Err(error)
        })
    }
}

impl ReadFile for Reading {
    fn len(&self) -> u64 {
        fenced(|| self.file.len()).unwrap_or_default()
    }
}

fn panicked(message: &str) -> io::Error {
    io::Error::other(format!("the storage panicked: {message}"))
}
