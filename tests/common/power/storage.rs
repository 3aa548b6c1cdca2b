//! The simulated disk as a storage.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use parking_lot::Mutex;
use segue::{AppendFile, ReadFile, Storage, StorageLock};

use super::disk::{Contents, Disk, FileId};
use super::plan::Plan;

/// How many operations are shown.
const LAST_OPERATIONS: usize = 20;

/// A storage that fails as planned. Clones are the same storage.
#[derive(Clone)]
pub(crate) struct FaultyStorage(Arc<Mutex<Disk>>);

impl FaultyStorage {
    /// An empty, healthy storage. The seed decides what faults do that could do several things.
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk::new(seed))))
    }

    /// Sets what goes wrong, in the place of an earlier plan.
    pub(crate) fn set_plan(&self, plan: Plan) {
        self.0.lock().plan = plan;
    }

    /// As [`set_plan`](Self::set_plan), while a storage is being made.
    pub(crate) fn with_plan(self, plan: Plan) -> Self {
        self.set_plan(plan);
        self
    }

    /// Operations so far: appends, syncs, creations, renames, removals, truncations, syncs of the folder.
    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// What was done, one line an operation, with its number and what went wrong.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.0.lock().trace.clone()
    }

    /// Whether the power has been cut.
    pub(crate) fn is_off(&self) -> bool {
        self.0.lock().is_off
    }

    /// There is room again after a [`NoSpace`](super::Fault::NoSpace).
    pub(crate) fn free_space(&self) {
        self.0.lock().is_full = false;
    }

    /// Cuts the power, if it is not, and gives a healthy storage with what may be found then: one of many, as
    /// `seed` decides. May be called again with another seed. Every later call on this storage fails.
    pub(crate) fn reboot(&self, seed: u64) -> Self {
        let mut disk = self.0.lock();
        disk.is_off = true;
        Self(Arc::new(Mutex::new(disk.after_power_cut(seed))))
    }

    /// Kills the process: gives a healthy storage with all that was written, synced or not, which is still
    /// not on the device. Every later call on this storage fails, as nothing is left to make one.
    pub(crate) fn kill(&self) -> Self {
        let mut disk = self.0.lock();
        disk.is_off = true;
        Self(Arc::new(Mutex::new(disk.after_kill())))
    }

    /// What a file holds, as a program would read it; not stopped by a power cut.
    pub(crate) fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.0.lock();
        disk.names.get(name).map(|&file| disk.files[file].bytes.clone())
    }

    /// Puts a file in, durably and uncounted, in the place of one of that name: to prepare a store, or to
    /// damage one.
    pub(crate) fn insert(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        let mut disk = self.0.lock();
        let file = disk.files.len();
        disk.files.push(Contents { bytes: bytes.into(), ..Contents::default() });
        disk.names.insert(name.to_owned(), file);
        disk.durable_names.insert(name.to_owned(), file);
    }
}

impl fmt::Debug for FaultyStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = self.0.lock();
        let power = if disk.is_off { "off" } else { "on" };
        writeln!(f, "a disk of seed {}, {power} after {} operations", disk.seed, disk.operations)?;
        for (name, &file) in &disk.names {
            let durable = disk.files[file].durable();
            let n_durable = durable.iter().filter(|durable| **durable).count();
            let entry = if disk.durable_names.get(name) == Some(&file) { "" } else { ", not in the folder" };
            writeln!(f, "  {name}: {n_durable} of {} bytes durable{entry}", durable.len())?;
        }
        for name in disk.durable_names.keys().filter(|name| !disk.names.contains_key(*name)) {
            writeln!(f, "  {name}: gone, but not from the device")?;
        }
        for line in &disk.trace[disk.trace.len().saturating_sub(LAST_OPERATIONS)..] {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// `name`, if the documentation of [`Storage`] allows it.
fn checked(name: &str) -> io::Result<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_good = !name.is_empty() && name.chars().all(is_plain) && !name.ends_with('.');
    if is_good && name.to_lowercase() != "lock" { Ok(name) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

impl Storage for FaultyStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let disk = self.0.lock();
        disk.check_power()?;
        Ok(disk.names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        let disk = self.0.lock();
        disk.check_power()?;
        let bytes = disk.files[disk.find(checked(name)?)?].bytes.clone();
        Ok(Box::new(Reader { bytes: io::Cursor::new(bytes), disk: Arc::clone(&self.0) }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let file = self.0.lock().create(checked(name)?)?;
        Ok(Arc::new(Appender { file, disk: Arc::clone(&self.0) }))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.0.lock().truncate(checked(name)?, len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.lock().rename(checked(from)?, checked(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.lock().remove(checked(name)?)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.lock().sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        let mut disk = self.0.lock();
        disk.check_power()?;
        if disk.is_locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        disk.is_locked = true;
        Ok(Box::new(Lock(Arc::clone(&self.0))))
    }
}

#[derive(Debug)]
struct Appender {
    file: FileId,
    disk: Arc<Mutex<Disk>>,
}

impl AppendFile for Appender {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk.lock().append(self.file, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.lock().sync(self.file)
    }
}

#[derive(Debug)]
struct Reader {
    bytes: io::Cursor<Vec<u8>>,
    disk: Arc<Mutex<Disk>>,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.lock().check_power()?;
        self.bytes.read(buffer)
    }
}

impl ReadFile for Reader {
    fn len(&self) -> u64 {
        self.bytes.get_ref().len() as u64
    }
}

#[derive(Debug)]
struct Lock(Arc<Mutex<Disk>>);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.lock().is_locked = false;
    }
}

impl StorageLock for Lock {}
