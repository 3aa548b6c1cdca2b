use std::thread;

use super::disk::{Fault, TestDisk};
use super::*;
use crate::journal::FlushError;
use crate::publish::Waited;

fn threaded(disk: &TestDisk, durability: Durability) -> Journal {
    new_journal(Arc::new(disk.clone()), options(durability, SyncOn::OwnThread))
}

fn wait_durable(journal: &Journal, nth: u64) -> Waited {
    journal.durable().wait_for(seq(nth), std::time::Instant::now() + LONG)
}

#[test]
fn the_thread_syncs_what_comes_in_without_being_asked() {
    let disk = TestDisk::new();
    let mut journal = threaded(&disk, Durability::Interval(Duration::from_millis(1)));
    for nth in 1..=3 {
        commit_event(&mut journal, nth);
        assert_eq!(wait_durable(&journal, nth), Waited::Reached);
    }
    let (records, _) = read(Arc::new(disk.after_power_cut(1)), Origin::Start).expect("it is whole");
    assert!(records.iter().any(|(_, record)| matches!(record, Record::Synced { through: 1.. })));
}

#[test]
fn the_writer_goes_on_during_a_sync_and_what_it_writes_then_waits_for_the_next() {
    let disk = TestDisk::new();
    let mut journal = threaded(&disk, Durability::Buffered);
    commit_event(&mut journal, 1);
    let (has_begun, go_on) = disk.hold_syncs();
    let first = journal.flush(seq(1)).expect("it works");
    has_begun.recv().expect("the sync begins");
    commit_event(&mut journal, 2);
    let second = journal.flush(seq(2)).expect("it works");
    assert_eq!(first.wait(Duration::ZERO), Err(FlushError::TimedOut { timeout: Duration::ZERO }));

    go_on.send(()).expect("the sync waits");
    assert_eq!(first.wait(LONG), Ok(()));
    has_begun.recv().expect("the next sync begins");
    assert_eq!(journal.durable().reached(), seq(1));
    go_on.send(()).expect("the sync waits");
    assert_eq!(second.wait(LONG), Ok(()));
    assert_eq!(journal.durable().reached(), seq(2));
}

#[test]
fn a_flush_of_what_is_durable_ends_at_once() {
    let disk = TestDisk::new();
    let mut journal = threaded(&disk, Durability::Buffered);
    commit_event(&mut journal, 1);
    assert_eq!(journal.flush(seq(1)).expect("it works").wait(LONG), Ok(()));
    let n_syncs = disk.n_syncs();
    // The mark of the first is still to be synced.
    assert_eq!(journal.flush(seq(1)).expect("it works").wait(LONG), Ok(()));
    assert_eq!(journal.flush(seq(1)).expect("it works").wait(Duration::ZERO), Ok(()));
    assert_eq!(disk.n_syncs(), n_syncs + 1);
}

#[test]
fn a_full_segment_is_synced_behind_the_writer() {
    let disk = TestDisk::new();
    let options = JournalOptions { segment_bytes: 1, ..options(Durability::Buffered, SyncOn::OwnThread) };
    let mut journal = new_journal(Arc::new(disk.clone()), options);
    for nth in 1..=10 {
        commit_event(&mut journal, nth);
        assert_eq!(wait_durable(&journal, nth), Waited::Reached);
    }
    drop(journal);
    for seed in 0..20 {
        let (records, recovered) =
            read(Arc::new(disk.after_power_cut(seed)), Origin::Start).expect("nothing durable is gone");
        let n_events = records.iter().filter(|(_, record)| matches!(record, Record::Event(_))).count();
        assert_eq!(n_events, 10, "{recovered:?}");
    }
}

#[test]
fn a_failure_in_the_background_is_seen_by_the_next_commit_and_by_whoever_waits() {
    for fault in [Fault::Sync, Fault::Panic] {
        let disk = TestDisk::new();
        let mut journal = threaded(&disk, Durability::Interval(LONG));
        commit_event(&mut journal, 1);
        disk.fail(fault);
        let flush = journal.flush(seq(1)).expect("nothing has failed yet");
        let Err(FlushError::Failed(failure)) = flush.wait(LONG) else { panic!("the sync fails") };
        assert_eq!(failure.operation, "sync");
        assert_eq!(wait_durable(&journal, 1), Waited::Closed);
        disk.fail(Fault::None);
        let n_bytes = disk.n_bytes();
        record_event(&mut journal, 2);
        assert_eq!(journal.commit(seq(2)), Err(failure.clone()));
        assert_eq!(journal.close(seq(2)), Err(failure));
        assert_eq!(disk.n_bytes(), n_bytes);
    }
}

#[test]
fn dropping_waits_for_the_sync_under_way_and_tells_those_who_wait() {
    let disk = TestDisk::new();
    let mut journal = threaded(&disk, Durability::Buffered);
    commit_event(&mut journal, 1);
    let (has_begun, go_on) = disk.hold_syncs();
    let under_way = journal.flush(seq(1)).expect("it works");
    has_begun.recv().expect("the sync begins");
    commit_event(&mut journal, 2);
    let never_begun = journal.flush(seq(2)).expect("it works");
    let durable = Arc::clone(journal.durable());
    let dropping = thread::spawn(move || drop(journal));
    go_on.send(()).expect("the sync waits");
    // Whether the thread comes to the second flush before it is stopped is open.
    go_on.send(()).expect("there is room");
    dropping.join().expect("dropping does not panic");
    assert_eq!(under_way.wait(Duration::ZERO), Ok(()));
    let second = never_begun.wait(Duration::ZERO);
    let reached = durable.wait_for(seq(2), std::time::Instant::now() + LONG);
    match second {
        Ok(()) => assert_eq!(reached, Waited::Reached),
        other => assert_eq!((other, reached), (Err(FlushError::Dropped), Waited::Closed)),
    }
}

#[test]
fn a_journal_can_be_dropped_at_any_moment() {
    for n_events in 0..50 {
        for durability in [Durability::Buffered, Durability::Interval(Duration::ZERO), Durability::Immediate]
        {
            let mut journal = threaded(&TestDisk::new(), durability);
            for nth in 1..=n_events {
                record_event(&mut journal, nth);
                if nth % 3 != 0 {
                    journal.commit(seq(nth)).expect("it works");
                }
            }
        }
    }
}

#[test]
fn closing_with_a_thread_that_syncs_all_the_time_leaves_everything_durable() {
    let disk = TestDisk::new();
    let options = JournalOptions {
        segment_bytes: 500,
        ..options(Durability::Interval(Duration::ZERO), SyncOn::OwnThread)
    };
    let mut journal = new_journal(Arc::new(disk.clone()), options);
    for nth in 1..=1_000 {
        commit_event(&mut journal, nth);
    }
    journal.close(seq(1_000)).expect("it works");
    let (records, recovered) = read(Arc::new(disk.after_power_cut(3)), Origin::Start).expect("it is whole");
    let n_events = records.iter().filter(|(_, record)| matches!(record, Record::Event(_))).count();
    assert_eq!((n_events, recovered.torn), (1_000, None));
}
