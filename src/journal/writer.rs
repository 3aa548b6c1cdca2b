//! Writing the journal: batches of records, segments, marks of what is durable.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Instant;

use super::codec::{ITEMS_OF_A_RECORD, put_event, put_items, put_record, take_record};
use super::durability::{Durability, asked};
use super::frame::{FRAME_HEADER_BYTES, Salt, put_frame};
use super::record::Record;
use super::recover::Recovered;
use super::segment::{HEADER_BYTES, Header, SegmentFile, create_segment, segment_name};
use super::sync::{Flush, Reach, Syncing};
use crate::model::Solve;
use crate::publish::Watermark;
use crate::storage::{Storage, StorageFailure, StoreError};
use crate::types::{Event, EventSeq, Signal, Timestamp};

/// Room that the buffer of a batch keeps: more than a usual batch needs, little enough to keep for ever.
const KEPT_BATCH_BYTES: usize = 1 << 20;

/// How a journal is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JournalOptions {
    pub(crate) durability: Durability,
    /// A segment that has grown to this is followed by the next. Reading a journal takes about as much memory.
    pub(crate) segment_bytes: u64,
    pub(crate) sync_on: SyncOn,
}

impl JournalOptions {
    pub(crate) const DEFAULT_SEGMENT_BYTES: u64 = 64 << 20;
}

/// Who syncs in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncOn {
    /// A thread of the journal's own, `segue-sync`. [`Durability::Immediate`] has nothing for it to do and goes
    /// without.
    OwnThread,
    /// Whoever writes, inside the calls that need it and [`Journal::sync_if_due`].
    CallingThread,
}

/// Where a new segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The number of the segment.
    pub(crate) segment: u64,
    /// The last record before it.
    pub(crate) last_record: u64,
}

/// The writer's end of the journal.
///
/// Records are numbered and gathered in memory, and handed to the storage by [`commit`](Self::commit), a batch
/// at a time. Dropped, it waits for the sync that is under way and leaves the rest as it is;
/// [`close`](Self::close) makes everything durable first.
///
/// INVARIANT: after a failure nothing is written any more, and every call gives that same failure.
#[derive(Debug)]
pub(crate) struct Journal {
    syncing: Arc<Syncing>,
    thread: Option<JoinHandle<()>>,
    options: JournalOptions,
    store_id: u64,
    segment: Segment,
    /// Records that were not handed to the storage yet.
    batch: Vec<u8>,
    next_record: u64,
    /// The last record that is more than a mark of what is durable.
    last_fact: u64,
    /// What the last such mark says, or the header of a segment.
    marked: u64,
    committed: EventSeq,
    /// When to sync next, where there is no thread that knows.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Segment {
    file: Arc<SegmentFile>,
    number: u64,
    first_record: u64,
    n_bytes: u64,
    salt: Salt,
}

impl Journal {
    /// Goes on where `recovered` ends: cuts a torn tail off, makes what is left durable, and begins a new
    /// segment. `seq` is the last event that was recovered, `new_store_id` names a store that is new.
    ///
    /// What was recovered is durable when it returns. Blocks for as long as the device takes to sync.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the storage fails.
    pub(crate) fn open(
        storage: Arc<dyn Storage>,
        recovered: &Recovered,
        seq: EventSeq,
        new_store_id: u64,
        options: JournalOptions,
    ) -> Result<Self, StoreError> {
        recovered.settle(&*storage)?;
        let store_id = recovered.store_id.unwrap_or(new_store_id);
        let header = Header {
            store_id,
            number: recovered.next_segment,
            first_record: recovered.last_record + 1,
            synced_through: recovered.last_record,
        };
        let file = create_segment(&*storage, header)?;

        let interval = match options.durability {
            Durability::Interval(interval) => Some(interval),
            Durability::Buffered | Durability::Immediate => None,
        };
        let reach = Reach { record: recovered.last_record, seq };
        let durable = Arc::new(Watermark::at(seq));
        let syncing = Arc::new(Syncing::new(storage, durable, reach, interval));
        let needs_thread =
            options.sync_on == SyncOn::OwnThread && options.durability != Durability::Immediate;
        let thread = needs_thread.then(|| spawn(&syncing)).transpose()?;
        Ok(Self {
            syncing,
            thread,
            options,
            store_id,
            segment: Segment::new(header, file),
            batch: Vec::new(),
            next_record: header.first_record,
            last_fact: recovered.last_record,
            marked: recovered.last_record,
            committed: seq,
            due: None,
        })
    }

    /// The id of the store.
    pub(crate) fn store_id(&self) -> u64 {
        self.store_id
    }

    /// The number of the last record that is more than a mark of what is durable: an idle engine has no others.
    pub(crate) fn last_fact(&self) -> u64 {
        self.last_fact
    }

    /// The number of the last record, committed or not.
    pub(crate) fn last_record(&self) -> u64 {
        self.next_record - 1
    }

    /// Memory of the buffer that a batch is gathered in.
    pub(crate) fn n_buffer_bytes(&self) -> usize {
        self.batch.capacity()
    }

    /// The last event that survives a power cut; closed when no more will.
    pub(crate) fn durable(&self) -> &Arc<Watermark> {
        self.syncing.durable()
    }

    /// True once the journal has failed.
    pub(crate) fn has_failed(&self) -> &Arc<AtomicBool> {
        self.syncing.has_failed()
    }

    /// What ended the journal, if something did, in the background included.
    #[cfg(test)]
    pub(crate) fn failure(&self) -> Option<StorageFailure> {
        self.syncing.failure()
    }

    /// Adds a record to the batch and gives its number. A long list of items becomes several records; the
    /// number is that of the last.
    pub(crate) fn record(&mut self, record: &Record) -> u64 {
        if let Record::AddItems(items) = record {
            for part in items.chunks(ITEMS_OF_A_RECORD) {
                self.put_fact(|bytes| put_items(bytes, part));
            }
            self.last_record()
        } else {
            self.put_fact(|bytes| put_record(bytes, record))
        }
    }

    /// Adds an event to the batch and gives the number of its record. Allocates nothing but room in the batch.
    pub(crate) fn record_event(
        &mut self,
        event: &Event,
        at: Timestamp,
        signal: Option<Signal>,
        solve: Solve,
    ) -> u64 {
        self.put_fact(|bytes| put_event(bytes, event, at, signal, solve))
    }

    /// Hands the batch to the storage, with a mark of what has become durable since the last one; `through` is
    /// the last event in it. Under [`Durability::Immediate`] everything is durable when it returns.
    ///
    /// Worth calling now and then without a batch too: it notices failures in the background, and the mark it
    /// writes makes later damage to what was durable provable.
    ///
    /// # Errors
    /// The failure that ended the journal, then or before. The batch is gone.
    pub(crate) fn commit(&mut self, through: EventSeq) -> Result<(), StorageFailure> {
        self.put_mark_if_due();
        self.append(through)?;
        if self.options.durability == Durability::Immediate && self.syncing.has_unsynced_facts() {
            self.syncing.round()?;
        }
        self.begin_segment_if_full()
    }

    /// Hands the batch to the storage and syncs nothing, whatever the durability: for marks of what is derived from events,
    /// which is seen by readers once it is written, but which nobody is told has been kept.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) fn write(&mut self, through: EventSeq) -> Result<(), StorageFailure> {
        self.append(through)?;
        self.begin_segment_if_full()
    }

    /// Commits, then begins a new segment, unless the present one has no records.
    ///
    /// The new segment is there for good once a [`flush`](Self::flush) after it has succeeded.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) fn rotate(&mut self, through: EventSeq) -> Result<Rotated, StorageFailure> {
        // Without a mark: the header of the new segment says the same.
        self.append(through)?;
        if self.segment.first_record < self.next_record {
            self.begin_segment()?;
        }
        Ok(Rotated { segment: self.segment.number, last_record: self.last_record() })
    }

    /// Commits, then asks for everything to be made durable. Never waits for the device if there is a thread
    /// that does; wait for the [`Flush`] elsewhere.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) fn flush(&mut self, through: EventSeq) -> Result<Flush, StorageFailure> {
        self.commit(through)?;
        let round = self.syncing.want();
        if self.thread.is_none() {
            self.syncing.round()?;
        }
        Ok(Flush::new(Arc::clone(&self.syncing), round))
    }

    /// Syncs what has waited for the interval of [`Durability::Interval`], if no thread does it. Call it with
    /// the present moment after a commit, and now and then.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) fn sync_if_due(&mut self, now: Instant) -> Result<(), StorageFailure> {
        self.syncing.synced()?;
        let Durability::Interval(interval) = self.options.durability else { return Ok(()) };
        if self.thread.is_some() || !self.syncing.has_unsynced_facts() {
            self.due = None;
            return Ok(());
        }
        let due = self.due.or_else(|| now.checked_add(interval));
        if due.is_some_and(|due| due <= now) {
            self.due = None;
            return self.syncing.round();
        }
        self.due = due;
        Ok(())
    }

    /// Commits, makes everything durable, and marks it so. Whatever is found missing later is damage.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) fn close(mut self, through: EventSeq) -> Result<(), StorageFailure> {
        self.append(through)?;
        self.stop_thread();
        self.syncing.round()?;
        self.put_mark_if_due();
        self.append(through)?;
        self.syncing.round()
    }

    fn put_fact(&mut self, put_payload: impl FnOnce(&mut Vec<u8>)) -> u64 {
        self.last_fact = self.next_record;
        self.put(put_payload)
    }

    fn put(&mut self, put_payload: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let number = self.next_record;
        let payload_at = self.batch.len() + FRAME_HEADER_BYTES;
        put_frame(&mut self.batch, self.segment.salt, number, put_payload);
        debug_assert!(take_record(&self.batch[payload_at..]).is_ok(), "what is written can be read");
        self.next_record += 1;
        number
    }

    /// Adds a mark of what has become durable since the last one.
    fn put_mark_if_due(&mut self) {
        // After a failure nothing is written any more, so it does not matter.
        let Ok(synced) = self.syncing.synced() else { return };
        // A mark of nothing but marks would call for the next one, without end.
        if synced > self.marked && self.last_fact > self.marked {
            self.put(|bytes| put_record(bytes, &Record::Synced { through: synced }));
            self.marked = synced;
        }
    }

    /// Hands the batch to the storage.
    fn append(&mut self, through: EventSeq) -> Result<(), StorageFailure> {
        let appended = self.try_append(through);
        self.batch.clear();
        self.batch.shrink_to(KEPT_BATCH_BYTES);
        appended
    }

    fn try_append(&mut self, through: EventSeq) -> Result<(), StorageFailure> {
        self.syncing.synced()?;
        if self.batch.is_empty() {
            return Ok(());
        }
        debug_assert!(self.committed <= through, "events are committed in their order");
        self.committed = through;
        let segment = &mut self.segment;
        let SegmentFile { name, file } = &*segment.file;
        asked("write", name, || file.append(&self.batch)).map_err(|failure| self.syncing.fail(failure))?;
        segment.n_bytes += self.batch.len() as u64;
        let reach = Reach { record: self.next_record - 1, seq: through };
        self.syncing.appended(&segment.file, reach, self.last_fact);
        Ok(())
    }

    fn begin_segment_if_full(&mut self) -> Result<(), StorageFailure> {
        let has_records = self.segment.first_record < self.next_record;
        if has_records && self.segment.n_bytes >= self.options.segment_bytes {
            self.begin_segment()?;
        }
        Ok(())
    }

    /// INVARIANT: the batch is empty, as its checksums are those of the present segment.
    fn begin_segment(&mut self) -> Result<(), StorageFailure> {
        debug_assert!(self.batch.is_empty(), "what was gathered belongs to the segment before");
        if self.thread.is_none() {
            self.syncing.round()?;
        }
        let header = Header {
            store_id: self.store_id,
            number: self.segment.number + 1,
            first_record: self.next_record,
            synced_through: self.syncing.synced()?,
        };
        let name = segment_name(header.number);
        let storage = self.syncing.storage();
        let begun = asked("create", &name, || storage.create(&name)).and_then(|file| {
            asked("write", &name, || file.append(&header.to_bytes()))?;
            Ok(file)
        });
        let file = begun.map_err(|failure| self.syncing.fail(failure))?;
        self.segment = Segment::new(header, SegmentFile { name, file });
        self.marked = header.synced_through;
        self.syncing.segment_begun(&self.segment.file);
        Ok(())
    }

    fn stop_thread(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.syncing.stop();
            // It fences what it calls, so it has not panicked; if it had, there would be nobody to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop_thread();
        self.syncing.end();
    }
}

impl Segment {
    fn new(header: Header, file: SegmentFile) -> Self {
        Self {
            file: Arc::new(file),
            number: header.number,
            first_record: header.first_record,
            n_bytes: HEADER_BYTES as u64,
            salt: header.salt(),
        }
    }
}

fn spawn(syncing: &Arc<Syncing>) -> Result<JoinHandle<()>, StoreError> {
    let syncing = Arc::clone(syncing);
    std::thread::Builder::new()
        .name("segue-sync".to_owned())
        .spawn(move || syncing.run())
        .map_err(StoreError::io("start", "the thread segue-sync"))
}
