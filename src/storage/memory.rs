//! Files in memory.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::name::checked;
use super::traits::{AppendFile, ReadFile, Storage, StorageLock, longer_than_the_file};

/// Keeps the files of a store in memory: for tests, and for hosts that bring them to safety themselves.
///
/// Clones are the same store. What is in it ends with the process.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    files: Arc<Mutex<BTreeMap<String, Arc<MemoryFile>>>>,
    locked: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryStorage {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a file holds.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.files.lock().get(name).map(|file| file.0.lock().clone())
    }

    /// Puts a file in, in the place of one of that name. Whoever had that one open goes on with the old one.
    pub fn insert(&self, name: impl Into<String>, contents: impl Into<Vec<u8>>) {
        let file = MemoryFile(Mutex::new(contents.into()));
        self.files.lock().insert(name.into(), Arc::new(file));
    }

    fn file(&self, name: &str) -> io::Result<Arc<MemoryFile>> {
        self.files.lock().get(checked(name)?).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for MemoryStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.files.lock().keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        let bytes = self.file(name)?.0.lock().clone();
        Ok(Box::new(MemoryReader(io::Cursor::new(bytes))))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let name = checked(name)?;
        let mut files = self.files.lock();
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = Arc::new(MemoryFile::default());
        files.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let file = self.file(name)?;
        let mut bytes = file.0.lock();
        let len = usize::try_from(len).ok().filter(|&len| len <= bytes.len());
        bytes.truncate(len.ok_or_else(longer_than_the_file)?);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (checked(from)?, checked(to)?);
        let mut files = self.files.lock();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.lock().remove(checked(name)?).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        // ORDERING: whoever takes the lock sees what its last holder has written; the files have locks of
        // their own besides.
        if self.locked.swap(true, Ordering::AcqRel) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock(Arc::clone(&self.locked))))
    }
}

impl AppendFile for MemoryFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryReader(io::Cursor<Vec<u8>>);

impl Read for MemoryReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl ReadFile for MemoryReader {
    fn len(&self) -> u64 {
        self.0.get_ref().len() as u64
    }
}

#[derive(Debug)]
struct MemoryLock(Arc<AtomicBool>);

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl StorageLock for MemoryLock {}
