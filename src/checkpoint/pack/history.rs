//! A user's history: some fourteen bytes a cell.

use crate::checkpoint::rules::ensure;
use crate::model::{Cell, CellParts, History};
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::types::{DayPart, ItemIdx, Timestamp};

/// In a cell's first byte: the number of events, if there are no more than fit here; else it follows.
const EVENTS: u8 = 0b0000_0111;
/// Σ c·p has the same bits as Σ c, as it has where everything was liked.
const SAME_SUMS: u8 = 0b0000_1000;
/// All events were in one part of the day, which the highest three bits name.
const ONE_PART: u8 = 0b0001_0000;
const PART_SHIFT: u32 = 5;

/// First byte, item, confidence, time.
const LEAST_BYTES_OF_CELL: usize = 7;

/// Gives back the moment that the times of recent events are told from: the latest of the cells.
pub(super) fn put_history(out: &mut Vec<u8>, history: &History) -> Timestamp {
    let landmark = history.landmark();
    let latest = history.cells().iter().map(Cell::last_seen).max().unwrap_or(landmark);
    out.put_time(landmark);
    out.put_signed(ms_from(landmark, latest));
    out.put_varint(history.cells().len() as u64);
    let mut next_item = 0;
    for cell in history.cells() {
        put_cell(out, cell, next_item, latest);
        next_item = cell.item().get().wrapping_add(1);
    }
    latest
}

fn put_cell(out: &mut Vec<u8>, cell: &Cell, next_item: u32, latest: Timestamp) {
    let (confidence, weighted_preference) = (cell.confidence(), cell.weighted_preference());
    let same_sums = confidence.to_bits() == weighted_preference.to_bits();
    let few_events = u8::try_from(cell.events()).ok().filter(|&events| events <= EVENTS);
    let one_part = only_part(cell);
    out.put_u8(
        few_events.unwrap_or(0)
            | if same_sums { SAME_SUMS } else { 0 }
            | one_part.map_or(0, |part| ONE_PART | part << PART_SHIFT),
    );
    out.put_varint(u64::from(cell.item().get().wrapping_sub(next_item)));
    if few_events.is_none() {
        out.put_varint(u64::from(cell.events()));
    }
    out.put_f32(confidence);
    if !same_sums {
        out.put_f32(weighted_preference);
    }
    // Not below 0, so as an unsigned number it is right however far apart they are.
    out.put_varint(ms_from(cell.last_seen(), latest).cast_unsigned());
    if one_part.is_none() {
        let parts = cell.day_parts();
        let mask = parts.iter().rev().fold(0, |mask, &count| mask << 1 | u8::from(count > 0));
        out.put_u8(mask);
        out.extend(parts.iter().filter(|&&count| count > 0));
    }
}

/// The part that all events of the cell were in, if its histogram says just that.
fn only_part(cell: &Cell) -> Option<u8> {
    let parts = cell.day_parts();
    let mut filled = (0_u8..).zip(&parts).filter(|&(_, &count)| count > 0);
    let (part, &count) = filled.next()?;
    (filled.next().is_none() && u32::from(count) == cell.events()).then_some(part)
}

pub(super) fn take_history(
    bytes: &mut TakeBytes<'_>,
    n_items: u32,
) -> Result<(History, Timestamp), DecodeError> {
    let landmark = bytes.time()?;
    let latest = later(landmark, bytes.signed()?);
    let n_cells = take_count(bytes, LEAST_BYTES_OF_CELL)?;
    let mut cells = Vec::with_capacity(n_cells);
    let mut next_item = 0;
    for _ in 0..n_cells {
        let cell = take_cell(bytes, next_item, latest, n_items)?;
        next_item = u64::from(cell.item().get()) + 1;
        cells.push(cell);
    }
    let history =
        History::from_parts(landmark, cells).ok_or(DecodeError::Invalid("the order of a history"))?;
    Ok((history, latest))
}

fn take_cell(
    bytes: &mut TakeBytes<'_>,
    next_item: u64,
    latest: Timestamp,
    n_items: u32,
) -> Result<Cell, DecodeError> {
    let first = bytes.u8()?;
    let item = next_item.checked_add(bytes.varint()?).filter(|&item| item < u64::from(n_items));
    let item =
        item.and_then(|item| u32::try_from(item).ok()).ok_or(DecodeError::Invalid("the item of a cell"))?;
    let events = match first & EVENTS {
        0 => bytes.varint_u32()?,
        few => u32::from(few),
    };
    let confidence = bytes.f32()?;
    let weighted_preference = if first & SAME_SUMS == 0 { bytes.f32()? } else { confidence };
    let last_seen = later(latest, bytes.varint()?.cast_signed().wrapping_neg());
    let mut day_parts = [0; DayPart::COUNT];
    let part = first >> PART_SHIFT;
    if first & ONE_PART == 0 {
        ensure(part == 0, "the day part of a cell")?;
        let mask = bytes.u8()?;
        for (part, count) in day_parts.iter_mut().enumerate() {
            if mask >> part & 1 == 1 {
                *count = bytes.u8()?;
            }
        }
    } else {
        let count = u8::try_from(events).map_err(|_| DecodeError::Invalid("the day part of a cell"))?;
        day_parts[usize::from(part)] = count;
    }
    let item = ItemIdx::new(item);
    Cell::from_parts(CellParts { item, events, weighted_preference, confidence, last_seen, day_parts })
        .ok_or(DecodeError::Invalid("a cell of a history"))
}

/// A count of things that take at least `least_bytes` each, so there cannot be more than are left for.
pub(super) fn take_count(bytes: &mut TakeBytes<'_>, least_bytes: usize) -> Result<usize, DecodeError> {
    let count = usize::try_from(bytes.varint()?).map_err(|_| DecodeError::Truncated)?;
    if count > bytes.len() / least_bytes { Err(DecodeError::Truncated) } else { Ok(count) }
}

/// The way from one moment to another, around the end of time if need be: so any two have one.
pub(super) fn ms_from(from: Timestamp, to: Timestamp) -> i64 {
    to.unix_ms().wrapping_sub(from.unix_ms())
}

/// The moment `ms` after `from`.
pub(super) fn later(from: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(from.unix_ms().wrapping_add(ms))
}
