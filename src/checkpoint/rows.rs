//! Rows of bytes, spread over sections of bounded size.

use super::error::{CheckpointError, Flaw};
use super::rules::ensure;
use super::sections::{SectionReader, SectionWriter, Tag, fields};
use super::wire;
use crate::storage::StoreError;
use crate::storage::bytes::TakeBytes;

/// A section ends with the row that makes it this long. Neither side ever holds more of the file in memory
/// than one section.
const SECTION_BYTES: usize = 4 << 20;
/// A section also ends with this many rows: cancellation is noticed between sections.
const SECTION_ROWS: u32 = 4_096;

/// Writes the rows of one kind.
#[derive(Debug)]
pub(super) struct RowWriter<'a, 'b> {
    sections: &'a mut SectionWriter<'b>,
    tag: Tag,
    first: u32,
    n_rows: u32,
    bytes: Vec<u8>,
}

impl<'a, 'b> RowWriter<'a, 'b> {
    pub(super) fn new(sections: &'a mut SectionWriter<'b>, tag: Tag) -> Self {
        Self { sections, tag, first: 0, n_rows: 0, bytes: Vec::new() }
    }

    /// Adds the row that `put` appends.
    pub(super) fn add(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), CheckpointError> {
        put(&mut self.bytes);
        self.n_rows += 1;
        let is_full = self.n_rows == SECTION_ROWS || self.bytes.len() >= SECTION_BYTES;
        if is_full { self.flush() } else { Ok(()) }
    }

    /// No more rows come.
    pub(super) fn end(mut self) -> Result<(), CheckpointError> {
        if self.n_rows > 0 { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), CheckpointError> {
        let chunk = wire::Chunk { first: self.first, n_rows: self.n_rows, rows: &self.bytes };
        self.sections.put(self.tag, &chunk)?;
        self.first += self.n_rows;
        self.n_rows = 0;
        self.bytes.clear();
        Ok(())
    }
}

/// Reads all rows of one kind, each with `take`, and says how many there were: `n_all` at most.
pub(super) fn each_row(
    sections: &mut SectionReader,
    tag: Tag,
    n_all: u32,
    mut take: impl FnMut(&mut TakeBytes<'_>) -> Result<(), Flaw>,
) -> Result<u32, StoreError> {
    let mut so_far = 0;
    sections.each(tag, |payload| {
        let wire::Chunk { first, n_rows, rows } = fields(payload)?;
        // They must begin where the ones before them have ended, and none may go beyond all.
        ensure(first == so_far && n_rows <= n_all - so_far, "the number of a section's first row")?;
        let mut rows = TakeBytes::new(rows);
        for _ in 0..n_rows {
            take(&mut rows)?;
        }
        so_far += n_rows;
        Ok(rows.end()?)
    })?;
    Ok(so_far)
}

/// As [`each_row`], of which there must be as many as that.
pub(super) fn exactly(
    n_rows: u32,
    sections: &mut SectionReader,
    tag: Tag,
    take: impl FnMut(&mut TakeBytes<'_>) -> Result<(), Flaw>,
) -> Result<(), StoreError> {
    let found = each_row(sections, tag, n_rows, take)?;
    sections.ensure(found == n_rows, &format!("of the {n_rows} rows of the {tag} there are {found}"))
}
