//! A snapshot into a file.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::error::CheckpointError;
use super::head::CheckpointHead;
use super::pack::{put_id, put_item, put_queued, put_skips, put_user};
use super::parts::{StateParts, UserCounts};
use super::rows::RowWriter;
use super::rules::{self, ensure};
use super::sections::{FORMAT, FORMAT_WITHOUT_SKIPS, SectionWriter, Tag};
use super::snapshot::Snapshot;
use super::write_model::{check_model, put_gramians, put_item_rows, put_model, put_user_rows};
use super::{name, wire};
use crate::model::{RowsOf, UserState};
use crate::storage::Storage;
use crate::storage::bytes::PutBytes;
use crate::types::{ActionName, UserIdx};

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
    let mut report = written.inspect_err(|_| drop(storage.remove(&unfinished)))?;
    storage.sync_directory().map_err(CheckpointError::io("sync of the directory", &finished))?;
    report.file = finished;
    report.duration = began.elapsed();
    Ok(report)
}

fn write_file(
    snapshot: &Snapshot,
    storage: &dyn Storage,
    file: &str,
    cancelled: &AtomicBool,
) -> Result<CheckpointReport, CheckpointError> {
    let head = CheckpointHead::of(snapshot);
    let parts = snapshot.parts();
    check_head(snapshot)?;
    let n_factors = parts.generation.n_factors().unwrap_or(head.n_factors());
    check_model(&parts, head.seq, n_factors)?;
    let side = parts.generation.users.as_ref();
    let is_foreign = side.is_some_and(|side| side.rows_of == RowsOf::Foreigners);
    let is_plain = snapshot.skips.is_empty() && !is_foreign;
    let format = if is_plain { FORMAT_WITHOUT_SKIPS } else { FORMAT };
    let mut sections = SectionWriter::create(storage, file, format, head.position.store_id, cancelled)?;
    sections.put(Tag::Head, &head.to_wire())?;
    put_names(&mut sections, &parts)?;
    put_keys(&mut sections, &parts)?;
    let n_items = put_items(&mut sections, &parts)?;
    put_model(&mut sections, &parts)?;
    put_item_rows(&mut sections, &parts, n_factors)?;
    if let Some(running) = parts.running {
        put_gramians(&mut sections, running, n_factors)?;
    }
    put_queue(&mut sections, snapshot)?;
    let users = put_users(&mut sections, &parts, snapshot)?;
    put_user_rows(&mut sections, &parts)?;
    if format == FORMAT {
        put_skip_counts(&mut sections, snapshot)?;
    }
    let end = wire::End {
        n_sections: sections.n_sections(),
        n_users: users.n_users,
        n_cells: users.n_cells,
        n_events: users.n_events,
        n_keys: parts.dedupe.keys().len() as u64,
    };
    sections.put(Tag::End, &end)?;
    Ok(CheckpointReport {
        file: file.to_owned(),
        n_bytes: sections.finish()?,
        n_users: users.n_users,
        n_items,
        n_cells: users.n_cells,
        duration: Duration::ZERO,
    })
}

/// What the reader holds the head, and the numbers of rows, against.
fn check_head(snapshot: &Snapshot) -> Result<(), CheckpointError> {
    if let Some((seq, _)) = snapshot.last_freeze {
        rules::seq(seq, snapshot.seq, "the last freeze")?;
    }
    ensure(snapshot.norm_of_model.is_none_or(f64::is_finite), "the norm of the model")?;
    ensure(snapshot.skips.items().len() <= snapshot.n_items as usize, "the number of counts of skips")?;
    ensure(snapshot.item_records.len() == snapshot.n_items as usize, "the number of item records")?;
    let n_keys = snapshot.dedupe.keys().len();
    ensure(n_keys <= snapshot.settings.dedupe_window, "the number of idempotency keys")?;
    Ok(())
}

fn put_names(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<(), CheckpointError> {
    let names = parts.actions.custom().iter().map(ActionName::as_str).collect();
    sections.put(Tag::Actions, &wire::Actions { names })?;
    let offsets = parts.source_offsets.iter().map(|(source, &offset)| (&**source, offset)).collect();
    sections.put(Tag::Sources, &wire::Sources { offsets })
}

fn put_keys(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<(), CheckpointError> {
    let mut rows = RowWriter::new(sections, Tag::Keys);
    for (key, user) in parts.dedupe.keys() {
        ensure(user.get() < parts.n_users, "the user of an idempotency key")?;
        rows.add(|out| {
            put_id(out, Some(key));
            out.put_varint(u64::from(user.get()));
        })?;
    }
    rows.end()
}

/// Says how many have an id.
fn put_items(sections: &mut SectionWriter<'_>, parts: &StateParts<'_>) -> Result<u64, CheckpointError> {
    let mut rows = RowWriter::new(sections, Tag::Items);
    let mut n_known = 0;
    for (row, record) in (0..).zip(parts.item_records) {
        let id = parts.item_id(row);
        if let Some(id) = &id {
            rules::id_len(id.len_bytes())?;
            n_known += 1;
        }
        rules::item_record(record)?;
        rows.add(|out| put_item(out, id.as_ref(), record))?;
    }
    rows.end()?;
    Ok(n_known)
}

fn put_queue(sections: &mut SectionWriter<'_>, snapshot: &Snapshot) -> Result<(), CheckpointError> {
    let mut rows = RowWriter::new(sections, Tag::Queue);
    let mut may_come = vec![true; snapshot.items.n_items()];
    for &item in &snapshot.items_to_fold {
        rules::to_fold(item, &mut may_come)?;
        rows.add(|out| put_queued(out, item))?;
    }
    rows.end()
}

fn put_skip_counts(sections: &mut SectionWriter<'_>, snapshot: &Snapshot) -> Result<(), CheckpointError> {
    let skips = &snapshot.skips;
    for (tag, counts) in [(Tag::ItemSkips, skips.items()), (Tag::ContextSkips, skips.contexts())] {
        let mut rows = RowWriter::new(sections, tag);
        // The overall one stands first among the circumstances.
        let overall = (tag == Tag::ContextSkips).then(|| skips.overall());
        for count in overall.iter().chain(counts) {
            ensure(count.is_sound(), "a count of skips")?;
            rows.add(|out| put_skips(out, *count))?;
        }
        rows.end()?;
    }
    Ok(())
}

fn put_users(
    sections: &mut SectionWriter<'_>,
    parts: &StateParts<'_>,
    snapshot: &Snapshot,
) -> Result<UserCounts, CheckpointError> {
    let mut rows = RowWriter::new(sections, Tag::Users);
    let mut counts = UserCounts::default();
    for user in (0..parts.n_users).map(UserIdx::new) {
        let id = parts.user_id(user);
        let state = id.as_ref().and_then(|_| parts.user_state(user));
        if let Some(id) = &id {
            rules::id_len(id.len_bytes())?;
            counts.add(state.as_deref());
        }
        let vector = state.as_deref().and_then(|state| parts.vector(state));
        if let Some(state) = state.as_deref() {
            check_state(state, snapshot)?;
            rules::finite(vector.unwrap_or_default(), "the vector of a user")?;
        }
        rows.add(|out| put_user(out, id.as_ref(), state.as_deref(), vector))?;
    }
    rows.end()?;
    Ok(counts)
}

fn check_state(state: &UserState, snapshot: &Snapshot) -> Result<(), CheckpointError> {
    rules::seq(state.seq, snapshot.seq, "the last event of a user")?;
    rules::cells(state.history.cells(), snapshot.n_items)?;
    rules::recent(&state.recent, snapshot.n_items)?;
    Ok(())
}
