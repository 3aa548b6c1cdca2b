//! Any bytes as a model from elsewhere: the list of users, the list of items, then an archive or the array of the users, with
//! a NUL between one and the next.
#![no_main]

use std::fs;
use std::io::Cursor;
use std::sync::LazyLock;

use segue::import::ForeignModel;

/// The items beside an array of users: one row of three factors.
const ITEM_FACTORS: &[u8] =
    b"\x93NUMPY\x01\x00\x3c\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3)}  \n\0\0\0\0\0\0\0\0\0\0\0\0";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static FOLDER: LazyLock<std::path::PathBuf> = LazyLock::new(segue_fuzz::folder);
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (users, items, factors) = (part(), part(), part());
    if let Ok(model) = ForeignModel::read_npz(Cursor::new(factors), users, items) {
        assert!(model.users().ids.len() <= users.len() && model.items().ids.len() <= items.len());
        assert!(model.users().factors.view().iter().all(|value| value.is_finite()));
    }
    // An archive is held against its checksums, so few of those the fuzzer makes come through; an array is not.
    let files: [(&str, &[u8]); 4] = [
        ("users.txt", users),
        ("items.txt", b"muse"),
        ("user_factors.npy", factors),
        ("item_factors.npy", ITEM_FACTORS),
    ];
    for (name, content) in files {
        fs::write(FOLDER.join(name), content).expect("it can be written to");
    }
    if let Ok(model) = ForeignModel::open_dir(&*FOLDER) {
        assert!(model.n_factors() == 3 && model.users().ids.len() <= users.len());
    }
});
