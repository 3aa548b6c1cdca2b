//! The reader understands the Last.fm set as it was published, where that is at hand: in the folder
//! `hetrec2011-lastfm-2k` under `SEGUE_DATA`, or else under `../shared/data`.

use std::path::{Path, PathBuf};

use segue::import::LastFm2k;

#[test]
fn the_published_set_has_the_counts_its_authors_state() {
    let data = std::env::var_os("SEGUE_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = data.join("hetrec2011-lastfm-2k");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there; set SEGUE_DATA to the folder that holds it", folder.display());
        return;
    }
    let lastfm = LastFm2k::open(&folder).expect("the published set is readable");
    assert_eq!(lastfm.n_users(), 1_892);
    assert_eq!(lastfm.catalogue().len(), 17_632);
    assert_eq!(lastfm.plays().len(), 92_834);
    assert_eq!(lastfm.n_tags(), 11_946);
    assert_eq!(lastfm.friends().len(), 12_717);

    let tagged: f32 =
        lastfm.catalogue().iter().flat_map(|(_, entry)| &entry.tags).map(segue::Tag::weight).sum();
    // Whole numbers below 2²⁴ add up exactly in an f32.
    let unlisted = u16::try_from(lastfm.n_unlisted_assignments()).expect("few are unlisted");
    assert!(
        (tagged + f32::from(unlisted) - 186_479.0).abs() < f32::EPSILON,
        "every assignment is accounted for"
    );

    let n_listens = lastfm.listens(1, 10_000).filter(|event| event.timestamp().is_some()).count();
    assert_eq!(n_listens, 10_000);
}
