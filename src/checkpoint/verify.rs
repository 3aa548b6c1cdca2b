//! Looking at a checkpoint without opening an engine from it.

use super::head::CheckpointHead;
use super::read::{read_head, take_end};
use super::sections::{SectionReader, Tag};
use super::wire;
use crate::storage::{Storage, StoreError};

/// What a checkpoint that is whole has in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckpointSummary {
    pub(crate) head: CheckpointHead,
    pub(crate) n_bytes: u64,
    pub(crate) n_sections: u32,
    /// Users, without the forgotten ones.
    pub(crate) n_users: u64,
    /// User–item pairs.
    pub(crate) n_cells: u64,
    /// Recent events.
    pub(crate) n_events: u64,
    /// Idempotency keys.
    pub(crate) n_keys: u64,
}

/// What a checkpoint says of itself first. Only that is read and checked.
pub(crate) fn head(storage: &dyn Storage, name: &str) -> Result<CheckpointHead, StoreError> {
    read_head(&mut SectionReader::open(storage, name)?)
}

/// Reads a checkpoint to its end and checks that every byte is the one that was written.
///
/// # Errors
/// As [`read`](super::read()).
pub(crate) fn verify(storage: &dyn Storage, name: &str) -> Result<CheckpointSummary, StoreError> {
    let mut sections = SectionReader::open(storage, name)?;
    let head = read_head(&mut sections)?;
    let end = find_end(&mut sections)?;
    let n_sections = sections.n_sections();
    sections.ensure(end.n_sections == n_sections - 1, "its end tells of other sections")?;
    sections.end()?;
    let wire::End { n_users, n_cells, n_events, n_keys, .. } = end;
    Ok(CheckpointSummary {
        head,
        n_bytes: sections.n_bytes(),
        n_sections,
        n_users,
        n_cells,
        n_events,
        n_keys,
    })
}

fn find_end(sections: &mut SectionReader) -> Result<wire::End, StoreError> {
    while sections.skip_unless(Tag::End)? {}
    sections.one(Tag::End, take_end)
}
