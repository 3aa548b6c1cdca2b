//! Time comes from a [`Clock`], so that tests and replays can hold it in their hands.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// A moment: milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970-01-01 UTC.
    pub fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// From seconds since 1970-01-01 UTC.
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// The moment `duration` later, at most the last one there is.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is the later one.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Tells the time.
///
/// The engine reads it where events enter (for those without a time stamp, and to check the others against the
/// future), where a batch of items, a sweep or a checkpoint may be due, where one of these freezes its input, and where a
/// query has a filter, a rescorer or a slate policy to be told the time; never inside a solve. So it is called on the
/// threads that send, on those that ask, the pool's for a batch included, on those of the sources and on the writer's, at
/// the same time perhaps.
///
/// It should take well under a microsecond. A call of more than 1 ms is counted and named in
/// [`health`](crate::Engine::health), of those that are timed: one in 16, and more once one was slow. So is a panic, and a
/// time before the year 1 or after 9999; in their place the time it showed last is taken, or 1970 if it has never shown
/// any. A closure is given with [`EngineBuilder::clock_with`](crate::EngineBuilder::clock_with).
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A closure as a clock.
pub(crate) struct ClockWith<F>(pub(crate) F);

impl<F> fmt::Debug for ClockWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockWith(closure)")
    }
}

impl<F: Fn() -> Timestamp + Send + Sync + 'static> Clock for ClockWith<F> {
    fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// The operating system's wall clock: the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is moved. Clones share one time.
///
/// ```
/// use segue::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::at(Timestamp::from_unix_seconds(1_000));
/// let seen_by_engine = clock.clone();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(seen_by_engine.now(), Timestamp::from_unix_seconds(1_005));
/// ```
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.unix_ms())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }

    /// Sets the clock; backwards is allowed, as real clocks do it too.
    pub fn set(&self, to: Timestamp) {
        // ORDERING: a clock publishes nothing but its own value.
        self.0.store(to.unix_ms(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}
