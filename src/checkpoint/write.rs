//! A snapshot into a file.

use std::mem;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::error::CheckpointError;
use super::head::{CheckpointHead, als_to_wire, weighing_to_wire};
use super::pack::{put_f32s, put_f64s, put_id, put_item, put_queued, put_user};
use super::parts::StateParts;
use super::rules::{self, ensure};
use super::sections::{SectionWriter, Tag};
use super::snapshot::{RunningGramians, Snapshot};
use super::{name, wire};
use crate::model::UserState;
use crate::storage::Storage;
use crate::storage::bytes::PutBytes;
use crate::types::UserIdx;

/// A section ends with the row that makes it this long. Neither side ever holds more of the file in memory
/// than one section.
const SECTION_BYTES: usize = 4 << 20;
/// A section also ends with this many rows: cancellation is noticed between sections.
const SECTION_ROWS: u32 = 4_096;

/// What a checkpoint has in it, and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointReport {
    /// The file.
    pub file: String,
    /// How long it is.
    pub n_bytes: u64,
    /// Users, without the forgotten ones.
    pub n_users: u64,
    /// Items, without the forgotten ones.
    pub n_items: u64,
    /// User–item pairs.
    pub n_cells: u64,
    /// From the first byte to the last being safe.
    pub duration: Duration,
}

/// Writes a snapshot as the checkpoint of its record; one of the same record is replaced.
///
/// Runs on a thread of its own while the writer goes on; checks `cancelled` between sections of some 4 MiB. When
/// it fails, what it has written is removed again if that can be done.
pub(crate) fn write(
    snapshot: &Snapshot,
    storage: &dyn Storage,
    cancelled: &AtomicBool,
) -> Result<CheckpointReport, CheckpointError> {
    let began = Instant::now();
    let record = snapshot.position.record;
    let (unfinished, finished) = (name::unfinished(record), name::finished(record));
    // A process that was killed may have left one. If it cannot be removed, creating it anew says so.
    drop(storage.remove(&unfinished));
    let written = write_file(snapshot, storage, &unfinished, cancelled).and_then(|written| {
        storage.rename(&unfinished, &finished).map_err(CheckpointError::io("rename", &unfinished))?;
        Ok(written)
    });
    let Written { n_bytes, n_users, n_items, n_cells } = match written {
        Ok(written) => written,
        Err(error) => {
            drop(storage.remove(&unfinished));
            return Err(error);
        }
    };
    storage.sync_directory().map_err(CheckpointError::io("sync of the directory", &finished))?;
    Ok(CheckpointReport { file: finished, n_bytes, n_users, n_items, n_cells, duration: began.elapsed() })
}

struct Written {
    n_bytes: u64,
    n_users: u64,
    n_items: u64,
    n_cells: u64,
}

fn write_file(
    snapshot: &Snapshot,
    storage: &dyn Storage,
    file: &str,
    cancelled: &AtomicBool,
) -> Result<Written, CheckpointError> {
    let head = CheckpointHead::of(snapshot);
    let parts = snapshot.parts();
    check_shapes(snapshot, &parts)?;
    let mut sections = SectionWriter::create(storage, file, head.position.store_id, cancelled)?;
    sections.put(Tag::Head, &head.to_wire())?;
    put_names(&mut sections, &parts)?;
    put_keys(&mut sections, &parts)?;
    let n_items = put_items(&mut sections, &parts)?;
    put_model(&mut sections, &parts)?;
    put_item_rows(&mut sections, &parts, head.n_factors())?;
    if let Some(running) = parts.running {
        put_gramians(&mut sections, running, head.n_factors())?;
    }
    put_queue(&mut sections, snapshot)?;
    let users = put_users(&mut sections, &parts, snapshot)?;
    put_user_rows(&mut sections, &parts)?;
    let end = wire::End {
        n_sections: sections.n_sections(),
        n_users: users.n_users,
        n_cells: users.n_cells,
        n_events: users.n_events,
        n_keys: parts.dedupe.keys().len() as u64,
    };
    sections.put(Tag::End, &end)?;
    Ok(Written { n_bytes: sections.finish()?, n_users: users.n_users, n_items, n_cells: users.n_cells })
}

/// What the reader holds the numbers of rows and factors against.
fn check_shapes(snapshot: &Snapshot, parts: &StateParts<'_>) -> Result<(), CheckpointError> {
    let n_factors = snapshot.settings.als.n_factors();
    let (generation, items) = (&parts.generation, &parts.items);
    ensure(parts.item_records.len() == parts.n_items as usize, "the number of item records")?;
    ensure(items.popularity.len() == items.rows.n_items(), "the number of popularities")?;
    ensure(items.rows.n_items() <= parts.n_items as usize, "the number of item rows")?;
    ensure(items.rows.stride() == crate::kernel::stride_of(n_factors), "the length of item rows")?;
    rules::seq(generation.frozen_at, snapshot.seq, "the event a sweep was frozen at")?;
    if let Some((seq, _)) = snapshot.last_freeze {
        rules::seq(seq, snapshot.seq, "the last freeze")?;
    }
    ensure(snapshot.norm_of_model.is_none_or(f64::is_finite), "the norm of the model")?;
    ensure(parts.dedupe.keys().len() <= snapshot.settings.dedupe_window, "the number of idempotency keys")?;
    if let Some(side) = &generation.users {
        ensure(side.factors.n_rows() <= parts.n_users as usize, "the number of user rows")?;
        ensure(side.factors.n_factors() == n_factors, "the length of user rows")?;
        ensure(side.base.params().n_factors() == n_factors, "the length of a basis")?;
    }
    ensure(generation.users.is_some() || parts.running.is_none(), "Gramians without a model")?;
    Ok(())
}

fn put_names(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<(), CheckpointError> {
    let names = parts.actions.custom().iter().map(|name| name.as_str()).collect();
    sections.put(Tag::Actions, &wire::Actions { names })?;
    let offsets = parts.source_offsets.iter().map(|(source, &offset)| (&**source, offset)).collect();
    sections.put(Tag::Sources, &wire::Sources { offsets })
}

fn put_keys(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<(), CheckpointError> {
    let mut chunk = Chunk::default();
    for (key, user) in parts.dedupe.keys() {
        ensure(user.get() < parts.n_users, "the user of an idempotency key")?;
        put_id(&mut chunk.bytes, Some(key));
        chunk.bytes.put_varint(u64::from(user.get()));
        chunk.end_row(|_, n_keys, keys| sections.put(Tag::Keys, &wire::Keys { n_keys, keys }))?;
    }
    chunk.end(|_, n_keys, keys| sections.put(Tag::Keys, &wire::Keys { n_keys, keys }))
}

/// Says how many have an id.
fn put_items(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<u64, CheckpointError> {
    let mut chunk = Chunk::default();
    let mut put =
        |first, n_items, items: &[u8]| sections.put(Tag::Items, &wire::Items { first, n_items, items });
    let mut n_known = 0;
    for (row, record) in (0..).zip(parts.item_records) {
        let id = parts.item_id(row);
        if let Some(id) = &id {
            rules::id_len(id.len_bytes())?;
            n_known += 1;
        }
        rules::item_record(record)?;
        put_item(&mut chunk.bytes, id.as_ref(), record);
        chunk.end_row(&mut put)?;
    }
    chunk.end(put)?;
    Ok(n_known)
}

fn put_model(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<(), CheckpointError> {
    let generation = &parts.generation;
    let mut weighted = Vec::new();
    let users = match &generation.users {
        None => None,
        Some(side) => {
            rules::finite(side.base.weighted(), "a basis")?;
            put_f32s(&mut weighted, side.base.weighted());
            Some(wire::UserSide {
                als: als_to_wire(side.base.params()),
                weighing: weighing_to_wire(side.weighing),
                weighted: &weighted,
                n_items: side.base.n_items() as u64,
                n_user_rows: rows(side.factors.n_rows()),
            })
        }
    };
    let items_moved = parts.running.map(|running| running.items_moved);
    ensure(items_moved.is_none_or(|moved| moved >= 0.0), "how far the items have moved")?;
    let model = wire::Model {
        frozen_at: generation.frozen_at.get(),
        as_of_ms: generation.as_of.unix_ms(),
        item_version: parts.items.version.get(),
        n_item_rows: rows(parts.items.rows.n_items()),
        users,
        items_moved,
    };
    sections.put(Tag::Model, &model)
}

fn put_item_rows(
    sections: &mut SectionWriter<'_>,
    parts: &StateParts<'_>,
    n_factors: usize,
) -> Result<(), CheckpointError> {
    let items = &parts.items;
    rules::popularity(&items.popularity)?;
    let mut chunk = Chunk::default();
    let mut put = |first, n_rows, factors: &[u8]| {
        let these = first as usize..(first + n_rows) as usize;
        let mut popularity = Vec::new();
        put_f32s(&mut popularity, &items.popularity[these]);
        sections.put(Tag::ItemRows, &wire::ItemRows { first, popularity: &popularity, factors })
    };
    for row in items.rows.chunks().flat_map(|(_, rows)| rows.chunks_exact(items.rows.stride())) {
        let row = &row[..n_factors];
        rules::finite(row, "the vector of an item")?;
        put_f32s(&mut chunk.bytes, row);
        chunk.end_row(&mut put)?;
    }
    chunk.end(put)
}

fn put_gramians(
    sections: &mut SectionWriter<'_>,
    running: &RunningGramians,
    n_factors: usize,
) -> Result<(), CheckpointError> {
    let mut triangle = Vec::new();
    for gramian in [&running.users, &running.items, &running.items_at_sweep] {
        rules::gramian(gramian, n_factors)?;
        triangle.clear();
        put_f64s(&mut triangle, gramian.upper_triangle());
        sections.put(Tag::Gramian, &wire::Gramian { upper_triangle: &triangle })?;
    }
    Ok(())
}

fn put_queue(sections: &mut SectionWriter<'_>, snapshot: &Snapshot) -> Result<(), CheckpointError> {
    let mut chunk = Chunk::default();
    let mut put = |_, n_items, items: &[u8]| sections.put(Tag::Queue, &wire::Queue { n_items, items });
    for &item in &snapshot.items_to_fold {
        ensure(item.get() < snapshot.n_items, "an item to be folded")?;
        put_queued(&mut chunk.bytes, item);
        chunk.end_row(&mut put)?;
    }
    chunk.end(put)
}

#[derive(Default)]
struct UserCounts {
    n_users: u64,
    n_cells: u64,
    n_events: u64,
}

fn put_users(
    sections: &mut SectionWriter<'_>,
    parts: &StateParts<'_>,
    snapshot: &Snapshot,
) -> Result<UserCounts, CheckpointError> {
    let mut chunk = Chunk::default();
    let mut put =
        |first, n_users, users: &[u8]| sections.put(Tag::Users, &wire::Users { first, n_users, users });
    let mut counts = UserCounts::default();
    for user in (0..parts.n_users).map(UserIdx::new) {
        let id = parts.user_id(user);
        let state = id.as_ref().and_then(|_| parts.user_state(user));
        if let Some(id) = &id {
            rules::id_len(id.len_bytes())?;
            counts.n_users += 1;
        }
        let vector = state.as_deref().and_then(|state| parts.vector(state));
        if let Some(state) = state.as_deref() {
            check_state(state, snapshot)?;
            rules::finite(vector.unwrap_or_default(), "the vector of a user")?;
            counts.n_cells += state.history.cells().len() as u64;
            counts.n_events += (state.recent.ring().len() + state.recent.standing().len()) as u64;
        }
        put_user(&mut chunk.bytes, id.as_ref(), state.as_deref(), vector);
        chunk.end_row(&mut put)?;
    }
    chunk.end(put)?;
    Ok(counts)
}

fn check_state(state: &UserState, snapshot: &Snapshot) -> Result<(), CheckpointError> {
    rules::seq(state.seq, snapshot.seq, "the last event of a user")?;
    rules::cells(state.history.cells(), snapshot.n_items)?;
    rules::recent(&state.recent, snapshot.n_items)?;
    Ok(())
}

fn put_user_rows(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<(), CheckpointError> {
    let mut chunk = Chunk::default();
    let mut put = |first, _, factors: &[u8]| sections.put(Tag::UserRows, &wire::UserRows { first, factors });
    parts.each_swept_row(|row| {
        rules::finite(row, "the vector of a user")?;
        put_f32s(&mut chunk.bytes, row);
        chunk.end_row(&mut put)
    })?;
    chunk.end(put)
}

/// Rows that go into one section.
#[derive(Debug, Default)]
struct Chunk {
    first: u32,
    n_rows: u32,
    bytes: Vec<u8>,
}

impl Chunk {
    /// A row is complete: a full chunk is put, by its first row, the number of rows, and their bytes.
    fn end_row(
        &mut self,
        put: impl FnMut(u32, u32, &[u8]) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        self.n_rows += 1;
        let is_full = self.n_rows == SECTION_ROWS || self.bytes.len() >= SECTION_BYTES;
        if is_full { self.end(put) } else { Ok(()) }
    }

    /// Puts what is left.
    fn end(
        &mut self,
        mut put: impl FnMut(u32, u32, &[u8]) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        let n_rows = mem::take(&mut self.n_rows);
        if n_rows > 0 {
            put(self.first, n_rows, &self.bytes)?;
            self.first += n_rows;
            self.bytes.clear();
        }
        Ok(())
    }
}

fn rows(n_rows: usize) -> u32 {
    u32::try_from(n_rows).expect("rows are capped at u32")
}
