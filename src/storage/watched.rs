//! A storage under watch.

use std::io::{self, Read};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::traits::{AppendFile, ReadFile, Storage, StorageLock};
use crate::guard::{LatencyHistogram, Watch, fenced, with_causes};

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
struct WatchedStorage {
    storage: Held<Arc<dyn Storage>>,
    seen: Arc<StorageWatch>,
}

/// Something of the host's: freeing it runs code of the host's as well.
#[derive(Debug)]
struct Held<T> {
    /// Until it is dropped.
    held: Option<T>,
    seen: Arc<StorageWatch>,
}

impl StorageWatch {
    /// The storage, under this watch.
    pub(crate) fn over(self: &Arc<Self>, storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
        Arc::new(WatchedStorage { storage: self.hold(storage), seen: Arc::clone(self) })
    }

    fn hold<T>(self: &Arc<Self>, held: T) -> Held<T> {
        Held { held: Some(held), seen: Arc::clone(self) }
    }

    fn ask<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let answer = self.watch.try_call(call).unwrap_or_else(|message| Err(panicked(&message)));
        answer.map_err(|error| self.in_our_words(error))
    }

    /// An error that says what the host's says, with its causes: whoever prints it or lets go of it runs no code of the host's.
    fn in_our_words(&self, error: io::Error) -> io::Error {
        let (kind, is_plain) = (error.kind(), error.get_ref().is_none());
        if is_plain {
            // Of the system, or a kind alone.
            return error;
        }
        let told = fenced(|| error.get_ref().map(|inner| with_causes(inner)).unwrap_or_default());
        let freed = fenced(|| drop(error));
        match told.and_then(|text| freed.map(|()| text)) {
            Ok(text) => io::Error::new(kind, text),
            Err(message) => {
                let error = panicked(&message);
                self.watch.panicked(message);
                error
            }
        }
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
        let file = self.seen.hold(self.seen.ask(|| self.storage.open(name))?);
        let len = self.seen.ask(|| Ok(file.len()))?;
        Ok(Box::new(Reading { file, len, n_read: 0, seen: Arc::clone(&self.seen) }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let file = self.seen.ask(|| self.storage.create(name))?;
        Ok(Arc::new(Appending { file: self.seen.hold(file), seen: Arc::clone(&self.seen) }))
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
        let lock = self.seen.ask(|| self.storage.lock())?;
        Ok(Box::new(Locked(self.seen.hold(lock))))
    }
}

/// A lock for as long as it is held.
#[derive(Debug)]
struct Locked(#[expect(dead_code, reason = "it is held, and nothing else")] Held<Box<dyn StorageLock>>);

impl StorageLock for Locked {}

#[derive(Debug)]
struct Appending {
    file: Held<Arc<dyn AppendFile>>,
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
    file: Held<Box<dyn ReadFile>>,
    /// As the file says, and as far as that was found true.
    len: u64,
    n_read: u64,
    seen: Arc<StorageWatch>,
}

impl Reading {
    /// Whether so many bytes may have been read into a buffer of so many.
    fn check(&mut self, n_bytes: usize, room: usize) -> io::Result<usize> {
        let nonsense = |what: String| {
            let error = io::Error::new(io::ErrorKind::InvalidData, format!("the storage answered {what}"));
            self.seen.watch.nonsense(what);
            Err(error)
        };
        if n_bytes > room {
            return nonsense(format!("{n_bytes} bytes where there was room for {room}"));
        }
        let (len, n_read) = (self.len, self.n_read);
        if n_bytes == 0 && room > 0 {
            return nonsense(format!("the end of a file after {n_read} bytes, which it says has {len}"));
        }
        self.n_read += n_bytes as u64;
        Ok(n_bytes)
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What an engine that runs on the store appends meanwhile is not there yet.
        let n_left = usize::try_from(self.len - self.n_read).unwrap_or(usize::MAX);
        let room = buffer.len().min(n_left);
        let buffer = &mut buffer[..room];
        let read = fenced(|| self.file.read(buffer)).unwrap_or_else(|message| {
            let error = panicked(&message);
            self.seen.watch.panicked(message);
            Err(error)
        });
        read.map_err(|error| self.seen.in_our_words(error)).and_then(|n_bytes| self.check(n_bytes, room))
    }
}

impl ReadFile for Reading {
    fn len(&self) -> u64 {
        self.len
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect("it is held until it is dropped")
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect("it is held until it is dropped")
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        let held = self.held.take();
        if let Err(message) = fenced(|| drop(held)) {
            self.seen.watch.panicked(message);
        }
    }
}

fn panicked(message: &str) -> io::Error {
    io::Error::other(format!("the storage panicked: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Incident;

    /// A file that claims to have read what it likes.
    #[derive(Debug)]
    struct Claims(fn(&mut [u8]) -> usize);

    impl Read for Claims {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok((self.0)(buffer))
        }
    }

    impl ReadFile for Claims {
        fn len(&self) -> u64 {
            unreachable!("it was asked when it was opened")
        }
    }

    #[test]
    fn what_a_file_claims_is_checked_counted_and_told() {
        let seen = Arc::new(StorageWatch::default());
        let reading = |len, read: fn(&mut [u8]) -> usize| {
            let file: Box<dyn ReadFile> = Box::new(Claims(read));
            Reading { file: seen.hold(file), len, n_read: 0, seen: Arc::clone(&seen) }
        };
        let mut bytes = Vec::new();
        let more = reading(100, |buffer| buffer.len() + 1).read_to_end(&mut bytes);
        assert_eq!(more.expect_err("there is no such room").kind(), io::ErrorKind::InvalidData);
        assert!(reading(4, |_| 5).read(&mut [0; 9]).is_err(), "more than is left");
        let grows = reading(4, |buffer| buffer.len()).read_to_end(&mut Vec::new());
        assert_eq!(grows.expect("the rest came later"), 4);
        assert!(reading(6, |_| 0).read(&mut [0; 9]).is_err(), "shorter than it says");
        assert_eq!(reading(5, |_| 5).read(&mut [0; 9]).expect("true"), 5);
        assert_eq!(reading(6, |_| 0).read(&mut []).expect("nothing was asked for"), 0);
        assert_eq!(seen.watch.stats().nonsense, 3);
        let what = "the end of a file after 0 bytes, which it says has 6".to_owned();
        assert_eq!(seen.watch.standing()[0].incident, Incident::Nonsense { what });
    }
}
