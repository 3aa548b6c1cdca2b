//! Block lists, allow lists and catalogues from files that are watched while the engine runs.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::HashSet;
use thiserror::Error;

use super::build_error::BuildError;
use super::builder::EngineBuilder;
use super::observer::{Notice, WatchedObserver};
use crate::ingest::check_item;
use crate::query::{AllowList, BlockList, Flags};
use crate::types::{Catalogue, CatalogueEntry, ItemId, Tag};
use crate::watch::{FollowedFile, WatchError};

/// Why a list file was refused; what it fills is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ListFileError {
    /// It cannot be read.
    #[error("it cannot be read: {message}")]
    Unreadable {
        /// What the system says.
        message: String,
    },
    /// A line is not what it should be.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// What a list file is about to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListChange {
    /// Lines that are new: ids of a list, items of a catalogue.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
    /// Items of a catalogue of which it says something else.
    pub changed: usize,
}

/// A file, and what it fills.
#[derive(Debug)]
pub(super) struct ListFile {
    path: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Block(BlockList),
    Allow(AllowList),
    Catalogue(Flags),
}

/// What a file holds, whole and checked, beside what it fills.
enum Filling<'t> {
    Block(&'t BlockList, HashSet<ItemId>),
    Allow(&'t AllowList, HashSet<ItemId>),
    Catalogue(&'t Flags, Catalogue),
}

impl EngineBuilder {
    /// Keeps `list` as a file says: an id on each line, UTF-8; empty lines and those that begin with `#` say nothing. Give
    /// the list to a [`filter`](Self::filter), too.
    ///
    /// The file is read when the engine is opened, if it is there, and whenever it has changed and was left alone for 50 ms.
    /// It takes the place of all that was on the list, in one step; one with anything wrong in it changes nothing. The
    /// [observer](Self::observer) is told of both. A [`ManualEngine`](crate::ManualEngine) reads it once.
    #[must_use]
    pub fn block_list_file(self, path: impl Into<PathBuf>, list: &BlockList) -> Self {
        self.list_file(path.into(), Target::Block(list.clone()))
    }

    /// Keeps `list` as a file says, as [`block_list_file`](Self::block_list_file) does.
    #[must_use]
    pub fn allow_list_file(self, path: impl Into<PathBuf>, list: &AllowList) -> Self {
        self.list_file(path.into(), Target::Allow(list.clone()))
    }

    /// Keeps the catalogue of `flags` as a file says. Otherwise as [`block_list_file`](Self::block_list_file); its lines are
    /// an id, a name, and any number of tags with a weight behind an `=`, or 1 without, with tabs in between:
    ///
    /// ```text
    /// portishead<TAB>Portishead<TAB>trip-hop<TAB>dark=0.4
    /// ```
    #[must_use]
    pub fn catalogue_file(self, path: impl Into<PathBuf>, flags: &Flags) -> Self {
        self.list_file(path.into(), Target::Catalogue(flags.clone()))
    }

    fn list_file(mut self, path: PathBuf, target: Target) -> Self {
        self.files.lists.push(ListFile { path, target });
        self
    }
}

impl ListFile {
    /// Takes in what the file holds, if it is there.
    pub(super) fn read_once(&self) -> Result<(), BuildError> {
        let read = || match fs::read(&self.path) {
            Ok(bytes) => self.target.read(&bytes).map(Filling::put),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(ListFileError::Unreadable { message: error.to_string() }),
        };
        read().map_err(|source| BuildError::ListFile { path: self.path.clone(), source })
    }

    /// Obeys the file from here on, which has been read, until what comes back is dropped.
    pub(super) fn follow(self, observer: Arc<WatchedObserver>) -> Result<FollowedFile, BuildError> {
        let path = self.path.clone();
        let begun = FollowedFile::begin(&path, "segue-list", move |contents| self.obey(contents, &observer));
        begun.map_err(|error| {
            let source = ListFileError::Unreadable { message: error.to_string() };
            BuildError::ListFile { path, source }
        })
    }

    /// Does as the file says, or tells why not.
    fn obey(&self, contents: Result<Arc<[u8]>, WatchError>, observer: &WatchedObserver) {
        let file: &Path = &self.path;
        let filling = match &contents {
            Ok(bytes) => self.target.read(bytes),
            // Whoever replaces a file may take it away first.
            Err(WatchError::Missing { .. }) => return,
            Err(error) => Err(ListFileError::Unreadable { message: error.to_string() }),
        };
        match filling {
            Ok(filling) => {
                let change = filling.change();
                if change != ListChange::default() {
                    observer.tell(&Notice::ListRead { file, change });
                    filling.put();
                }
            }
            Err(error) => {
                tracing::warn!(target: "segue::settings", file = %file.display(), %error, "a list file was refused");
                observer.tell(&Notice::ListRefused { file, error: &error });
            }
        }
    }
}

impl Target {
    fn read(&self, bytes: &[u8]) -> Result<Filling<'_>, ListFileError> {
        match self {
            Self::Block(list) => Ok(Filling::Block(list, ids(bytes)?)),
            Self::Allow(list) => Ok(Filling::Allow(list, ids(bytes)?)),
            Self::Catalogue(flags) => Ok(Filling::Catalogue(flags, catalogue(bytes)?)),
        }
    }
}

impl Filling<'_> {
    fn change(&self) -> ListChange {
        match self {
            Self::Block(list, ids) => change_of(&list.keys(), ids),
            Self::Allow(list, ids) => change_of(&list.keys(), ids),
            Self::Catalogue(flags, next) => {
                let now = flags.catalogue();
                let known = || next.iter().filter_map(|(id, entry)| Some((entry, now.get(id)?)));
                ListChange {
                    added: next.len() - known().count(),
                    removed: now.len() - known().count(),
                    changed: known().filter(|(entry, before)| entry != before).count(),
                }
            }
        }
    }

    fn put(self) {
        match self {
            Self::Block(list, ids) => list.replace(ids),
            Self::Allow(list, ids) => list.replace(ids),
            Self::Catalogue(flags, catalogue) => flags.replace(catalogue),
        }
    }
}

/// The lines that say something, each with its number.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<(usize, &str), ListFileError>> {
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..).map(|(line, number)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        str::from_utf8(line).map(|line| (number, line)).map_err(|error| wrong(number, error))
    });
    lines.filter(|line| line.as_ref().map_or(true, |(_, line)| !line.is_empty() && !line.starts_with('#')))
}

fn ids(bytes: &[u8]) -> Result<HashSet<ItemId>, ListFileError> {
    lines(bytes).map(|line| line.and_then(|(number, text)| id(number, text))).collect()
}

fn catalogue(bytes: &[u8]) -> Result<Catalogue, ListFileError> {
    let mut catalogue = Catalogue::new();
    for line in lines(bytes) {
        let (number, line) = line?;
        let (text, rest) = line.split_once('\t').ok_or_else(|| wrong(number, "there is no name"))?;
        let entry = entry(rest).map_err(|what| wrong(number, what))?;
        if catalogue.insert(id(number, text)?, entry).is_some() {
            return Err(wrong(number, "the item is there already"));
        }
    }
    Ok(catalogue)
}

fn id(line: usize, text: &str) -> Result<ItemId, ListFileError> {
    let id = ItemId::from(text);
    check_item(&id).map(|()| id).map_err(|error| wrong(line, error))
}

fn wrong(line: usize, what: impl ToString) -> ListFileError {
    ListFileError::Line { line, what: what.to_string() }
}

fn change_of(now: &HashSet<ItemId>, next: &HashSet<ItemId>) -> ListChange {
    let n_known = next.intersection(now).count();
    ListChange { added: next.len() - n_known, removed: now.len() - n_known, changed: 0 }
}

/// A name, and tags behind it.
fn entry(line: &str) -> Result<CatalogueEntry, String> {
    let mut parts = line.split('\t');
    let mut entry = CatalogueEntry::new(parts.next().unwrap_or_default());
    for tag in parts {
        let weighted = tag.rsplit_once('=').and_then(|(name, weight)| Some((name, weight.parse().ok()?)));
        let (name, weight) = weighted.unwrap_or((tag, 1.0));
        if name.is_empty() {
            return Err("a tag has no name".to_owned());
        }
        entry = entry.tag(Tag::new(name, weight).map_err(|error| error.to_string())?);
    }
    Ok(entry)
}
