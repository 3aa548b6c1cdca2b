//! Items: their ids, what is known of them, and which are to be folded.

use super::ids::{put_id, take_id};
use crate::checkpoint::rules;
use crate::model::{ItemRecord, SkipCount};
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::types::{ItemId, ItemIdx};

/// `id` is `None` for an item that was forgotten.
pub(in crate::checkpoint) fn put_item(out: &mut Vec<u8>, id: Option<&ItemId>, record: &ItemRecord) {
    put_id(out, id);
    out.put_f64(record.confidence);
    out.put_f64(record.solved_at_confidence);
    out.put_u8(u8::from(record.is_due));
}

pub(in crate::checkpoint) fn take_item(
    bytes: &mut TakeBytes<'_>,
) -> Result<(Option<ItemId>, ItemRecord), DecodeError> {
    let id: Option<ItemId> = take_id(bytes)?;
    if let Some(id) = &id {
        rules::id_len(id.len_bytes())?;
    }
    let (confidence, solved_at_confidence) = (bytes.f64()?, bytes.f64()?);
    let is_due = match bytes.u8()? {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Invalid("whether an item is due")),
    };
    let record = ItemRecord { confidence, solved_at_confidence, is_due };
    rules::item_record(&record)?;
    Ok((id, record))
}

pub(in crate::checkpoint) fn put_skips(out: &mut Vec<u8>, count: SkipCount) {
    out.put_varint(u64::from(count.listens));
    out.put_varint(u64::from(count.skips));
}

pub(in crate::checkpoint) fn take_skips(bytes: &mut TakeBytes<'_>) -> Result<SkipCount, DecodeError> {
    let count = SkipCount { listens: bytes.varint_u32()?, skips: bytes.varint_u32()? };
    rules::ensure(count.is_sound(), "a count of skips")?;
    Ok(count)
}

pub(in crate::checkpoint) fn put_queued(out: &mut Vec<u8>, item: ItemIdx) {
    out.put_varint(u64::from(item.get()));
}

pub(in crate::checkpoint) fn take_queued(
    bytes: &mut TakeBytes<'_>,
    may_come: &mut [bool],
) -> Result<ItemIdx, DecodeError> {
    let item = ItemIdx::new(bytes.varint_u32()?);
    rules::to_fold(item, may_come)?;
    Ok(item)
}
