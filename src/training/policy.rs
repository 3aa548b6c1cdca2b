//! When to sweep.

use std::any::Any;
use std::fmt;
use std::time::Duration;

/// The least time between two sweeps that a movement of the model calls for: a young or small world moves all
/// the time, and would otherwise be swept without a pause.
const LEAST_REST: Duration = Duration::from_secs(60);

/// What a [`SweepPolicy`] is told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SweepContext {
    /// Events learned since the input of the last sweep was frozen, or ever if there was none.
    pub events_since: u64,
    /// Time since the last sweep began; `None` if there was none.
    pub time_since: Option<Duration>,
    /// How far the Gramian of the items has moved since the sweep, relative to its size (Frobenius norm).
    /// User vectors are solved against the Gramian as it was.
    pub gramian_moved: f64,
}

/// What a [`SweepPolicy`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepDecision {
    /// Not now.
    Wait,
    /// Begin a sweep.
    Sweep,
}

/// Decides when a sweep begins.
///
/// Asked on the writer thread after each batch of events and a few times a second, never while a sweep is
/// under way, nor before anything was learned, nor again after a sweep that found nothing to learn from until something
/// is. It should answer in well under a microsecond: events wait meanwhile, and more than 1 ms is counted and named in
/// [`health`](crate::Engine::health). A panic is caught, counted, named, and taken as [`SweepDecision::Wait`].
/// [`Engine::sweep_now`](crate::Engine::sweep_now) does not ask it, nor does a change of the
/// [number of factors](crate::LiveSettings::n_factors). A closure is given with
/// [`EngineBuilder::sweep_policy_with`](crate::EngineBuilder::sweep_policy_with).
pub trait SweepPolicy: Any + fmt::Debug + Send + Sync {
    /// Whether to sweep now.
    fn decide(&self, context: &SweepContext) -> SweepDecision;
}

/// Never sweeps by itself: the host calls for each sweep, or for another number of factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NeverSweep;

impl SweepPolicy for NeverSweep {
    fn decide(&self, _context: &SweepContext) -> SweepDecision {
        SweepDecision::Wait
    }
}

/// Sweeps after a time, a number of events, or a movement of the model, whichever comes first: the default
/// is 30 minutes, 50,000 events, or the items' Gramian having moved by 5 %.
///
/// The very first sweep comes after [`first_after`](Self::first_after) events (1,000), so that a new
/// engine soon has a model. Without any new event there is never a sweep. A time, a number or a movement of 0 means never,
/// here as in a settings file.
///
/// ```
/// use segue::SweepEvery;
///
/// let policy = SweepEvery::minutes(10).or_events(20_000).first_after(500);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepEvery {
    time: Option<Duration>,
    events: Option<u64>,
    gramian_moved: Option<f64>,
    first_after: u64,
}

impl Default for SweepEvery {
    fn default() -> Self {
        Self::minutes(30).or_events(50_000).or_gramian_moved(0.05)
    }
}

impl SweepEvery {
    /// Every so often, from the [first](Self::first_after) sweep on.
    pub fn time(time: Duration) -> Self {
        Self::never().with_period(Some(time))
    }

    /// Every so many minutes, from the [first](Self::first_after) sweep on.
    pub fn minutes(minutes: u64) -> Self {
        Self::time(Duration::from_secs(minutes.saturating_mul(60)))
    }

    /// Every so many events, from the [first](Self::first_after) sweep on.
    pub fn events(events: u64) -> Self {
        Self::never().with_n_events(Some(events))
    }

    /// Nothing but the first.
    fn never() -> Self {
        Self { time: None, events: None, gramian_moved: None, first_after: 1_000 }
    }

    /// Or after so many events.
    #[must_use]
    pub fn or_events(self, events: u64) -> Self {
        self.with_n_events(Some(events))
    }

    /// Or once the items' Gramian has moved by this share (0.05 is 5 %), but no sooner than a minute after the
    /// last sweep.
    #[must_use]
    pub fn or_gramian_moved(self, share: f64) -> Self {
        self.with_movement(Some(share))
    }

    /// Every so often, if at all.
    pub(crate) fn period(&self) -> Option<Duration> {
        self.time
    }

    /// After so many events, if they count.
    pub(crate) fn n_events(&self) -> Option<u64> {
        self.events
    }

    /// After such a movement of the model, if that counts.
    pub(crate) fn movement(&self) -> Option<f64> {
        self.gramian_moved
    }

    /// After so many events the first time.
    pub(crate) fn events_before_first(&self) -> u64 {
        self.first_after
    }

    pub(crate) fn with_period(self, time: Option<Duration>) -> Self {
        Self { time: time.filter(|time| !time.is_zero()), ..self }
    }

    pub(crate) fn with_n_events(self, events: Option<u64>) -> Self {
        Self { events: events.filter(|&events| events > 0), ..self }
    }

    pub(crate) fn with_movement(self, gramian_moved: Option<f64>) -> Self {
        Self { gramian_moved: gramian_moved.filter(|&share| share > 0.0), ..self }
    }

    /// The number of events after which the first sweep of a new engine comes, at least 1.
    #[must_use]
    pub fn first_after(self, events: u64) -> Self {
        Self { first_after: events.max(1), ..self }
    }
}

impl SweepPolicy for SweepEvery {
    fn decide(&self, context: &SweepContext) -> SweepDecision {
        let due = match context.time_since {
            None => context.events_since >= self.first_after,
            Some(time_since) => {
                self.time.is_some_and(|time| time_since >= time)
                    || self.events.is_some_and(|events| context.events_since >= events)
                    || (time_since >= LEAST_REST
                        && self.gramian_moved.is_some_and(|share| context.gramian_moved >= share))
            }
        };
        if due && context.events_since > 0 { SweepDecision::Sweep } else { SweepDecision::Wait }
    }
}

/// A closure as a sweep policy.
pub(crate) struct SweepWith<F>(pub(crate) F);

impl<F> fmt::Debug for SweepWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SweepWith(closure)")
    }
}

impl<F: Fn(&SweepContext) -> SweepDecision + Send + Sync + 'static> SweepPolicy for SweepWith<F> {
    fn decide(&self, context: &SweepContext) -> SweepDecision {
        (self.0)(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(events_since: u64, minutes_since: Option<u64>, gramian_moved: f64) -> SweepContext {
        let time_since = minutes_since.map(|minutes| Duration::from_secs(60 * minutes));
        SweepContext { events_since, time_since, gramian_moved }
    }

    #[test]
    fn whichever_comes_first_begins_a_sweep() {
        let policy = SweepEvery::minutes(30).or_events(100).or_gramian_moved(0.05).first_after(10);
        for (context, expected) in [
            (context(9, None, 1.0), SweepDecision::Wait),
            (context(10, None, 0.0), SweepDecision::Sweep),
            (context(99, Some(29), 0.049), SweepDecision::Wait),
            (context(100, Some(0), 0.0), SweepDecision::Sweep),
            (context(1, Some(30), 0.0), SweepDecision::Sweep),
            (context(1, Some(0), 0.05), SweepDecision::Wait),
            (context(1, Some(1), 0.05), SweepDecision::Sweep),
            (context(0, Some(60), 1.0), SweepDecision::Wait),
        ] {
            assert_eq!(policy.decide(&context), expected, "{context:?}");
        }
    }

    #[test]
    fn zero_means_never() {
        for policy in [SweepEvery::events(0), SweepEvery::time(Duration::ZERO), SweepEvery::minutes(0)] {
            let policy = policy.or_events(0).or_gramian_moved(0.0);
            assert_eq!(
                policy.decide(&context(1_000_000, Some(1_000), 1.0)),
                SweepDecision::Wait,
                "{policy:?}"
            );
            assert_eq!(policy.decide(&context(1_000, None, 0.0)), SweepDecision::Sweep, "but for the first");
        }
    }
}
