//! Lists of ids: text, one id a line, in order of row.

use std::fmt::Display;
use std::io::{self, BufRead, Read, Write};

use super::ForeignModelError;
use super::foreign::HostId;
use crate::types::MAX_ID_BYTES;

/// The longest line that may be an id: one with the two bytes that end it.
const MAX_LINE_BYTES: usize = MAX_ID_BYTES + 2;

/// Why a list of ids was not written.
#[derive(Debug)]
pub(crate) enum IdWriteError {
    /// This id would take two lines.
    LineBreak(String),
    Io(io::Error),
}

/// Writes one id a line. An id with a line break in it is refused: whoever reads the list would see two.
pub(crate) fn write_ids(
    mut writer: impl Write,
    ids: impl Iterator<Item = impl Display>,
) -> Result<(), IdWriteError> {
    let mut line = String::new();
    for id in ids {
        line.clear();
        // Python takes a lone carriage return for the end of a line.
        let breaks = |text: &str| text.contains(['\n', '\r']);
        std::fmt::Write::write_fmt(&mut line, format_args!("{id}")).expect("a String takes everything");
        if breaks(&line) {
            return Err(IdWriteError::LineBreak(line));
        }
        line.push('\n');
        writer.write_all(line.as_bytes()).map_err(IdWriteError::Io)?;
    }
    writer.flush().map_err(IdWriteError::Io)
}

/// Reads a list; the ids may still be empty or there twice. Holds no more than one line beside them.
pub(super) fn read_ids<I: HostId>(
    mut reader: impl BufRead,
    list: &'static str,
) -> Result<Vec<I>, ForeignModelError> {
    let mut ids: Vec<I> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = reader.by_ref().take(MAX_LINE_BYTES as u64);
        let n_bytes =
            bounded.read_until(b'\n', &mut line).map_err(|source| ForeignModelError::Ids { list, source })?;
        if n_bytes == 0 {
            return Ok(ids);
        }
        let row = ids.len();
        let id = match line.strip_suffix(b"\n") {
            // As a text file of Windows has it.
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None if n_bytes == MAX_LINE_BYTES => return Err(ForeignModelError::IdTooLong { list, row }),
            None => &line,
        };
        let id = std::str::from_utf8(id).map_err(|_| ForeignModelError::IdEncoding { list, row })?;
        ids.push(id.into());
    }
}
