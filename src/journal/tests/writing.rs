use std::io;
use std::time::Instant;

use super::disk::{Fault, TestDisk};
use super::*;
use crate::journal::codec::ITEMS_OF_A_RECORD;
use crate::storage::StorageFailure;
use crate::types::ItemId;

#[test]
fn what_was_recorded_is_read_back_in_order_across_openings() {
    let storage = Arc::new(MemoryStorage::new());
    let mut expected = Vec::new();
    for opening in 0..3 {
        let (mut journal, recovered) = open(storage.clone(), inline(Durability::Buffered)).expect("it opens");
        assert_eq!(recovered.last_record, 3 * opening);
        assert_eq!(recovered.torn, None);
        for record in [Record::Time(Timestamp::from_unix_ms(7)), Record::ItemBatch, Record::Settled] {
            let number = journal.record(&record);
            expected.push((number, record));
        }
        journal.commit(seq(3 * opening + 3)).expect("memory does not fail");
    }
    let (records, recovered) = read(storage, Origin::Start).expect("it is whole");
    assert_eq!(records, expected);
    assert_eq!((recovered.last_record, recovered.store_id), (9, Some(STORE_ID)));
}

#[test]
fn a_long_list_of_items_becomes_several_records() {
    let storage = Arc::new(MemoryStorage::new());
    let mut journal = new_journal(storage.clone(), inline(Durability::Buffered));
    let long = |number: usize| ItemId::from(format!("{number:0>256}x").split_off(1));
    let items: Vec<ItemId> = (0..=2 * ITEMS_OF_A_RECORD).map(long).collect();
    assert_eq!(journal.record(&Record::AddItems(items.clone())), 3);
    journal.commit(seq(0)).expect("memory does not fail");
    let (records, _) = read(storage, Origin::Start).expect("it is whole");
    let read_back: Vec<ItemId> = records
        .into_iter()
        .flat_map(|(_, record)| {
            let Record::AddItems(items) = record else { panic!("{record:?} was not recorded") };
            items
        })
        .collect();
    assert_eq!(read_back, items);
}

#[test]
fn immediate_syncs_once_a_batch_and_marks_it_in_the_next() {
    let disk = TestDisk::new();
    let mut journal = new_journal(Arc::new(disk.clone()), options(Durability::Immediate, SyncOn::OwnThread));
    let n_syncs = disk.n_syncs();
    for nth in 1..=100 {
        record_event(&mut journal, nth);
    }
    journal.commit(seq(100)).expect("it works");
    assert_eq!((disk.n_syncs() - n_syncs, journal.durable().reached()), (1, seq(100)));
    // The mark of it is no reason to sync, and calls for no other mark.
    let before = disk.n_bytes();
    journal.commit(seq(100)).expect("it works");
    let with_mark = disk.n_bytes();
    assert!(with_mark > before);
    journal.commit(seq(100)).expect("it works");
    assert_eq!((disk.n_bytes(), disk.n_syncs() - n_syncs), (with_mark, 1));
    assert_eq!(journal.last_record(), 101);
}

#[test]
fn buffered_syncs_nothing_until_it_is_flushed() {
    let disk = TestDisk::new();
    let mut journal = new_journal(Arc::new(disk.clone()), inline(Durability::Buffered));
    let n_syncs = disk.n_syncs();
    commit_event(&mut journal, 1);
    journal.sync_if_due(Instant::now() + LONG).expect("it works");
    assert_eq!((disk.n_syncs(), journal.durable().reached()), (n_syncs, seq(0)));
    let flush = journal.flush(seq(1)).expect("it works");
    assert_eq!(flush.wait(Duration::ZERO), Ok(()));
    assert_eq!((disk.n_syncs(), journal.durable().reached()), (n_syncs + 1, seq(1)));
}

#[test]
fn an_interval_is_kept_by_whoever_writes_if_there_is_no_thread() {
    let disk = TestDisk::new();
    let interval = Duration::from_millis(50);
    let mut journal = new_journal(Arc::new(disk.clone()), inline(Durability::Interval(interval)));
    let (start, n_syncs) = (Instant::now(), disk.n_syncs());
    journal.sync_if_due(start).expect("it works");
    commit_event(&mut journal, 1);
    journal.sync_if_due(start + interval).expect("it works");
    commit_event(&mut journal, 2);
    journal.sync_if_due(start + interval + interval / 2).expect("it works");
    assert_eq!((disk.n_syncs() - n_syncs, journal.durable().reached()), (0, seq(0)));
    journal.sync_if_due(start + interval * 2).expect("it works");
    assert_eq!((disk.n_syncs() - n_syncs, journal.durable().reached()), (1, seq(2)));
    // Nothing new has come, but for the mark.
    journal.commit(seq(2)).expect("it works");
    journal.sync_if_due(start + LONG).expect("it works");
    assert_eq!(disk.n_syncs() - n_syncs, 1);
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let storage = Arc::new(MemoryStorage::new());
    let options = JournalOptions { segment_bytes: 200, ..inline(Durability::Buffered) };
    let mut journal = new_journal(storage.clone(), options);
    for nth in 1..=20 {
        commit_event(&mut journal, nth);
    }
    drop(journal);
    assert!(storage.list().expect("memory lists").len() > 3);
    let (records, recovered) = read(storage, Origin::Start).expect("it is whole");
    let n_events = records.iter().filter(|(_, record)| matches!(record, Record::Event(_))).count();
    assert_eq!((n_events, recovered.torn), (20, None));
}

#[test]
fn a_rotation_tells_where_the_new_segment_begins_and_leaves_an_empty_one_alone() {
    let storage = Arc::new(MemoryStorage::new());
    let mut journal = new_journal(storage.clone(), inline(Durability::Buffered));
    let unmoved = journal.rotate(seq(0)).expect("it works");
    assert_eq!((unmoved.segment, unmoved.last_record), (1, 0));
    record_event(&mut journal, 1);
    let moved = journal.rotate(seq(1)).expect("it works");
    assert_eq!((moved.segment, moved.last_record), (2, 1));
    commit_event(&mut journal, 2);
    let origin = Origin::Checkpoint { store_id: STORE_ID, record: 1, segment: Some(2) };
    let (records, _) = read(storage, origin).expect("it is whole");
    assert_eq!(records.first().map(|(number, _)| *number), Some(2));
}

#[test]
fn a_closed_journal_is_durable_and_marked_so() {
    for durability in [Durability::Buffered, Durability::Interval(LONG), Durability::Immediate] {
        for sync_on in [SyncOn::OwnThread, SyncOn::CallingThread] {
            let disk = TestDisk::new();
            let mut journal = new_journal(Arc::new(disk.clone()), options(durability, sync_on));
            record_event(&mut journal, 1);
            record_event(&mut journal, 2);
            let durable = Arc::clone(journal.durable());
            journal.close(seq(2)).expect("it works");
            assert_eq!(durable.reached(), seq(2));
            let storage = Arc::new(disk.after_power_cut(0));
            let (records, recovered) = read(storage, Origin::Start).expect("it is whole");
            assert_eq!(records.last(), Some(&(3, Record::Synced { through: 2 })));
            assert_eq!(recovered.torn, None);
        }
    }
}

#[test]
fn opening_and_closing_writes_nothing_but_a_header() {
    let storage = Arc::new(MemoryStorage::new());
    for _ in 0..3 {
        let (journal, _) = open(storage.clone(), inline(Durability::Immediate)).expect("it opens");
        journal.close(seq(0)).expect("it works");
    }
    let (records, _) = read(storage, Origin::Start).expect("it is whole");
    assert_eq!(records, []);
}

#[test]
fn after_a_failure_nothing_is_written_and_every_call_gives_it() {
    let faults = [
        (Fault::Append, "write", io::ErrorKind::StorageFull),
        (Fault::Sync, "sync", io::ErrorKind::Other),
        (Fault::Panic, "sync", io::ErrorKind::Other),
    ];
    for (fault, operation, kind) in faults {
        let disk = TestDisk::new();
        let mut journal = new_journal(Arc::new(disk.clone()), inline(Durability::Immediate));
        commit_event(&mut journal, 1);
        disk.fail(fault);
        record_event(&mut journal, 2);
        let failure = journal.commit(seq(2)).expect_err("it fails");
        assert_eq!((failure.operation, failure.kind), (operation, kind));
        assert_eq!(failure.file, name(1));

        disk.fail(Fault::None);
        let (n_bytes, n_syncs) = (disk.n_bytes(), disk.n_syncs());
        record_event(&mut journal, 3);
        assert_all_fail(&mut journal, &failure);
        assert_eq!(journal.durable().wait_for(seq(2), Instant::now() + LONG), crate::publish::Waited::Closed);
        assert_eq!(journal.close(seq(3)), Err(failure));
        assert_eq!((disk.n_bytes(), disk.n_syncs()), (n_bytes, n_syncs));
    }
}

fn assert_all_fail(journal: &mut Journal, failure: &StorageFailure) {
    assert_eq!(journal.commit(seq(3)).as_ref(), Err(failure));
    assert_eq!(journal.rotate(seq(3)).as_ref(), Err(failure));
    assert_eq!(journal.flush(seq(3)).err().as_ref(), Some(failure));
    assert_eq!(journal.sync_if_due(Instant::now()).as_ref(), Err(failure));
    assert_eq!(journal.failure().as_ref(), Some(failure));
}

#[test]
fn a_segment_that_cannot_be_begun_ends_the_journal() {
    for (fault, operation) in [(Fault::Create, "create"), (Fault::SyncDirectory, "sync")] {
        let disk = TestDisk::new();
        let mut journal = new_journal(Arc::new(disk.clone()), inline(Durability::Buffered));
        commit_event(&mut journal, 1);
        disk.fail(fault);
        let failure = journal.rotate(seq(1)).and_then(|_| journal.flush(seq(1))).expect_err("it fails");
        assert_eq!(failure.operation, operation);
        assert_eq!(journal.commit(seq(1)), Err(failure));
    }
}
