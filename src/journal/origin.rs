//! From where a journal is read, and which of its segments that is.

use super::segment::{BadHeader, FoundSegment, HEADER_BYTES, Header, segment_name};
use super::walk::BadPlace;
use crate::storage::StoreError;

/// From where a journal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From its first record: there is no checkpoint.
    Start,
    /// From behind a checkpoint.
    Checkpoint {
        /// Of which store it is.
        store_id: u64,
        /// The last record whose effect it has.
        record: u64,
        /// The segment that was begun for it and was durable before it was. `None` for a backup, which stands
        /// alone.
        segment: Option<u64>,
    },
}

/// Where the reading begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Beginning {
    /// With the first of the segments, or with none: a journal may be empty.
    Found,
    /// With a bad place.
    Bad(BadPlace),
    /// Nowhere: a segment is gone, and there is none after it.
    Missing { file: String, what: String },
}

impl Origin {
    /// The last record that need not be read.
    pub(super) fn record(self) -> u64 {
        match self {
            Self::Start => 0,
            Self::Checkpoint { record, .. } => record,
        }
    }

    pub(super) fn store_id(self) -> Option<u64> {
        match self {
            Self::Start => None,
            Self::Checkpoint { store_id, .. } => Some(store_id),
        }
    }

    /// The segment that must be there, or one after it in its place.
    pub(super) fn segment(self) -> Option<u64> {
        match self {
            Self::Start => None,
            Self::Checkpoint { segment, .. } => segment,
        }
    }

    /// Drops the segments before the one to begin with from `segments`, which are in order and should be those of
    /// store `store_id`.
    pub(super) fn begin(
        self,
        segments: &mut Vec<FoundSegment>,
        store_id: Option<u64>,
    ) -> Result<Beginning, StoreError> {
        let wanted = self.record() + 1;
        let least = self.segment().unwrap_or(0);
        let has_wanted = |segment: &FoundSegment| {
            let is_right =
                |header: Header| Some(header.store_id) == store_id && header.first_record <= wanted;
            segment.number >= least && segment.header.is_ok_and(is_right)
        };
        // Those before the last such hold nothing but what the checkpoint has.
        let start = segments.iter().rposition(has_wanted);
        let first = start.unwrap_or_else(|| segments.partition_point(|segment| segment.number < least));
        segments.drain(..first);
        match segments.first() {
            _ if start.is_some() => Ok(Beginning::Found),
            Some(first) => self.judge(first, segments.len(), store_id),
            None => Ok(match self.segment() {
                None => Beginning::Found,
                Some(number) => Beginning::Missing {
                    file: segment_name(number),
                    what: format!("the checkpoint goes on with record {wanted}"),
                },
            }),
        }
    }

    /// What is wrong with a first segment that does not have the first wanted record.
    fn judge(
        self,
        first: &FoundSegment,
        n_segments: usize,
        store_id: Option<u64>,
    ) -> Result<Beginning, StoreError> {
        let bad = |what: String, missing: Option<u64>| {
            Beginning::Bad(BadPlace {
                index: 0,
                offset: 0,
                what,
                missing: missing.map(segment_name),
                is_certain: true,
            })
        };
        let header = match first.header {
            Ok(header) if Some(header.store_id) != store_id => {
                return Ok(bad("it belongs to another store".to_owned(), None));
            }
            Ok(header) => {
                let begins = header.first_record;
                let of_a_backup = self == Self::Start && begins == 2 && first.number == 1;
                let why = if of_a_backup { ", so the backup that it goes on from is gone" } else { "" };
                let what = format!(
                    "record {} is wanted, what is there begins with {begins}{why}",
                    self.record() + 1
                );
                return Ok(bad(what, Some(self.segment().unwrap_or(first.number.saturating_sub(1)))));
            }
            Err(header) => header,
        };
        // INVARIANT: the first segment of a store is made durable before a record is written to it, and so is one
        // that a checkpoint goes on with. Only one that was never finished has never held any.
        let was_never_finished = header == BadHeader::Broken
            && n_segments == 1
            && first.n_bytes <= HEADER_BYTES as u64
            && self.segment().is_none();
        match header.refusal(&first.name) {
            Some(refusal) => Err(refusal),
            None if was_never_finished => Ok(Beginning::Found),
            None => Ok(bad(header.to_string(), None)),
        }
    }
}
