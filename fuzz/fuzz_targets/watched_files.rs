//! Any bytes as each of the files that an engine obeys while it runs.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use segue::plugin::{BlockList, Flags};
use segue::{BuildError, Catalogue, SettingsFile};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| segue_fuzz::folder().join("file"));
    fs::write(&*FILE, bytes).expect("it can be written to");
    let n_lines = bytes.split(|&byte| byte == b'\n').count();

    let list = BlockList::new();
    match segue_fuzz::builder().block_list_file(&*FILE, &list).open_manual() {
        Ok(_) => assert!(list.len() <= n_lines),
        Err(error) => assert!(matches!(error, BuildError::ListFile { .. }) && list.is_empty(), "{error}"),
    }
    let flags = Flags::new(Catalogue::new());
    match segue_fuzz::builder().catalogue_file(&*FILE, &flags).open_manual() {
        Ok(_) => assert!(flags.catalogue().len() <= n_lines),
        Err(error) => assert!(matches!(error, BuildError::ListFile { .. }), "{error}"),
    }

    let engine = segue_fuzz::builder().open_manual().expect("it has no files");
    let now = engine.settings();
    if let Ok(settings) = SettingsFile::parse_bytes(bytes).and_then(|file| file.over(&now)) {
        assert!(settings.changes_to(&settings).is_empty(), "what a file says is itself");
    }
});
