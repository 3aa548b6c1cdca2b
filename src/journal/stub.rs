//! Stand-in.
use super::{EventRecord, Record};
use crate::model::Solve;
use crate::types::{Event, EventSeq, Signal, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFailure {
    pub operation: &'static str,
    pub file: String,
    pub message: String,
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) records: Vec<Record>,
    fresh: bool,
}

impl Journal {
    pub(crate) fn record(&mut self, record: &Record) {
        self.fresh = true;
        self.records.push(record.clone());
    }
    pub(crate) fn record_event(
        &mut self,
        event: &Event,
        at: Timestamp,
        signal: Option<Signal>,
        solve: Solve,
    ) {
        self.record(&Record::Event(EventRecord { event: event.clone(), at, signal, solve }));
    }
    pub(crate) fn is_batch_empty(&self) -> bool {
        !self.fresh
    }
    pub(crate) fn commit(&mut self, _through: EventSeq) -> Result<(), JournalFailure> {
        self.fresh = false;
        Ok(())
    }
}
