//! The built-in plug-ins pass, and those that do wrong are named.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{
    Trial, check_clock, check_filter, check_rescorer, check_slate, check_storage, check_sweep_policy,
    check_weigher,
};
use crate::guard::fenced;
use crate::ingest::{EventFacts, MusicWeigher, UnitWeigher, WeighWith};
use crate::query::{
    AllowList, BlockList, Candidate, CoolDown, Familiarity, Flags, KeepAll, KeepScores, Markets, Mmr,
    NotAmongLast, NotHeardFor, PopularityDebias, Request, SlatePolicy, SpacedBy, TopRanked,
};
use crate::query::{FilterWith, RescoreWith};
use crate::storage::MemoryStorage;
use crate::training::{NeverSweep, SweepEvery};
use crate::types::{Catalogue, CatalogueEntry, ItemId, ManualClock, Signal, SystemClock, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[expect(clippy::unnecessary_wraps, reason = "what a group is told by")]
fn decade(item: &ItemId) -> Option<u64> {
    Some(item.as_u64().unwrap_or_default() / 10)
}

#[test]
fn the_built_in_filters_pass() {
    let blocked = BlockList::new();
    blocked.block_all(0..50_u64);
    let allowed = AllowList::of_groups(|item| decade(item).map(Into::into));
    allowed.allow_all(3..9_u64);
    let explicit = |item: u64| (item.into(), CatalogueEntry::new("x").tag("explicit"));
    let flags = Flags::new((0..70).map(explicit).collect::<Catalogue>());
    let markets = Markets::new();
    markets.set((0..90_u64).map(|item| (item, ["DE"])));
    check_filter(KeepAll);
    check_filter(NotHeardFor(DAY));
    check_filter(NotAmongLast(5));
    check_filter(CoolDown::of_items(DAY));
    check_filter(CoolDown::of_groups(DAY, decade));
    check_filter(blocked);
    check_filter(allowed);
    check_filter(flags.without("explicit"));
    check_filter(flags.only("explicit").when(|request| request.limit > 1));
    Trial::default().requests(|query| query.in_market("DE")).check_filter(markets);
}

#[test]
fn the_built_in_rescorers_and_slate_policies_pass() {
    check_rescorer(KeepScores);
    check_rescorer(PopularityDebias { strength: 0.05 });
    check_rescorer(CoolDown::of_groups(DAY, decade).softly(0.5).expect("in range"));
    check_slate(TopRanked);
    check_slate(SpacedBy::new(2, decade));
    check_slate(Familiarity::new(0.4).expect("in range"));
    check_slate(Mmr::by_vectors(0.6).expect("in range"));
}

#[test]
fn the_built_in_weighers_sweep_policies_clocks_and_storages_pass() {
    check_weigher(&UnitWeigher);
    check_weigher(&MusicWeigher::default());
    check_sweep_policy(NeverSweep);
    check_sweep_policy(SweepEvery::default());
    check_clock(&SystemClock);
    check_clock(&ManualClock::at(Timestamp::default()));
    check_storage(&MemoryStorage::new());
}

/// What is said of a plug-in that does wrong.
fn complaint(check: impl FnOnce()) -> String {
    fenced(check).expect_err("it does wrong")
}

#[derive(Debug)]
struct Twice;

impl SlatePolicy for Twice {
    fn arrange(&self, _request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        vec![0, 0, ranked.len()]
    }
}

#[test]
fn what_does_wrong_is_told_what_it_did() {
    let n_asked = AtomicU32::new(0);
    let moody = move || n_asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
    let said = complaint(|| check_filter(FilterWith(move |_: &Request<'_>, _: &Candidate| moody())));
    assert!(
        said.contains("the filter breaks its contract") && said.contains("asked alone and with others"),
        "{said}"
    );

    let said = complaint(|| check_rescorer(RescoreWith(|_: &Request<'_>, _: &Candidate| f32::NAN)));
    assert!(said.contains("a score of NaN"), "{said}");

    let panics = |_: &Request<'_>, _: &Candidate| -> bool { panic!("out of tune") };
    let said = complaint(|| check_filter(FilterWith(panics)));
    assert!(said.contains("it panicked: out of tune"), "{said}");

    let said = complaint(|| check_slate(Twice));
    assert!(said.contains("it names place 0 twice") && said.contains("it names place 60 of 60"), "{said}");

    let n_weighed = AtomicU32::new(0);
    let said = complaint(|| {
        check_weigher(&WeighWith(move |_: &EventFacts<'_>| {
            let confidence =
                if n_weighed.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { 1.0 } else { 2.0 };
            Signal::new(1.0, confidence).expect("in range")
        }));
    });
    assert!(said.contains("one event in two ways"), "{said}");
}
