//! Records into bytes.

use super::{action, event_flag, extra_flag, kind, saturation};
use crate::journal::record::{EventRecord, ForeignPart, Record};
use crate::model::{LearningSettings, Saturation, Solve};
use crate::storage::bytes::PutBytes;
use crate::types::{
    Action, ActionKind, Activity, Device, Event, IdempotencyKey, ItemId, Played, SessionId, Signal,
    Timestamp, UserId,
};

/// Items in one record of added items at most: with the longest of ids they stay below the longest payload.
pub(in crate::journal) const ITEMS_OF_A_RECORD: usize = 4_000;

/// Appends the payload of a record.
pub(in crate::journal) fn put_record(bytes: &mut Vec<u8>, record: &Record) {
    match record {
        Record::Event(EventRecord { event, at, signal, solve }) => {
            put_event(bytes, event, *at, *signal, *solve);
        }
        Record::AddItems(items) => put_items(bytes, items),
        Record::ForgetUser(user) => {
            bytes.put_u8(kind::FORGET_USER);
            put_user(bytes, user);
        }
        Record::ForgetItem(item) => {
            bytes.put_u8(kind::FORGET_ITEM);
            put_item(bytes, item);
        }
        Record::MergeUsers { from, into } => {
            bytes.put_u8(kind::MERGE_USERS);
            put_user(bytes, from);
            put_user(bytes, into);
        }
        Record::SourceOffset { source, offset } => {
            bytes.put_u8(kind::SOURCE_OFFSET);
            bytes.put_text(source);
            bytes.put_varint(*offset);
        }
        Record::SourceStep { source, offset } => {
            bytes.put_u8(kind::SOURCE_STEP);
            bytes.put_text(source);
            bytes.put_varint(*offset);
        }
        Record::Settings(settings) => put_settings(bytes, settings),
        Record::Time(at) => {
            bytes.put_u8(kind::TIME);
            bytes.put_time(*at);
        }
        Record::ItemBatch => bytes.put_u8(kind::ITEM_BATCH),
        Record::ItemPart => bytes.put_u8(kind::ITEM_PART),
        Record::ForeignItems(part) => {
            bytes.put_u8(kind::FOREIGN_ITEMS);
            put_foreign(bytes, part, put_item);
        }
        Record::ForeignUsers(part) => {
            bytes.put_u8(kind::FOREIGN_USERS);
            put_foreign(bytes, part, put_user);
        }
        Record::Freeze { as_of, at, n_sweeps } => {
            bytes.put_u8(kind::FREEZE);
            bytes.put_time(*as_of);
            bytes.put_time(*at);
            bytes.put_varint(u64::from(*n_sweeps));
        }
        Record::Published { generation } => {
            bytes.put_u8(kind::PUBLISHED);
            bytes.put_varint(generation.get());
        }
        Record::NotPublished { reason } => {
            bytes.put_u8(kind::NOT_PUBLISHED);
            bytes.put_text(reason);
        }
        Record::Settled => bytes.put_u8(kind::SETTLED),
        Record::Synced { through } => {
            bytes.put_u8(kind::SYNCED);
            bytes.put_varint(*through);
        }
    }
}

/// Appends the payload of an event that happened at `at`. Allocates nothing but room in `bytes`.
pub(in crate::journal) fn put_event(
    bytes: &mut Vec<u8>,
    event: &Event,
    at: Timestamp,
    signal: Option<Signal>,
    solve: Solve,
) {
    debug_assert!(event.timestamp().is_none_or(|given| given == at), "a time that was given is the event's");
    bytes.extend_from_slice(&[kind::EVENT, event_flags(event, signal, solve), action_code(event.action())]);
    let (Action::Do(kind) | Action::Undo(kind)) = event.action();
    if let ActionKind::Custom(name) = kind {
        bytes.put_text(name.as_str());
    }
    put_user(bytes, event.user());
    put_item(bytes, event.item());
    bytes.put_time(at);
    match event.how_far() {
        Played::Unknown => {}
        Played::Fraction(fraction) => bytes.put_f32(fraction),
        Played::Time(time) => {
            bytes.put_varint(time.as_secs());
            bytes.put_varint(u64::from(time.subsec_nanos()));
        }
    }
    if let Some(signal) = signal {
        if is_other_preference(signal) {
            bytes.put_f32(signal.preference());
        }
        bytes.put_f32(signal.confidence());
    }
    put_extras(bytes, event);
}

/// Appends the payload of added items; at most [`ITEMS_OF_A_RECORD`] of them.
pub(in crate::journal) fn put_items(bytes: &mut Vec<u8>, items: &[ItemId]) {
    bytes.put_u8(kind::ADD_ITEMS);
    bytes.put_varint(items.len() as u64);
    for item in items {
        put_item(bytes, item);
    }
}

fn event_flags(event: &Event, signal: Option<Signal>, solve: Solve) -> u8 {
    let when = |condition: bool, flag: u8| if condition { flag } else { 0 };
    let played = match event.how_far() {
        Played::Unknown => 0,
        Played::Fraction(_) => event_flag::PLAYED_FRACTION,
        Played::Time(_) => event_flag::PLAYED_TIME,
    };
    played
        | when(event.timestamp().is_some(), event_flag::TIME_GIVEN)
        | when(signal.is_some(), event_flag::HAS_SIGNAL)
        | when(signal.is_some_and(is_other_preference), event_flag::OTHER_PREFERENCE)
        | when(solve == Solve::Now, event_flag::SOLVED_NOW)
        | when(event.circumstances().is_some(), event_flag::HAS_EXTRAS)
}

/// Most events say that something is liked, which is a preference of exactly 1.
fn is_other_preference(signal: Signal) -> bool {
    signal.preference().to_bits() != 1.0_f32.to_bits()
}

fn action_code(done: &Action) -> u8 {
    let (kind, undo) = match done {
        Action::Do(kind) => (kind, 0),
        Action::Undo(kind) => (kind, action::UNDO),
    };
    let code = match kind {
        ActionKind::Listen => action::LISTEN,
        ActionKind::Skip => action::SKIP,
        ActionKind::Like => action::LIKE,
        ActionKind::Dislike => action::DISLIKE,
        ActionKind::Save => action::SAVE,
        ActionKind::Custom(_) => action::CUSTOM,
    };
    code | undo
}

/// An idempotency key sits in the same box as the circumstances: with it there is always a context.
fn put_extras(bytes: &mut Vec<u8>, event: &Event) {
    let Some(context) = event.circumstances() else { return };
    let flags_at = bytes.len();
    bytes.put_u8(0);
    let mut flags = 0;
    if let Some(offset) = context.utc_offset {
        flags |= extra_flag::UTC_OFFSET;
        bytes.put_signed(i64::from(offset.minutes()));
    }
    let names = [
        (extra_flag::ACTIVITY, context.activity.as_ref().map(Activity::as_str)),
        (extra_flag::DEVICE, context.device.as_ref().map(Device::as_str)),
        (extra_flag::SESSION, context.session.as_ref().map(SessionId::as_str)),
    ];
    for (flag, name) in names {
        if let Some(name) = name {
            flags |= flag;
            bytes.put_text(name);
        }
    }
    if let Some(key) = event.idempotency_key() {
        flags |= extra_flag::KEY;
        put_key(bytes, key);
    }
    bytes[flags_at] = flags;
}

fn put_settings(bytes: &mut Vec<u8>, settings: &LearningSettings) {
    let LearningSettings { als, weighing, max_history, recent_events, dedupe_window } = settings;
    bytes.put_u8(kind::SETTINGS);
    bytes.put_varint(als.n_factors() as u64);
    bytes.put_f32(als.regularization());
    bytes.put_f32(als.unobserved_weight());
    bytes.put_f32(als.frequency_exponent());
    bytes.put_u64(als.seed());
    match weighing.decay.half_life_ms() {
        None => bytes.put_u8(0),
        Some(half_life_ms) => {
            bytes.put_u8(1);
            bytes.put_f64(half_life_ms);
        }
    }
    bytes.put_u8(match weighing.saturation {
        Saturation::None => saturation::NONE,
        Saturation::Log => saturation::LOG,
    });
    bytes.put_varint(*max_history as u64);
    bytes.put_varint(*recent_events as u64);
    bytes.put_varint(*dedupe_window as u64);
}

fn put_foreign<I>(bytes: &mut Vec<u8>, part: &ForeignPart<I>, put_id: impl Fn(&mut Vec<u8>, &I)) {
    bytes.put_varint(part.from);
    bytes.put_varint(part.n_factors as u64);
    bytes.put_varint(part.ids.len() as u64);
    for (id, row) in part.ids.iter().zip(part.values.chunks_exact(part.n_factors)) {
        put_id(bytes, id);
        for &value in row {
            bytes.put_f32(value);
        }
    }
}

fn put_user(bytes: &mut Vec<u8>, user: &UserId) {
    put_id(bytes, user.as_u64(), user.as_str());
}

fn put_item(bytes: &mut Vec<u8>, item: &ItemId) {
    put_id(bytes, item.as_u64(), item.as_str());
}

fn put_key(bytes: &mut Vec<u8>, key: &IdempotencyKey) {
    put_id(bytes, key.as_u64(), key.as_str());
}

/// A number is a 0 and the number; a text its length plus 1, and the text.
fn put_id(bytes: &mut Vec<u8>, number: Option<u64>, text: Option<&str>) {
    if let Some(number) = number {
        bytes.put_u8(0);
        bytes.put_varint(number);
    } else {
        let text = text.expect("an id is a number or a text");
        bytes.put_varint(text.len() as u64 + 1);
        bytes.extend_from_slice(text.as_bytes());
    }
}
