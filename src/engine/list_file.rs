//! Block lists, allow lists and catalogues from files that are watched while the engine runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::HashSet;
use thiserror::Error;

use super::build_error::BuildError;
use super::builder::EngineBuilder;
use super::files::Herald;
use super::observer::Notice;
use crate::ingest::check_item;
use crate::query::{AllowList, BlockList, Flags, LiveSet};
use crate::types::{Catalogue, CatalogueEntry, ItemId, Tag};
use crate::watch::{Contents, FollowedFile, found, read};

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
    /// The last line does not end with a line feed, so it may be the first half of it.
    #[error("line {line}: the last line is not finished; end it with a line feed")]
    Unfinished {
        /// The last one.
        line: usize,
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

/// What a list file is about to change, each in order of id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ListChange {
    /// What is new: ids of a list, items of a catalogue.
    pub added: Vec<ItemId>,
    /// What is gone.
    pub removed: Vec<ItemId>,
    /// Items of a catalogue of which it says something else.
    pub changed: Vec<ItemId>,
}

/// A file, and what it fills.
#[derive(Debug)]
pub(super) struct ListFile {
    pub(super) path: PathBuf,
    target: Target,
    /// What it held when it was read.
    known: Option<Contents>,
}

#[derive(Debug)]
enum Target {
    List(Arc<LiveSet>),
    Catalogue(Flags),
}

/// What a file holds, whole and checked, beside what it fills.
enum Filling<'t> {
    List(&'t LiveSet, HashSet<ItemId>),
    Catalogue(&'t Flags, Catalogue),
}

impl EngineBuilder {
    /// Keeps `list` as a file says: an id on each line, the last one too ends with a line feed, UTF-8; empty lines and those that
    /// begin with `#` say nothing. Give the list to a [`filter`](Self::filter), too.
    ///
    /// The file is read when the engine is opened, if it is there, and whenever it has changed and was left alone for 50 ms:
    /// write another and rename it, so that no half of it is ever read. It takes the place of all that was on the list, in one
    /// step; one with anything wrong in it changes nothing. The [observer](Self::observer) is told of both. What the host puts
    /// on the list itself lasts until the file changes; another file for the same list is refused. A
    /// [`ManualEngine`](crate::ManualEngine) reads it once.
    #[must_use]
    pub fn block_list_file(self, path: impl Into<PathBuf>, list: &BlockList) -> Self {
        self.list_file(path.into(), Target::List(Arc::clone(list.set())))
    }

    /// Keeps `list` as a file says, as [`block_list_file`](Self::block_list_file) does.
    #[must_use]
    pub fn allow_list_file(self, path: impl Into<PathBuf>, list: &AllowList) -> Self {
        self.list_file(path.into(), Target::List(Arc::clone(list.set())))
    }

    /// Keeps the catalogue of `flags` as a file says. Otherwise as [`block_list_file`](Self::block_list_file); its lines are
    /// an id, a name, and any number of tags with a weight behind the last `=`, or 1 if there is none, with tabs in between:
    ///
    /// ```text
    /// portishead<TAB>Portishead<TAB>trip-hop<TAB>dark=0.4
    /// ```
    #[must_use]
    pub fn catalogue_file(self, path: impl Into<PathBuf>, flags: &Flags) -> Self {
        self.list_file(path.into(), Target::Catalogue(flags.clone()))
    }

    fn list_file(mut self, path: PathBuf, target: Target) -> Self {
        self.files.lists.push(ListFile { path, target, known: None });
        self
    }
}

impl ListFile {
    /// Takes in what the file holds, if it is there.
    pub(super) fn fill(&mut self) -> Result<(), BuildError> {
        let contents = read(&self.path);
        match self.target.filling(&contents) {
            Ok(filling) => filling.into_iter().for_each(Filling::put),
            Err(source) => return Err(BuildError::ListFile { path: self.path.clone(), source }),
        }
        self.known = Some(contents);
        Ok(())
    }

    /// Whether two files would fill one thing.
    pub(super) fn fills_the_same_as(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (Target::List(one), Target::List(other)) => Arc::ptr_eq(one, other),
            (Target::Catalogue(one), Target::Catalogue(other)) => one.is_same(other),
            (Target::List(_) | Target::Catalogue(_), _) => false,
        }
    }

    /// Obeys the file from here on, which has been read, until what comes back is dropped.
    pub(super) fn follow(mut self, herald: Herald) -> Result<FollowedFile, BuildError> {
        let (path, known) = (self.path.clone(), self.known.take());
        let obey = move |contents| self.obey(&contents, &herald);
        FollowedFile::begin(&path, known, "segue-list", obey).map_err(BuildError::Thread)
    }

    /// Does as the file says, or tells why not.
    fn obey(&self, contents: &Contents, herald: &Herald) {
        let file: &Path = &self.path;
        match self.target.filling(contents) {
            // A file that is not there has nothing wrong in it.
            Ok(None) => herald.agrees(file),
            Ok(Some(filling)) => {
                let change = filling.change();
                if change == ListChange::default() {
                    return herald.agrees(file);
                }
                herald.tell(&Notice::ListRead { file, change: &change });
                filling.put();
                herald.taken(file);
            }
            Err(error) => herald.refused(file, &error, &Notice::ListRefused { file, error: &error }),
        }
    }
}

impl Target {
    /// What a file holds; `None` if it is not there.
    fn filling(&self, contents: &Contents) -> Result<Option<Filling<'_>>, ListFileError> {
        let unreadable = |message| ListFileError::Unreadable { message };
        let bytes = found(contents).map_err(|error| unreadable(error.to_string()))?;
        bytes.map(|bytes| self.parsed(bytes)).transpose()
    }

    fn parsed(&self, bytes: &[u8]) -> Result<Filling<'_>, ListFileError> {
        match self {
            Self::List(list) => Ok(Filling::List(list, ids(bytes)?)),
            Self::Catalogue(flags) => Ok(Filling::Catalogue(flags, catalogue(bytes)?)),
        }
    }
}

impl Filling<'_> {
    fn change(&self) -> ListChange {
        match self {
            Self::List(list, ids) => {
                let now = list.load();
                ListChange {
                    added: in_order(ids.difference(&now)),
                    removed: in_order(now.difference(ids)),
                    changed: Vec::new(),
                }
            }
            Self::Catalogue(flags, next) => {
                let now = flags.catalogue();
                let is_other =
                    |&(id, entry): &(&ItemId, _)| now.get(id).is_some_and(|before| before != entry);
                ListChange {
                    added: in_order(next.iter().map(|(id, _)| id).filter(|id| now.get(id).is_none())),
                    removed: in_order(now.iter().map(|(id, _)| id).filter(|id| next.get(id).is_none())),
                    changed: in_order(next.iter().filter(is_other).map(|(id, _)| id)),
                }
            }
        }
    }

    fn put(self) {
        match self {
            Self::List(list, ids) => list.replace(ids),
            Self::Catalogue(flags, catalogue) => flags.replace(catalogue),
        }
    }
}

/// The text of a file that is there to its end.
fn whole(bytes: &[u8]) -> Result<&[u8], ListFileError> {
    // Editors of one system put a mark in front of UTF-8.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match text.last() {
        None | Some(b'\n') => Ok(text),
        Some(_) => Err(ListFileError::Unfinished { line: text.split(|&byte| byte == b'\n').count() }),
    }
}

/// The lines that say something, each with its number.
fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<(usize, &str), ListFileError>> {
    let lines = bytes.split(|&byte| byte == b'\n').zip(1..).map(|(line, number)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        str::from_utf8(line).map(|line| (number, line)).map_err(|error| {
            wrong(number, format_args!("it is not UTF-8 from its byte {} on", error.valid_up_to()))
        })
    });
    lines.filter(|line| line.as_ref().map_or(true, |(_, line)| !line.is_empty() && !line.starts_with('#')))
}

fn ids(bytes: &[u8]) -> Result<HashSet<ItemId>, ListFileError> {
    lines(whole(bytes)?).map(|line| line.and_then(|(number, text)| id(number, text))).collect()
}

fn catalogue(bytes: &[u8]) -> Result<Catalogue, ListFileError> {
    let mut catalogue = Catalogue::new();
    for line in lines(whole(bytes)?) {
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

fn in_order<'a>(ids: impl Iterator<Item = &'a ItemId>) -> Vec<ItemId> {
    let mut ids: Vec<ItemId> = ids.cloned().collect();
    ids.sort_unstable();
    ids
}

/// A name, and tags behind it.
fn entry(line: &str) -> Result<CatalogueEntry, String> {
    let mut parts = line.split('\t');
    let mut entry = CatalogueEntry::new(parts.next().unwrap_or_default());
    for tag in parts {
        let (name, weight) = match tag.rsplit_once('=') {
            Some((name, weight)) => match weight.parse() {
                Ok(weight) => (name, weight),
                Err(_) => return Err(format!("the weight of tag {name:?} must be a number, got {weight:?}")),
            },
            None => (tag, 1.0),
        };
        if name.is_empty() {
            return Err("a tag has no name".to_owned());
        }
        entry = entry.tag(Tag::new(name, weight).map_err(|error| error.to_string())?);
    }
    Ok(entry)
}
