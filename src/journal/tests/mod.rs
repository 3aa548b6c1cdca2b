mod damage;
mod disk;
mod power_cut;
mod reading;
mod syncing;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use super::recover::Recovered;
use super::{Durability, Journal, JournalOptions, Origin, Record, Replay, SyncOn};
use crate::model::Solve;
use crate::storage::{MemoryStorage, Storage, StoreError};
use crate::types::{Event, EventSeq, Signal, Timestamp};

const STORE_ID: u64 = 0xfeed_5eed;
const LONG: Duration = Duration::from_secs(60);

fn options(durability: Durability, sync_on: SyncOn) -> JournalOptions {
    JournalOptions { durability, segment_bytes: JournalOptions::DEFAULT_SEGMENT_BYTES, sync_on }
}

fn inline(durability: Durability) -> JournalOptions {
    options(durability, SyncOn::CallingThread)
}

/// A journal in a storage with nothing in it.
fn new_journal(storage: Arc<dyn Storage>, options: JournalOptions) -> Journal {
    open(storage, options).expect("a new store opens").0
}

/// A journal that goes on where the one in `storage` ends, and what was recovered.
fn open(storage: Arc<dyn Storage>, options: JournalOptions) -> Result<(Journal, Recovered), StoreError> {
    let recovered = Replay::begin(Arc::clone(&storage), Origin::Start)?.finish()?;
    let seq = EventSeq::from_raw(recovered.last_record);
    let journal = Journal::open(storage, &recovered, seq, STORE_ID, options)?;
    Ok((journal, recovered))
}

/// All records of a journal, and what was found at its end.
fn read(storage: Arc<dyn Storage>, origin: Origin) -> Result<(Vec<(u64, Record)>, Recovered), StoreError> {
    let mut replay = Replay::begin(storage, origin)?;
    let mut records = Vec::new();
    while let Some(record) = replay.next_record()? {
        records.push(record);
    }
    Ok((records, replay.finish()?))
}

fn seq(raw: u64) -> EventSeq {
    EventSeq::from_raw(raw)
}

/// Records one small event.
fn record_event(journal: &mut Journal, nth: u64) -> u64 {
    let event = Event::listen(nth, nth + 1);
    let signal = Signal::positive(1.0).expect("a usable signal");
    let at = Timestamp::from_unix_ms(i64::try_from(nth).expect("small"));
    journal.record_event(&event, at, Some(signal), Solve::Now)
}

/// Records and commits one small event.
fn commit_event(journal: &mut Journal, nth: u64) {
    record_event(journal, nth);
    journal.commit(seq(nth)).expect("the storage works");
}

fn segment(storage: &MemoryStorage, number: u64) -> Vec<u8> {
    storage.contents(&name(number)).expect("the segment is there")
}

fn name(number: u64) -> String {
    super::segment::segment_name(number)
}

/// Where each record of a segment begins.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let header = super::segment::Header::read(bytes).expect("a whole header");
    let mut offsets = Vec::new();
    let mut offset = super::segment::HEADER_BYTES;
    while offset < bytes.len() {
        offsets.push(offset);
        offset = super::frame::frame_at(bytes, offset, header.salt()).expect("a whole record").end;
    }
    offsets
}
