//! Telling what a power cut has left unfinished from what is damaged.

use super::codec::{is_event, take_record};
use super::cut::Cut;
use super::frame::{Salt, most_records_in, salvage};
use super::record::Record;
use super::segment::read_file;
use super::walk::{BadPlace, Walk};
use crate::storage::StoreError;

/// What a bad place is.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing proves that it had been durable: it is what a power cut or a kill leaves of the last moments.
    Torn(Cut),
    /// Something is gone that had been durable.
    Damaged(Cut, StoreError),
}

/// What is behind a bad place.
#[derive(Debug, Default)]
struct Behind {
    /// Every record up to this one had been durable.
    proven: u64,
    n_records: u64,
    n_events: u64,
}

impl Walk {
    /// Judges the place where the walk has ended.
    ///
    /// It had been durable if anything behind it, in its segment or a later one, says so of the first record
    /// that is lost: a mark of what is durable, or the header of a segment. Such a thing is written only after
    /// the syncs it speaks of have succeeded, so a power cut never looks like damage.
    pub(super) fn judge(&self, bad: &BadPlace) -> Result<Verdict, StoreError> {
        let segments = &self.segments[bad.index..];
        let n_bytes = segments.iter().map(|segment| segment.n_bytes).sum::<u64>();
        let Behind { proven, n_records, n_events } = self.look_behind(bad, n_bytes)?;
        let cut = Cut {
            file: segments[0].name.clone(),
            offset: bad.offset,
            what: bad.what.clone(),
            remove: segments[1..].iter().map(|segment| segment.name.clone()).collect(),
            n_bytes: n_bytes.saturating_sub(bad.offset),
            n_records,
            n_events,
        };
        // What the checkpoint has is not lost.
        let lost = self.expected.max(self.origin.record() + 1);
        if !bad.is_certain && proven < lost {
            return Ok(Verdict::Torn(cut));
        }
        let what = bad.what.clone();
        let error = match &bad.missing {
            Some(file) => StoreError::Missing { file: file.clone(), what },
            None => StoreError::Damaged { file: cut.file.clone(), offset: cut.offset, what },
        };
        Ok(Verdict::Damaged(cut, error))
    }

    fn look_behind(&self, bad: &BadPlace, n_bytes: u64) -> Result<Behind, StoreError> {
        let mut behind = Behind::default();
        // Nobody knows how the checksums of a store begin that has lost its only header.
        let Some(store_id) = self.store_id else { return Ok(behind) };
        let numbers = self.expected..=self.expected.saturating_add(most_records_in(n_bytes));
        let mut offset = usize::try_from(bad.offset).expect("the segment has been in memory");
        for (index, segment) in self.segments.iter().enumerate().skip(bad.index) {
            let header = segment.header.ok().filter(|header| header.store_id == store_id);
            if let Some(header) = header.filter(|_| index > bad.index) {
                behind.proven = behind.proven.max(header.synced_through);
            }
            let bytes = read_file(&*self.storage, &segment.name)?;
            for frame in salvage(&bytes, offset, Salt::new(store_id, segment.number), numbers.clone()) {
                behind.n_records += 1;
                behind.n_events += u64::from(is_event(frame.payload));
                if let Ok(Record::Synced { through }) = take_record(frame.payload) {
                    behind.proven = behind.proven.max(through);
                }
            }
            offset = 0;
        }
        Ok(behind)
    }
}
