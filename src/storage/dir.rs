//! A directory of the file system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::traits::{AppendFile, ReadFile, Storage, StorageLock};

/// The file that is locked while an engine has the directory.
const LOCK_FILE: &str = "LOCK";

/// Keeps the files of a store in one directory, which is made when something is first written to it.
///
/// A second engine is kept out by an advisory lock on the file `LOCK`, which the system lets go of when the
/// process ends, however it ends. Network file systems that do not honour such locks do not keep it out.
#[derive(Debug, Clone)]
pub struct DirStorage {
    directory: PathBuf,
}

impl DirStorage {
    /// The store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Storage for DirStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // What has another name than ours may have is not ours.
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        let file = File::open(self.path(name))?;
        let len = file.metadata()?.len();
        Ok(Box::new(DirReader { file, len }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        fs::create_dir_all(&self.directory)?;
        let file = OpenOptions::new().append(true).create_new(true).open(self.path(name))?;
        Ok(Arc::new(DirFile(file)))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path(name))?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        sync_directory(&self.directory)?;
        // The directory itself may be new.
        match self.directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => sync_directory(parent),
            None => Ok(()),
        }
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        fs::create_dir_all(&self.directory)?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(self.path(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(DirLock(file))),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

/// On Windows a directory cannot be opened as a file, and its entries need no sync.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[derive(Debug)]
struct DirFile(File);

impl AppendFile for DirFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[derive(Debug)]
struct DirReader {
    file: File,
    len: u64,
}

impl Read for DirReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl ReadFile for DirReader {
    fn len(&self) -> u64 {
        self.len
    }
}

/// Closing the file lets go of the lock.
#[derive(Debug)]
struct DirLock(#[expect(dead_code, reason = "held, not used")] File);

impl StorageLock for DirLock {}
