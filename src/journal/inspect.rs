//! Looking at a journal without changing it, and repairing one that is damaged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cut::Cut;
use super::judge::Verdict;
use super::origin::{Beginning, Origin};
use super::segment::{
    BadHeader, FoundSegment, HEADER_BYTES, Header, create_segment, find_segments, read_file,
};
use super::walk::{NoRecord, Step, Walk, record_at};
use crate::storage::{Storage, StoreError};

/// What is in one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentReport {
    pub(crate) file: String,
    /// By its name.
    pub(crate) number: u64,
    pub(crate) n_bytes: u64,
    /// The first and the last record that can be read in order; `None` if there is none.
    pub(crate) records: Option<(u64, u64)>,
    /// How many of them there are of each kind.
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    pub(crate) state: SegmentState,
}

/// How a segment is, taken by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SegmentState {
    Whole,
    /// It begins as no file of ours does.
    Foreign,
    /// Written by a later version.
    Newer {
        found: u32,
    },
    /// It goes on as it should up to `offset` alone.
    Bad {
        offset: u64,
        what: String,
    },
}

/// Looks into all segments, one after the other; changes nothing.
///
/// # Errors
/// [`StoreError::Io`] if the storage fails. What is wrong in a segment is in its report.
pub(crate) fn scan(storage: &dyn Storage) -> Result<Vec<SegmentReport>, StoreError> {
    find_segments(storage)?.iter().map(|segment| report(storage, segment)).collect()
}

fn report(storage: &dyn Storage, segment: &FoundSegment) -> Result<SegmentReport, StoreError> {
    let mut report = SegmentReport {
        file: segment.name.clone(),
        number: segment.number,
        n_bytes: segment.n_bytes,
        records: None,
        kinds: BTreeMap::new(),
        state: SegmentState::Whole,
    };
    match segment.header {
        Ok(header) => read_into(&mut report, &header, &read_file(storage, &segment.name)?),
        Err(BadHeader::Foreign) => report.state = SegmentState::Foreign,
        Err(BadHeader::Newer { found }) => report.state = SegmentState::Newer { found },
        Err(bad @ (BadHeader::Broken | BadHeader::Moved { .. })) => {
            report.state = SegmentState::Bad { offset: 0, what: bad.to_string() };
        }
    }
    Ok(report)
}

fn read_into(report: &mut SegmentReport, header: &Header, bytes: &[u8]) {
    let (mut offset, mut expected) = (HEADER_BYTES, header.first_record);
    while offset < bytes.len() {
        match record_at(bytes, offset, header.salt(), expected) {
            Ok((record, end)) => {
                *report.kinds.entry(record.kind()).or_default() += 1;
                report.records = Some((header.first_record, expected));
                (offset, expected) = (end, expected + 1);
            }
            Err(NoRecord { what, .. }) => {
                report.state = SegmentState::Bad { offset: offset as u64, what };
                return;
            }
        }
    }
}

/// What it takes to make a journal one that can be opened: a cut at its first bad place, even if that loses
/// what had been durable.
#[derive(Debug)]
pub(crate) struct RepairPlan {
    cut: Option<Cut>,
    damage: Option<StoreError>,
    /// The last record that is kept, or that of the checkpoint.
    last_record: u64,
    /// An empty segment to put in the place of one that the checkpoint goes on with.
    successor: Option<Header>,
}

impl RepairPlan {
    /// Reads a journal as opening it from `origin` would; changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the storage fails, or if a file of somebody else's or of a later version is in the way.
    pub(crate) fn new(storage: Arc<dyn Storage>, origin: Origin) -> Result<Self, StoreError> {
        let mut walk = Walk::begin(storage, origin)?;
        let successor = match (&walk.beginning, origin) {
            (Beginning::Found, _) | (_, Origin::Start) => None,
            (Beginning::Bad(_) | Beginning::Missing { .. }, Origin::Checkpoint { store_id, record, .. }) => {
                let number = walk.next_segment.max(origin.segment().unwrap_or(0));
                Some(Header { store_id, number, first_record: record + 1, synced_through: record })
            }
        };
        let (cut, damage) = loop {
            match walk.step() {
                Ok(Step::Record(..)) => {}
                Ok(Step::End) => break (None, None),
                Ok(Step::Bad(bad)) => match walk.judge(&bad)? {
                    Verdict::Torn(cut) => break (Some(cut), None),
                    Verdict::Damaged(cut, error) => break (Some(cut), Some(error)),
                },
                Err(missing @ StoreError::Missing { .. }) => break (None, Some(missing)),
                Err(error) => return Err(error),
            }
        };
        let last_record = walk.last_record();
        Ok(Self { cut, damage, last_record, successor })
    }

    /// What would be taken off, if anything.
    pub(crate) fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// Why the journal cannot be opened as it is; `None` if it can.
    pub(crate) fn damage(&self) -> Option<&StoreError> {
        self.damage.as_ref()
    }

    /// As [`damage`](Self::damage), for an error of its own.
    pub(crate) fn take_damage(&mut self) -> Option<StoreError> {
        self.damage.take()
    }

    /// The last record that is kept, or that of the checkpoint if it is later.
    pub(crate) fn last_record(&self) -> u64 {
        self.last_record
    }

    /// Repairs the journal, durably. The caller has held the lock of the storage since before the plan was made.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the storage fails. Then make a new plan: what was done so far does no harm.
    pub(crate) fn apply(&self, storage: &dyn Storage) -> Result<(), StoreError> {
        if let Some(successor) = self.successor {
            create_segment(storage, successor)?;
        }
        self.cut.as_ref().map_or(Ok(()), |cut| cut.apply(storage))
    }
}
