//! How a record stands in a segment: its length, a checksum, its number, its payload.

use crate::storage::bytes::PutBytes;

/// Bytes before each payload: its length, the checksum, the number of the record.
pub(super) const FRAME_HEADER_BYTES: usize = 16;
/// The longest payload. It bounds what a damaged length may make a reader believe.
pub(super) const MAX_PAYLOAD_BYTES: usize = 1 << 20;
/// The shortest frame: a payload has at least the byte that says what it is.
const MIN_FRAME_BYTES: usize = FRAME_HEADER_BYTES + 1;

/// What the checksums of one segment begin with: a hash of the store's id and the segment's number.
///
/// So neither zeros nor a record of another segment, or of another store, ever pass for a record of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt(u32);

impl Salt {
    pub(super) fn new(store_id: u64, segment: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&store_id.to_le_bytes());
        bytes[8..].copy_from_slice(&segment.to_le_bytes());
        Self(crc32c::crc32c(&bytes))
    }

    fn checksum(self, length: [u8; 4], number_and_payload: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &length), number_and_payload)
    }
}

/// A whole record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) number: u64,
    pub(super) payload: &'a [u8],
    /// Where the next one begins.
    pub(super) end: usize,
}

/// Why there is no record at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadFrame {
    /// The file ends before it does.
    Short,
    /// Its length is zero or beyond [`MAX_PAYLOAD_BYTES`].
    Length,
    /// The checksum is that of something else.
    Checksum,
}

impl BadFrame {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Short => "a record is cut short",
            Self::Length => "a record has a length that cannot be",
            Self::Checksum => "the checksum of a record is wrong",
        }
    }
}

/// Appends record `number`, whose payload `put_payload` appends.
pub(super) fn put_frame(
    bytes: &mut Vec<u8>,
    salt: Salt,
    number: u64,
    put_payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = bytes.len();
    bytes.put_u64(0);
    bytes.put_u64(number);
    put_payload(bytes);
    let frame = &mut bytes[start..];
    let length = frame.len() - FRAME_HEADER_BYTES;
    // INVARIANT: events are bounded by their longest ids, lists are split, the rest is short.
    assert!((1..=MAX_PAYLOAD_BYTES).contains(&length), "no record is longer than a payload may be");
    let length = u32::try_from(length).expect("it is below the maximum").to_le_bytes();
    let checksum = salt.checksum(length, &frame[8..]);
    frame[..4].copy_from_slice(&length);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
}

/// The record that begins at `offset`.
pub(super) fn frame_at(bytes: &[u8], offset: usize, salt: Salt) -> Result<Frame<'_>, BadFrame> {
    let rest = bytes.get(offset..).ok_or(BadFrame::Short)?;
    let (header, after) = rest.split_first_chunk::<FRAME_HEADER_BYTES>().ok_or(BadFrame::Short)?;
    let (length, n_bytes) = payload_length(header).ok_or(BadFrame::Length)?;
    let payload = after.get(..n_bytes).ok_or(BadFrame::Short)?;
    if salt.checksum(length, &rest[8..FRAME_HEADER_BYTES + n_bytes]) != le_u32(header, 4) {
        return Err(BadFrame::Checksum);
    }
    Ok(Frame { number: le_u64(header, 8), payload, end: offset + FRAME_HEADER_BYTES + n_bytes })
}

/// The whole records from `offset` on, wherever they begin, whose numbers are in `numbers`: what can still be
/// read behind a damaged place.
pub(super) fn salvage(
    bytes: &[u8],
    mut offset: usize,
    salt: Salt,
    numbers: std::ops::RangeInclusive<u64>,
) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        while let Some(header) = bytes.get(offset..).and_then(|rest| rest.first_chunk()) {
            // The checksum is worth its time only where the rest may be right.
            if payload_length(header).is_some()
                && numbers.contains(&le_u64(header, 8))
                && let Ok(frame) = frame_at(bytes, offset, salt)
            {
                offset = frame.end;
                return Some(frame);
            }
            offset += 1;
        }
        None
    })
}

/// At most so many records are in `n_bytes`.
pub(super) fn most_records_in(n_bytes: u64) -> u64 {
    n_bytes / MIN_FRAME_BYTES as u64
}

fn payload_length(header: &[u8; FRAME_HEADER_BYTES]) -> Option<([u8; 4], usize)> {
    let length = le_u32(header, 0);
    let n_bytes = usize::try_from(length).ok()?;
    (1..=MAX_PAYLOAD_BYTES).contains(&n_bytes).then_some((length.to_le_bytes(), n_bytes))
}

fn le_u32(header: &[u8; FRAME_HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(*header[at..].first_chunk().expect("the header is longer"))
}

fn le_u64(header: &[u8; FRAME_HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(*header[at..].first_chunk().expect("the header is longer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Salt = Salt(7);

    fn framed(salt: Salt, number: u64, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_frame(&mut bytes, salt, number, |bytes| bytes.extend_from_slice(payload));
        bytes
    }

    #[test]
    fn a_frame_comes_back_where_it_was_put_and_nowhere_else() {
        let bytes = framed(SALT, 3, b"fact");
        let frame = frame_at(&bytes, 0, SALT).expect("it is whole");
        assert_eq!((frame.number, frame.payload, frame.end), (3, &b"fact"[..], bytes.len()));
        assert_eq!(frame_at(&bytes, 0, Salt::new(1, 2)).err(), Some(BadFrame::Checksum));
        for shift in 1..=bytes.len() {
            assert!(frame_at(&bytes, shift, SALT).is_err());
        }
        for len in 0..bytes.len() {
            assert_eq!(frame_at(&bytes[..len], 0, SALT).err(), Some(BadFrame::Short));
        }
    }

    #[test]
    fn zeros_are_no_record() {
        let zeros = vec![0; 100];
        assert_eq!(frame_at(&zeros, 0, SALT).err(), Some(BadFrame::Length));
        assert_eq!(salvage(&zeros, 0, SALT, 0..=u64::MAX).count(), 0);
    }

    #[test]
    fn salts_of_other_segments_and_stores_differ() {
        assert_ne!(Salt::new(1, 1), Salt::new(1, 2));
        assert_ne!(Salt::new(1, 2), Salt::new(2, 1));
    }

    #[test]
    fn what_is_whole_behind_a_damaged_place_is_found() {
        let mut bytes = framed(SALT, 1, b"first");
        bytes[20] ^= 1;
        bytes.extend(framed(SALT, 2, b"second"));
        bytes.extend([0, 9, 9]);
        bytes.extend(framed(SALT, 3, b"third"));
        bytes.extend(framed(SALT, 99, b"of no place here"));
        let found: Vec<_> = salvage(&bytes, 0, SALT, 1..=10).map(|frame| frame.number).collect();
        assert_eq!(found, [2, 3]);
    }
}
