//! The built-in plug-ins pass, and those that do wrong are named.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{
    World, check_clock, check_event_source, check_filter, check_observer, check_rescorer, check_slate,
    check_storage, check_sweep_gate, check_sweep_policy, check_weigher,
};
use crate::engine::{LookAway, Notice, Observer};
use crate::guard::fenced;
use crate::ingest::{
    EventFacts, EventSource, MusicWeigher, Pull, SourceBatch, SourceError, SourceWaker, UnitWeigher,
    WeighWith,
};
use crate::query::{
    AllowList, BlockList, Candidate, CoolDown, Familiarity, Flags, KeepAll, KeepScores, Markets, Mmr,
    NotAmongLast, NotHeardFor, PopularityDebias, Request, SlatePolicy, SpacedBy, TopRanked,
};
use crate::query::{FilterWith, RescoreWith};
use crate::storage::{AppendFile, MemoryStorage, ReadFile, Storage, StorageLock};
use crate::training::{
    GateRefusal, JudgeWith, NeverSweep, PublishAlways, QualityGate, SweepContext, SweepDecision, SweepEvery,
    SweepWith,
};
use crate::types::{
    Catalogue, CatalogueEntry, ClockWith, Event, ItemId, ManualClock, Signal, SystemClock, Timestamp,
};

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
    World::default().requests(|query| query.in_market("DE")).check_filter(markets);
}

#[test]
fn the_built_in_rescorers_and_slate_policies_pass() {
    check_rescorer(KeepScores);
    check_rescorer(PopularityDebias::new(0.05).expect("in range"));
    check_rescorer(CoolDown::of_groups(DAY, decade).softly(0.5).expect("in range"));
    check_slate(TopRanked);
    check_slate(SpacedBy::new(2, decade));
    check_slate(Familiarity::new(0.4).expect("in range"));
    check_slate(Mmr::by_vectors(0.6).expect("in range"));
}

#[test]
fn the_built_in_plug_ins_of_the_writer_pass() {
    check_weigher(&UnitWeigher);
    check_weigher(&MusicWeigher::default());
    check_sweep_policy(NeverSweep);
    check_sweep_policy(SweepEvery::default());
    check_sweep_gate(&QualityGate::default());
    check_sweep_gate(&PublishAlways);
    check_observer(&LookAway);
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
    assert!(said.contains("a score of NaN") && said.contains("complaints more"), "{said}");

    let sleeps = |_: &Request<'_>, _: &Candidate| {
        std::thread::sleep(Duration::from_millis(4));
        true
    };
    let began = Instant::now();
    let said = complaint(|| check_filter(FilterWith(sleeps)));
    assert!(said.contains("and may take 50ms"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(60), "it is not waited for again and again");

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

/// Cannot bear bad news, and takes its time with good ones.
#[derive(Debug)]
struct Dawdles;
impl Observer for Dawdles {
    fn observe(&self, notice: &Notice<'_>) {
        assert!(!matches!(notice, Notice::SweepFailed(_)), "bad news");
        std::thread::sleep(Duration::from_millis(30));
    }
}

#[test]
fn a_gate_an_observer_and_a_clock_that_do_wrong_are_told_what_they_did() {
    let certain = JudgeWith(|facts: &crate::training::GateFacts<'_>| {
        let before = facts.norm_before.expect("there was a model before");
        if facts.norm > before { Err(GateRefusal::NotFinite) } else { Ok(()) }
    });
    let said = complaint(|| check_sweep_gate(&certain));
    assert!(said.contains("the sweep gate breaks its contract"), "{said}");
    assert!(said.contains("it panicked: there was a model before"), "{said}");

    let said = complaint(|| check_observer(&Dawdles));
    assert!(said.contains("it panicked: bad news") && said.contains("and may take 10ms"), "{said}");

    for ms in [i64::MAX, i64::MIN] {
        let said = complaint(|| check_clock(&ClockWith(move || Timestamp::from_unix_ms(ms))));
        assert!(said.contains("the clock breaks its contract") && said.contains(&ms.to_string()), "{said}");
    }
}

#[test]
fn a_sweep_policy_that_does_wrong_is_told_what_it_did() {
    let slow = SweepWith(|_: &SweepContext| {
        std::thread::sleep(Duration::from_millis(2));
        SweepDecision::Wait
    });
    let said = complaint(|| check_sweep_policy(slow));
    assert!(
        said.contains("the sweep policy breaks its contract") && said.contains("and may take 1ms"),
        "{said}"
    );
    let certain = SweepWith(|context: &SweepContext| {
        let waited = context.time_since.expect("there was a sweep before");
        if waited > DAY { SweepDecision::Sweep } else { SweepDecision::Wait }
    });
    let said = complaint(|| check_sweep_policy(certain));
    assert!(said.contains("it panicked: there was a sweep before"), "{said}");
}

/// A storage in memory that never makes a file shorter.
#[derive(Debug, Default)]
struct Forgetful(MemoryStorage);

impl Storage for Forgetful {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        self.0.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        self.0.create(name)
    }

    fn truncate(&self, _name: &str, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.0.lock()
    }
}

#[test]
fn a_storage_that_does_wrong_does_not_pass() {
    let said = complaint(|| check_storage(&Forgetful::default()));
    assert!(said.contains("it was done, not refused"), "{said}");
}

/// What a source of ten events does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Falls,
    Repeats,
    Skips,
    Sleeps,
    Fails,
    IsEmpty,
    HasNoName,
}

#[derive(Debug)]
struct Ten(Wrong, u64);

impl EventSource for Ten {
    fn name(&self) -> &'static str {
        if self.0 == Wrong::HasNoName { "" } else { "ten" }
    }

    fn begin(&mut self, from: Option<u64>, _: SourceWaker) -> Result<(), SourceError> {
        self.1 = match (self.0, from) {
            (Wrong::Fails, Some(_)) => return Err("the line is dead".into()),
            (Wrong::IsEmpty, _) => 10,
            (_, None) => 0,
            (Wrong::Repeats, Some(from)) => from.saturating_sub(1),
            (Wrong::Skips, Some(from)) => from + 1,
            (_, Some(from)) => from,
        };
        Ok(())
    }

    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
        if self.0 == Wrong::Sleeps {
            std::thread::sleep(Duration::from_millis(200));
        }
        for _ in 0..4.min(batch.room()) {
            if self.1 >= 10 {
                return Ok(Pull::Idle { at_most: Duration::from_secs(1) });
            }
            self.1 += 1;
            let offset = if self.0 == Wrong::Falls && self.1 == 6 { 3 } else { self.1 };
            batch.push(Event::listen("ana", self.1), offset);
        }
        Ok(Pull::More)
    }
}

#[test]
fn a_source_that_does_wrong_is_told_what_it_did() {
    check_event_source(Ten(Wrong::Nothing, 0));
    for (wrong, expected) in [
        (Wrong::Falls, "offset 3 comes after 5"),
        (Wrong::Repeats, "it gives offset"),
        (Wrong::Skips, "it gives something else than the first time"),
        (Wrong::Sleeps, "and may take 150ms"),
        (Wrong::Fails, "`begin` failed: the line is dead"),
        (Wrong::IsEmpty, "it has no event"),
        (Wrong::HasNoName, "its name is 0 bytes long"),
    ] {
        let said = complaint(|| check_event_source(Ten(wrong, 0)));
        assert!(said.contains("the event source breaks its contract"), "{said}");
        assert!(said.contains(expected), "{wrong:?}: {said}");
    }
}

#[cfg(feature = "spool")]
#[test]
fn a_spool_passes() {
    let folder = std::env::temp_dir().join(format!("segue-testing-spool-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is room");
    let line = |item: u64| format!("{{\"action\":\"listen\",\"user\":\"ana\",\"item\":{item}}}\n");
    for file in 0..3 {
        let lines: String = (0..5).map(|nth| line(file * 5 + nth)).collect();
        std::fs::write(folder.join(format!("{file}.jsonl")), lines).expect("there is room");
    }
    check_event_source(crate::ingest::SpoolDir::new(&folder));
    std::fs::remove_dir_all(folder).expect("it is there");
}
