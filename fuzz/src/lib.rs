//! What the fuzz targets share: a store made of any bytes, opened, looked into and repaired; and the sealing of
//! bytes, so that the fuzzer comes past the checksums to what is behind them.
//!
//! Run one with `cargo +nightly fuzz run journal_sealed -- -max_total_time=600`. The seeds in `corpus/` are made
//! by `cargo run --example seeds`.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use rayon::{ThreadPool, ThreadPoolBuilder};
use segue::{
    AlsParams, Durability, EngineBuilder, ManualClock, ManualEngine, MemoryStorage, NeverSweep, Timestamp,
};

mod seal;
mod store;

pub use seal::{seal_checkpoint, seal_segment};
pub use store::open_everything;

/// The segment that the bytes of a journal are put in.
pub const SEGMENT: &str = "journal-00000000000000000001.segment";

/// The checkpoint that bytes are put in: that of a backup, which needs no journal.
pub const CHECKPOINT: &str = "checkpoint-00000000000000000001.checkpoint";

/// The engine that made the seeds, and that opens what becomes of them.
pub fn builder() -> EngineBuilder {
    let als = AlsParams::builder().n_factors(3).build().expect("usable settings");
    let clock = ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000));
    ManualEngine::builder().als(als).sweep_policy(NeverSweep).clock(clock).shared_pool(pool()).sweeps(2, 1)
}

/// One for all engines: making one takes longer than most of what is fuzzed, and threads that are just ending look like leaks.
fn pool() -> Arc<ThreadPool> {
    static POOL: LazyLock<Arc<ThreadPool>> = LazyLock::new(|| {
        Arc::new(ThreadPoolBuilder::new().num_threads(1).build().expect("the system gives a thread"))
    });
    Arc::clone(&POOL)
}

/// An engine of `builder` on `storage`.
pub fn open(storage: &MemoryStorage) -> Result<ManualEngine, segue::BuildError> {
    builder().store_in(storage.clone(), Durability::Buffered).open_manual()
}

/// A folder of this process's own, in memory if the system has such a place.
pub fn folder() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    let parent = if shm.is_dir() { shm } else { std::env::temp_dir() };
    let folder = parent.join(format!("segue-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("it can be written to");
    folder
}
