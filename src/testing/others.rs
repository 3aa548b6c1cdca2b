//! Plug-ins that a writer asks, and those that stand under it.

use std::time::Duration;

use super::complaints::Complaints;
use super::trial::Trial;
use crate::engine::EngineBuilder;
use crate::ingest::{EventFacts, Weigher};
use crate::model::SkipRates;
use crate::storage::{Storage, contract};
use crate::training::{SweepContext, SweepDecision, SweepPolicy};
use crate::types::{Action, Clock, Context, Event, ManualClock, Timestamp};

/// Many thousand times what they should take: whoever is slower holds the writer up for certain.
const BUDGET: Duration = Duration::from_millis(50);

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
    for (nth, event) in (0_i64..).zip(Trial::default().into_events().into_iter().take(200)) {
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

/// Puts a clock to the test: it must not panic or be slow.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_clock(clock: &dyn Clock) {
    let complaints = Complaints::default();
    for _ in 0..1_000 {
        complaints.twice(BUDGET, || clock.now());
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
