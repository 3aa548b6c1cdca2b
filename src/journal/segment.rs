//! The files of the journal: their names, their headers, reading one.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use super::frame::Salt;
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::storage::{AppendFile, Storage, StoreError};

/// What every segment begins with.
const MAGIC: [u8; 8] = *b"SEGUEJNL";
/// The format this version writes, and the latest it reads.
const VERSION: u32 = 1;
/// Bytes before the first record.
pub(super) const HEADER_BYTES: usize = 48;

/// The name of segment `number`.
pub(super) fn segment_name(number: u64) -> String {
    format!("journal-{number:020}.segment")
}

/// The number of a segment of this name; `None` for all other files.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".segment")?;
    let is_ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    // No journal gets that far, and the next number must be one, too.
    digits.parse().ok().filter(|&number| is_ours && number <= u64::MAX / 2)
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) store_id: u64,
    pub(super) number: u64,
    /// The number of its first record, or of the one that would be.
    pub(super) first_record: u64,
    /// Every record up to this one was durable when the segment was begun.
    pub(super) synced_through: u64,
}

/// Why a file has no header that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// Too short, part of it never written, or damaged.
    Broken,
    /// It begins as no file of ours does.
    Foreign,
    /// Written by a later version.
    Newer { found: u32 },
    /// It is that of another segment.
    Moved { from: u64 },
}

impl BadHeader {
    /// The error of a file that is not to be touched; `None` if it may be one that was never finished.
    pub(super) fn refusal(self, file: &str) -> Option<StoreError> {
        let file = file.to_owned();
        match self {
            Self::Broken | Self::Moved { .. } => None,
            Self::Foreign => Some(StoreError::Foreign { file }),
            Self::Newer { found } => Some(StoreError::Newer { file, found, supported: VERSION }),
        }
    }
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the header is broken"),
            Self::Foreign => f.write_str("it does not start as a file of this crate does"),
            Self::Newer { found } => write!(f, "it has format {found}"),
            Self::Moved { from } => write!(f, "by its header it is segment {from}"),
        }
    }
}

impl Header {
    pub(super) fn salt(&self) -> Salt {
        Salt::new(self.store_id, self.number)
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.put_u32(VERSION);
        bytes.put_u64(self.store_id);
        bytes.put_u64(self.number);
        bytes.put_u64(self.first_record);
        bytes.put_u64(self.synced_through);
        bytes.put_u32(crc32c::crc32c(&bytes));
        debug_assert_eq!(bytes.len(), HEADER_BYTES, "the header has one length");
        bytes
    }

    /// Reads the header that `bytes` begin with.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadHeader> {
        // What was created but never synced may have zeros where nothing was written.
        let may_be_ours = bytes.iter().zip(MAGIC).all(|(&byte, ours)| byte == ours || byte == 0);
        let bad = if may_be_ours { BadHeader::Broken } else { BadHeader::Foreign };
        let Ok(header) = TakeBytes::new(bytes).array::<HEADER_BYTES>() else { return Err(bad) };
        let (checked, checksum) = header.split_at(HEADER_BYTES - size_of::<u32>());
        let rest = &checked[MAGIC.len()..];
        // INVARIANT: the header of every version is so long, and ends with this checksum, so that later versions are
        // told from damage.
        let sum = crc32c::crc32c_append(crc32c::crc32c(&MAGIC), rest);
        if TakeBytes::new(checksum).u32() != Ok(sum) {
            return Err(bad);
        }
        if !checked.starts_with(&MAGIC) {
            // All but the very first bytes is what was written.
            return Err(BadHeader::Broken);
        }
        let mut fields = TakeBytes::new(rest);
        match fields.u32() {
            Ok(VERSION) => Self::take(fields).map_err(|_| BadHeader::Broken),
            Ok(found) if found > VERSION => Err(BadHeader::Newer { found }),
            Ok(_) | Err(_) => Err(BadHeader::Broken),
        }
    }

    fn take(mut fields: TakeBytes<'_>) -> Result<Self, DecodeError> {
        let header = Self {
            store_id: fields.u64()?,
            number: fields.u64()?,
            first_record: fields.u64()?,
            synced_through: fields.u64()?,
        };
        // So that counting on from it never overflows.
        if (1..=u64::MAX / 2).contains(&header.first_record) {
            Ok(header)
        } else {
            Err(DecodeError::Invalid("the number of a segment's first record"))
        }
    }
}

/// A segment as it is found in the storage.
#[derive(Debug, Clone)]
pub(super) struct FoundSegment {
    pub(super) name: String,
    /// By its name.
    pub(super) number: u64,
    pub(super) n_bytes: u64,
    pub(super) header: Result<Header, BadHeader>,
}

/// Makes an empty segment, durably.
pub(super) fn create_segment(storage: &dyn Storage, header: Header) -> Result<SegmentFile, StoreError> {
    let name = segment_name(header.number);
    let file = storage.create(&name).map_err(StoreError::io("create", &name))?;
    file.append(&header.to_bytes()).map_err(StoreError::io("write", &name))?;
    file.sync().map_err(StoreError::io("sync", &name))?;
    storage.sync_directory().map_err(StoreError::io("sync", "directory"))?;
    Ok(SegmentFile { name, file })
}

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct SegmentFile {
    pub(super) name: String,
    pub(super) file: Arc<dyn AppendFile>,
}

/// All segments, in the order of their numbers. Reads their headers alone.
pub(super) fn find_segments(storage: &dyn Storage) -> Result<Vec<FoundSegment>, StoreError> {
    let names = storage.list().map_err(StoreError::io("list", "the store"))?;
    let mut segments = Vec::new();
    for name in names {
        let Some(number) = segment_number(&name) else { continue };
        let file = storage.open(&name).map_err(StoreError::io("open", &name))?;
        let n_bytes = file.len();
        let mut header = Vec::with_capacity(HEADER_BYTES);
        file.take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(StoreError::io("read", &name))?;
        let header = Header::read(&header).and_then(|header| match header.number {
            from if from != number => Err(BadHeader::Moved { from }),
            _ => Ok(header),
        });
        segments.push(FoundSegment { name, number, n_bytes, header });
    }
    segments.sort_unstable_by_key(|segment| segment.number);
    Ok(segments)
}

/// The number of the first record there is, or would be; `None` without a journal. If the first segment is damaged,
/// that is for its reader to find out.
pub(crate) fn first_record(storage: &dyn Storage) -> Result<Option<u64>, StoreError> {
    let segments = find_segments(storage)?;
    Ok(segments.first().map(|first| first.header.map_or(1, |header| header.first_record)))
}

/// Removes the segments before number `first`, whose records a checkpoint has. Their directory is not synced: should
/// some of them come back, they are passed over.
pub(crate) fn remove_segments_before(storage: &dyn Storage, first: u64) -> Result<(), StoreError> {
    let names = storage.list().map_err(StoreError::io("list", "the store"))?;
    for name in names.iter().filter(|name| segment_number(name).is_some_and(|number| number < first)) {
        storage.remove(name).map_err(StoreError::io("remove", name))?;
    }
    Ok(())
}

/// All bytes of a file.
pub(super) fn read_file(storage: &dyn Storage, name: &str) -> Result<Vec<u8>, StoreError> {
    let read = || {
        let mut file = storage.open(name)?;
        let mut bytes = Vec::new();
        // Ends in an error, not in an abort, if a file is larger than the memory.
        bytes.try_reserve_exact(usize::try_from(file.len()).unwrap_or(usize::MAX))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(StoreError::io("read", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_segments() {
        assert_eq!(segment_name(12), "journal-00000000000000000012.segment");
        assert_eq!(segment_number(&segment_name(u64::MAX / 2)), Some(u64::MAX / 2));
        assert_eq!(segment_number(&segment_name(u64::MAX / 2 + 1)), None);
        for name in ["LOCK", "journal-12.segment", "journal-+0000000000000000012.segment", "journal-.segment"]
        {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }

    #[test]
    fn a_header_comes_back_and_tells_what_is_wrong_with_it() {
        let header = Header { store_id: 7, number: 2, first_record: 10, synced_through: 9 };
        let bytes = header.to_bytes();
        assert_eq!(Header::read(&bytes), Ok(header));
        for len in 0..HEADER_BYTES {
            assert_eq!(Header::read(&bytes[..len]), Err(BadHeader::Broken), "{len}");
        }
        assert_eq!(Header::read(&[0; 100]), Err(BadHeader::Broken));
        assert_eq!(Header::read(b"PNG"), Err(BadHeader::Foreign));
        for at in 0..HEADER_BYTES {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(Header::read(&flipped), Err(BadHeader::Broken), "{at}");
        }
        let mut newer = bytes;
        newer[8] = 7;
        assert_eq!(Header::read(&newer), Err(BadHeader::Broken), "its checksum is that of version 1");
        let sum = crc32c::crc32c(&newer[..44]).to_le_bytes();
        newer[44..].copy_from_slice(&sum);
        assert_eq!(Header::read(&newer), Err(BadHeader::Newer { found: 7 }));
        newer[0] = b'P';
        newer[20] ^= 1;
        assert_eq!(Header::read(&newer), Err(BadHeader::Foreign));
    }
}
