//! No damage goes unnoticed, and none does more than being named.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use crc32c::{crc32c, crc32c_append};

use super::world::World;
use crate::checkpoint::{Restored, read, verify, write};
use crate::kernel::{SimdPath, SplitMix64};
use crate::storage::{MemoryStorage, StoreError};

const FILE: &str = "checkpoint-00000000000000000042.checkpoint";
const HEADER_BYTES: usize = 24;
const SECTION_HEADER_BYTES: usize = 16;

fn bytes_of(world: World) -> Vec<u8> {
    let storage = MemoryStorage::new();
    let report =
        write(&world.snapshot(), &storage, &AtomicBool::new(false)).expect("memory takes everything");
    assert_eq!(report.file, FILE);
    storage.contents(FILE).expect("it was just written")
}

fn stored(bytes: Vec<u8>) -> MemoryStorage {
    let storage = MemoryStorage::new();
    storage.insert(FILE, bytes);
    storage
}

fn read_bytes(bytes: Vec<u8>) -> Result<Restored, StoreError> {
    read(&stored(bytes), FILE, &World::limits(), SimdPath::portable())
}

/// A state of some hundred bytes, and one of some kilobytes with every kind of section.
fn small_files() -> [Vec<u8>; 2] {
    let tiny = World {
        n_users: 2,
        n_items: 3,
        n_events: 2,
        n_skips: 9,
        has_model: false,
        has_gaps: false,
        ..World::SMALL
    };
    [bytes_of(tiny), bytes_of(World::SMALL)]
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    for bytes in small_files() {
        for len in 0..bytes.len() {
            let cut = bytes[..len].to_vec();
            assert!(verify(&stored(cut.clone()), FILE).is_err(), "{len} of {} bytes verified", bytes.len());
            match read_bytes(cut) {
                Err(StoreError::Damaged { file, offset, .. }) => {
                    assert!(file == FILE && offset <= len as u64, "cut at {len}, blamed on {offset}");
                }
                other => panic!("cut at {len}: {other:?}"),
            }
        }
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    for bytes in small_files() {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&stored(flipped.clone()), FILE).is_err(), "bit {bit} verified");
            match read_bytes(flipped) {
                Err(StoreError::Damaged { offset, .. }) => {
                    assert!(offset <= bit as u64 / 8, "bit {bit} blamed on byte {offset}");
                }
                Err(StoreError::Foreign { .. }) if bit < 64 => {}
                other => panic!("bit {bit}: {other:?}"),
            }
        }
    }
}

/// Where the sections of a whole file are.
fn sections(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some(header) = bytes.get(at..at + SECTION_HEADER_BYTES) {
        let len = u64::from_le_bytes(header[4..12].try_into().expect("eight bytes"));
        let end = at + SECTION_HEADER_BYTES + usize::try_from(len).expect("small");
        found.push(at..end);
        at = end;
    }
    found
}

/// Gives every section the checksum of what is in it now, as somebody would who wants to do harm.
fn seal(bytes: &mut [u8]) {
    let mut sum = crc32c(&bytes[..HEADER_BYTES - 4]);
    bytes[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    for section in sections(bytes) {
        let section = &mut bytes[section];
        sum = crc32c_append(sum, &section[..SECTION_HEADER_BYTES - 4]);
        sum = crc32c_append(sum, &section[SECTION_HEADER_BYTES..]);
        section[SECTION_HEADER_BYTES - 4..SECTION_HEADER_BYTES].copy_from_slice(&sum.to_le_bytes());
    }
}

#[test]
fn contents_that_make_no_sense_are_refused_or_taken_but_never_a_panic() {
    let mut random = SplitMix64::new(5);
    let mut n_refused = 0_u32;
    let mut n_tried = 0_u32;
    for whole in small_files() {
        let contents = |section: Range<usize>| section.start + SECTION_HEADER_BYTES..section.end;
        for place in sections(&whole).into_iter().flat_map(contents) {
            for _ in 0..4 {
                let mut bytes = whole.clone();
                bytes[place] = random.next_u64().to_le_bytes()[0];
                seal(&mut bytes);
                n_refused += u32::from(read_bytes(bytes).is_err());
                n_tried += 1;
            }
        }
    }
    assert!(n_refused > n_tried / 4, "{n_refused} of {n_tried} refused: the test does not seal");
    let [mut tiny, _] = small_files();
    let before = tiny.clone();
    seal(&mut tiny);
    assert_eq!(tiny, before, "sealing what is whole changes nothing");
}

#[test]
fn sections_that_change_places_or_are_left_out_are_noticed() {
    let whole =
        bytes_of(World { n_users: 9_000, n_events: 1, has_gaps: false, has_model: false, ..World::SMALL });
    let all = sections(&whole);
    let of_users: Vec<_> = all.iter().filter(|section| whole[section.start] == 10).cloned().collect();
    assert!(of_users.len() > 2, "the world has several sections of users");
    let rebuilt = |order: &[usize]| {
        let mut bytes = whole[..HEADER_BYTES].to_vec();
        for &at in order {
            bytes.extend_from_slice(&whole[all[at].clone()]);
        }
        bytes
    };
    let order: Vec<_> = (0..all.len()).collect();
    assert!(read_bytes(rebuilt(&order)).is_ok());
    for at in 0..all.len() {
        let mut without = order.clone();
        without.remove(at);
        assert!(read_bytes(rebuilt(&without)).is_err(), "without section {at}");
        let mut sealed = rebuilt(&without);
        seal(&mut sealed);
        assert!(read_bytes(sealed).is_err(), "without section {at}, sealed");
        let mut twice = order.clone();
        twice.insert(at, at);
        assert!(read_bytes(rebuilt(&twice)).is_err(), "section {at} twice");
        let mut sealed = rebuilt(&twice);
        seal(&mut sealed);
        assert!(read_bytes(sealed).is_err(), "section {at} twice, sealed");
        if at > 0 {
            let mut swapped = order.clone();
            swapped.swap(at - 1, at);
            assert!(read_bytes(rebuilt(&swapped)).is_err(), "sections {at} and the one before it swapped");
        }
    }
}

#[test]
fn what_others_or_later_versions_wrote_is_told_apart() {
    let [whole, _] = small_files();
    assert!(matches!(read_bytes(b"a playlist of some kind".to_vec()), Err(StoreError::Foreign { .. })));
    let mut newer = whole.clone();
    newer[8] = 3;
    assert!(
        matches!(read_bytes(newer.clone()), Err(StoreError::Damaged { .. })),
        "the checksum is of another format"
    );
    let sum = crc32c::crc32c(&newer[..20]).to_le_bytes();
    newer[20..24].copy_from_slice(&sum);
    let refused = read_bytes(newer).expect_err("it is of a later format");
    assert!(matches!(refused, StoreError::Newer { found: 3, supported: 2, .. }));
    let mut longer = whole;
    longer.extend_from_slice(&[0; 16]);
    assert!(matches!(read_bytes(longer), Err(StoreError::Damaged { .. })));
    let missing = read(&MemoryStorage::new(), FILE, &World::limits(), SimdPath::portable());
    assert!(matches!(missing, Err(StoreError::Io { operation: "open", .. })));
}
