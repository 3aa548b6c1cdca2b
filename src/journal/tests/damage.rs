use proptest::prelude::*;

use super::*;
use crate::journal::codec::tests::record;
use crate::journal::segment::HEADER_BYTES;

/// Two segments; a mark stands in the second, behind its first event.
fn small_journal() -> (MemoryStorage, Vec<(u64, Record)>) {
    let storage = MemoryStorage::new();
    let mut journal = new_journal(Arc::new(storage.clone()), inline(Durability::Buffered));
    commit_event(&mut journal, 1);
    journal.record(&Record::NotPublished { reason: "it exploded".to_owned() });
    commit_event(&mut journal, 2);
    journal.rotate(seq(2)).expect("it works");
    commit_event(&mut journal, 3);
    drop(journal.flush(seq(3)).expect("it works"));
    commit_event(&mut journal, 4);
    record_event(&mut journal, 5);
    journal.record(&Record::ForgetUser("ana".into()));
    journal.commit(seq(5)).expect("it works");
    drop(journal);
    let (records, _) = read(Arc::new(storage.clone()), Origin::Start).expect("it is whole");
    (storage, records)
}

/// The last record that the mark covers.
fn marked(records: &[(u64, Record)]) -> u64 {
    let mark = records
        .iter()
        .find_map(|(_, record)| if let Record::Synced { through } = record { Some(*through) } else { None });
    mark.expect("there is a mark")
}

/// `Some` with the records that were read, which are a front part of `all`; `None` if it was refused.
fn front_part(storage: &MemoryStorage, all: &[(u64, Record)]) -> Option<usize> {
    let (records, recovered) = read(Arc::new(storage.clone()), Origin::Start).ok()?;
    assert_eq!(records, all[..records.len()], "nothing is invented");
    assert_eq!(recovered.last_record, records.len() as u64);
    Some(records.len())
}

#[test]
fn a_journal_that_ends_anywhere_is_read_up_to_its_last_whole_record() {
    let (whole, records) = small_journal();
    let bytes = segment(&whole, 2);
    let offsets = offsets(&bytes);
    for len in 0..bytes.len() {
        let storage = MemoryStorage::new();
        storage.insert(name(1), segment(&whole, 1));
        storage.insert(name(2), &bytes[..len]);
        let n_whole = offsets.iter().skip(1).filter(|&&end| end <= len).count();
        assert_eq!(front_part(&storage, &records), Some(3 + n_whole), "{len}");
        // What is cut off is cut off for good.
        drop(open(Arc::new(storage.clone()), inline(Durability::Buffered)).expect("it is torn"));
        let (_, recovered) = read(Arc::new(storage), Origin::Start).expect("it is whole");
        assert_eq!(recovered.torn, None);
    }
}

#[test]
fn a_segment_that_ends_before_the_next_begins_is_damaged_where_it_ends() {
    let (whole, _) = small_journal();
    let bytes = segment(&whole, 1);
    let offsets = offsets(&bytes);
    for len in HEADER_BYTES..bytes.len() {
        let storage = MemoryStorage::new();
        storage.insert(name(1), &bytes[..len]);
        storage.insert(name(2), segment(&whole, 2));
        let bad = offsets.iter().copied().filter(|&offset| offset <= len).max().expect("the first");
        assert_damaged(&storage, 1, bad as u64);
    }
}

#[test]
fn a_flipped_bit_is_damage_before_a_mark_and_a_torn_tail_behind_it() {
    let (whole, records) = small_journal();
    let covered = marked(&records);
    let mut first_record = 1;
    for number in [1, 2] {
        let bytes = segment(&whole, number);
        let offsets = offsets(&bytes);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let storage = MemoryStorage::new();
                storage.insert(name(1), segment(&whole, 1));
                storage.insert(name(2), segment(&whole, 2));
                storage.insert(name(number), flipped);
                let Some(place) = offsets.iter().rposition(|&offset| offset <= at) else {
                    assert_eq!(front_part(&storage, &records), None, "byte {at} of a header");
                    continue;
                };
                let record = first_record + place as u64;
                if record <= covered {
                    assert_damaged(&storage, number, offsets[place] as u64);
                } else {
                    let n_read = usize::try_from(record - 1).expect("small");
                    assert_eq!(front_part(&storage, &records), Some(n_read), "byte {at} of {number}");
                }
            }
        }
        first_record += offsets.len() as u64;
    }
}

fn assert_damaged(storage: &MemoryStorage, number: u64, expected: u64) {
    match read(Arc::new(storage.clone()), Origin::Start) {
        Err(StoreError::Damaged { file, offset, .. }) => assert_eq!((file, offset), (name(number), expected)),
        other => panic!("segment {number} is damaged at {expected}, but it gave {other:?}"),
    }
}

proptest! {
    #[test]
    fn any_records_are_read_back(batches in proptest::collection::vec(
        proptest::collection::vec(record(), 0..10), 0..5,
    )) {
        let storage = MemoryStorage::new();
        let options = JournalOptions { segment_bytes: 400, ..inline(Durability::Immediate) };
        let mut journal = new_journal(Arc::new(storage.clone()), options);
        let mut expected = Vec::new();
        for batch in batches {
            for record in batch {
                // Such marks are the journal's own, steps are read with their event alone, and a list without items is no
                // record.
                let is_left_out = matches!(&record, Record::Synced { .. } | Record::SourceStep { .. });
                if is_left_out || matches!(&record, Record::AddItems(items) if items.is_empty()) {
                    continue;
                }
                expected.push((journal.record(&record), record));
            }
            journal.commit(seq(0)).expect("memory does not fail");
        }
        let (mut records, _) = read(Arc::new(storage), Origin::Start).expect("it is whole");
        records.retain(|(_, record)| !matches!(record, Record::Synced { .. }));
        prop_assert_eq!(records, expected);
    }

    #[test]
    fn no_bytes_at_all_make_reading_panic(first: Vec<u8>, second: Vec<u8>, in_place: bool) {
        let (whole, _) = small_journal();
        let after_header = |number, bytes: Vec<u8>| {
            let header = segment(&whole, number)[..HEADER_BYTES].to_vec();
            if in_place { [header, bytes].concat() } else { bytes }
        };
        let storage = MemoryStorage::new();
        storage.insert(name(1), after_header(1, first));
        storage.insert(name(2), after_header(2, second));
        let _ = read(Arc::new(storage.clone()), Origin::Start);
        let _ = crate::journal::scan(&storage);
        if let Ok(plan) = crate::journal::RepairPlan::new(Arc::new(storage.clone()), Origin::Start) {
            plan.apply(&storage).expect("memory works");
            prop_assert!(read(Arc::new(storage), Origin::Start).is_ok());
        }
    }
}
