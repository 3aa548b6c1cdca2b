//! Bytes into records. Total: any bytes give a record or an error.

use std::time::Duration;

use super::{action, event_flag, extra_flag, kind, saturation};
use crate::als::AlsParams;
use crate::journal::record::{EventRecord, ForeignPart, Record};
use crate::model::{Decay, LearningSettings, Saturation, Solve, Weighing};
use crate::storage::bytes::{DecodeError, TakeBytes};
use crate::types::{
    Context, Event, GenerationId, IdempotencyKey, ItemId, MAX_ID_BYTES, Signal, UserId, UtcOffset,
};

/// Bytes of the shortest id: a 0 and a number of one byte, or a length and one byte of text.
const MIN_ID_BYTES: usize = 2;

/// The record that a payload means.
pub(in crate::journal) fn take_record(payload: &[u8]) -> Result<Record, DecodeError> {
    let mut bytes = TakeBytes::new(payload);
    let record = match bytes.u8()? {
        kind::EVENT => Record::Event(take_event(&mut bytes)?),
        kind::ADD_ITEMS => Record::AddItems(take_items(&mut bytes)?),
        kind::FORGET_USER => Record::ForgetUser(take_user(&mut bytes)?),
        kind::FORGET_ITEM => Record::ForgetItem(take_item(&mut bytes)?),
        kind::MERGE_USERS => {
            Record::MergeUsers { from: take_user(&mut bytes)?, into: take_user(&mut bytes)? }
        }
        kind::SOURCE_OFFSET => {
            Record::SourceOffset { source: take_source(&mut bytes)?, offset: bytes.varint()? }
        }
        kind::SOURCE_STEP => Record::SourceStep { source: take_source(&mut bytes)?, offset: bytes.varint()? },
        kind::SETTINGS => Record::Settings(take_settings(&mut bytes)?),
        kind::TIME => Record::Time(bytes.time()?),
        kind::ITEM_BATCH => Record::ItemBatch,
        kind::ITEM_PART => Record::ItemPart,
        kind::FOREIGN_ITEMS => Record::ForeignItems(take_foreign(&mut bytes, take_item)?),
        kind::FOREIGN_USERS => Record::ForeignUsers(take_foreign(&mut bytes, take_user)?),
        kind::FREEZE => {
            Record::Freeze { as_of: bytes.time()?, at: bytes.time()?, n_sweeps: bytes.varint_u32()? }
        }
        kind::PUBLISHED => Record::Published { generation: GenerationId::from_raw(bytes.varint()?) },
        kind::NOT_PUBLISHED => Record::NotPublished { reason: bytes.text()?.to_owned() },
        kind::SETTLED => Record::Settled,
        kind::SYNCED => Record::Synced { through: bytes.varint()? },
        _ => return Err(DecodeError::Invalid("the kind of a record")),
    };
    bytes.end()?;
    Ok(record)
}

fn take_event(bytes: &mut TakeBytes) -> Result<EventRecord, DecodeError> {
    let flags = bytes.u8()?;
    if flags & event_flag::UNUSED != 0 {
        return Err(DecodeError::Invalid("the flags of an event"));
    }
    let has = |flag: u8| flags & flag != 0;
    let done = bytes.u8()?;
    let custom = match done & !action::UNDO {
        action::CUSTOM => Some(take_name(bytes)?),
        _ => None,
    };
    let (user, item) = (take_user(bytes)?, take_item(bytes)?);
    let event = with_action(done, custom, user, item)?;
    let at = bytes.time()?;
    let event = if has(event_flag::TIME_GIVEN) { event.at(at) } else { event };
    let event = match (has(event_flag::PLAYED_FRACTION), has(event_flag::PLAYED_TIME)) {
        (false, false) => event,
        (true, false) => event.fraction(take_fraction(bytes)?),
        (false, true) => event.played(take_duration(bytes)?),
        (true, true) => return Err(DecodeError::Invalid("the flags of an event")),
    };
    let signal = match (has(event_flag::HAS_SIGNAL), has(event_flag::OTHER_PREFERENCE)) {
        (false, false) => None,
        (false, true) => return Err(DecodeError::Invalid("the flags of an event")),
        (true, other) => {
            let preference = if other { bytes.f32()? } else { 1.0 };
            let signal = Signal::new(preference, bytes.f32()?);
            Some(signal.map_err(|_| DecodeError::Invalid("a signal"))?)
        }
    };
    let event = if has(event_flag::HAS_EXTRAS) { take_extras(bytes, event)? } else { event };
    let solve = if has(event_flag::SOLVED_NOW) { Solve::Now } else { Solve::OnRead };
    Ok(EventRecord { event, at, signal, solve })
}

fn with_action(done: u8, custom: Option<&str>, user: UserId, item: ItemId) -> Result<Event, DecodeError> {
    let event = match (done & !action::UNDO, custom) {
        (action::LISTEN, _) => Event::listen(user, item),
        (action::SKIP, _) => Event::skip(user, item),
        (action::LIKE, _) => Event::like(user, item),
        (action::DISLIKE, _) => Event::dislike(user, item),
        (action::SAVE, _) => Event::save(user, item),
        (action::CUSTOM, Some(name)) => Event::custom(user, item, name),
        _ => return Err(DecodeError::Invalid("the action of an event")),
    };
    Ok(if done & action::UNDO == 0 { event } else { Event::undo(event) })
}

fn take_extras(bytes: &mut TakeBytes, event: Event) -> Result<Event, DecodeError> {
    let flags = bytes.u8()?;
    if flags & extra_flag::UNUSED != 0 {
        return Err(DecodeError::Invalid("the flags of an event's circumstances"));
    }
    let has = |flag: u8| flags & flag != 0;
    let mut context = Context::new();
    if has(extra_flag::UTC_OFFSET) {
        let offset = i16::try_from(bytes.signed()?).ok().and_then(UtcOffset::from_minutes);
        context.utc_offset = Some(offset.ok_or(DecodeError::Invalid("an offset from UTC"))?);
    }
    if has(extra_flag::ACTIVITY) {
        context.activity = Some(take_name(bytes)?.into());
    }
    if has(extra_flag::DEVICE) {
        context.device = Some(take_name(bytes)?.into());
    }
    if has(extra_flag::SESSION) {
        context.session = Some(take_name(bytes)?.into());
    }
    let event = event.context(context);
    Ok(if has(extra_flag::KEY) { event.key(take_key(bytes)?) } else { event })
}

fn take_fraction(bytes: &mut TakeBytes) -> Result<f32, DecodeError> {
    let fraction = bytes.f32()?;
    let is_usable = fraction >= 0.0 && fraction.is_finite();
    is_usable.then_some(fraction).ok_or(DecodeError::Invalid("a played fraction"))
}

fn take_duration(bytes: &mut TakeBytes) -> Result<Duration, DecodeError> {
    let (seconds, nanos) = (bytes.varint()?, bytes.varint_u32()?);
    // More nanoseconds than a second has would carry over, and that may overflow.
    if nanos < 1_000_000_000 {
        Ok(Duration::new(seconds, nanos))
    } else {
        Err(DecodeError::Invalid("a played time"))
    }
}

fn take_items(bytes: &mut TakeBytes) -> Result<Vec<ItemId>, DecodeError> {
    let n_items = usize::try_from(bytes.varint()?).map_err(|_| DecodeError::Overlong)?;
    if n_items > bytes.len() / MIN_ID_BYTES {
        return Err(DecodeError::Truncated);
    }
    (0..n_items).map(|_| take_item(bytes)).collect()
}

fn take_foreign<I>(
    bytes: &mut TakeBytes,
    take_id: impl Fn(&mut TakeBytes) -> Result<I, DecodeError>,
) -> Result<ForeignPart<I>, DecodeError> {
    let (from, n_factors, n_rows) = (bytes.varint()?, take_count(bytes)?, take_count(bytes)?);
    if !(1..=AlsParams::MAX_FACTORS).contains(&n_factors) {
        return Err(DecodeError::Invalid("the length of a row"));
    }
    if n_rows > bytes.len() / (MIN_ID_BYTES + n_factors * size_of::<f32>()) {
        return Err(DecodeError::Truncated);
    }
    let (mut ids, mut values) = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows * n_factors));
    for _ in 0..n_rows {
        ids.push(take_id(bytes)?);
        for _ in 0..n_factors {
            let value = bytes.f32()?;
            if !value.is_finite() {
                return Err(DecodeError::Invalid("an element of a row"));
            }
            values.push(value);
        }
    }
    Ok(ForeignPart { from, n_factors, ids, values })
}

fn take_settings(bytes: &mut TakeBytes) -> Result<LearningSettings, DecodeError> {
    let als = AlsParams::builder()
        .n_factors(take_count(bytes)?)
        .regularization(bytes.f32()?)
        .unobserved_weight(bytes.f32()?)
        .frequency_exponent(bytes.f32()?)
        .seed(bytes.u64()?)
        .build()
        .map_err(|_| DecodeError::Invalid("a setting of the objective"))?;
    let half_life_ms = match bytes.u8()? {
        0 => None,
        1 => Some(bytes.f64()?),
        _ => return Err(DecodeError::Invalid("a half-life")),
    };
    let decay = Decay::from_half_life_ms(half_life_ms).ok_or(DecodeError::Invalid("a half-life"))?;
    let saturation = match bytes.u8()? {
        saturation::NONE => Saturation::None,
        saturation::LOG => Saturation::Log,
        _ => return Err(DecodeError::Invalid("a saturation")),
    };
    Ok(LearningSettings {
        als,
        weighing: Weighing { decay, saturation },
        max_history: take_count(bytes)?,
        recent_events: take_count(bytes)?,
        dedupe_window: take_count(bytes)?,
    })
}

fn take_count(bytes: &mut TakeBytes) -> Result<usize, DecodeError> {
    usize::try_from(bytes.varint()?).map_err(|_| DecodeError::Overlong)
}

fn take_name<'a>(bytes: &mut TakeBytes<'a>) -> Result<&'a str, DecodeError> {
    let name = bytes.text()?;
    if name.len() <= MAX_ID_BYTES { Ok(name) } else { Err(DecodeError::Invalid("the length of a name")) }
}

fn take_source(bytes: &mut TakeBytes<'_>) -> Result<String, DecodeError> {
    let name = take_name(bytes)?;
    if name.is_empty() { Err(DecodeError::Invalid("the name of a source")) } else { Ok(name.to_owned()) }
}

fn take_user(bytes: &mut TakeBytes) -> Result<UserId, DecodeError> {
    match take_id(bytes)? {
        Id::Number(number) => Ok(UserId::from(number)),
        Id::Text("") => Err(DecodeError::Invalid("a user id")),
        Id::Text(text) => {
            let user = UserId::from(text);
            user.as_str().is_some().then_some(user).ok_or(DecodeError::Invalid("a user id"))
        }
    }
}

fn take_item(bytes: &mut TakeBytes) -> Result<ItemId, DecodeError> {
    match take_id(bytes)? {
        Id::Number(number) => Ok(ItemId::from(number)),
        Id::Text("") => Err(DecodeError::Invalid("an item id")),
        Id::Text(text) => {
            let item = ItemId::from(text);
            item.as_str().is_some().then_some(item).ok_or(DecodeError::Invalid("an item id"))
        }
    }
}

fn take_key(bytes: &mut TakeBytes) -> Result<IdempotencyKey, DecodeError> {
    match take_id(bytes)? {
        Id::Number(number) => Ok(IdempotencyKey::from(number)),
        Id::Text(text) => {
            let key = IdempotencyKey::from(text);
            key.as_str().is_some().then_some(key).ok_or(DecodeError::Invalid("an idempotency key"))
        }
    }
}

/// A host's key. A text that reads as a number is refused where it is made into one: the number has a form
/// of its own.
enum Id<'a> {
    Number(u64),
    Text(&'a str),
}

fn take_id<'a>(bytes: &mut TakeBytes<'a>) -> Result<Id<'a>, DecodeError> {
    match bytes.varint()? {
        0 => Ok(Id::Number(bytes.varint()?)),
        longer => {
            let n_bytes = usize::try_from(longer - 1).map_err(|_| DecodeError::Overlong)?;
            if n_bytes > MAX_ID_BYTES {
                return Err(DecodeError::Invalid("the length of an id"));
            }
            let text = str::from_utf8(bytes.bytes(n_bytes)?).map_err(|_| DecodeError::NotUtf8)?;
            Ok(Id::Text(text))
        }
    }
}
