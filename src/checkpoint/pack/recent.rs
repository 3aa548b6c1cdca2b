//! A user's latest events: some six bytes each where the history has a cell of the item.

use super::history::{later, ms_from, take_count};
use crate::checkpoint::rules::ensure;
use crate::model::{ActionCode, ActionNames, Cell, Fact, RawEvent, Recent};
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::types::{DayPart, ItemIdx, Signal, Timestamp};

/// In an event's first byte: the part of the day.
const DAY_PART: u8 = 0b0000_0111;
const IS_STATEMENT: u8 = 0b0000_1000;
/// The preference has the bits of the one before.
const SAME_PREFERENCE: u8 = 0b0001_0000;
/// The confidence has the bits of the one before.
const SAME_CONFIDENCE: u8 = 0b0010_0000;
/// The highest two bits are the action's code, or say that it follows.
const ACTION_SHIFT: u32 = 6;
const OTHER_ACTION: u16 = 3;

/// First byte, item, time.
const LEAST_BYTES_OF_EVENT: usize = 3;

/// What an event is told from: the one before it.
#[derive(Debug, Clone, Copy)]
struct Before {
    at: Timestamp,
    preference: f32,
    confidence: f32,
}

impl Before {
    /// Before the first event of a user.
    fn first(at: Timestamp) -> Self {
        Self { at, preference: 1.0, confidence: 1.0 }
    }

    /// Before whatever comes after `fact`.
    fn after(fact: Fact) -> Self {
        let Fact { at, signal, .. } = fact;
        Self { at, preference: signal.preference(), confidence: signal.confidence() }
    }
}

/// `cells` are those of the user's history; `latest` is what packing it gave.
pub(super) fn put_recent(out: &mut Vec<u8>, recent: &Recent, cells: &[Cell], latest: Timestamp) {
    let mut before = Before::first(latest);
    for events in [recent.standing(), recent.ring()] {
        out.put_varint(events.len() as u64);
        for event in events {
            put_event(out, event, before, cells);
            before = Before::after(event.fact());
        }
    }
}

fn put_event(out: &mut Vec<u8>, event: &RawEvent, before: Before, cells: &[Cell]) {
    let Fact { item, at, signal, day_part } = event.fact();
    let (preference, confidence) = (signal.preference(), signal.confidence());
    let same_preference = preference.to_bits() == before.preference.to_bits();
    let same_confidence = confidence.to_bits() == before.confidence.to_bits();
    let action = event.action().get();
    let short_action = u8::try_from(action.min(OTHER_ACTION)).expect("it is three at most");
    out.put_u8(
        day_part.get()
            | if event.is_statement() { IS_STATEMENT } else { 0 }
            | if same_preference { SAME_PREFERENCE } else { 0 }
            | if same_confidence { SAME_CONFIDENCE } else { 0 }
            | short_action << ACTION_SHIFT,
    );
    if let Ok(place) = cells.binary_search_by_key(&item, Cell::item) {
        out.put_varint(place as u64 + 1);
    } else {
        out.put_varint(0);
        out.put_varint(u64::from(item.get()));
    }
    out.put_signed(ms_from(before.at, at));
    if !same_preference {
        out.put_f32(preference);
    }
    if !same_confidence {
        out.put_f32(confidence);
    }
    if action >= OTHER_ACTION {
        out.put_varint(u64::from(action));
    }
}

pub(super) fn take_recent(
    bytes: &mut TakeBytes<'_>,
    cells: &[Cell],
    latest: Timestamp,
    (actions, n_items): (&ActionNames, u32),
) -> Result<Recent, DecodeError> {
    let mut before = Before::first(latest);
    let mut take_events = || -> Result<Vec<RawEvent>, DecodeError> {
        let n_events = take_count(bytes, LEAST_BYTES_OF_EVENT)?;
        let mut events = Vec::with_capacity(n_events);
        for _ in 0..n_events {
            let event = take_event(bytes, before, cells, (actions, n_items))?;
            before = Before::after(event.fact());
            events.push(event);
        }
        Ok(events)
    };
    let standing = take_events()?;
    let ring = take_events()?;
    Ok(Recent::from_parts(ring, standing))
}

fn take_event(
    bytes: &mut TakeBytes<'_>,
    before: Before,
    cells: &[Cell],
    (actions, n_items): (&ActionNames, u32),
) -> Result<RawEvent, DecodeError> {
    let first = bytes.u8()?;
    let item = take_item(bytes, cells, n_items)?;
    let at = later(before.at, bytes.signed()?);
    let preference = if first & SAME_PREFERENCE == 0 { bytes.f32()? } else { before.preference };
    let confidence = if first & SAME_CONFIDENCE == 0 { bytes.f32()? } else { before.confidence };
    let signal = Signal::new(preference, confidence)
        .map_err(|_| DecodeError::Invalid("the signal of a recent event"))?;
    let day_part =
        DayPart::new(first & DAY_PART).ok_or(DecodeError::Invalid("the day part of a recent event"))?;
    let action = take_action(bytes, first, actions)?;
    Ok(RawEvent::new(Fact { item, at, signal, day_part }, action, first & IS_STATEMENT != 0))
}

fn take_item(bytes: &mut TakeBytes<'_>, cells: &[Cell], n_items: u32) -> Result<ItemIdx, DecodeError> {
    const WHAT: DecodeError = DecodeError::Invalid("the item of a recent event");
    let Some(place) = bytes.varint()?.checked_sub(1) else {
        let item = bytes.varint_u32()?;
        return if item < n_items { Ok(ItemIdx::new(item)) } else { Err(WHAT) };
    };
    let place = usize::try_from(place).map_err(|_| WHAT)?;
    cells.get(place).map(Cell::item).ok_or(WHAT)
}

fn take_action(
    bytes: &mut TakeBytes<'_>,
    first: u8,
    actions: &ActionNames,
) -> Result<ActionCode, DecodeError> {
    const WHAT: &str = "the action of a recent event";
    let code = match u16::from(first >> ACTION_SHIFT) {
        OTHER_ACTION => {
            let code = u16::try_from(bytes.varint()?).map_err(|_| DecodeError::Overlong)?;
            ensure(code >= OTHER_ACTION, WHAT)?;
            code
        }
        short => short,
    };
    actions.code_of_number(code).ok_or(DecodeError::Invalid(WHAT))
}
