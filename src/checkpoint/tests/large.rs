//! How large and how fast the checkpoint of a real service's state is.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::world::World;
use crate::checkpoint::{StateDigest, read, verify, write};
use crate::kernel::SimdPath;
use crate::model::Limits;
use crate::storage::DirStorage;

/// As many users, items and pairs as the Last.fm 360K data set has. Takes some 4 GB of memory and, in the
/// directory for temporary files, half a gigabyte.
///
/// ```text
/// cargo test --release --lib checkpoint::tests::large -- --ignored --nocapture
/// ```
#[test]
#[ignore = "a measurement, of some minutes"]
fn a_large_state_is_written_and_read_in_seconds() {
    let world = World {
        seed: 3,
        n_users: 359_000,
        n_items: 160_000,
        n_factors: 64,
        n_events: 49,
        recent_events: 64,
        has_model: true,
        has_gaps: false,
    };
    let snapshot = world.snapshot();
    let digest = StateDigest::of(&snapshot.parts());
    let directory = std::env::temp_dir().join(format!("segue-checkpoint-{}", std::process::id()));
    let storage = DirStorage::new(&directory);
    let report = write(&snapshot, &storage, &AtomicBool::new(false)).expect("the disk has room");
    drop(snapshot);
    let began = Instant::now();
    let summary = verify(&storage, &report.file).expect("it was just written");
    let verified = began.elapsed();
    let began = Instant::now();
    let restored =
        read(&storage, &report.file, &Limits::default(), SimdPath::detect()).expect("it was just written");
    let taken = began.elapsed();
    assert_eq!(StateDigest::of(&restored.parts(&restored.by_item.records())), digest);
    println!("{summary:?}");
    println!(
        "{} MB for {} cells: written in {:.2?}, verified in {verified:.2?}, read in {taken:.2?}",
        report.n_bytes >> 20,
        report.n_cells,
        report.duration,
    );
    std::fs::remove_dir_all(&directory).expect("nobody else uses it");
}
