//! What plug-ins of the writer are told, made up.

use std::time::Duration;

use crate::ingest::EventFacts;
use crate::model::SkipRates;
use crate::training::{GateFacts, SweepContext, Trial};
use crate::types::{Action, Event, GenerationId};

/// What a weigher is told of an event that is the first to be learned: nothing was skipped before. An event without a time
/// happened at the beginning of 1970; for one that takes back an action, what was told of that. The fields can be changed.
///
/// ```
/// use segue::testing::event_facts;
/// use segue::{Event, MusicWeigher, Weigher};
///
/// let skip = Event::skip("ana", "portishead").at_fraction(0.05);
/// let mut facts = event_facts(&skip);
/// let surprising = MusicWeigher::default().weigh(&facts);
/// facts.item_skip_rate = 0.9; // everybody skips it
/// assert!(MusicWeigher::default().weigh(&facts).confidence() < surprising.confidence());
/// ```
pub fn event_facts(event: &Event) -> EventFacts<'_> {
    let (Action::Do(kind) | Action::Undo(kind)) = event.action();
    EventFacts::new(event, kind, event.timestamp().unwrap_or_default(), SkipRates::default())
}

/// What a sweep policy is told after so many events and so long; the items have not moved.
///
/// ```
/// use segue::plugin::{SweepDecision, SweepPolicy};
/// use segue::testing::sweep_context;
/// use segue::SweepEvery;
/// use std::time::Duration;
///
/// let hourly = SweepEvery::time(Duration::from_secs(3_600));
/// let after = |minutes: u64| hourly.decide(&sweep_context(1, Some(Duration::from_secs(60 * minutes))));
/// assert_eq!((after(59), after(60)), (SweepDecision::Wait, SweepDecision::Sweep));
/// ```
pub fn sweep_context(events_since: u64, time_since: Option<Duration>) -> SweepContext {
    SweepContext { events_since, time_since, gramian_moved: 0.0 }
}

/// What a sweep gate is told of a candidate that is like the model in use in everything, but for what `trials` say. The
/// fields can be changed.
///
/// ```
/// use segue::plugin::{QualityGate, SweepGate, Trial};
/// use segue::testing::gate_facts;
///
/// let gate = QualityGate::default();
/// let worse = vec![Trial::new(Some(1), None); 200];
/// assert!(gate.judge(&gate_facts(&worse)).is_err());
/// let mut facts = gate_facts(&[]);
/// assert!(gate.judge(&facts).is_ok());
/// facts.coverage = Some(0.5); // half of the items are gone
/// assert!(gate.judge(&facts).is_err());
/// ```
pub fn gate_facts(trials: &[Trial]) -> GateFacts<'_> {
    GateFacts {
        before: GenerationId::ZERO.next(),
        n_pairs: 100_000,
        growth: 1.0,
        norm_before: Some(1.0),
        norm: 1.0,
        coverage: Some(1.0),
        overlap: Some(1.0),
        trials,
    }
}
