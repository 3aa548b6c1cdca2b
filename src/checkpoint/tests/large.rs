//! How large and how fast the checkpoint of a real service's state is.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::world::World;
use crate::checkpoint::{CheckpointReport, StateDigest, read, verify, write};
use crate::kernel::SimdPath;
use crate::model::{Limits, RowsOf};
use crate::storage::{DirStorage, Storage};

/// As many users, items and pairs as the Last.fm 360K data set has, each with a recent event.
const WORLD: World = World {
    seed: 3,
    n_users: 359_000,
    n_items: 160_000,
    n_factors: 64,
    n_events: 49,
    recent_events: 64,
    n_skips: 0,
    has_model: true,
    rows_of: RowsOf::Sweep,
    has_gaps: false,
};

/// Takes some 5 GB of memory and, in the directory for temporary files, half a gigabyte.
///
/// ```text
/// cargo test --release --lib checkpoint::tests::large -- --ignored --nocapture
/// ```
#[test]
#[ignore = "a measurement, of half a minute"]
fn a_large_state_is_written_and_read_in_seconds() {
    let directory = std::env::temp_dir().join(format!("segue-checkpoint-{}", std::process::id()));
    let storage = DirStorage::new(&directory);
    let with_events = round_trip(WORLD, &storage);
    let without = round_trip(World { recent_events: 0, ..WORLD }, &storage);
    std::fs::remove_dir_all(&directory).expect("nobody else uses it");

    let n_rows = u64::from(WORLD.n_users) + u64::from(WORLD.n_items);
    let n_row_bytes = n_rows * (WORLD.n_factors * size_of::<f32>()) as u64;
    println!(
        "a cell takes {:.1} bytes, ids included; with its recent event {:.1}",
        per_cell(without.n_bytes - n_row_bytes, &without),
        per_cell(with_events.n_bytes - n_row_bytes, &with_events),
    );
}

fn round_trip(world: World, storage: &dyn Storage) -> CheckpointReport {
    let snapshot = world.snapshot();
    let digest = StateDigest::of(&snapshot.parts());
    let report = write(&snapshot, storage, &AtomicBool::new(false)).expect("the disk has room");
    drop(snapshot);
    let began = Instant::now();
    let summary = verify(storage, &report.file).expect("it was just written");
    let verified = began.elapsed();
    assert_eq!(summary.n_cells, report.n_cells);
    let began = Instant::now();
    let restored =
        read(storage, &report.file, &Limits::default(), SimdPath::detect()).expect("it was just written");
    let taken = began.elapsed();
    assert_eq!(StateDigest::of(&restored.parts(&restored.by_item.records())), digest);
    println!(
        "{} MiB, {} cells, {} recent events: written in {:.2?}, verified in {verified:.2?}, read in {taken:.2?}",
        report.n_bytes >> 20,
        report.n_cells,
        summary.n_events,
        report.duration,
    );
    report
}

#[expect(clippy::cast_precision_loss, reason = "a mean bears rounding")]
fn per_cell(n_bytes: u64, report: &CheckpointReport) -> f64 {
    n_bytes as f64 / report.n_cells as f64
}
