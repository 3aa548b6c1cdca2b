//! The host's keys.

use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::types::{IdempotencyKey, ItemId, MAX_ID_BYTES, UserId};

/// What the first number of an id says, if it is not the length of a text.
const GONE: u64 = 0;
const NUMBER: u64 = 1;
/// Added to the length of a text.
const TEXT: u64 = 2;

/// A key of the host's: a number or a text.
pub(in crate::checkpoint) trait HostId: for<'a> From<&'a str> + From<u64> {
    fn number(&self) -> Option<u64>;
    fn text(&self) -> Option<&str>;
}

macro_rules! host_id {
    ($($name:ty),+) => {
        $(impl HostId for $name {
            fn number(&self) -> Option<u64> {
                self.as_u64()
            }

            fn text(&self) -> Option<&str> {
                self.as_str()
            }
        })+
    };
}
host_id!(UserId, ItemId, IdempotencyKey);

/// `None` for a row that has no id any more.
pub(in crate::checkpoint) fn put_id(out: &mut Vec<u8>, id: Option<&impl HostId>) {
    let Some(id) = id else { return out.put_varint(GONE) };
    if let Some(number) = id.number() {
        out.put_varint(NUMBER);
        out.put_varint(number);
    } else {
        let text = id.text().unwrap_or_default();
        out.put_varint(TEXT + text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
}

pub(in crate::checkpoint) fn take_id<I: HostId>(bytes: &mut TakeBytes<'_>) -> Result<Option<I>, DecodeError> {
    match bytes.varint()? {
        GONE => Ok(None),
        NUMBER => Ok(Some(bytes.varint()?.into())),
        text => {
            let len = usize::try_from(text - TEXT).map_err(|_| DecodeError::Overlong)?;
            if len > MAX_ID_BYTES {
                return Err(DecodeError::Overlong);
            }
            let text = str::from_utf8(bytes.bytes(len)?).map_err(|_| DecodeError::NotUtf8)?;
            let id = I::from(text);
            // A number that is written as a text would be another id than it was.
            if id.number().is_some() { Err(DecodeError::Invalid("an id")) } else { Ok(Some(id)) }
        }
    }
}
