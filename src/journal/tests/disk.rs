//! A disk for tests: it counts, fails, waits and loses its power when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::{Mutex, MutexGuard};

use crate::kernel::SplitMix64;
use crate::storage::{AppendFile, MemoryStorage, ReadFile, Storage, StorageLock};

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Append,
    Sync,
    SyncDirectory,
    Create,
    /// The storage itself panics in a sync.
    Panic,
}

#[derive(Debug, Clone)]
pub(super) struct TestDisk(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    files: BTreeMap<String, Contents>,
    /// Files that were removed or replaced since the directory was synced.
    gone: BTreeMap<String, Contents>,
    /// Changes that are still made; then all fail.
    fuel: u64,
    fault: Fault,
    n_syncs: u64,
    /// A sync says that it has begun, then waits until it may go on.
    gate: Option<(Sender<()>, Receiver<()>)>,
}

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    n_synced: usize,
    name_is_synced: bool,
    /// A sync has failed: the system takes for written what is not, and later syncs succeed for nothing.
    is_lying: bool,
}

#[derive(Debug)]
struct DiskFile {
    disk: TestDisk,
    name: String,
}

impl TestDisk {
    pub(super) fn new() -> Self {
        let disk = Disk {
            files: BTreeMap::new(),
            gone: BTreeMap::new(),
            fuel: u64::MAX,
            fault: Fault::None,
            n_syncs: 0,
            gate: None,
        };
        Self(Arc::new(Mutex::new(disk)))
    }

    /// One with the files of `storage`, all of them durable.
    pub(super) fn holding(storage: &MemoryStorage) -> Self {
        let disk = Self::new();
        for name in storage.list().expect("memory lists") {
            let bytes = storage.contents(&name).expect("it is listed");
            let n_synced = bytes.len();
            disk.0
                .lock()
                .files
                .insert(name, Contents { bytes, n_synced, name_is_synced: true, is_lying: false });
        }
        disk
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.0.lock().fault = fault;
    }

    /// Makes so many changes, and then none any more.
    pub(super) fn stop_after(&self, fuel: u64) {
        self.0.lock().fuel = fuel;
    }

    /// The disk, for a change.
    fn change(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.0.lock();
        disk.fuel = disk.fuel.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(disk)
    }

    pub(super) fn n_syncs(&self) -> u64 {
        self.0.lock().n_syncs
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.0.lock().files.values().map(|file| file.bytes.len()).sum()
    }

    /// From now on a sync says on the first channel that it has begun, and ends when something comes on the
    /// second.
    pub(super) fn hold_syncs(&self) -> (Receiver<()>, Sender<()>) {
        let (begun, has_begun) = bounded(16);
        let (go_on, may_go_on) = bounded(16);
        self.0.lock().gate = Some((begun, may_go_on));
        (has_begun, go_on)
    }

    /// What is there when the power comes back: what was synced, and anything of the rest.
    pub(super) fn after_power_cut(&self, seed: u64) -> MemoryStorage {
        let mut random = SplitMix64::new(seed);
        let mut below = |n: usize| usize::try_from(random.next_u64() % (n as u64 + 1)).expect("below n");
        let after = MemoryStorage::new();
        let disk = self.0.lock();
        let names: BTreeSet<_> = disk.files.keys().chain(disk.gone.keys()).collect();
        for name in names {
            let here = disk.files.get(name).filter(|file| file.name_is_synced || below(1) == 0);
            let was_here = disk.gone.get(name).filter(|_| here.is_none() || below(1) == 0);
            let Some(file) = was_here.or(here) else { continue };
            let n_unsynced = file.bytes.len() - file.n_synced;
            let mut bytes = file.bytes[..file.n_synced + below(n_unsynced)].to_vec();
            // Some of the rest was never written, though the file's length was.
            for _ in 0..below(3) {
                let (a, b) = (below(bytes.len()).max(file.n_synced), below(bytes.len()).max(file.n_synced));
                bytes[a.min(b)..a.max(b)].fill(0);
            }
            after.insert(name, bytes);
        }
        after
    }
}

impl Storage for TestDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().files.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        let bytes = self.0.lock().files.get(name).ok_or(io::ErrorKind::NotFound)?.bytes.clone();
        let storage = MemoryStorage::new();
        storage.insert(name, bytes);
        storage.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let mut disk = self.change()?;
        if disk.fault == Fault::Create {
            return Err(io::ErrorKind::StorageFull.into());
        }
        assert!(disk.files.insert(name.to_owned(), Contents::default()).is_none(), "{name} is there");
        Ok(Arc::new(DiskFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let mut disk = self.change()?;
        let file = disk.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.bytes.truncate(usize::try_from(len).expect("small"));
        file.n_synced = if file.is_lying { file.n_synced.min(file.bytes.len()) } else { file.bytes.len() };
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.change()?;
        let file = disk.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        if let Some(replaced) = disk.files.insert(to.to_owned(), Contents { name_is_synced: false, ..file }) {
            disk.gone.insert(to.to_owned(), replaced);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.change()?;
        let file = disk.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        disk.gone.insert(name.to_owned(), file);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut disk = self.change()?;
        if disk.fault == Fault::SyncDirectory {
            return Err(io::Error::other("no"));
        }
        disk.gone.clear();
        disk.files.values_mut().for_each(|file| file.name_is_synced = true);
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        unreachable!("the engine locks")
    }
}

impl AppendFile for DiskFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.change()?;
        let fails = disk.fault == Fault::Append;
        let taken = if fails { bytes.len() / 2 } else { bytes.len() };
        let file = disk.files.get_mut(&self.name).expect("it was created");
        file.bytes.extend_from_slice(&bytes[..taken]);
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let (n_bytes, gate) = {
            let disk = self.disk.0.lock();
            (disk.files[&self.name].bytes.len(), disk.gate.clone())
        };
        if let Some((begun, may_go_on)) = gate {
            // Whoever holds the other ends may have gone.
            let _ = begun.send(());
            let _ = may_go_on.recv();
        }
        let mut disk = self.disk.change()?;
        disk.n_syncs += 1;
        match disk.fault {
            Fault::Sync => {
                disk.files.get_mut(&self.name).expect("it was created").is_lying = true;
                return Err(io::Error::other("the device is gone"));
            }
            Fault::Panic => panic!("a bug of the host"),
            Fault::None | Fault::Append | Fault::SyncDirectory | Fault::Create => {}
        }
        let file = disk.files.get_mut(&self.name).expect("it was created");
        if !file.is_lying {
            file.n_synced = file.n_synced.max(n_bytes);
        }
        Ok(())
    }
}
