//! A weigher, a sweep policy, a clock and a storage that panic, sleep or talk nonsense: the engine survives, answers, and
//! names the seam.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::common::{PATIENCE, now, small};
use segue::plugin::{Incident, PluginStats};
use segue::{
    AppendFile, Clock, Degradation, Durability, Engine, EngineBuilder, Event, EventFacts, Health, ItemId,
    ManualClock, MemoryStorage, Outcome, ReadFile, Signal, SignalError, Source, Storage, StorageLock,
    SweepContext, SweepDecision, SweepPolicy, Timestamp,
};

/// What the plug-ins of this test do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Fine,
    Panics,
    Sleeps,
    Nonsense,
}

/// A mood that a test can change.
#[derive(Debug, Clone, Default)]
struct Moody(Arc<AtomicU8>);

impl Moody {
    fn set(&self, mood: Mood) {
        self.0.store(mood as u8, Ordering::SeqCst);
    }

    fn is(&self, mood: Mood) -> bool {
        self.0.load(Ordering::SeqCst) == mood as u8
    }

    /// Panics or sleeps, if it is in the mood.
    fn act(&self) {
        assert!(!self.is(Mood::Panics), "out of tune");
        if self.is(Mood::Sleeps) {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl SweepPolicy for Moody {
    fn decide(&self, _context: &SweepContext) -> SweepDecision {
        self.act();
        SweepDecision::Wait
    }
}

impl Clock for Moody {
    fn now(&self) -> Timestamp {
        self.act();
        if self.is(Mood::Nonsense) { Timestamp::from_unix_ms(i64::MAX) } else { now() }
    }
}

/// A storage in memory that appends as it likes.
#[derive(Debug)]
struct MoodyStorage(Moody, MemoryStorage);

#[derive(Debug)]
struct MoodyFile(Moody, Arc<dyn AppendFile>);

impl Storage for MoodyStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        self.1.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        self.1.open(name)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        Ok(Arc::new(MoodyFile(self.0.clone(), self.1.create(name)?)))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.1.truncate(name, len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.1.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.1.remove(name)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.1.sync_directory()
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.0.act();
        self.1.lock()
    }
}

impl AppendFile for MoodyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.act();
        self.1.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.1.sync()
    }
}

/// Learns an event; the engine must go on.
fn learn(engine: &Engine, item: u64) -> Outcome {
    let receipt = engine.sender().send_tracked(Event::listen("ana", item)).expect("the engine goes on");
    receipt.wait(PATIENCE).expect("decided")
}

fn answers(engine: &Engine) {
    let list = engine.reader().view().user("ana").recommend().run().expect("always an answer");
    assert!(matches!(list.provenance().source, Source::Cold(_)), "there was no sweep");
}

/// What is wrong with the plug-in of this seam, the gravest, in `health` too, unless that has something graver to tell.
fn incident(engine: &Engine, seam: &str) -> Incident {
    incidents(engine, seam).remove(0)
}

/// All that is wrong with it; there is something.
fn incidents(engine: &Engine, seam: &str) -> Vec<Incident> {
    let of_seam = |one: Degradation| {
        if let Degradation::Plugin { seam: named, incident, .. } = one {
            (named == seam).then_some(incident)
        } else {
            None
        }
    };
    let incidents: Vec<_> = engine.stats().degradations.into_iter().filter_map(of_seam).collect();
    let health = engine.health();
    assert!(!incidents.is_empty(), "{health:?}");
    if !matches!(health, Health::ReadOnly { .. }) {
        let named = health.to_string().contains(&format!("the plug-in {seam} misbehaved"));
        assert!(named, "{health}");
    }
    incidents
}

fn counts(engine: &Engine, seam: &str) -> PluginStats {
    let plugins = engine.stats().plugins;
    plugins.into_iter().find(|one| one.seam == seam).unwrap_or_else(|| panic!("{seam} is not watched"))
}

/// An engine with `with`, whose plug-in is moved from mood to mood. Gives what was said of it: of a panic, and of sleeping.
fn check(seam: &str, with: impl FnOnce(EngineBuilder, Moody) -> EngineBuilder) {
    let mood = Moody::default();
    let engine = with(small(), mood.clone()).open().expect("usable settings");
    assert!(matches!(learn(&engine, 0), Outcome::Applied(_)));
    assert!(matches!(engine.health(), Health::Warming { .. }), "{:?}", engine.health());

    mood.set(Mood::Panics);
    // A seam that is asked between two batches is asked by the end of the second.
    for item in 1..4 {
        learn(&engine, item);
        answers(&engine);
    }
    assert_eq!(incident(&engine, seam), Incident::Panicked { message: "out of tune".to_owned() });
    assert!(engine.health().to_string().contains(&format!("the plug-in {seam} misbehaved: it panicked")));
    assert!(counts(&engine, seam).panics >= 1);

    mood.set(Mood::Sleeps);
    let mut n_events = 10;
    // One call in sixteen is timed.
    let slow = || incidents(&engine, seam).into_iter().find(|one| matches!(one, Incident::Slow { .. }));
    while slow().is_none() {
        assert!(matches!(learn(&engine, n_events), Outcome::Applied(_)), "slow, but right");
        answers(&engine);
        n_events += 1;
        assert!(n_events < 60, "{seam}: {:?}", counts(&engine, seam));
    }
    let Some(Incident::Slow { took, budget }) = slow() else { panic!("it was slow just now") };
    assert!(matches!(incident(&engine, seam), Incident::Panicked { .. }), "that is not forgotten");
    assert!(took >= Duration::from_millis(200) && budget == Duration::from_millis(1));
    let latency = counts(&engine, seam).latency;
    assert!(latency.max >= Duration::from_millis(200) && latency.count >= 1);

    mood.set(Mood::Fine);
    assert!(matches!(learn(&engine, 99), Outcome::Applied(_)));
    engine.sweep_now().expect("it runs").wait().expect("there is something to learn");
    assert!(matches!(engine.health(), Health::Serving { .. }), "{}", engine.health());
    assert!(counts(&engine, seam).panics >= 1 && counts(&engine, seam).overruns >= 1, "counted for ever");
}

#[test]
fn a_weigher_that_misbehaves() {
    check("weigher", |builder, mood| {
        builder.weigh_with(move |_| {
            mood.act();
            Signal::positive(1.0).expect("in range")
        })
    });
}

#[test]
fn a_weigher_cannot_give_nonsense() {
    for (preference, confidence) in [(f32::NAN, 1.0), (1.0, f32::NAN), (f32::INFINITY, 1.0), (1.0, -1.0)] {
        let refused: Result<Signal, SignalError> = Signal::new(preference, confidence);
        assert!(refused.is_err(), "{preference}, {confidence}");
    }
}

#[test]
fn a_sweep_policy_that_misbehaves() {
    check("sweep policy", EngineBuilder::sweep_policy);
}

#[test]
fn a_sweep_policy_may_be_a_closure() {
    let engine = small().sweep_policy_with(|context| {
        if context.events_since >= 3 { SweepDecision::Sweep } else { SweepDecision::Wait }
    });
    let engine = engine.open().expect("usable settings");
    for item in 0..3 {
        assert!(matches!(learn(&engine, item), Outcome::Applied(_)));
    }
    while engine.stats().sweeps == 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_clock_that_misbehaves() {
    check("clock", EngineBuilder::clock);
}

#[test]
fn a_clock_that_panics_on_a_senders_thread_is_done_without() {
    let mood = Moody::default();
    let mut engine = small().clock(mood.clone()).open_manual().expect("usable settings");
    engine.apply(Event::listen("ana", 1)).expect("well formed");
    mood.set(Mood::Panics);
    // Every one of these asks the clock, on this thread.
    for item in 2..40_u64 {
        engine.apply(Event::listen("ana", item)).expect("well formed");
    }
    engine.pump();
    let history = engine.reader().view().user("ana").history();
    assert_eq!(history.len(), 39);
    assert!(history.iter().all(|entry| entry.last_seen == now()), "the last time it had shown");
}

#[test]
fn a_clock_that_shows_no_time_is_named_and_its_last_time_taken() {
    let mood = Moody::default();
    let engine = small().clock(mood.clone()).open().expect("usable settings");
    learn(&engine, 1);
    mood.set(Mood::Nonsense);
    assert!(matches!(learn(&engine, 2), Outcome::Applied(_)));
    assert!(matches!(incident(&engine, "clock"), Incident::Nonsense { .. }));
    let history = engine.reader().view().user("ana").history();
    assert!(history.iter().all(|entry| entry.last_seen == now()));
}

fn stored(mood: &Moody) -> EngineBuilder {
    let storage = MoodyStorage(mood.clone(), MemoryStorage::default());
    small().clock(ManualClock::at(now())).store_in(storage, Durability::Immediate)
}

#[test]
fn a_storage_that_panics_makes_the_engine_read_only() {
    let mood = Moody::default();
    let storage = mood.clone();
    // The writer stores other things between two events: the storage is to panic with the second, which is stored as soon
    // as it is weighed.
    let weigh = move |facts: &EventFacts<'_>| {
        if *facts.item == ItemId::from(2) {
            storage.set(Mood::Panics);
        }
        Signal::positive(1.0).expect("in range")
    };
    let engine = stored(&mood).weigh_with(weigh).open().expect("usable settings");
    learn(&engine, 1);
    assert_eq!(learn(&engine, 2), Outcome::StoreFailed);
    answers(&engine);
    let Health::ReadOnly { why } = engine.health() else { panic!("{:?}", engine.health()) };
    assert_eq!(why.message, "the storage panicked: out of tune");
    assert_eq!(incident(&engine, "storage"), Incident::Panicked { message: "out of tune".to_owned() });
    assert_eq!(engine.stats().store_failed, 1);
    assert_eq!(engine.reader().view().user("ana").history().len(), 1);
}

#[test]
fn a_storage_that_panics_while_it_is_opened_is_an_error() {
    let mood = Moody::default();
    mood.set(Mood::Panics);
    let error = stored(&mood).open().expect_err("it cannot be opened");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("the storage panicked: out of tune"), "{error}: {source}");
}

#[test]
fn a_storage_that_is_slow_again_and_again_is_named() {
    let mood = Moody::default();
    let engine = stored(&mood).open().expect("usable settings");
    learn(&engine, 1);
    mood.set(Mood::Sleeps);
    learn(&engine, 2);
    learn(&engine, 3);
    let Incident::Slow { took, .. } = incident(&engine, "storage") else { panic!("{:?}", engine.health()) };
    assert!(took >= Duration::from_millis(200));
    answers(&engine);
    let stats = engine.stats();
    assert!(stats.stages.journal.max >= Duration::from_millis(200));
    assert!(stats.stages.sync.count >= 3, "every batch was synced");
}
