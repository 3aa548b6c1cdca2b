//! The simulated disk keeps what it promised to keep, loses of the rest any part, and does so by its seed.

#[path = "../../src/storage/contract.rs"]
mod contract;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use crate::common::power::{Fault, FaultyStorage, Plan};
use segue::{AppendFile, Storage};

const SEEDS: u64 = 300;

fn names(storage: &FaultyStorage) -> Vec<String> {
    storage.list().expect("it is on")
}

fn write(storage: &FaultyStorage, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = storage.create(name)?;
    file.append(bytes)?;
    file.sync()?;
    storage.sync_directory()
}

/// What reboots of any of many seeds give.
fn outcomes<T: Ord>(storage: &FaultyStorage, look: impl Fn(&FaultyStorage) -> T) -> BTreeSet<T> {
    (0..SEEDS).map(|seed| look(&storage.reboot(seed))).collect()
}

#[test]
fn healthy_it_keeps_the_contract() {
    let storage = FaultyStorage::new(1);
    contract::check(&storage);
    contract::check(&storage.kill());
    contract::check(&storage.reboot(1));
}

#[test]
fn synced_bytes_survive() {
    let storage = FaultyStorage::new(1);
    write(&storage, "a", &[7; 2_000]).expect("healthy");
    let found = outcomes(&storage, |found| found.contents("a"));
    assert_eq!(found, BTreeSet::from([Some(vec![7; 2_000])]));
}

#[test]
fn unsynced_bytes_survive_in_any_part() {
    let storage = FaultyStorage::new(1);
    let file = storage.create("a").expect("healthy");
    file.append(&[1; 700]).expect("healthy");
    file.sync().expect("healthy");
    storage.sync_directory().expect("healthy");
    file.append(&[2; 1_000]).expect("healthy");
    file.append(&[3; 1_000]).expect("healthy");

    let found = outcomes(&storage, |found| found.contents("a").expect("its entry is synced"));
    assert!(found.iter().all(|bytes| bytes[..700] == [1; 700]), "the synced part is always there");
    let whole = [[1; 700].as_slice(), &[2; 1_000], &[3; 1_000]].concat();
    assert!(found.contains(&whole[..700]) && found.contains(&whole), "all or nothing");
    let kept = |bytes: &&Vec<u8>| bytes.len() < whole.len() && whole.starts_with(bytes);
    assert!(found.iter().filter(kept).count() > 10, "a front part");
    let has_hole = |bytes: &Vec<u8>| bytes.contains(&0) && bytes.last() == Some(&3);
    assert!(found.iter().any(has_hole), "a later sector without an earlier one");
    let is_noise = |bytes: &Vec<u8>| bytes.iter().any(|byte| *byte > 3);
    assert!(found.iter().any(is_noise), "a torn sector");
    assert!(
        found.iter().any(|bytes| bytes.len() == whole.len() && bytes.ends_with(&[0; 500])),
        "a length alone"
    );
}

#[test]
fn a_file_whose_folder_was_not_synced_may_vanish() {
    let storage = FaultyStorage::new(1);
    let file = storage.create("a").expect("healthy");
    file.append(b"synced").expect("healthy");
    file.sync().expect("healthy");
    let found = outcomes(&storage, |found| found.contents("a"));
    assert_eq!(found, BTreeSet::from([None, Some(b"synced".to_vec())]));

    let storage = FaultyStorage::new(1);
    storage.create("a").expect("healthy").append(b"b").expect("healthy");
    let found = outcomes(&storage, |found| found.contents("a"));
    assert!(found.is_superset(&BTreeSet::from([None, Some(Vec::new()), Some(b"b".to_vec())])));
}

#[test]
fn of_a_rename_one_name_or_the_other_is_there() {
    let storage = FaultyStorage::new(1);
    write(&storage, "checkpoint", b"old").expect("healthy");
    write(&storage, "new", b"new").expect("healthy");
    storage.rename("new", "checkpoint").expect("healthy");
    let look =
        |found: &FaultyStorage| (names(found).join(" "), found.contents("checkpoint").expect("one of them"));
    let before = ("checkpoint new".to_owned(), b"old".to_vec());
    let after = ("checkpoint".to_owned(), b"new".to_vec());
    assert_eq!(outcomes(&storage, look), BTreeSet::from([before, after.clone()]));
    storage.reboot(0).sync_directory().expect("the new disk is healthy");
    assert!(storage.sync_directory().is_err(), "the old one is off");

    let storage =
        storage.reboot((0..SEEDS).find(|&seed| look(&storage.reboot(seed)) == after).expect("some do"));
    storage.remove("checkpoint").expect("healthy");
    write(&storage, "unrelated", b"").expect("healthy");
    assert_eq!(outcomes(&storage, names), BTreeSet::from([vec!["unrelated".to_owned()]]));
}

#[test]
fn a_file_renamed_before_its_bytes_were_synced_may_be_there_empty() {
    let storage = FaultyStorage::new(1);
    write(&storage, "checkpoint", b"old").expect("healthy");
    storage.create("new").expect("healthy").append(b"new").expect("healthy");
    storage.rename("new", "checkpoint").expect("healthy");
    let found = outcomes(&storage, |found| found.contents("checkpoint").expect("one or the other"));
    assert!(found.is_superset(&BTreeSet::from([b"old".to_vec(), Vec::new(), b"new".to_vec()])));
}

#[test]
fn an_unsynced_removal_may_come_back() {
    let storage = FaultyStorage::new(1);
    write(&storage, "a", b"a").expect("healthy");
    storage.remove("a").expect("healthy");
    storage.create("a").expect("healthy");
    let found = outcomes(&storage, |found| found.contents("a"));
    assert_eq!(found, BTreeSet::from([None, Some(Vec::new()), Some(b"a".to_vec())]));
}

#[test]
fn a_truncation_is_there_once_it_is_done() {
    let storage = FaultyStorage::new(1);
    write(&storage, "a", b"whole torn").expect("healthy");
    storage.truncate("a", 6).expect("healthy");
    let found = outcomes(&storage, |found| found.contents("a"));
    assert_eq!(found, BTreeSet::from([Some(b"whole ".to_vec())]));
}

#[test]
fn a_killed_process_leaves_what_it_wrote_but_not_on_the_device() {
    let storage = FaultyStorage::new(1);
    let file = storage.create("a").expect("healthy");
    file.append(b"written").expect("healthy");
    let lock = storage.lock().expect("nobody has it");
    let next = storage.kill();
    assert!(file.append(b"by the dead").is_err() && storage.list().is_err());
    assert_eq!(next.contents("a"), Some(b"written".to_vec()));
    drop(next.lock().expect("the lock went with the process"));
    drop(lock);
    assert!(outcomes(&next, |found| found.contents("a")).contains(&None), "it was never synced");
}

#[test]
fn the_power_can_be_cut_at_every_operation() {
    let run = |storage: &FaultyStorage| {
        write(storage, "a", &[1; 600])?;
        storage.rename("a", "b")?;
        storage.truncate("b", 10)?;
        storage.sync_directory()?;
        write(storage, "c", &[2; 600])?;
        storage.remove("b")
    };
    let healthy = FaultyStorage::new(1);
    run(&healthy).expect("healthy");
    assert_eq!(healthy.operations(), 12);
    for at in 1..=healthy.operations() {
        let (mut n_files, mut both) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..50 {
            let storage = FaultyStorage::new(seed).with_plan(Plan::once(at, Fault::PowerCut));
            let error = run(&storage).expect_err("the power is cut");
            assert_eq!(error.to_string(), "the power is cut");
            assert!(storage.is_off() && storage.open("a").is_err() && storage.lock().is_err());
            assert_eq!(storage.operations(), at, "{storage:?}");
            assert_eq!(
                storage.trace()[..usize::try_from(at).expect("small") - 1],
                healthy.trace()[..usize::try_from(at).expect("small") - 1]
            );
            let found = storage.reboot(seed);
            n_files.insert(names(&found).len());
            both.insert((found.contents("b"), found.contents("c")));
            if at > 4 {
                assert!(!names(&found).is_empty(), "the first file was made durable");
            }
            if at > 11 {
                assert_eq!(found.contents("c"), Some(vec![2; 600]));
            }
        }
        assert!(n_files.len() + both.len() > 1, "operation {at} can be in doubt");
    }
}

#[test]
fn a_cut_off_append_may_be_there_in_part_even_for_the_system() {
    let written = |seed| {
        let storage = FaultyStorage::new(seed).with_plan(Plan::once(2, Fault::ShortWrite));
        let error = write(&storage, "a", &[1; 100]).expect_err("planned");
        assert_eq!(error.raw_os_error(), Some(5));
        let n_written = storage.contents("a").expect("it was made").len();
        write(&storage, "b", b"goes on").expect("once");
        n_written
    };
    let lengths: BTreeSet<_> = (0..100).map(written).collect();
    assert!(lengths.len() > 20 && lengths.last() < Some(&100), "{lengths:?}");
}

#[test]
fn a_full_disk_takes_nothing_until_there_is_room() {
    let storage = FaultyStorage::new(1).with_plan(Plan::once(1, Fault::NoSpace));
    let file = storage.create("a").expect("it fits appends alone");
    for _ in 0..3 {
        assert_eq!(file.append(b"bytes").expect_err("full").kind(), ErrorKind::StorageFull);
    }
    file.sync().expect("what is there is synced");
    let front = storage.contents("a").expect("it was made");
    assert!(b"bytes".starts_with(&front) && front.len() < 5);
    storage.free_space();
    file.append(b"more").expect("there is room");
    assert_eq!(storage.contents("a"), Some([front.as_slice(), b"more"].concat()));
}

#[test]
fn a_later_sync_does_not_bring_back_what_a_failed_one_lost() {
    let mut reads = BTreeSet::new();
    for seed in 0..20 {
        let storage = FaultyStorage::new(seed);
        let file = storage.create("a").expect("healthy");
        storage.sync_directory().expect("healthy");
        storage.set_plan(Plan::once(1, Fault::SyncFails));
        file.append(&[1; 600]).expect("a sync is to fail, not this");
        assert_eq!(file.sync().expect_err("planned").raw_os_error(), Some(5));
        file.append(&[2; 600]).expect("once");
        file.sync().expect("once");
        reads.insert(storage.contents("a").expect("it is there")[0]);
        let found = outcomes(&storage, |found| found.contents("a").expect("its entry is synced"));
        assert!(found.iter().all(|bytes| bytes.len() == 1_200 && bytes[600..] == [2; 600]));
        assert!(found.iter().any(|bytes| bytes[..512] == [0; 512]), "the first part may be gone");
    }
    assert_eq!(reads, BTreeSet::from([0, 1]), "and reads may tell of it or not");
}

#[test]
fn a_fault_may_last() {
    let storage = FaultyStorage::new(1).with_plan(Plan::always(2, Fault::SyncFails).and_once(5, Fault::Io));
    let file = storage.create("a").expect("before it");
    assert!(file.sync().is_err() && file.sync().is_err() && storage.sync_directory().is_err());
    assert_eq!(storage.rename("a", "b").expect_err("planned").raw_os_error(), Some(5));
    storage.rename("a", "b").expect("once");
    assert_eq!(storage.trace()[4..], ["5 Rename a to b, Io", "6 Rename a to b"]);
    assert!(format!("{storage:?}").contains("b: 0 of 0 bytes durable, not in the folder"), "{storage:?}");
}

#[test]
fn the_same_seeds_give_the_same_disk() {
    let run = |seed: u64| {
        let storage = FaultyStorage::new(seed).with_plan(Plan::once(7, Fault::PowerCut));
        let _ = write(&storage, "a", &[1; 900]);
        let file = storage.create("b").expect("the fifth");
        let _ = file.append(&[2; 3_000]);
        let _ = file.append(&[3; 3_000]);
        (storage.contents("b"), storage.reboot(seed).contents("b"), format!("{storage:?}"))
    };
    for seed in 0..50 {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(1), run(2));
}

/// Appends numbers to a new file and gives those that it takes for durable; `sync` is how it makes them so.
fn keep_numbers(storage: &FaultyStorage, sync: impl Fn(&dyn AppendFile) -> io::Result<()>) -> Vec<u64> {
    let mut kept = Vec::new();
    let mut keep = || -> io::Result<()> {
        let file = storage.create("numbers")?;
        storage.sync_directory()?;
        for number in 0..40_u64 {
            file.append(&[number.to_le_bytes(), (!number).to_le_bytes()].concat().repeat(10))?;
            sync(&*file)?;
            kept.push(number);
        }
        Ok(())
    };
    // Where the power is cut there is nobody to hear of it.
    let _ = keep();
    kept
}

fn recovered_numbers(storage: &FaultyStorage) -> Vec<u64> {
    let bytes = storage.contents("numbers").unwrap_or_default();
    let number = |copies: &[u8]| {
        let (number, check) = copies.split_at(8);
        let (number, check) = (number.try_into().ok()?, check[..8].try_into().ok()?);
        let number = u64::from_le_bytes(number);
        (number == !u64::from_le_bytes(check) && copies[..16].repeat(10) == copies).then_some(number)
    };
    bytes.chunks_exact(160).map_while(number).collect()
}

#[test]
fn a_writer_that_keeps_its_word_is_told_from_one_that_does_not() {
    let lost = |sync: fn(&dyn AppendFile) -> io::Result<()>| {
        let healthy = FaultyStorage::new(1);
        keep_numbers(&healthy, sync);
        let mut lost = 0;
        for at in 1..=healthy.operations() {
            let storage = FaultyStorage::new(at).with_plan(Plan::once(at, Fault::PowerCut));
            let kept = keep_numbers(&storage, sync);
            for seed in 0..10 {
                lost += usize::from(!recovered_numbers(&storage.reboot(seed)).starts_with(&kept));
            }
        }
        lost
    };
    assert_eq!(lost(AppendFile::sync), 0);
    assert!(lost(|_| Ok(())) > 100, "it never syncs");
}
