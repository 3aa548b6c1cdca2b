//! Any bytes as a file that is put into a spool.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use segue::ManualEngine;
use segue::plugin::{AfterReading, SpoolDir};

/// Shorter than the longest that the fuzzer makes, so that some lines are too long.
const MAX_LINE_BYTES: usize = 300;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(segue_fuzz::folder);

/// One for all runs: what watches a directory takes longer to begin than a file takes to read.
static ENGINE: LazyLock<Mutex<ManualEngine>> = LazyLock::new(|| {
    let spool = SpoolDir::new(&*FOLDER).after_reading(AfterReading::Remove).max_line_bytes(MAX_LINE_BYTES);
    Mutex::new(segue_fuzz::builder().source(spool).open_manual().expect("the folder is there"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut engine = ENGINE.lock().expect("a run that fails ends all");
    fs::write(FOLDER.join("a.tmp"), bytes).expect("it can be written to");
    fs::rename(FOLDER.join("a.tmp"), FOLDER.join("a.jsonl")).expect("it can be renamed");

    let before = n_told(&engine);
    engine.pump_sources();
    let lines = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).split(|&byte| byte == b'\n');
    let n_lines = lines.filter(|line| line.len() > MAX_LINE_BYTES || !line.trim_ascii().is_empty()).count();
    assert_eq!(n_told(&engine) - before, n_lines as u64, "each line is learned or refused, once");
    let _ = fs::remove_dir_all(FOLDER.join("bad"));
});

fn n_told(engine: &ManualEngine) -> u64 {
    let stats = engine.stats();
    let spool = &stats.sources[0];
    spool.applied + spool.duplicates + spool.refused + spool.malformed
}
