//! The format stays what it is.

use std::sync::atomic::AtomicBool;

use crc32c::crc32c;

use super::world::World;
use crate::checkpoint::write;
use crate::storage::MemoryStorage;

/// If this fails, files that were written before can no longer be read, or no longer mean the same: raise the
/// version of the format and read the old one too.
///
/// The first is what the first version wrote, which knew no counts of skips.
#[test]
fn a_state_gives_the_bytes_it_always_gave() {
    for (n_skips, format, expected) in [(0, 1, (3757, 965_540_111)), (50, 2, (4902, 3_765_802_113))] {
        let world = World { n_skips, ..World::SMALL };
        let storage = MemoryStorage::new();
        let report =
            write(&world.snapshot(), &storage, &AtomicBool::new(false)).expect("memory takes everything");
        let bytes = storage.contents(&report.file).expect("it was just written");
        assert_eq!(bytes[8..12], u32::to_le_bytes(format));
        assert_eq!((bytes.len(), crc32c(&bytes)), expected);
    }
}
