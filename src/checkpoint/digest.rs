//! A few numbers that say whether two states are the same.

use std::fmt;

use crc32c::crc32c_append;

use super::pack::{put_f32s, put_f64s, put_id, put_item, put_skips, put_user};
use super::parts::StateParts;
use crate::model::{RowsOf, SkipCount};
use crate::storage::bytes::PutBytes;
use crate::types::UserIdx;

/// Checksums of an engine's state: engines with the same bytes of state have the same ones.
///
/// Each is that of a part which comes about in its own way, so a difference says where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StateDigest {
    /// Of ids, histories, recent events, counts of skips, idempotency keys and source offsets: what follows from the events
    /// alone.
    pub histories: u32,
    /// Of the items' vectors and counts, the Gramians, and what a generation was made with.
    pub items: u32,
    /// Of the users' vectors, the sweep's and the later ones.
    pub users: u32,
}

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { histories, items, users } = self;
        write!(f, "histories {histories:08x}, items {items:08x}, users {users:08x}")
    }
}

impl StateDigest {
    /// Of a state that stands still, or is read through a freeze.
    pub(crate) fn of(parts: &StateParts<'_>) -> Self {
        Self { histories: of_histories(parts), items: of_items(parts), users: of_users(parts) }
    }
}

fn of_histories(parts: &StateParts<'_>) -> u32 {
    let mut sum = Sum::default();
    for user in (0..parts.n_users).map(UserIdx::new) {
        let (id, state) = (parts.user_id(user), parts.user_state(user));
        sum.add(|out| put_user(out, id.as_ref(), state.as_deref(), None));
    }
    for row in 0..parts.n_items {
        sum.add(|out| put_id(out, parts.item_id(row).as_ref()));
    }
    let skips = parts.skips;
    for (kind, counts) in [(0, skips.items()), (1, skips.contexts()), (2, &[skips.overall()])] {
        // Those of nothing at all may be there or not.
        for (place, count) in (0_u32..).zip(counts).filter(|(_, count)| **count != SkipCount::default()) {
            sum.add(|out| {
                out.put_u8(kind);
                out.put_u32(place);
                put_skips(out, *count);
            });
        }
    }
    for name in parts.actions.custom() {
        sum.add(|out| out.put_text(name.as_str()));
    }
    for (key, user) in parts.dedupe.keys() {
        sum.add(|out| {
            put_id(out, Some(key));
            out.put_u32(user.get());
        });
    }
    for (source, &offset) in parts.source_offsets {
        sum.add(|out| {
            out.put_text(source);
            out.put_u64(offset);
        });
    }
    sum.finish()
}

fn of_items(parts: &StateParts<'_>) -> u32 {
    let mut sum = Sum::default();
    let (generation, items) = (&parts.generation, &parts.items);
    sum.add(|out| {
        out.put_u64(generation.id.get());
        out.put_u64(generation.frozen_at.get());
        out.put_time(generation.as_of);
        out.put_u64(items.version.get());
    });
    if let Some(side) = &generation.users {
        sum.add(|out| {
            put_f32s(out, side.base.weighted());
            out.put_u64(side.base.n_items() as u64);
            if side.rows_of == RowsOf::Foreigners {
                out.put_u8(1);
            }
        });
    }
    for record in parts.item_records {
        sum.add(|out| put_item(out, None, record));
    }
    sum.add(|out| put_f32s(out, &items.popularity));
    for (_, rows) in items.rows.chunks() {
        sum.add(|out| put_f32s(out, rows));
    }
    if let Some(running) = parts.running {
        for gramian in [&running.users, &running.items, &running.items_at_sweep] {
            sum.add(|out| put_f64s(out, gramian.upper_triangle()));
        }
        sum.add(|out| out.put_f64(running.items_moved));
    }
    sum.finish()
}

fn of_users(parts: &StateParts<'_>) -> u32 {
    let mut sum = Sum::default();
    let each: Result<(), std::convert::Infallible> = parts.each_swept_row(|row| {
        sum.add(|out| put_f32s(out, row));
        Ok(())
    });
    let Ok(()) = each;
    for user in (0..parts.n_users).map(UserIdx::new) {
        let state = parts.user_state(user).filter(|_| parts.user_id(user).is_some());
        if let Some(vector) = state.as_ref().and_then(|state| parts.vector(state)) {
            sum.add(|out| {
                out.put_u32(user.get());
                put_f32s(out, vector);
            });
        }
    }
    sum.finish()
}

/// A checksum that is summed up a buffer at a time.
#[derive(Debug, Default)]
struct Sum {
    sum: u32,
    buffer: Vec<u8>,
}

impl Sum {
    const BUFFER_BYTES: usize = 64 << 10;

    fn add(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.buffer);
        if self.buffer.len() >= Self::BUFFER_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.sum = crc32c_append(self.sum, &self.buffer);
        self.buffer.clear();
    }

    fn finish(mut self) -> u32 {
        self.flush();
        self.sum
    }
}
