//! Files that an engine watches.

use std::fs;
use std::path::Path;

use segue::{Degradation, Engine};

/// Puts a file of these bytes in the place of another, which is never empty meanwhile, as one is that is written over.
pub(crate) fn replace(file: &Path, bytes: impl AsRef<[u8]>) {
    let new = file.with_extension("new");
    fs::write(&new, bytes).expect("there is room");
    fs::rename(new, file).expect("the directory is the test's own");
}

/// Whether an engine names a file that is not in force; it may have other things to say, too.
pub(crate) fn is_a_file_amiss(engine: &Engine) -> bool {
    engine.stats().degradations.iter().any(|one| matches!(one, Degradation::File { .. }))
}
