//! The reader of the HetRec 2011 Last.fm set takes a set whole, or says which line of which file is wrong.
//! All files here are invented.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use segue::import::{ImportError, LastFm2k};
use segue::{Event, ItemId, Timestamp, UserId};

/// A folder with the five files of an invented set; removed at the end.
struct InventedSet(PathBuf);

impl InventedSet {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("segue-import-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let set = Self(folder);
        set.with(
            "artists.dat",
            "id\tname\turl\tpictureURL\n10\tNacre\tu\tp\n11\tVell &amp; Orrin\tu\t\n12\tMoör\tu\tp\n",
        )
        .with("tags.dat", b"tagID\ttagValue\n1\tmist\n2\tcaf\xE9 noir\n3\tbrass\n")
        .with("user_artists.dat", "userID\tartistID\tweight\n1\t10\t30\n1\t12\t10\n5\t10\t60\n")
        .with(
            "user_taggedartists.dat",
            "userID\tartistID\ttagID\tday\tmonth\tyear\n\
                 1\t10\t3\t1\t4\t2009\n1\t10\t2\t1\t4\t2009\n5\t10\t2\t31\t12\t2010\n\
                 5\t10\t1\t1\t1\t2010\n5\t99\t1\t1\t1\t2010\n",
        )
        .with("user_friends.dat", "userID\tfriendID\n5\t1\n1\t7\n1\t5\n7\t1\n");
        set
    }

    fn with(&self, file: &str, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.0.join(file), content).expect("the temporary folder is writable");
        self
    }

    fn open(&self) -> Result<LastFm2k, ImportError> {
        LastFm2k::open(&self.0)
    }

    /// The error, and that its message begins with the file and the line.
    fn refusal(&self, file: &str, line: usize) -> ImportError {
        let error = self.open().expect_err("the set is broken");
        let place = format!("{}:{line}: ", self.0.join(file).display());
        assert!(error.to_string().starts_with(&place), "{error} does not begin with {place}");
        error
    }
}

impl Drop for InventedSet {
    fn drop(&mut self) {
        // A test that failed has said so; what is left behind is a few bytes in a temporary folder.
        drop(fs::remove_dir_all(&self.0));
    }
}

fn tags(lastfm: &LastFm2k, item: u64) -> Vec<(&str, f32)> {
    lastfm.catalogue().tags_of(&ItemId::from(item)).iter().map(|tag| (tag.name(), tag.weight())).collect()
}

#[test]
fn names_are_utf8_with_references_resolved() {
    let lastfm = InventedSet::new("names").open().expect("a good set");
    let names: Vec<&str> = lastfm.catalogue().iter().map(|(_, entry)| &*entry.name).collect();
    assert_eq!(names, ["Nacre", "Vell & Orrin", "Moör"]);
}

#[test]
fn tags_are_latin_1_and_weigh_as_many_as_gave_them() {
    let lastfm = InventedSet::new("tags").open().expect("a good set");
    assert_eq!(tags(&lastfm, 10), [("café noir", 2.0), ("brass", 1.0), ("mist", 1.0)]);
    assert_eq!(tags(&lastfm, 11), []);
    assert_eq!((lastfm.n_tags(), lastfm.n_unlisted_assignments()), (3, 1));
}

#[test]
fn plays_come_in_the_order_of_the_file() {
    let lastfm = InventedSet::new("plays").open().expect("a good set");
    let plays: Vec<_> =
        lastfm.plays().iter().map(|row| (row.user.as_u64(), row.item.as_u64(), row.count)).collect();
    assert_eq!(plays, [(Some(1), Some(10), 30), (Some(1), Some(12), 10), (Some(5), Some(10), 60)]);
    assert_eq!(lastfm.n_users(), 2);
}

#[test]
fn each_pair_of_friends_comes_once() {
    let lastfm = InventedSet::new("friends").open().expect("a good set");
    let pair = |a: u64, b: u64| (UserId::from(a), UserId::from(b));
    assert_eq!(lastfm.friends(), [pair(1, 5), pair(1, 7)]);
}

#[test]
fn carriage_returns_and_a_byte_order_mark_change_nothing() {
    let set = InventedSet::new("crlf");
    let plain = set.open().expect("a good set");
    for file in ["artists.dat", "tags.dat", "user_artists.dat", "user_taggedartists.dat", "user_friends.dat"]
    {
        let bytes = fs::read(set.0.join(file)).expect("just written");
        let mut windows = if file == "artists.dat" { "\u{FEFF}".as_bytes().to_vec() } else { Vec::new() };
        for byte in bytes {
            if byte == b'\n' {
                windows.push(b'\r');
            }
            windows.push(byte);
        }
        set.with(file, windows);
    }
    let windows = set.open().expect("the same set");
    assert_eq!(windows.catalogue(), plain.catalogue());
    assert_eq!(windows.plays(), plain.plays());
    assert_eq!(windows.friends(), plain.friends());
}

#[test]
fn listens_follow_the_play_counts() {
    let lastfm = InventedSet::new("listens").open().expect("a good set");
    let mut counts: HashMap<(UserId, ItemId), f64> = HashMap::new();
    for event in lastfm.listens(7, 100_000) {
        *counts.entry((event.user().clone(), event.item().clone())).or_default() += 1.0;
    }
    // Chi-square of 2 degrees of freedom: 17 is beyond the 99.97th percentile.
    let statistic: f64 = lastfm
        .plays()
        .iter()
        .map(|plays| {
            let expected = f64::from(plays.count) * 1_000.0;
            let drawn = counts[&(plays.user.clone(), plays.item.clone())];
            (drawn - expected).powi(2) / expected
        })
        .sum();
    assert!(statistic < 17.0, "{statistic}");
}

#[test]
fn listens_are_the_same_for_the_same_seed_only() {
    let lastfm = InventedSet::new("seeds").open().expect("a good set");
    let stream = |seed| lastfm.listens(seed, 50).collect::<Vec<Event>>();
    assert_eq!(stream(1), stream(1));
    assert_ne!(stream(1), stream(2));
}

#[test]
fn listens_are_spread_evenly_over_the_period() {
    let lastfm = InventedSet::new("period").open().expect("a good set");
    let listens = lastfm.listens(1, 4).over(Timestamp::from_unix_ms(1_000), Duration::from_millis(10));
    assert_eq!(listens.len(), 4);
    let times: Vec<i64> =
        listens.map(|event| event.timestamp().expect("every listen has a time").unix_ms()).collect();
    assert_eq!(times, [1_000, 1_002, 1_005, 1_007]);
    let without_end = lastfm.listens(1, 3).over(Timestamp::from_unix_ms(0), Duration::MAX);
    assert!(without_end.map(|event| event.timestamp()).is_sorted());
}

#[test]
fn a_set_without_plays_gives_no_listens() {
    let set = InventedSet::new("silence");
    set.with("user_artists.dat", "userID\tartistID\tweight\n");
    let lastfm = set.open().expect("a good set");
    assert_eq!((lastfm.listens(1, 10).len(), lastfm.listens(1, 10).count()), (0, 0));
}

#[test]
fn a_missing_file_is_named() {
    let set = InventedSet::new("missing");
    fs::remove_file(set.0.join("user_friends.dat")).expect("just written");
    let error = set.open().expect_err("a file is missing");
    assert!(
        matches!(&error, ImportError::Read { path, .. } if path.ends_with("user_friends.dat")),
        "{error}"
    );
    assert!(error.source().is_some(), "what the operating system says is kept");
}

#[test]
fn a_name_that_is_not_utf8_is_refused() {
    let set = InventedSet::new("encoding");
    set.with("artists.dat", b"id\tname\turl\tpictureURL\n1\tA\tu\tp\n2\tMo\xF6r\tu\tp\n");
    assert!(matches!(set.refusal("artists.dat", 3), ImportError::Encoding { .. }));
}

#[test]
fn a_file_with_other_columns_is_refused() {
    let set = InventedSet::new("header");
    for content in ["", "1\tmist\n", "tagID\n", "tagID\ttagValue\tmore\n"] {
        set.with("tags.dat", content);
        assert!(matches!(set.refusal("tags.dat", 1), ImportError::Header { .. }), "{content:?}");
    }
}

#[test]
fn a_line_with_a_column_too_few_or_too_many_is_refused() {
    let set = InventedSet::new("columns");
    for (line, got) in [("1\t10", 2), ("1\t10\t3\t4", 4), ("", 1)] {
        set.with("user_artists.dat", format!("userID\tartistID\tweight\n5\t10\t1\n{line}\n5\t12\t1\n"));
        let error = set.refusal("user_artists.dat", 3);
        assert!(matches!(error, ImportError::Columns { expected: 3, got: g, .. } if g == got), "{error}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    let set = InventedSet::new("values");
    for (file, header, line, wrong) in [
        ("artists.dat", "id\tname\turl\tpictureURL", "x1\tNacre\tu\tp", "id"),
        ("artists.dat", "id\tname\turl\tpictureURL", "1\t\tu\tp", "name"),
        ("tags.dat", "tagID\ttagValue", "1\t", "tagValue"),
        ("user_artists.dat", "userID\tartistID\tweight", "-1\t10\t3", "userID"),
        ("user_artists.dat", "userID\tartistID\tweight", "1\t10\t0", "weight"),
        ("user_artists.dat", "userID\tartistID\tweight", "1\t10\t4294967296", "weight"),
        ("user_artists.dat", "userID\tartistID\tweight", "1\t10\t1.5", "weight"),
        (
            "user_taggedartists.dat",
            "userID\tartistID\ttagID\tday\tmonth\tyear",
            "1\t10\t1\t32\t1\t2009",
            "day",
        ),
        (
            "user_taggedartists.dat",
            "userID\tartistID\ttagID\tday\tmonth\tyear",
            "1\t10\t1\t1\t0\t2009",
            "month",
        ),
        (
            "user_taggedartists.dat",
            "userID\tartistID\ttagID\tday\tmonth\tyear",
            "1\t10\t1\t1\t1\tMMIX",
            "year",
        ),
        ("user_friends.dat", "userID\tfriendID", "4\t4", "friendID"),
    ] {
        let good = fs::read(set.0.join(file)).expect("just written");
        set.with(file, format!("{header}\n{line}\n"));
        let error = set.refusal(file, 2);
        assert!(matches!(error, ImportError::Value { column, .. } if column == wrong), "{error}");
        set.with(file, good);
    }
}

#[test]
fn a_line_that_repeats_another_is_refused() {
    let set = InventedSet::new("duplicates");
    for (file, repeated) in [
        ("artists.dat", "10\tAnother\tu\tp\n"),
        ("tags.dat", "3\tother\n"),
        ("user_artists.dat", "1\t10\t31\n"),
        ("user_taggedartists.dat", "1\t10\t3\t2\t4\t2010\n"),
        ("user_friends.dat", "1\t7\n"),
    ] {
        let good = fs::read(set.0.join(file)).expect("just written");
        let n_lines = good.split_inclusive(|byte| *byte == b'\n').count();
        set.with(file, [&good[..], repeated.as_bytes()].concat());
        assert!(matches!(set.refusal(file, n_lines + 1), ImportError::Duplicate { .. }));
        set.with(file, good);
    }
}

#[test]
fn plays_of_an_artist_that_is_not_listed_are_refused() {
    let set = InventedSet::new("unlisted-artist");
    set.with("user_artists.dat", "userID\tartistID\tweight\n1\t13\t30\n");
    assert!(matches!(
        set.refusal("user_artists.dat", 2),
        ImportError::Unlisted { listed_in: "artists.dat", .. }
    ));
}

#[test]
fn a_tag_that_is_not_listed_is_refused() {
    let set = InventedSet::new("unlisted-tag");
    set.with("user_taggedartists.dat", "userID\tartistID\ttagID\tday\tmonth\tyear\n1\t10\t4\t1\t1\t2009\n");
    assert!(matches!(
        set.refusal("user_taggedartists.dat", 2),
        ImportError::Unlisted { listed_in: "tags.dat", .. }
    ));
}
