//! What plug-ins do wrong, seam by seam.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::counter::Counter;
use super::fence::fenced;

/// Watches over the plug-in of one seam: calls it behind a fence, times it, and counts what goes wrong.
#[derive(Debug)]
pub(crate) struct Watch {
    seam: &'static str,
    budget: Duration,
    calls: Counter,
    panics: Counter,
    overruns: Counter,
    nonsense: Counter,
    failures: Counter,
    /// Requests without an incident since the last.
    good: AtomicU64,
    latest: Mutex<Option<Incident>>,
}

/// Something a plug-in did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incident {
    /// It panicked; its answer was done without.
    Panicked {
        /// What it said.
        message: String,
    },
    /// It took longer than its seam allows; its answer was used.
    Slow {
        /// How long it took.
        took: Duration,
        /// How long it may take.
        budget: Duration,
    },
    /// It answered what no answer can be; that was done without.
    Nonsense {
        /// What it answered.
        what: String,
    },
    /// It said itself that it failed.
    Failed {
        /// What it said, with the causes.
        message: String,
    },
}

/// What the plug-ins of one seam have done since the engine was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PluginStats {
    /// Which seam.
    pub seam: &'static str,
    /// How often they were called.
    pub calls: u64,
    /// Panics caught.
    pub panics: u64,
    /// Calls that took longer than the seam allows.
    pub overruns: u64,
    /// Answers that no answer can be.
    pub nonsense: u64,
    /// Failures that they told of themselves.
    pub failures: u64,
}

impl Watch {
    /// A call that takes longer than `budget` is counted.
    pub(crate) fn new(seam: &'static str, budget: Duration) -> Self {
        Self {
            seam,
            budget,
            calls: Counter::default(),
            panics: Counter::default(),
            overruns: Counter::default(),
            nonsense: Counter::default(),
            failures: Counter::default(),
            good: AtomicU64::new(0),
            latest: Mutex::default(),
        }
    }

    /// Calls the plug-in; `None` if it panicked.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        let (answer, took) = self.call_as_part(call);
        // A panic takes its time to be told.
        if answer.is_some() {
            self.took(took);
        }
        answer
    }

    /// As [`call`](Self::call), for one of several calls that are [timed](Self::took) together. Gives how long it took; a
    /// panic has taken no time.
    pub(crate) fn call_as_part<T>(&self, call: impl FnOnce() -> T) -> (Option<T>, Duration) {
        let began = Instant::now();
        let answer = fenced(call);
        self.calls.add(1);
        let took = began.elapsed();
        match answer {
            Ok(answer) => (Some(answer), took),
            Err(message) => {
                self.panics.add(1);
                self.note(Incident::Panicked { message });
                (None, Duration::ZERO)
            }
        }
    }

    /// What was called for one request has taken so long.
    pub(crate) fn took(&self, took: Duration) {
        if took > self.budget {
            self.overruns.add(1);
            self.note(Incident::Slow { took, budget: self.budget });
        } else {
            self.improve();
        }
    }

    /// The plug-in answered what no answer can be.
    pub(crate) fn nonsense(&self, what: String) {
        self.nonsense.add(1);
        self.note(Incident::Nonsense { what });
    }

    /// The plug-in says that it failed.
    pub(crate) fn failed(&self, message: String) {
        self.failures.add(1);
        self.note(Incident::Failed { message });
    }

    /// It works again: a failure that it told of is over.
    pub(crate) fn works_again(&self) {
        let mut latest = self.latest.lock();
        if matches!(*latest, Some(Incident::Failed { .. })) {
            *latest = None;
        }
    }

    /// The latest incident, until [`forgive`](Self::forgive) was called or much has gone well.
    pub(crate) fn latest(&self) -> Option<(&'static str, Incident)> {
        self.latest.lock().clone().map(|incident| (self.seam, incident))
    }

    /// What was is counted for ever, but no longer told of.
    pub(crate) fn forgive(&self) {
        *self.latest.lock() = None;
    }

    pub(crate) fn stats(&self) -> PluginStats {
        PluginStats {
            seam: self.seam,
            calls: self.calls.get(),
            panics: self.panics.get(),
            overruns: self.overruns.get(),
            nonsense: self.nonsense.get(),
            failures: self.failures.get(),
        }
    }

    fn note(&self, incident: Incident) {
        /// Of what goes wrong again and again a log has enough.
        const LOGGED: u64 = 10;
        let n = self.panics.get() + self.overruns.get() + self.nonsense.get() + self.failures.get();
        if n <= LOGGED || n.is_power_of_two() {
            tracing::error!(seam = self.seam, ?incident, n, "a plug-in did something wrong");
        }
        self.good.store(0, Ordering::Relaxed);
        *self.latest.lock() = Some(incident);
    }

    /// It went well. Whoever does well for long is no trouble any more.
    fn improve(&self) {
        const LONG: u64 = 10_000;
        // ORDERING: one too many or too few tells of nothing but itself.
        if self.good.fetch_add(1, Ordering::Relaxed) + 1 == LONG {
            self.forgive();
        }
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked { message } => write!(f, "it panicked: {message}"),
            Self::Slow { took, budget } => write!(f, "it took {took:?}, and may take {budget:?}"),
            Self::Nonsense { what } => write!(f, "it answered {what}"),
            Self::Failed { message } => write!(f, "it failed: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_is_counted_and_the_latest_is_told_until_it_is_forgiven() {
        let watch = Watch::new("filter", Duration::from_secs(60));
        assert_eq!(watch.call(|| 7), Some(7));
        assert_eq!(watch.latest(), None);
        assert_eq!(watch.call(|| -> u8 { panic!("out of {}", "tune") }), None);
        let message = "out of tune".to_owned();
        assert_eq!(watch.latest(), Some(("filter", Incident::Panicked { message })));
        watch.nonsense("NaN".to_owned());
        watch.forgive();
        assert_eq!(watch.latest(), None);
        let impatient = Watch::new("filter", Duration::ZERO);
        impatient.call(|| std::hint::black_box((0..1_000).sum::<u64>()));
        assert!(matches!(impatient.latest(), Some((_, Incident::Slow { budget: Duration::ZERO, .. }))));
        let PluginStats { calls, panics, overruns, nonsense, .. } = watch.stats();
        assert_eq!((calls, panics, overruns, nonsense), (2, 1, 0, 1));
    }
}
