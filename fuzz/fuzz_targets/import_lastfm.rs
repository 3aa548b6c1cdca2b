//! Any bytes as the five files of the Last.fm set, with a NUL between one and the next.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use segue::import::LastFm2k;

const FILES: [&str; 5] =
    ["artists.dat", "tags.dat", "user_artists.dat", "user_taggedartists.dat", "user_friends.dat"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static FOLDER: LazyLock<std::path::PathBuf> = LazyLock::new(segue_fuzz::folder);
    let mut parts = bytes.split(|byte| *byte == 0);
    for file in FILES {
        fs::write(FOLDER.join(file), parts.next().unwrap_or_default()).expect("it can be written to");
    }
    if let Ok(set) = LastFm2k::open(&*FOLDER) {
        assert!(set.n_users() <= set.plays().len() && set.friends().len() <= bytes.len());
        assert_eq!(set.listens(1, 20).count(), if set.plays().is_empty() { 0 } else { 20 });
    }
});
