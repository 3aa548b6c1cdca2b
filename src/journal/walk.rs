//! Reading record after record, up to the first place where there is none.

use std::sync::Arc;

use super::codec::take_record;
use super::frame::{Frame, Salt, frame_at};
use super::origin::{Beginning, Origin};
use super::record::Record;
use super::segment::{BadHeader, FoundSegment, HEADER_BYTES, Header, find_segments, read_file, segment_name};
use crate::storage::{Storage, StoreError};

/// What comes next in a journal.
#[derive(Debug)]
pub(super) enum Step {
    Record(u64, Record),
    /// Something other than the record that should be there. The walk goes no further.
    Bad(BadPlace),
    End,
}

/// The first place where a journal does not go on as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadPlace {
    /// Which of the walk's segments it is in.
    pub(super) index: usize,
    pub(super) offset: u64,
    pub(super) what: String,
    /// The segment that should be there, if one seems to be gone.
    pub(super) missing: Option<String>,
    /// Whether no power cut and no end of a process can have made it.
    pub(super) is_certain: bool,
}

/// Walks over the records of a journal, with one segment in memory.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) origin: Origin,
    /// `None` as long as there is neither a checkpoint nor a segment that tells.
    pub(super) store_id: Option<u64>,
    /// From the one with the first wanted record on.
    pub(super) segments: Vec<FoundSegment>,
    /// One more than the number of the last segment in the storage, whether it is read or not.
    pub(super) next_segment: u64,
    pub(super) beginning: Beginning,
    /// The number that the next record must have.
    pub(super) expected: u64,
    reading: Option<Reading>,
    /// The next of `segments` to be opened.
    next_index: usize,
    /// Every record up to this one had been durable.
    proven: u64,
    /// Of each segment read so far: its name, its bytes up to the end of its last good record, and the number of
    /// that.
    kept: Vec<(String, u64, u64)>,
}

#[derive(Debug)]
struct Reading {
    index: usize,
    bytes: Vec<u8>,
    offset: usize,
    salt: Salt,
}

impl Walk {
    pub(super) fn begin(storage: Arc<dyn Storage>, origin: Origin) -> Result<Self, StoreError> {
        let mut segments = find_segments(&*storage)?;
        let next_segment = segments.last().map_or(1, |last| last.number.saturating_add(1));
        let headers = || segments.iter().filter_map(|segment| segment.header.ok());
        let store_id = origin.store_id().or(headers().next().map(|header| header.store_id));
        let beginning = origin.begin(&mut segments, store_id)?;
        let first = segments.first().and_then(|first| first.header.ok());
        Ok(Self {
            storage,
            origin,
            store_id,
            expected: match (&beginning, first) {
                (Beginning::Found, Some(header)) => header.first_record,
                _ => origin.record() + 1,
            },
            segments,
            next_segment,
            beginning,
            reading: None,
            next_index: 0,
            proven: origin.record(),
            kept: Vec::new(),
        })
    }

    /// The last record read, or that of the checkpoint if it is later.
    pub(super) fn last_record(&self) -> u64 {
        (self.expected - 1).max(self.origin.record())
    }

    /// Name and length of the segments that are not known to be durable: no mark speaks of one without records.
    pub(super) fn unproven(&self) -> Vec<(String, u64)> {
        let is_unproven = |(_, n_bytes, last_record): &&(String, u64, u64)| {
            *last_record > self.proven || *n_bytes <= HEADER_BYTES as u64
        };
        let unproven = self.kept.iter().filter(is_unproven);
        unproven.map(|(name, n_bytes, _)| (name.clone(), *n_bytes)).collect()
    }

    /// The next record. Where there is none it says the same again however often it is asked.
    pub(super) fn step(&mut self) -> Result<Step, StoreError> {
        match &self.beginning {
            Beginning::Found => {}
            Beginning::Bad(bad) => return Ok(Step::Bad(bad.clone())),
            Beginning::Missing { file, what } => {
                return Err(StoreError::Missing { file: file.clone(), what: what.clone() });
            }
        }
        loop {
            match &self.reading {
                Some(reading) if reading.offset < reading.bytes.len() => return Ok(self.read_record()),
                _ if self.next_index == self.segments.len() => return Ok(Step::End),
                _ => {
                    if let Some(bad) = self.open_next()? {
                        return Ok(Step::Bad(bad));
                    }
                }
            }
        }
    }

    /// Whether the next record but for times is an event, in the same segment: so it is with what was written at once.
    pub(super) fn is_before_event(&self) -> bool {
        let Some(Reading { bytes, offset, salt, .. }) = &self.reading else { return false };
        let (mut offset, mut expected) = (*offset, self.expected);
        while let Ok((record, end)) = record_at(bytes, offset, *salt, expected) {
            if !matches!(record, Record::Time(_)) {
                return matches!(record, Record::Event(_));
            }
            (offset, expected) = (end, expected + 1);
        }
        false
    }

    /// Goes on to the next segment; gives what is wrong with it.
    fn open_next(&mut self) -> Result<Option<BadPlace>, StoreError> {
        let index = self.next_index;
        let segment = &self.segments[index];
        let bad = |what: String, is_certain: bool| {
            Ok(Some(BadPlace { index, offset: 0, what, missing: None, is_certain }))
        };
        let Header { store_id, number, first_record, synced_through } = match segment.header {
            Ok(header) => header,
            // Right behind a segment of ours it is one that was begun and never synced: the device may have put
            // anything where its first bytes should be.
            Err(BadHeader::Foreign) if index > 0 && self.segments[index - 1].number + 1 == segment.number => {
                return bad(BadHeader::Foreign.to_string(), false);
            }
            Err(header) => match header.refusal(&segment.name) {
                Some(refusal) => return Err(refusal),
                None => return bad(header.to_string(), header != BadHeader::Broken),
            },
        };
        // A header is whole or it is not: none of these comes from a power cut.
        if self.store_id.is_some_and(|ours| ours != store_id) {
            return bad("it belongs to another store".to_owned(), true);
        }
        if first_record < self.expected {
            return bad(format!("it begins with record {first_record}, not with {}", self.expected), true);
        }
        if first_record > self.expected {
            return Ok(Some(self.gap_before(index, first_record)));
        }
        let bytes = read_file(&*self.storage, &segment.name)?;
        self.proven = self.proven.max(synced_through);
        self.kept.push((segment.name.clone(), HEADER_BYTES as u64, self.expected - 1));
        let salt = Salt::new(store_id, number);
        self.reading = Some(Reading { index, bytes, offset: HEADER_BYTES, salt });
        self.next_index += 1;
        Ok(None)
    }

    /// Records are gone between a segment and the one before it.
    fn gap_before(&self, index: usize, first_record: u64) -> BadPlace {
        // The first segment is where the count begins.
        let before = &self.segments[index - 1];
        let has_gap = before.number + 1 < self.segments[index].number;
        BadPlace {
            index: index - 1,
            offset: self.reading.as_ref().map_or(before.n_bytes, |reading| reading.bytes.len() as u64),
            what: format!("records {} to {} are gone", self.expected, first_record - 1),
            missing: has_gap.then(|| segment_name(before.number + 1)),
            is_certain: false,
        }
    }

    fn read_record(&mut self) -> Step {
        let reading = self.reading.as_mut().expect("there is something left to read");
        match record_at(&reading.bytes, reading.offset, reading.salt, self.expected) {
            Ok((record, end)) => {
                let number = self.expected;
                if let Record::Synced { through } = record {
                    self.proven = self.proven.max(through);
                }
                if let Some((_, n_bytes, last_record)) = self.kept.last_mut() {
                    (*n_bytes, *last_record) = (end as u64, number);
                }
                reading.offset = end;
                self.expected += 1;
                Step::Record(number, record)
            }
            Err(NoRecord { what, is_whole }) => {
                // If the next segment goes on with this very record, this one had ended before.
                let next = self.segments.get(self.next_index).and_then(|next| next.header.ok());
                let had_ended = next.is_some_and(|next| next.first_record == self.expected);
                let (index, offset) = (reading.index, reading.offset as u64);
                let is_certain = is_whole || had_ended;
                Step::Bad(BadPlace { index, offset, what, missing: None, is_certain })
            }
        }
    }
}

/// Why a record is not where it should be.
#[derive(Debug)]
pub(super) struct NoRecord {
    pub(super) what: String,
    /// What is there has a right checksum. A power cut leaves parts of records, but makes no whole one.
    is_whole: bool,
}

/// Reads record `expected`, which should begin at `offset`; gives it and where it ends.
pub(super) fn record_at(
    bytes: &[u8],
    offset: usize,
    salt: Salt,
    expected: u64,
) -> Result<(Record, usize), NoRecord> {
    let Frame { number, payload, end } = frame_at(bytes, offset, salt)
        .map_err(|bad| NoRecord { what: bad.what().to_owned(), is_whole: false })?;
    if number != expected {
        let what = format!("record {number} stands where {expected} should");
        return Err(NoRecord { what, is_whole: true });
    }
    let record = take_record(payload).map_err(|error| {
        let what = format!("record {number} cannot be read: {error}");
        NoRecord { what, is_whole: true }
    })?;
    Ok((record, end))
}
