//! The directories of a spool, and the files in them.

use std::collections::BinaryHeap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::names::{is_ready, short_taken_name, taken_name, taken_number};

/// Files taken in one go at most: so many names are held in memory, and so many share two syncs.
const TAKEN_AT_ONCE: usize = 256;
const LOCK_FILE: &str = ".lock";

/// A file that was taken: its number and the name it has by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) number: u32,
    pub(super) name: OsString,
}

impl Taken {
    /// As a person knows it: without its number.
    pub(super) fn shown(&self) -> String {
        let name = self.name.to_string_lossy();
        name.split_once('-').map_or_else(|| name.to_string(), |(_, name)| name.to_owned())
    }
}

/// Why a taken file cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It never will be, so it must not keep those behind it waiting.
    ForGood(String),
    /// It may be in a moment.
    JustNow(io::Error),
}

/// The directories of a spool. While this lives nobody else has them.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    taken: PathBuf,
    done: PathBuf,
    bad: PathBuf,
    _lock: File,
}

impl Directory {
    /// Opens a spool in a directory that is there; makes those in it.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let [taken, done, bad] = ["taken", "done", "bad"].map(|name| root.join(name));
        for directory in [&taken, &done, &bad] {
            match fs::create_dir(directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.map_err(at(directory))?,
            }
        }
        let path = taken.join(LOCK_FILE);
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = options.map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), taken, done, bad, _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => {
                let text = format!("{}: another engine reads this spool; give each its own", root.display());
                Err(io::Error::new(io::ErrorKind::WouldBlock, text))
            }
            Err(fs::TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }

    /// The files that were taken and not finished, in order of their numbers.
    pub(super) fn taken(&self) -> io::Result<Vec<Taken>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.taken).map_err(at(&self.taken))? {
            let name = entry.map_err(at(&self.taken))?.file_name();
            if let Some(number) = taken_number(&name) {
                found.push(Taken { number, name });
            }
        }
        found.sort_by_key(|taken| taken.number);
        Ok(found)
    }

    /// The highest number that a file was ever given, as far as can be seen.
    pub(super) fn last_number(&self) -> io::Result<Option<u32>> {
        let mut last = None;
        for directory in [&self.taken, &self.done, &self.bad] {
            for entry in fs::read_dir(directory).map_err(at(directory))? {
                last = last.max(taken_number(&entry.map_err(at(directory))?.file_name()));
            }
        }
        Ok(last)
    }

    /// Takes files that are ready, in order of their names, giving them numbers from `next` on. None are left out while there
    /// are any; there may be more.
    pub(super) fn take(&self, next: u32) -> io::Result<Vec<Taken>> {
        // Should the directory have been put in the place of another, it is a spool only once it is opened anew.
        fs::symlink_metadata(&self.taken).map_err(at(&self.taken))?;
        let mut taken = Vec::new();
        for (name, number) in self.ready()?.into_iter().zip(next..=u32::MAX) {
            if number == u32::MAX {
                return Err(io::Error::other(
                    "the spool has used up its numbers; begin another under a new name",
                ));
            }
            let from = self.root.join(&name);
            let mut name = taken_name(number, &name);
            let mut moved = fs::rename(&from, self.taken.join(&name));
            if moved.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::InvalidFilename) {
                name = short_taken_name(number);
                moved = fs::rename(&from, self.taken.join(&name));
            }
            match moved {
                Ok(()) => taken.push(Taken { number, name }),
                // Whoever put it there has thought better of it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.root.exists() => {}
                Err(error) => return Err(at(&from)(error)),
            }
        }
        if !taken.is_empty() {
            // INVARIANT: a file has its number for good before an offset in it is ever given.
            sync(&self.taken)?;
            sync(&self.root)?;
        }
        Ok(taken)
    }

    /// The first names of files that are ready, in order.
    fn ready(&self) -> io::Result<Vec<OsString>> {
        let mut first = BinaryHeap::new();
        for entry in fs::read_dir(&self.root).map_err(at(&self.root))? {
            let entry = entry.map_err(at(&self.root))?;
            let name = entry.file_name();
            // Links are left alone: what they point to is not the spool's to move.
            if is_ready(&name) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                first.push(name);
                if first.len() > TAKEN_AT_ONCE {
                    first.pop();
                }
            }
        }
        Ok(first.into_sorted_vec())
    }

    /// Opens a taken file.
    pub(super) fn read(&self, taken: &Taken) -> Result<File, Unreadable> {
        let path = self.taken.join(&taken.name);
        // Looked at before: to open a pipe would wait for somebody to write to it.
        let opened = fs::symlink_metadata(&path)
            .and_then(|found| if found.is_file() { File::open(&path).map(Some) } else { Ok(None) });
        match opened {
            Ok(Some(file)) => Ok(file),
            Ok(None) => Err(Unreadable::ForGood("it is no plain file".to_owned())),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                Err(Unreadable::ForGood(format!("it cannot be read: {error}")))
            }
            Err(error) => Err(Unreadable::JustNow(at(&path)(error))),
        }
    }

    /// Notes beside the bad files what is wrong with one. If that cannot be written, the log has it.
    pub(super) fn note_bad(&self, taken: &Taken, line: Option<u32>, why: &str) {
        let line = line.map_or_else(String::new, |line| format!("line {line}: "));
        let path = self.why(&taken.name);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        if let Err(error) = file.and_then(|mut file| file.write_all(format!("{line}{why}\n").as_bytes())) {
            tracing::warn!(target: "segue::source", file = %taken.shown(), line, why, %error, "a bad line of a spool could not be noted");
        }
    }

    /// Puts a file away that is read: to the bad ones if there is anything wrong with it.
    pub(super) fn finish(&self, taken: &Taken, keep: bool) -> io::Result<()> {
        let path = self.taken.join(&taken.name);
        let result = if self.why(&taken.name).exists() {
            fs::rename(&path, self.bad.join(&taken.name))
        } else if keep {
            fs::rename(&path, self.done.join(&taken.name))
        } else {
            fs::remove_file(&path)
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => Ok(()),
            result => result.map_err(at(&path)),
        }
    }

    fn why(&self, name: &OsStr) -> PathBuf {
        let mut name = name.to_owned();
        name.push(".why");
        // A name that is as long as names may be has no room for more.
        let number = taken_number(&name);
        match number {
            Some(number) if name.len() > 255 => self.bad.join(format!("{number:010}.why")),
            Some(_) | None => self.bad.join(name),
        }
    }
}

/// Says of which path an error is.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let path = path.display().to_string();
    move |error| io::Error::new(error.kind(), format!("{path}: {error}"))
}

fn sync(directory: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some file systems cannot sync a directory at all and say so; nothing better can be had from them.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result.map_err(at(directory)),
    }
}
