//! What durability costs: events a second, recovery, checkpoints beside the service, bytes on disk.
//!
//! Run with `cargo bench --bench durability`; add `-- sustained`, `-- bytes`, `-- recovery` or `-- checkpoint` for
//! one part alone. All of it takes some eight minutes, 5 GB of memory and 2 GB of disk in `SEGUE_BENCH_DIR`, or in
//! the system's directory for temporary files; that must be a real disk for the figures to mean anything. It is
//! cleaned up. Nothing else should run on the machine.
//!
//! | part | what is measured |
//! |---|---|
//! | `sustained` | a bounded queue filled as fast as it is taken, with sweeps in the course of it, any of 5,000 users at each event: in memory alone and by each durability, in turns, medians of all rounds |
//! | `bytes` | what the journal takes for an event, and a checkpoint for a user–item pair |
//! | `recovery` | opening a store of 359,000 users, 160,000 items and 17.5 million pairs: from its checkpoint alone, and with a million events of the journal after it |
//! | `checkpoint` | the same store while it is written to a checkpoint: how long queries take, and events from `send` to visible at 2,000 a second, beside what they take without |
//!
//! 64 factors everywhere.

mod bytes;
mod large;
mod plays;
mod serving;
mod sustained;

use std::path::{Path, PathBuf};
use std::time::Duration;

use segue::{AlsParams, SimdPath};

const N_FACTORS: usize = 64;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    // `cargo bench` adds `--bench` of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let scratch = Scratch::new()?;
    let n_cores = std::thread::available_parallelism()?;
    println!("{n_cores} cores, {} instructions, {N_FACTORS} factors", SimdPath::detect());
    println!("in {}\n", scratch.0.display());
    if is_wanted("sustained") {
        sustained::run(&scratch)?;
    }
    if is_wanted("bytes") {
        bytes::run(&scratch)?;
    }
    if is_wanted("recovery") || is_wanted("checkpoint") {
        let store = scratch.at("large");
        large::make(&store)?;
        if is_wanted("checkpoint") {
            serving::run(&store)?;
        }
        if is_wanted("recovery") {
            large::recover(&store)?;
        }
    }
    Ok(())
}

/// A directory for this run alone; removed at its end, however that comes about.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let parent = std::env::var_os("SEGUE_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = parent.join(format!("segue-bench-durability-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }

    /// A place in it that is not there yet.
    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left: {error}", self.0.display());
        }
    }
}

fn params() -> Result<AlsParams, Failure> {
    Ok(AlsParams::builder().n_factors(N_FACTORS).build()?)
}

/// Bytes of the files of a directory whose names contain `part`.
fn n_bytes(directory: &Path, part: &str) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(part) {
            sum += entry.metadata()?.len();
        }
    }
    Ok(sum)
}

/// The value that so many per cent are not above. `sorted` is not empty.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

#[expect(clippy::cast_precision_loss, reason = "counts of events and bytes are far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
