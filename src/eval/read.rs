//! Readers of the shapes that recommendation data sets come in.
//!
//! Lines end with LF or CRLF, text is UTF-8 with or without a byte order mark. A bad line is an error, an
//! empty line and an empty file are too: a result over half the data would look like any other.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{GivenNegatives, Ids, Interaction};

/// The shape of a file of interactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FileFormat {
    /// `user TAB item [TAB value]` a line; see [`read_pairs`].
    #[default]
    Pairs,
    /// `user item item …` a line; see [`read_lists`].
    Lists,
}

/// Why a file could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read {}; check that it is there and readable", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing in the file.
    #[error("{} is empty; expected {expected} a line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The shape of a line.
        expected: &'static str,
    },
    /// A line has another shape.
    #[error("{}, line {line}: {problem}; expected {expected}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line; the first is 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
        /// The shape of a line.
        expected: &'static str,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineProblem {
    /// It is not UTF-8.
    NotUtf8,
    /// It ends before the column of that name.
    MissingColumn(&'static str),
    /// The column of that name holds no id.
    EmptyId(&'static str),
    /// The value is not a finite number of 0 or more.
    Value(String),
    /// The first column is not `(user,item)`.
    Key(String),
    /// It names the 2³²-th user or item.
    TooManyIds,
}

impl FileFormat {
    /// Reads a file of this shape.
    ///
    /// # Errors
    /// [`ReadError`] names the file, the line and what was expected.
    pub fn read(self, path: &Path, ids: &mut Ids) -> Result<Vec<Interaction>, ReadError> {
        match self {
            Self::Pairs => read_pairs(path, ids),
            Self::Lists => read_lists(path, ids),
        }
    }
}

/// Reads `user TAB item [TAB value]` a line, in the order of the file.
///
/// Without a third column the value is 1; with one it must be a finite number of 0 or more. Further columns
/// are not looked at: so this also reads `user TAB item TAB rating TAB time`, with the rating as the value.
/// Ids may contain spaces.
///
/// # Errors
/// [`ReadError`] names the file, the line and what was expected.
pub fn read_pairs(path: &Path, ids: &mut Ids) -> Result<Vec<Interaction>, ReadError> {
    pairs_from(path, open(path)?, ids)
}

/// Reads `user item item …` a line, separated by white space; every value is 1.
///
/// A user alone is a user without items: such lines occur in published splits.
///
/// # Errors
/// [`ReadError`] names the file, the line and what was expected.
pub fn read_lists(path: &Path, ids: &mut Ids) -> Result<Vec<Interaction>, ReadError> {
    lists_from(path, open(path)?, ids)
}

/// Reads `(user,item) TAB negative TAB negative …` a line: the given negatives of the NCF data sets.
///
/// # Errors
/// [`ReadError`] names the file, the line and what was expected.
pub fn read_ncf_negatives(path: &Path, ids: &mut Ids) -> Result<Vec<GivenNegatives>, ReadError> {
    ncf_negatives_from(path, open(path)?, ids)
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::MissingColumn(column) => write!(f, "the {column} is missing"),
            Self::EmptyId(column) => write!(f, "the {column} is empty"),
            Self::Value(got) => write!(f, "the value must be a finite number >= 0, got {got:?}"),
            Self::Key(got) => write!(f, "the first column must be (user,item), got {got:?}"),
            Self::TooManyIds => f.write_str("there are more than 2³² users or items"),
        }
    }
}

pub(super) fn pairs_from(
    path: &Path,
    reader: impl BufRead,
    ids: &mut Ids,
) -> Result<Vec<Interaction>, ReadError> {
    let mut interactions = Vec::new();
    for_each_line(path, reader, "user TAB item [TAB value]", |line| {
        let mut columns = line.split('\t');
        let user = id_of(columns.next(), "user")?;
        let item = id_of(columns.next(), "item")?;
        let value = columns.next().map_or(Ok(1.0), value_of)?;
        interactions.push(interaction(ids, user, item, value)?);
        Ok(())
    })?;
    Ok(interactions)
}

pub(super) fn lists_from(
    path: &Path,
    reader: impl BufRead,
    ids: &mut Ids,
) -> Result<Vec<Interaction>, ReadError> {
    let mut interactions = Vec::new();
    for_each_line(path, reader, "user item item …", |line| {
        let mut columns = line.split_whitespace();
        let user = columns.next().ok_or(LineProblem::MissingColumn("user"))?;
        ids.add_user(user).ok_or(LineProblem::TooManyIds)?;
        for item in columns {
            interactions.push(interaction(ids, user, item, 1.0)?);
        }
        Ok(())
    })?;
    Ok(interactions)
}

pub(super) fn ncf_negatives_from(
    path: &Path,
    reader: impl BufRead,
    ids: &mut Ids,
) -> Result<Vec<GivenNegatives>, ReadError> {
    let mut cases = Vec::new();
    for_each_line(path, reader, "(user,item) TAB negative TAB negative …", |line| {
        let mut columns = line.split('\t');
        let (user, positive) = key_of(columns.next().unwrap_or_default())?;
        let negatives =
            columns.map(|negative| id_of(Some(negative), "negative")).collect::<Result<Vec<_>, _>>()?;
        if negatives.is_empty() {
            return Err(LineProblem::MissingColumn("first negative"));
        }
        let Interaction { user, item: positive, .. } = interaction(ids, user, positive, 1.0)?;
        let negatives = negatives.into_iter().map(|negative| ids.add_item(negative)).collect::<Option<_>>();
        cases.push(GivenNegatives { user, positive, negatives: negatives.ok_or(LineProblem::TooManyIds)? });
        Ok(())
    })?;
    Ok(cases)
}

fn open(path: &Path) -> Result<BufReader<File>, ReadError> {
    File::open(path).map(BufReader::new).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

/// Calls `f` with each line, without its end.
fn for_each_line(
    path: &Path,
    mut reader: impl BufRead,
    expected: &'static str,
    mut f: impl FnMut(&str) -> Result<(), LineProblem>,
) -> Result<(), ReadError> {
    let mut line = 0;
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let n_bytes = reader
            .read_until(b'\n', &mut bytes)
            .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        if n_bytes == 0 {
            break;
        }
        line += 1;
        text_of(&bytes, line).and_then(&mut f).map_err(|problem| ReadError::Line {
            path: path.to_owned(),
            line,
            problem,
            expected,
        })?;
    }
    if line == 0 { Err(ReadError::Empty { path: path.to_owned(), expected }) } else { Ok(()) }
}

/// A line without its end and, if it is the first, without a byte order mark.
fn text_of(bytes: &[u8], line: usize) -> Result<&str, LineProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| LineProblem::NotUtf8)?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text })
}

fn id_of<'a>(column: Option<&'a str>, name: &'static str) -> Result<&'a str, LineProblem> {
    match column {
        None => Err(LineProblem::MissingColumn(name)),
        Some(id) if id.trim().is_empty() => Err(LineProblem::EmptyId(name)),
        Some(id) => Ok(id),
    }
}

fn value_of(column: &str) -> Result<f32, LineProblem> {
    let value = column.trim().parse().ok().filter(|value: &f32| value.is_finite() && *value >= 0.0);
    value.ok_or_else(|| LineProblem::Value(column.to_owned()))
}

fn key_of(column: &str) -> Result<(&str, &str), LineProblem> {
    let inner = column.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    // With a second comma nobody could tell where the user ends.
    let (user, item) = inner
        .and_then(|inner| inner.split_once(','))
        .filter(|(_, item)| !item.contains(','))
        .ok_or_else(|| LineProblem::Key(column.to_owned()))?;
    Ok((id_of(Some(user), "user")?, id_of(Some(item), "item")?))
}

fn interaction(ids: &mut Ids, user: &str, item: &str, value: f32) -> Result<Interaction, LineProblem> {
    let user = ids.add_user(user).ok_or(LineProblem::TooManyIds)?;
    let item = ids.add_item(item).ok_or(LineProblem::TooManyIds)?;
    Ok(Interaction { user, item, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ItemIdx, UserIdx};

    /// A reader fails before it gets here if the file were looked for.
    const NO_FILE: &str = "in-memory";

    fn triples(interactions: &[Interaction]) -> Vec<(u32, u32, f32)> {
        interactions.iter().map(|one| (one.user.get(), one.item.get(), one.value)).collect()
    }

    #[test]
    fn pairs_take_the_value_of_the_third_column_and_ignore_the_rest() {
        let mut ids = Ids::default();
        let text = "\u{feff}ana\tthe knife\t3\t978300760\nbo\tmuse\r\nana\tmuse\t0.5\tx\ty";
        let read = pairs_from(Path::new(NO_FILE), text.as_bytes(), &mut ids).expect("well formed");
        assert_eq!(triples(&read), [(0, 0, 3.0), (1, 1, 1.0), (0, 1, 0.5)]);
        assert_eq!(ids.user_ids().collect::<Vec<_>>(), ["ana", "bo"]);
        assert_eq!(ids.item_ids().collect::<Vec<_>>(), ["the knife", "muse"]);
    }

    #[test]
    fn lists_may_hold_any_white_space_and_no_item_at_all() {
        let mut ids = Ids::default();
        let text = "7 1\t 2 \r\n8\n9 2\n";
        let read = lists_from(Path::new(NO_FILE), text.as_bytes(), &mut ids).expect("well formed");
        assert_eq!(triples(&read), [(0, 0, 1.0), (0, 1, 1.0), (2, 1, 1.0)]);
        assert_eq!(ids.user("8"), Some(UserIdx::new(1)));
    }

    #[test]
    fn given_negatives_keep_their_order() {
        let mut ids = Ids::default();
        let text = "(0,25)\t1064\t174\n(1,174)\t25\n";
        let read = ncf_negatives_from(Path::new(NO_FILE), text.as_bytes(), &mut ids).expect("well formed");
        let items = |rows: &[u32]| rows.iter().map(|&row| ItemIdx::new(row)).collect::<Vec<_>>();
        let first =
            GivenNegatives { user: UserIdx::new(0), positive: ItemIdx::new(0), negatives: items(&[1, 2]) };
        let second =
            GivenNegatives { user: UserIdx::new(1), positive: ItemIdx::new(2), negatives: items(&[0]) };
        assert_eq!(read, [first, second]);
    }
}
