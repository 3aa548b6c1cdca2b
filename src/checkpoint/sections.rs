//! A file of sections, each of which says what it is, how long it is, and whether it is whole.
//!
//! `docs::formats` has every byte. The checksum of a section is that of everything before it carried on, so
//! no section passes anywhere but after the ones it was written after.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crc32c::{crc32c, crc32c_append};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::{CheckpointError, Flaw};
use crate::storage::bytes::{DecodeError, PutBytes, TakeBytes};
use crate::storage::{AppendFile, ReadFile, Storage, StoreError};

/// How every checkpoint begins.
const MAGIC: [u8; 8] = *b"seguechk";
/// The latest version of the format. A file that has nothing of it is written in the version before, and all are read.
pub(super) const FORMAT: u32 = 2;
/// The version without counts of skips, in which no model is from elsewhere.
pub(super) const FORMAT_WITHOUT_SKIPS: u32 = 1;
/// Magic and format: what every version begins with.
const PREAMBLE_BYTES: usize = 12;
/// The store's id and the checksum of everything before it.
const HEADER_REST_BYTES: usize = 12;
/// Tag and length, which the checksum covers, and the checksum.
const SECTION_HEADER_BYTES: usize = 16;
const CHECKED_BYTES: usize = 12;

/// What a section holds. Files have them in this order; those that may be large come several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Head = 1,
    Actions,
    Sources,
    Keys,
    Items,
    Model,
    ItemRows,
    Gramian,
    Queue,
    Users,
    UserRows,
    End,
    /// Before the end, as are those after it: the end came first.
    ItemSkips,
    ContextSkips,
}

impl Tag {
    fn get(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Head => "head",
            Self::Actions => "actions",
            Self::Sources => "sources",
            Self::Keys => "keys",
            Self::Items => "items",
            Self::Model => "model",
            Self::ItemRows => "item rows",
            Self::Gramian => "Gramian",
            Self::Queue => "queue",
            Self::Users => "users",
            Self::UserRows => "user rows",
            Self::End => "end",
            Self::ItemSkips => "item skips",
            Self::ContextSkips => "context skips",
        })
    }
}

/// Writes a file, a section at a time.
#[derive(Debug)]
pub(super) struct SectionWriter<'a> {
    file: Arc<dyn AppendFile>,
    name: &'a str,
    cancelled: &'a AtomicBool,
    sum: u32,
    n_sections: u32,
    n_bytes: u64,
    buffer: Vec<u8>,
}

impl<'a> SectionWriter<'a> {
    pub(super) fn create(
        storage: &dyn Storage,
        name: &'a str,
        format: u32,
        store_id: u64,
        cancelled: &'a AtomicBool,
    ) -> Result<Self, CheckpointError> {
        let file = storage.create(name).map_err(CheckpointError::io("create", name))?;
        let mut header = Vec::from(MAGIC);
        header.put_u32(format);
        header.put_u64(store_id);
        let sum = crc32c(&header);
        header.put_u32(sum);
        let mut writer = Self { file, name, cancelled, sum, n_sections: 0, n_bytes: 0, buffer: Vec::new() };
        writer.append(&header)?;
        Ok(writer)
    }

    /// Writes one section. Before it, checks whether the writing is to go on.
    pub(super) fn put(&mut self, tag: Tag, contents: &impl Serialize) -> Result<(), CheckpointError> {
        // ORDERING: the flag says nothing of any other memory.
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(CheckpointError::Cancelled);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.resize(SECTION_HEADER_BYTES, 0);
        rmp_serde::encode::write_named(&mut buffer, contents).expect("plain fields fit into memory");
        let len = (buffer.len() - SECTION_HEADER_BYTES) as u64;
        buffer[..4].copy_from_slice(&tag.get().to_le_bytes());
        buffer[4..CHECKED_BYTES].copy_from_slice(&len.to_le_bytes());
        self.sum = crc32c_append(self.sum, &buffer[..CHECKED_BYTES]);
        self.sum = crc32c_append(self.sum, &buffer[SECTION_HEADER_BYTES..]);
        buffer[CHECKED_BYTES..SECTION_HEADER_BYTES].copy_from_slice(&self.sum.to_le_bytes());
        self.append(&buffer)?;
        self.n_sections += 1;
        self.buffer = buffer;
        Ok(())
    }

    /// Sections written so far.
    pub(super) fn n_sections(&self) -> u32 {
        self.n_sections
    }

    /// Makes the file durable and says how long it is.
    pub(super) fn finish(self) -> Result<u64, CheckpointError> {
        self.file.sync().map_err(CheckpointError::io("sync", self.name))?;
        Ok(self.n_bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.file.append(bytes).map_err(CheckpointError::io("write", self.name))?;
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Reads a file, a section at a time. Nothing is allocated that the file is not long enough for.
#[derive(Debug)]
pub(super) struct SectionReader {
    file: Box<dyn ReadFile>,
    name: String,
    format: u32,
    store_id: u64,
    /// Where the next byte comes from.
    offset: u64,
    sum: u32,
    n_sections: u32,
    /// The next section, as its header describes it; `None` at the end of the file.
    next: Option<Described>,
    payload: Vec<u8>,
}

/// A section by its header.
#[derive(Debug, Clone, Copy)]
struct Described {
    tag: u32,
    len: u64,
    sum: u32,
    offset: u64,
}

impl SectionReader {
    pub(super) fn open(storage: &dyn Storage, name: &str) -> Result<Self, StoreError> {
        let file = storage.open(name).map_err(StoreError::io("open", name))?;
        let mut reader = Self {
            file,
            name: name.to_owned(),
            format: 0,
            store_id: 0,
            offset: 0,
            sum: 0,
            n_sections: 0,
            next: None,
            payload: Vec::new(),
        };
        let preamble: [u8; PREAMBLE_BYTES] = reader.array()?;
        let (magic, format) = preamble.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(StoreError::Foreign { file: reader.name });
        }
        let found = TakeBytes::new(format).u32().map_err(|flaw| reader.damaged(0, flaw))?;
        // INVARIANT: the header of every format is so long and ends with this checksum, so that later formats are told
        // from damage.
        let rest: [u8; HEADER_REST_BYTES] = reader.array()?;
        let mut fields = TakeBytes::new(&rest);
        let store_id = fields.u64().map_err(|flaw| reader.damaged(0, flaw))?;
        reader.store_id = store_id;
        reader.sum = crc32c_append(crc32c(&preamble), &store_id.to_le_bytes());
        if fields.u32() != Ok(reader.sum) || found == 0 {
            return Err(reader.damaged(0, "its header is not what was written"));
        }
        if found > FORMAT {
            return Err(StoreError::Newer { file: reader.name, found, supported: FORMAT });
        }
        reader.format = found;
        reader.describe_next()?;
        Ok(reader)
    }

    /// The name of the file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The version of the format it is in.
    pub(super) fn format(&self) -> u32 {
        self.format
    }

    /// Which store wrote it.
    pub(super) fn store_id(&self) -> u64 {
        self.store_id
    }

    /// Sections read so far.
    pub(super) fn n_sections(&self) -> u32 {
        self.n_sections
    }

    /// Bytes of the whole file.
    pub(super) fn n_bytes(&self) -> u64 {
        self.file.len()
    }

    /// Bytes from the next section's contents on: what everything still to come is made from.
    pub(super) fn n_bytes_left(&self) -> u64 {
        self.file.len().saturating_sub(self.offset)
    }

    /// Reads the next section, which must be of that kind, with `take`.
    pub(super) fn one<T>(
        &mut self,
        tag: Tag,
        take: impl FnOnce(&[u8]) -> Result<T, Flaw>,
    ) -> Result<T, StoreError> {
        let described = self
            .next
            .ok_or_else(|| self.damaged(self.offset, format!("it ends before the section of the {tag}")))?;
        if described.tag != tag.get() {
            let what = format!("a section of kind {} stands where the {tag} should", described.tag);
            return Err(self.damaged(described.offset, what));
        }
        self.advance()?;
        take(&self.payload).map_err(|flaw| self.damaged(described.offset, format!("{tag}: {flaw}")))
    }

    /// Reads all sections of that kind that stand next, each with `take`.
    pub(super) fn each(
        &mut self,
        tag: Tag,
        mut take: impl FnMut(&[u8]) -> Result<(), Flaw>,
    ) -> Result<(), StoreError> {
        while self.next.is_some_and(|next| next.tag == tag.get()) {
            self.one(tag, &mut take)?;
        }
        Ok(())
    }

    /// Checks the next section without looking into it; does nothing and says `false` if it is of that kind or
    /// there is none.
    pub(super) fn skip_unless(&mut self, tag: Tag) -> Result<bool, StoreError> {
        let is_other = self.next.is_some_and(|next| next.tag != tag.get());
        if is_other {
            self.advance()?;
        }
        Ok(is_other)
    }

    /// `holds`, or else what has been read so far does not go on where it should.
    pub(super) fn ensure(&self, holds: bool, what: &str) -> Result<(), StoreError> {
        let here = self.next.map_or(self.offset, |next| next.offset);
        if holds { Ok(()) } else { Err(self.damaged(here, what)) }
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), StoreError> {
        match self.next {
            None => Ok(()),
            Some(described) => Err(self.damaged(described.offset, DecodeError::Trailing)),
        }
    }

    pub(super) fn damaged(&self, offset: u64, what: impl ToString) -> StoreError {
        StoreError::Damaged { file: self.name.clone(), offset, what: what.to_string() }
    }

    /// Reads the described section into the buffer, checks it, and describes the one after it.
    fn advance(&mut self) -> Result<(), StoreError> {
        let described = self.next.take().expect("the caller has looked");
        let len = usize::try_from(described.len)
            .map_err(|_| self.damaged(described.offset, "it is too long for this machine's memory"))?;
        self.payload.clear();
        self.payload
            .try_reserve_exact(len)
            .map_err(|_| self.damaged(described.offset, "it is too long for this machine's memory"))?;
        self.payload.resize(len, 0);
        self.file.read_exact(&mut self.payload).map_err(StoreError::io("read", &*self.name))?;
        self.offset += described.len;
        self.sum = crc32c_append(self.sum, &described.tag.to_le_bytes());
        self.sum = crc32c_append(self.sum, &described.len.to_le_bytes());
        self.sum = crc32c_append(self.sum, &self.payload);
        if self.sum != described.sum {
            return Err(self.damaged(described.offset, "its checksum is not that of its contents"));
        }
        self.n_sections += 1;
        self.describe_next()
    }

    fn describe_next(&mut self) -> Result<(), StoreError> {
        if self.n_bytes_left() == 0 {
            return Ok(());
        }
        let offset = self.offset;
        let header: [u8; SECTION_HEADER_BYTES] = self.array()?;
        let mut fields = TakeBytes::new(&header);
        let described =
            (|| Ok(Described { tag: fields.u32()?, len: fields.u64()?, sum: fields.u32()?, offset }))()
                .map_err(|flaw: DecodeError| self.damaged(offset, flaw))?;
        if described.len > self.n_bytes_left() {
            return Err(self.damaged(offset, "it is longer than what is left of the file"));
        }
        self.next = Some(described);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        if self.n_bytes_left() < N as u64 {
            return Err(self.damaged(self.offset, DecodeError::Truncated));
        }
        let mut array = [0; N];
        self.file.read_exact(&mut array).map_err(StoreError::io("read", &*self.name))?;
        self.offset += N as u64;
        Ok(array)
    }
}

/// The fields of a section, borrowed from its bytes.
pub(super) fn fields<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Flaw> {
    use rmp_serde::decode::Error;

    let mut reader = rmp_serde::Deserializer::from_read_ref(payload);
    let fields = T::deserialize(&mut reader)?;
    match IgnoredAny::deserialize(&mut reader) {
        // There is not even the first byte of another value.
        Err(Error::InvalidMarkerRead(_)) => Ok(fields),
        Ok(_) | Err(_) => Err(DecodeError::Trailing.into()),
    }
}
