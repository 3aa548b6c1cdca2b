//! Any bytes as each of the shapes that the evaluation reads.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use segue::eval::{Ids, read_lists, read_ncf_negatives, read_pairs};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static FILE: LazyLock<std::path::PathBuf> = LazyLock::new(|| segue_fuzz::folder().join("file"));
    fs::write(&*FILE, bytes).expect("it can be written to");
    let _ = read_pairs(&FILE, &mut Ids::default());
    let _ = read_lists(&FILE, &mut Ids::default());
    let _ = read_ncf_negatives(&FILE, &mut Ids::default());
});
