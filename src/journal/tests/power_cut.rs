use super::disk::{Fault, TestDisk};
use super::*;
use crate::kernel::SplitMix64;

/// Writes, cuts the power, opens, a few times over: what was durable is there, what is there is a front part of
/// what was written, and a power cut is never taken for damage.
fn survives(durability: Durability, sync_on: SyncOn, seed: u64) {
    let mut random = SplitMix64::new(seed);
    let mut disk = TestDisk::new();
    let mut written: Vec<(u64, u64)> = Vec::new();
    for life in 0..4 {
        let options = JournalOptions { segment_bytes: 300, ..options(durability, sync_on) };
        let (mut journal, _) = open(Arc::new(disk.clone()), options).expect("a power cut is no damage");
        for nth in 0..random.below(30) as u64 {
            let tag = life * 1_000 + nth;
            let number = record_event(&mut journal, tag);
            written.push((number, tag));
            // The number of the record stands in for that of the event.
            match random.below(8) {
                0 => drop(journal.flush(seq(number)).expect("it works")),
                1 => drop(journal.rotate(seq(number)).expect("it works")),
                2 | 3 => {}
                _ => journal.commit(seq(number)).expect("it works"),
            }
        }
        let durable = Arc::clone(journal.durable());
        let cut = if random.below(4) == 0 {
            journal.close(seq(u64::MAX / 2)).expect("it works");
            disk.after_power_cut(seed)
        } else {
            let cut = disk.after_power_cut(seed);
            drop(journal);
            cut
        };
        let was_durable = durable.reached().get();

        let found = read(Arc::new(cut.clone()), Origin::Start);
        let (records, recovered) = found.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let found: Vec<_> = records.iter().filter_map(|(number, record)| tag_of(*number, record)).collect();
        assert_eq!(found, written[..found.len()], "seed {seed}");
        // With a thread, more may have become durable after the power was cut.
        if sync_on == SyncOn::CallingThread {
            let lost = written[found.len()..].iter().find(|(number, _)| *number <= was_durable);
            assert_eq!(lost, None, "seed {seed}: {recovered:?}");
        }
        written.truncate(found.len());
        disk = TestDisk::holding(&cut);
    }
}

fn tag_of(number: u64, record: &Record) -> Option<(u64, u64)> {
    let Record::Event(event) = record else { return None };
    Some((number, event.event.user().as_u64().expect("ids are numbers")))
}

#[test]
fn what_was_durable_survives_any_power_cut() {
    for seed in 0..400 {
        for durability in [Durability::Buffered, Durability::Immediate] {
            survives(durability, SyncOn::CallingThread, seed);
        }
    }
}

#[test]
fn a_power_cut_in_the_middle_of_background_syncs_is_no_damage() {
    for seed in 0..100 {
        survives(Durability::Interval(Duration::ZERO), SyncOn::OwnThread, seed);
    }
}

#[test]
fn a_power_cut_while_a_store_is_opened_loses_nothing_and_is_no_damage() {
    for seed in 0..60 {
        let disk = TestDisk::new();
        let options =
            JournalOptions { segment_bytes: 100, ..options(Durability::Buffered, SyncOn::OwnThread) };
        let mut journal = new_journal(Arc::new(disk.clone()), options);
        let held = disk.hold_syncs();
        for nth in 1..=12 {
            commit_event(&mut journal, nth);
        }
        let torn = disk.after_power_cut(seed);
        drop(held);
        drop(journal);
        for fuel in 0..30 {
            let disk = TestDisk::holding(&torn);
            disk.stop_after(fuel);
            let opened = open(Arc::new(disk.clone()), inline(Durability::Buffered));
            let promised = opened.as_ref().map_or(0, |(_, recovered)| recovered.last_record);
            drop(opened);
            let after = disk.after_power_cut(seed + fuel);
            let (_, recovered) = open(Arc::new(after), inline(Durability::Buffered))
                .unwrap_or_else(|error| panic!("seed {seed}, fuel {fuel}: {error}"));
            assert!(recovered.last_record >= promised, "seed {seed}, fuel {fuel}");
        }
    }
}

#[test]
fn what_a_failed_sync_may_have_lost_is_written_anew_when_the_store_is_opened() {
    let disk = TestDisk::new();
    let mut journal = new_journal(Arc::new(disk.clone()), inline(Durability::Immediate));
    record_event(&mut journal, 1);
    disk.fail(Fault::Sync);
    journal.commit(seq(1)).expect_err("the sync fails");
    disk.fail(Fault::None);
    drop(journal);
    // The event is still to be seen, so it is taken in; then it must be there for good.
    let (journal, recovered) = open(Arc::new(disk.clone()), inline(Durability::Immediate)).expect("it opens");
    assert_eq!((recovered.last_record, journal.durable().reached()), (1, seq(1)));
    for seed in 0..20 {
        let (records, _) = read(Arc::new(disk.after_power_cut(seed)), Origin::Start).expect("it is whole");
        assert_eq!(records.len(), 1);
    }
}
