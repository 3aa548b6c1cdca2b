//! Tab-separated files with a header line.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::ImportError;

/// How a file's bytes stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// Every byte is the code point of its number.
    Iso8859_1,
}

/// A whole file of `N` columns in memory: the sets this reads have files of a few megabytes.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    path: PathBuf,
    text: String,
    columns: [&'static str; N],
}

/// One line of a [`Table`], with everything an error about it has to name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a, const N: usize> {
    path: &'a Path,
    line: usize,
    columns: [&'static str; N],
    fields: [&'a str; N],
}

impl<const N: usize> Table<N> {
    /// Reads `folder/name` and checks that its first line names `columns`. Lines may end in LF or CRLF.
    pub(super) fn read(
        folder: &Path,
        name: &str,
        encoding: Encoding,
        columns: [&'static str; N],
    ) -> Result<Self, ImportError> {
        let path = folder.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(ImportError::Read { path, source }),
        };
        let text = match encoding {
            Encoding::Utf8 => match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(broken) => {
                    let valid = &broken.as_bytes()[..broken.utf8_error().valid_up_to()];
                    let line = valid.split(|byte| *byte == b'\n').count();
                    return Err(ImportError::Encoding { path, line, expected: "UTF-8" });
                }
            },
            Encoding::Iso8859_1 => bytes.into_iter().map(char::from).collect(),
        };
        let table = Self { path, text, columns };
        let (header, expected) = (table.lines().next().unwrap_or_default(), columns.join("\t"));
        if header != expected {
            let got = header.to_owned();
            return Err(ImportError::Header { path: table.path, expected, got });
        }
        Ok(table)
    }

    /// The lines below the header. One of another number of columns is an error in its place.
    pub(super) fn rows(&self) -> impl Iterator<Item = Result<Row<'_, N>, ImportError>> {
        self.lines().enumerate().skip(1).map(|(above, text)| {
            let mut fields = [""; N];
            let mut n_fields = 0;
            for field in text.split('\t') {
                if let Some(place) = fields.get_mut(n_fields) {
                    *place = field;
                }
                n_fields += 1;
            }
            let line = above + 1;
            if n_fields != N {
                let path = self.path.clone();
                return Err(ImportError::Columns { path, line, expected: N, got: n_fields });
            }
            Ok(Row { path: &self.path, line, columns: self.columns, fields })
        })
    }

    fn lines(&self) -> std::str::Lines<'_> {
        // Editors on Windows put a byte order mark in front.
        self.text.strip_prefix('\u{FEFF}').unwrap_or(&self.text).lines()
    }
}

impl<'a, const N: usize> Row<'a, N> {
    /// A text that is not empty.
    pub(super) fn text(&self, column: usize) -> Result<&'a str, ImportError> {
        match self.fields[column] {
            "" => Err(self.wrong(column, "a text")),
            text => Ok(text),
        }
    }

    /// A number, described by `expected` when it is none.
    pub(super) fn number<T: FromStr>(&self, column: usize, expected: &'static str) -> Result<T, ImportError> {
        self.fields[column].parse().map_err(|_| self.wrong(column, expected))
    }

    /// A number the set uses as a key.
    pub(super) fn id(&self, column: usize) -> Result<u64, ImportError> {
        self.number(column, "an id, a whole number")
    }

    /// Checks that a number of a calendar lies in the range it can have.
    pub(super) fn calendar(
        &self,
        column: usize,
        range: std::ops::RangeInclusive<u16>,
        expected: &'static str,
    ) -> Result<u16, ImportError> {
        let number = self.number(column, expected)?;
        if range.contains(&number) { Ok(number) } else { Err(self.wrong(column, expected)) }
    }

    /// The error that the value in `column` is not what was expected.
    pub(super) fn wrong(&self, column: usize, expected: &'static str) -> ImportError {
        ImportError::Value {
            path: self.path.to_owned(),
            line: self.line,
            column: self.columns[column],
            expected,
            got: self.fields[column].to_owned(),
        }
    }

    /// The error that `what` was given on an earlier line.
    pub(super) fn duplicate(&self, what: String) -> ImportError {
        ImportError::Duplicate { path: self.path.to_owned(), line: self.line, what }
    }

    /// The error that `what` is missing from the file `listed_in`.
    pub(super) fn unlisted(&self, what: String, listed_in: &'static str) -> ImportError {
        ImportError::Unlisted { path: self.path.to_owned(), line: self.line, what, listed_in }
    }
}
