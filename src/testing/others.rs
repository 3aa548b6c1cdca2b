//! Plug-ins that a writer asks, and those that stand under it.

use std::time::Duration;

use super::complaints::Complaints;
use super::world::World;
#[cfg(all(feature = "npz", feature = "reload"))]
use crate::engine::ModelFileError;
use crate::engine::{EngineBuilder, Notice, Observer};
#[cfg(feature = "reload")]
use crate::engine::{ListChange, ListFileError, ReloadError, SettingChange};
use crate::ingest::{EventFacts, Weigher};
use crate::model::{SkipRates, is_sensible};
use crate::storage::{Storage, contract};
use crate::training::{
    GateFacts, GateRefusal, GateReport, ModelOrigin, SweepContext, SweepDecision, SweepGate, SweepPolicy,
    SweepReport, TrainingError, Trial,
};
use crate::types::{Action, Clock, Context, Event, EventSeq, GenerationId, ManualClock, Timestamp};

/// What an engine allows of weighers, sweep policies and clocks.
const BUDGET: Duration = Duration::from_millis(1);

/// Puts a weigher to the test: it must not panic or be slow, and must weigh the same event the same whenever it is asked, as
/// a store is rebuilt from the events alone.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_weigher(weigher: &dyn Weigher) {
    let complaints = Complaints::default();
    for event in every_kind_of_event() {
        for (of_item, of_context) in [(0.0, 0.0), (0.3, 0.9), (1.0, 1.0)] {
            let (Action::Do(kind) | Action::Undo(kind)) = event.action();
            let at = event.timestamp().unwrap_or_default();
            let facts = EventFacts::new(&event, kind, at, SkipRates { of_item, of_context });
            if let Some((first, second)) = complaints.twice(BUDGET, || weigher.weigh(&facts))
                && first != second
            {
                complaints
                    .add(format!("it weighs one event in two ways: {first:?} and {second:?} for {event:?}"));
            }
        }
    }
    complaints.raise("weigher");
}

fn every_kind_of_event() -> Vec<Event> {
    let kinds = [
        Event::listen(1, "a"),
        Event::skip("ana", 2),
        Event::like(1, 2),
        Event::save(1, 2),
        Event::dislike(1, 2),
        Event::custom(1, 2, "queued"),
        Event::custom("ana", "portishead", "x".repeat(200)),
    ];
    let mut events = Vec::new();
    for event in kinds {
        let times = [i64::MIN, 0, 1_700_000_000_000, i64::MAX].map(Timestamp::from_unix_ms);
        events.extend(times.map(|at| event.clone().at(at)));
        events.extend(
            [0.0, 1e-30, 0.3, 0.5, 1.0, 7.0, f32::MAX].map(|fraction| event.clone().fraction(fraction)),
        );
        let lengths = [Duration::ZERO, Duration::from_secs(30), Duration::MAX];
        events.extend(lengths.map(|played| event.clone().played(played)));
        events.push(event.clone().context(Context::new()));
        events.push(event.context(Context::new().device("car").activity("commuting").session("s")));
    }
    events
}

/// Puts a sweep policy to the test: it must not panic or be slow, whatever the events do and the clock shows.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_sweep_policy(policy: impl SweepPolicy) {
    let complaints = Complaints::default();
    let probe = SweepProbe { inner: policy, complaints: complaints.clone() };
    let clock = ManualClock::at(Timestamp::from_unix_seconds(0));
    let builder = EngineBuilder::default().sweep_policy(probe).clock(clock.clone()).threads(1);
    let engine = builder.open().expect("usable settings");
    let (sender, reader) = (engine.sender(), engine.reader());
    let hour = Duration::from_secs(3_600);
    for (nth, event) in (0_i64..).zip(World::default().into_events().into_iter().take(200)) {
        let receipt = sender.send_tracked(event.at(Timestamp::from_unix_seconds(0))).expect("it runs");
        // Learned, so the policy was asked; after some of them in the far future, then far in the past.
        drop(reader.view_after(&receipt, hour));
        match nth % 50 {
            20 => clock.advance(Duration::from_secs(10 * 365 * 24 * 3_600)),
            40 => clock.set(Timestamp::from_unix_seconds(-nth)),
            _ => clock.advance(Duration::from_secs(60)),
        }
    }
    drop(engine);
    complaints.raise("sweep policy");
}

#[derive(Debug)]
struct SweepProbe<P> {
    inner: P,
    complaints: Complaints,
}

impl<P: SweepPolicy> SweepPolicy for SweepProbe<P> {
    fn decide(&self, context: &SweepContext) -> SweepDecision {
        let decided = self.complaints.twice(BUDGET, || self.inner.decide(context));
        decided.map_or(SweepDecision::Wait, |(first, _)| first)
    }
}

/// Puts a sweep gate to the test: it must not panic or be slow, be it the first model that it judges, one of a few pairs or
/// of many, better or worse, or one from elsewhere that there is little to say of.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_sweep_gate(gate: &dyn SweepGate) {
    /// What an engine allows.
    const BUDGET: Duration = Duration::from_millis(100);
    let complaints = Complaints::default();
    let ranks = |before, after| vec![Trial::new(before, after); 200];
    let mixed = (1..=100).map(|rank| Trial::new(Some(rank), Some(101 - rank))).collect();
    let trials = [
        Vec::new(),
        ranks(Some(1), Some(1)),
        ranks(Some(9), Some(1)),
        ranks(Some(1), None),
        ranks(None, None),
        mixed,
    ];
    for trials in &trials {
        for (norm_before, norm) in
            [(None, 1.0), (Some(0.0), 0.0), (Some(1.0), 1.0), (Some(1.0), 1e30), (Some(1e-30), f64::MAX)]
        {
            for (growth, share) in
                [(f64::INFINITY, None), (1.0, Some(1.0)), (1.3, Some(0.5)), (1e9, Some(0.0))]
            {
                for n_pairs in [1, 1_000_000_000] {
                    let before =
                        if norm_before.is_none() { GenerationId::ZERO } else { GenerationId::ZERO.next() };
                    let (coverage, overlap) = (share, share);
                    let facts =
                        GateFacts { before, n_pairs, growth, norm_before, norm, coverage, overlap, trials };
                    complaints.twice(BUDGET, || gate.judge(&facts));
                }
            }
        }
    }
    complaints.raise("sweep gate");
}

/// Puts an observer to the test: it must not panic or be slow, whatever it is told.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_observer(observer: &dyn Observer) {
    /// What an engine allows.
    const BUDGET: Duration = Duration::from_millis(10);
    let complaints = Complaints::default();
    let tell = |notice: Notice<'_>| {
        complaints.twice(BUDGET, || observer.observe(&notice));
    };
    tell(Notice::Published(&SweepReport {
        generation: GenerationId::ZERO.next(),
        origin: ModelOrigin::Trained,
        frozen_at: EventSeq::ZERO,
        n_users: 0,
        n_items: 0,
        n_pairs: 0,
        n_sweeps: 0,
        objective: 0.0,
        regularization: 0.01,
        gate: GateReport::default(),
        duration: Duration::ZERO,
    }));
    tell(Notice::SweepFailed(&TrainingError::NothingToLearn));
    tell(Notice::SweepFailed(&GateRefusal::NotFinite.into()));
    #[cfg(feature = "reload")]
    tell_of_files(tell);
    complaints.raise("observer");
}

#[cfg(feature = "reload")]
fn tell_of_files(tell: impl Fn(Notice<'_>)) {
    let (file, message) = (std::path::Path::new("settings.toml"), "it is a directory".to_owned());
    let changes = [SettingChange { key: "sweeps.later", before: 2.0, after: 3.0 }];
    let error = ReloadError::Unreadable { message: message.clone() };
    tell(Notice::SettingsRead { file, changes: &changes });
    tell(Notice::SettingsInForce { file, changes: &changes });
    tell(Notice::SettingsRefused { file, error: &error });
    let error = ListFileError::Unreadable { message: message.clone() };
    tell(Notice::ListRead { file, change: &ListChange::default() });
    tell(Notice::ListRefused { file, error: &error });
    #[cfg(feature = "npz")]
    {
        tell(Notice::ModelRead { file, n_users: 1, n_known_users: 0, n_items: 1, n_known_items: 1 });
        tell(Notice::ModelRefused { file, error: &ModelFileError::Unreadable { message } });
    }
}

/// Puts a clock to the test: it must not panic or be slow, and must show times from the year 1 to the year 9999.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_clock(clock: &dyn Clock) {
    let complaints = Complaints::default();
    for _ in 0..1_000 {
        let shown = complaints.twice(BUDGET, || clock.now());
        for time in shown.into_iter().flat_map(|(first, second)| [first, second]) {
            if !is_sensible(time) {
                complaints.add(format!("it shows {} ms after the beginning of 1970", time.unix_ms()));
            }
        }
    }
    complaints.raise("clock");
}

/// Puts a storage, which must be empty, through all that is promised of it, and leaves it empty. What happens when the power is cut is
/// not in it: that takes a device that can be asked to lose something.
///
/// # Panics
/// If a promise is not kept.
#[track_caller]
pub fn check_storage(storage: &dyn Storage) {
    contract::check(storage);
}
