//! Files, and what of them would survive.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::super::Random;
use super::plan::{Fault, Kind, Plan};

/// The numbers of Linux, which `std` turns into the kinds that hosts see there.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A file, whatever it is called.
pub(super) type FileId = usize;

/// The contents of one file as programs see them, and what of it is not on the device.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    /// Appended since the last sync.
    pub(super) dirty: Vec<Range<usize>>,
    /// Were to be synced when a sync failed, and are taken for written since.
    pub(super) lost: Vec<Range<usize>>,
}

impl Contents {
    fn append(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.push(start..self.bytes.len());
        }
    }

    fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
        for ranges in [&mut self.dirty, &mut self.lost] {
            for range in &mut *ranges {
                range.end = range.end.min(len);
            }
            ranges.retain(|range| !range.is_empty());
        }
    }

    /// A sync has failed.
    fn lose(&mut self, random: &mut Random) {
        if random.below(2) == 0 {
            for range in &self.dirty {
                self.bytes[range.clone()].fill(0);
            }
        }
        self.lost.append(&mut self.dirty);
    }

    /// Of every byte, whether it would survive for sure.
    pub(super) fn durable(&self) -> Vec<bool> {
        let mut durable = vec![true; self.bytes.len()];
        for range in self.dirty.iter().chain(&self.lost) {
            durable[range.clone()].fill(false);
        }
        durable
    }
}

/// A change of the folder.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Created { name: String, file: FileId },
    Renamed { from: String, to: String, file: FileId },
    Removed { name: String, file: FileId },
}

pub(super) type Names = BTreeMap<String, FileId>;

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) files: Vec<Contents>,
    /// As programs see the folder.
    pub(super) names: Names,
    /// As the device has it.
    pub(super) durable_names: Names,
    /// What makes the one of the other.
    pub(super) unsynced: Vec<Entry>,
    pub(super) plan: Plan,
    pub(super) seed: u64,
    pub(super) operations: u64,
    pub(super) trace: Vec<String>,
    pub(super) is_off: bool,
    pub(super) is_full: bool,
    pub(super) is_locked: bool,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(io::Error::other("the power is cut")) } else { Ok(()) }
    }

    pub(super) fn find(&self, name: &str) -> io::Result<FileId> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What a file is called now, for the trace.
    pub(super) fn name_of(&self, file: FileId) -> &str {
        let name = self.names.iter().find(|&(_, &other)| other == file);
        name.map_or("(a removed file)", |(name, _)| name)
    }

    pub(super) fn append(&mut self, file: FileId, bytes: &[u8]) -> io::Result<()> {
        let name = self.name_of(file).to_owned();
        let (fault, mut random) = self.begin(Kind::Append, &format!("{name} +{}", bytes.len()))?;
        let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).expect("below a length");
        let (n_written, result) = match fault {
            Some(Fault::PowerCut) => (below(bytes.len() + 1), self.cut_power()),
            Some(Fault::ShortWrite) => (below(bytes.len().max(1)), os_error(EIO)),
            Some(Fault::Io | Fault::SyncFails) => (0, os_error(EIO)),
            _ if self.is_full => (0, os_error(ENOSPC)),
            Some(Fault::NoSpace) => {
                self.is_full = true;
                (below(bytes.len().max(1)), os_error(ENOSPC))
            }
            None => (bytes.len(), Ok(())),
        };
        self.files[file].append(&bytes[..n_written]);
        if result.is_err() {
            self.note(&format!("{n_written} written"));
        }
        result
    }

    pub(super) fn sync(&mut self, file: FileId) -> io::Result<()> {
        let name = self.name_of(file).to_owned();
        let (fault, mut random) = self.begin(Kind::Sync, &name)?;
        let contents = &mut self.files[file];
        match fault {
            None => contents.dirty.clear(),
            Some(Fault::PowerCut) => {
                if random.below(2) == 0 {
                    contents.dirty.clear();
                }
                return self.cut_power();
            }
            Some(_) => {
                contents.lose(&mut random);
                return os_error(EIO);
            }
        }
        Ok(())
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<FileId> {
        self.check_power()?;
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = self.files.len();
        self.step(Kind::Create, name, |disk| {
            disk.files.push(Contents::default());
            disk.names.insert(name.to_owned(), file);
            disk.unsynced.push(Entry::Created { name: name.to_owned(), file });
        })?;
        Ok(file)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.check_power()?;
        let file = self.find(from)?;
        self.step(Kind::Rename, &format!("{from} to {to}"), |disk| {
            disk.names.remove(from);
            disk.names.insert(to.to_owned(), file);
            disk.unsynced.push(Entry::Renamed { from: from.to_owned(), to: to.to_owned(), file });
        })
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.check_power()?;
        let file = self.find(name)?;
        self.step(Kind::Remove, name, |disk| {
            disk.names.remove(name);
            disk.unsynced.push(Entry::Removed { name: name.to_owned(), file });
        })
    }

    pub(super) fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.check_power()?;
        let file = self.find(name)?;
        let shorter = usize::try_from(len).ok().filter(|&len| len <= self.files[file].bytes.len());
        let shorter = shorter.ok_or(io::ErrorKind::InvalidInput)?;
        self.step(Kind::Truncate, &format!("{name} to {len}"), |disk| disk.files[file].truncate(shorter))
    }

    pub(super) fn sync_directory(&mut self) -> io::Result<()> {
        self.step(Kind::SyncDirectory, "", |disk| {
            disk.durable_names = disk.names.clone();
            disk.unsynced.clear();
        })
    }

    /// An operation that happens or does not.
    fn step(&mut self, kind: Kind, what: &str, act: impl FnOnce(&mut Self)) -> io::Result<()> {
        let (fault, mut random) = self.begin(kind, what)?;
        match fault {
            None => {
                act(self);
                Ok(())
            }
            Some(Fault::PowerCut) => {
                if random.below(2) == 0 {
                    act(self);
                    self.note("done");
                }
                self.cut_power()
            }
            Some(_) => os_error(EIO),
        }
    }

    /// Counts an operation and says what goes wrong with it.
    fn begin(&mut self, kind: Kind, what: &str) -> io::Result<(Option<Fault>, Random)> {
        self.check_power()?;
        self.operations += 1;
        let fault = self.plan.take(self.operations, kind);
        self.trace.push(format!("{} {kind:?} {what}", self.operations).trim_end().to_owned());
        if let Some(fault) = fault {
            self.note(&format!("{fault:?}"));
        }
        // A stream of its own for every operation, so that one more coin in one of them moves no other.
        Ok((fault, Random::new(self.seed.wrapping_add(self.operations << 32))))
    }

    fn note(&mut self, what: &str) {
        if let Some(last) = self.trace.last_mut() {
            last.push_str(", ");
            last.push_str(what);
        }
    }

    fn cut_power(&mut self) -> io::Result<()> {
        self.is_off = true;
        self.check_power()
    }
}

fn os_error(number: i32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(number))
}
