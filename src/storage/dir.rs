//! A directory of the file system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::name::{LOCK_FILE, checked};
use super::traits::{AppendFile, ReadFile, Storage, StorageLock, longer_than_the_file};

/// Keeps the files of a store in one directory, which is made when something is first written to it.
///
/// A relative path is taken from where the process stands when this is made, wherever it goes later. Should
/// the directory vanish once it has been used, calls fail rather than begin an empty store in its place.
///
/// A second engine is kept out by an advisory lock on the file `LOCK`, which the system lets go of when the
/// process ends, however it ends: it never needs to be removed, and while an engine runs it must not be, as the next
/// engine would lock another file. Network file systems that do not honour such locks do not keep it out.
///
/// # Power cuts
///
/// `Ok` from a sync means what the system means by it: on Linux `fdatasync` and the `fsync` of the directory,
/// on macOS and iOS `F_FULLFSYNC`, on Windows `FlushFileBuffers`, where directories need and have no sync. A
/// device that lies about its cache, or a file system that cannot sync directories, keeps less than that.
#[derive(Debug, Clone)]
pub struct DirStorage {
    directory: PathBuf,
    /// Filled once the directory has been there, by this value or a clone of it.
    found: Arc<OnceLock<()>>,
}

impl DirStorage {
    /// The store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        // Fails for an empty path, which is refused when it is used, and where there is no current directory.
        let directory = std::path::absolute(&directory).unwrap_or(directory);
        Self { directory, found: Arc::default() }
    }

    /// The directory, as an absolute path.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        checked(name).map(|name| self.directory.join(name))
    }

    /// Makes the directory and those above it if this is the first call that needs it.
    fn make_directory(&self) -> io::Result<()> {
        if self.found.get().is_some() {
            return Ok(());
        }
        if self.directory.as_os_str().is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path of the store is empty"));
        }
        let missing: Vec<&Path> =
            self.directory.ancestors().take_while(|path| matches!(path.try_exists(), Ok(false))).collect();
        fs::create_dir_all(&self.directory).map_err(at(&self.directory))?;
        // Even if the directory is there: whoever made it may have been killed before this.
        sync_entry(&self.directory).map_err(at(&self.directory))?;
        for made in missing.iter().skip(1) {
            sync_entry(made).map_err(at(made))?;
        }
        self.found.get_or_init(|| ());
        Ok(())
    }
}

/// Says of which file it is: the system does not.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Storage for DirStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.found.get().is_none() => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(at(&self.directory)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(at(&self.directory))?;
            // What is called otherwise than a file of ours may be is not ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if checked(&name).is_err() {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => names.push(name),
                Ok(_) => {}
                // Removed since, or a link that leads nowhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // Not left out in silence: a store with a file missing looks like another store.
                Err(error) => return Err(at(&entry.path())(error)),
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        let path = self.path(name)?;
        let file = File::open(&path).map_err(at(&path))?;
        let len = file.metadata().map_err(at(&path))?.len();
        Ok(Box::new(DirReader { file, len }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let path = self.path(name)?;
        self.make_directory()?;
        // Append mode: after a `truncate` the next bytes belong at the new end.
        let file = OpenOptions::new().append(true).create_new(true).open(&path).map_err(at(&path))?;
        Ok(Arc::new(DirFile(file)))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let path = self.path(name)?;
        let file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
        if len > file.metadata().map_err(at(&path))?.len() {
            return Err(longer_than_the_file());
        }
        file.set_len(len).and_then(|()| file.sync_all()).map_err(at(&path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        fs::rename(&from, to).map_err(at(&from))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name)?;
        fs::remove_file(&path).map_err(at(&path))
    }

    fn sync_directory(&self) -> io::Result<()> {
        sync_directory(&self.directory).map_err(at(&self.directory))
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.make_directory()?;
        let path = self.directory.join(LOCK_FILE);
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(DirLock(file))),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }
}

/// Makes the entries of a directory survive a power cut. On Windows a directory cannot be opened as a file,
/// and its entries need no sync.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(directory)?.sync_all() {
        // Some file systems cannot sync a directory at all and say so; nothing better can be had from them.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

/// Makes the entry of `path` in the directory above it survive a power cut.
fn sync_entry(path: &Path) -> io::Result<()> {
    match path.parent().map_or(Ok(()), sync_directory) {
        // One may be allowed to use a directory and not to read the one above it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
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

#[derive(Debug)]
struct DirLock(File);

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing the file lets go of the lock as well, but Windows may take its time over that.
        let _ = self.0.unlock();
    }
}

impl StorageLock for DirLock {}
