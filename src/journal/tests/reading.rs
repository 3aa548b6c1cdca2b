use super::*;
use crate::journal::{RepairPlan, SegmentState, scan};

/// Segments 1 to 3, each with two events; every segment but the first begins with all before it durable.
fn three_segments() -> Arc<MemoryStorage> {
    let storage = Arc::new(MemoryStorage::new());
    let mut journal = new_journal(storage.clone(), inline(Durability::Immediate));
    for nth in 1..=6 {
        record_event(&mut journal, nth);
        if nth % 2 == 0 {
            journal.commit(seq(nth)).expect("it works");
        }
        if nth == 2 || nth == 4 {
            journal.rotate(seq(nth)).expect("it works");
        }
    }
    drop(journal);
    storage
}

/// As above, but nothing was ever said to be durable.
fn three_unproven_segments() -> Arc<MemoryStorage> {
    let storage = Arc::new(MemoryStorage::new());
    for number in 1..=3 {
        let header = crate::journal::segment::Header {
            store_id: STORE_ID,
            number,
            first_record: 2 * number - 1,
            synced_through: 0,
        };
        let mut bytes = header.to_bytes();
        for record in [2 * number - 1, 2 * number] {
            crate::journal::frame::put_frame(&mut bytes, header.salt(), record, |bytes| {
                crate::journal::codec::put_record(bytes, &Record::Time(Timestamp::from_unix_ms(7)));
            });
        }
        storage.insert(name(number), bytes);
    }
    storage
}

fn error(storage: &Arc<MemoryStorage>, origin: Origin) -> String {
    read(storage.clone(), origin).expect_err("it is refused").to_string()
}

fn checkpoint(record: u64, segment: Option<u64>) -> Origin {
    Origin::Checkpoint { store_id: STORE_ID, record, segment }
}

#[test]
fn reading_begins_behind_the_checkpoint() {
    let storage = three_segments();
    for (record, segment) in
        [(0, None), (1, None), (2, Some(2)), (3, None), (4, Some(3)), (6, None), (9, None)]
    {
        let (records, recovered) =
            read(storage.clone(), checkpoint(record, segment)).unwrap_or_else(|e| panic!("{record}: {e}"));
        let numbers: Vec<u64> = records.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (record + 1..=6).collect::<Vec<_>>());
        assert_eq!(recovered.last_record, record.max(6));
    }
    // What the checkpoint has is not needed any more.
    storage.remove(&name(1)).expect("it is there");
    storage.insert(name(2), b"junk".to_vec());
    assert_eq!(read(storage, checkpoint(4, Some(3))).expect("it is whole").0.len(), 2);
}

#[test]
fn what_is_missing_is_named() {
    let storage = three_segments();
    storage.remove(&name(2)).expect("it is there");
    assert!(error(&storage, Origin::Start).starts_with(&format!("{} is missing: records 3 to 4", name(2))));
    storage.remove(&name(1)).expect("it is there");
    assert!(error(&storage, Origin::Start).starts_with(&format!("{} is missing", name(2))));
    assert!(error(&storage, checkpoint(2, Some(2))).starts_with(&format!("{} is missing", name(2))));
    storage.remove(&name(3)).expect("it is there");
    assert!(error(&storage, checkpoint(2, Some(2))).starts_with(&format!("{} is missing", name(2))));
    assert!(read(storage, checkpoint(2, None)).is_ok(), "a backup stands alone");
}

#[test]
fn a_gap_that_was_never_durable_is_a_torn_tail() {
    let storage = three_unproven_segments();
    storage.remove(&name(2)).expect("it is there");
    let (records, recovered) = read(storage.clone(), Origin::Start).expect("it is torn");
    let torn = recovered.torn.expect("it is torn");
    assert_eq!(records.len(), 2);
    assert_eq!((torn.file, torn.offset), (name(1), segment(&storage, 1).len() as u64));
    assert_eq!((torn.remove, torn.n_records), (vec![name(3)], 2));
}

#[test]
fn a_torn_record_takes_all_later_segments_with_it() {
    let storage = three_unproven_segments();
    let mut bytes = segment(&storage, 2);
    let offsets = offsets(&bytes);
    bytes.pop();
    storage.insert(name(2), bytes);
    let (mut journal, recovered) = open(storage.clone(), inline(Durability::Buffered)).expect("it is torn");
    let torn = recovered.torn.expect("it is torn");
    assert_eq!((&*torn.file, torn.offset), (&*name(2), offsets[1] as u64));
    assert_eq!((torn.n_records, torn.n_events), (2, 0));
    assert_eq!(recovered.last_record, 3);
    // The number of the segment that was removed is not used again.
    assert_eq!(storage.list().expect("memory lists"), [name(1), name(2), name(4)]);
    assert_eq!(record_event(&mut journal, 1), 4);
    journal.commit(seq(4)).expect("it works");
    let (records, recovered) = read(storage, Origin::Start).expect("it is whole");
    assert_eq!((records.len(), recovered.torn), (4, None));
}

#[test]
fn a_segment_that_was_never_finished_is_torn_at_the_end_of_the_journal() {
    for len in 0..crate::journal::segment::HEADER_BYTES {
        for zeros in [false, true] {
            let storage = three_segments();
            let mut bytes = segment(&storage, 3)[..len].to_vec();
            if zeros {
                bytes.fill(0);
            }
            storage.insert(name(3), bytes);
            let (records, recovered) = read(storage.clone(), Origin::Start).expect("it is torn");
            assert_eq!(records.len(), 4);
            assert_eq!(recovered.torn.expect("it is torn").file, name(3));
            // A checkpoint goes on only with what had been finished.
            assert!(error(&storage, checkpoint(4, Some(3))).contains("damaged at byte 0"));
        }
    }
}

#[test]
fn a_store_that_was_never_finished_is_begun_anew() {
    let storage = Arc::new(MemoryStorage::new());
    storage.insert(name(1), vec![0; 20]);
    let (mut journal, recovered) = open(storage.clone(), inline(Durability::Buffered)).expect("it is torn");
    assert_eq!(recovered.torn.expect("it is torn").n_bytes, 20);
    commit_event(&mut journal, 1);
    assert_eq!(storage.list().expect("memory lists"), [name(2)]);
    assert_eq!(read(storage, Origin::Start).expect("it is whole").0.len(), 1);
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let storage = three_segments();
    storage.insert(name(1), b"%PDF-1.7 and so on".to_vec());
    assert!(error(&storage, Origin::Start).contains("does not start as"));
    let storage = three_segments();
    let mut newer = segment(&three_segments(), 3);
    newer[8] = 2;
    let sum = crc32c::crc32c(&newer[..44]).to_le_bytes();
    newer[44..48].copy_from_slice(&sum);
    storage.insert(name(3), newer);
    assert!(error(&storage, Origin::Start).contains("has format 2"));
    let other = Arc::new(MemoryStorage::new());
    for _ in 0..3 {
        let recovered = Replay::begin(other.clone(), Origin::Start).and_then(Replay::finish).expect("empty");
        let options = inline(Durability::Buffered);
        drop(Journal::open(other.clone(), &recovered, seq(0), 99, options).expect("it opens"));
    }
    storage.insert(name(3), segment(&other, 1));
    assert!(error(&storage, Origin::Start).contains("by its header it is segment 1"));
    storage.insert(name(3), segment(&other, 3));
    assert!(error(&storage, Origin::Start).contains("belongs to another store"));
    let origin = Origin::Checkpoint { store_id: 98, record: 0, segment: None };
    assert!(error(&other, origin).contains("belongs to another store"));
}

#[test]
fn noise_where_a_segment_should_begin_is_torn_unless_it_had_been_durable() {
    let noise = b"a sector of something else";
    let storage = three_unproven_segments();
    let mut bytes = segment(&storage, 3);
    bytes[..noise.len()].copy_from_slice(noise);
    storage.insert(name(3), bytes);
    let (records, recovered) = read(storage, Origin::Start).expect("nothing says that it was durable");
    assert_eq!((records.len(), recovered.torn.map(|torn| torn.file)), (4, Some(name(3))));

    let storage = three_segments();
    let mut bytes = segment(&storage, 2);
    bytes[..noise.len()].copy_from_slice(noise);
    storage.insert(name(2), bytes);
    assert!(error(&storage, Origin::Start).contains("is damaged at byte 0"));
}

#[test]
fn a_whole_record_in_a_wrong_place_is_damage_without_further_proof() {
    let storage = three_unproven_segments();
    let mut bytes = segment(&storage, 3);
    let offsets = offsets(&bytes);
    // The first record twice, the second gone.
    let first = bytes[offsets[0]..offsets[1]].to_vec();
    bytes.truncate(offsets[1]);
    bytes.extend(first);
    storage.insert(name(3), bytes);
    assert!(error(&storage, Origin::Start).contains("record 5 stands where 6 should"));
}

#[test]
fn bytes_behind_a_segment_that_the_next_one_goes_on_from_are_damage() {
    let storage = three_unproven_segments();
    let mut bytes = segment(&storage, 2);
    bytes.push(0);
    storage.insert(name(2), bytes);
    assert!(error(&storage, Origin::Start).contains("damaged at byte"));
}

#[test]
fn a_scan_tells_what_is_in_each_segment() {
    let storage = three_segments();
    let mut bytes = segment(&storage, 2);
    let last = *offsets(&bytes).last().expect("it has records");
    bytes[last + 20] ^= 1;
    storage.insert(name(2), bytes);
    storage.insert(name(3), b"junk".to_vec());
    let reports = scan(&*storage).expect("memory reads");
    assert_eq!(reports[0].records, Some((1, 2)));
    assert_eq!(reports[0].kinds.get("event"), Some(&2));
    assert_eq!(reports[0].state, SegmentState::Whole);
    let SegmentState::Bad { offset, .. } = reports[1].state else { panic!("{:?}", reports[1]) };
    assert_eq!(offset, last as u64);
    assert_eq!(reports[2].state, SegmentState::Foreign);
}

#[test]
fn a_repair_cuts_what_it_said_it_would_and_the_journal_opens_again() {
    let storage = three_segments();
    let mut bytes = segment(&storage, 2);
    let offset = offsets(&bytes)[1];
    bytes[offset + 20] ^= 1;
    storage.insert(name(2), bytes);
    let refused = error(&storage, Origin::Start);
    let plan = RepairPlan::new(storage.clone(), Origin::Start).expect("memory reads");
    assert_eq!(plan.damage().map(ToString::to_string), Some(refused));
    let cut = plan.cut().expect("it is damaged").clone();
    assert_eq!((&*cut.file, cut.offset, &cut.remove), (&*name(2), offset as u64, &vec![name(3)]));
    assert_eq!((cut.n_records, cut.n_events), (2, 2));
    plan.apply(&*storage).expect("memory works");
    let (_, recovered) = open(storage.clone(), inline(Durability::Buffered)).expect("it is repaired");
    assert_eq!((recovered.last_record, recovered.torn), (3, None));
    let plan = RepairPlan::new(storage, Origin::Start).expect("memory reads");
    assert!(plan.cut().is_none() && plan.damage().is_none());
}

#[test]
fn a_repair_gives_a_checkpoint_a_segment_to_go_on_with() {
    let lose_header = |storage: &MemoryStorage| storage.insert(name(2), vec![0; 100]);
    let lose_segment = |storage: &MemoryStorage| storage.remove(&name(2)).expect("it is there");
    let lose_all = |storage: &MemoryStorage| {
        (1..=3).for_each(|number| storage.remove(&name(number)).expect("it is there"));
    };
    let losses: [&dyn Fn(&MemoryStorage); 3] = [&lose_header, &lose_segment, &lose_all];
    for lose in losses {
        let storage = three_segments();
        lose(&storage);
        let origin = checkpoint(2, Some(2));
        error(&storage, origin);
        let plan = RepairPlan::new(storage.clone(), origin).expect("memory reads");
        assert!(plan.damage().is_some());
        plan.apply(&*storage).expect("memory works");
        let (records, recovered) = read(storage, origin).expect("it is repaired");
        assert_eq!((records, recovered.last_record, recovered.torn), (vec![], 2, None));
    }
}

#[test]
fn a_step_of_a_source_is_read_with_its_event_or_not_at_all() {
    let storage = Arc::new(MemoryStorage::new());
    let step = |offset| Record::SourceStep { source: "feed".to_owned(), offset };
    let time = Record::Time(Timestamp::from_unix_ms(9));
    let mut journal = new_journal(storage.clone(), inline(Durability::Immediate));
    journal.record(&step(1));
    record_event(&mut journal, 1);
    journal.record(&step(2));
    journal.record(&time);
    record_event(&mut journal, 2);
    // Behind these comes something else, or the end of the segment.
    journal.record(&step(3));
    journal.record(&Record::ItemBatch);
    journal.record(&step(4));
    journal.record(&time);
    journal.commit(seq(2)).expect("it works");
    drop(journal);
    let (mut journal, recovered) = open(storage.clone(), inline(Durability::Immediate)).expect("it is whole");
    assert_eq!(recovered.last_record, 9, "a step that is not read has a number all the same");
    commit_event(&mut journal, 10);
    drop(journal);
    let (records, _) = read(storage, Origin::Start).expect("it is whole");
    let steps: Vec<_> =
        records.iter().filter(|(_, record)| matches!(record, Record::SourceStep { .. })).collect();
    assert_eq!(steps, [&(1, step(1)), &(3, step(2))]);
}
