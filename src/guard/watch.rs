//! What plug-ins do wrong, seam by seam.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::counter::Counter;
use super::fence::fenced;
use super::histogram::{LatencyHistogram, LatencySummary};

/// Of the calls of a seam that is asked once an event, one in so many is timed: reading the clock twice takes as long as
/// many a call does.
const SAMPLE: u64 = 16;
/// Once a seam was slow, a second slow call among so many is told of, and all of them are timed.
const SUSPECTED: u64 = 1_024;
/// Whoever does well for so many calls is no trouble any more.
const LONG: u64 = 10_000;

/// Watches over the plug-in of one seam: calls it behind a fence, times it, and counts what goes wrong.
#[derive(Debug)]
pub(crate) struct Watch {
    seam: &'static str,
    budget: Duration,
    /// A single call that takes longer than the budget, but not than this, is counted and no more.
    patience: Duration,
    calls: Counter,
    panics: Counter,
    overruns: Counter,
    nonsense: Counter,
    failures: Counter,
    latency: LatencyHistogram,
    /// Calls without an incident since the last, near enough.
    good: AtomicU64,
    /// The call until which it is watched the more closely.
    suspected_until: AtomicU64,
    /// The latest of each kind of each plug-in.
    standing: Mutex<Vec<Standing>>,
}

/// What went wrong and is told of still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) seam: &'static str,
    /// Which plug-in, where a seam may have several.
    pub(crate) plug_in: Option<&'static str>,
    pub(crate) incident: Incident,
}

/// A watch over one of several plug-ins of a seam, which are counted together and named apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchOf<'w> {
    watch: &'w Watch,
    plug_in: Option<&'static str>,
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
    /// How long the calls took that were timed: one in 16 of a weigher's and a clock's, what one list takes of each filter,
    /// each of all others'. A panic has taken no time.
    pub latency: LatencySummary,
}

impl Watch {
    /// A call that takes longer than `budget` is counted and told of.
    pub(crate) fn new(seam: &'static str, budget: Duration) -> Self {
        Self {
            seam,
            budget,
            patience: budget,
            calls: Counter::default(),
            panics: Counter::default(),
            overruns: Counter::default(),
            nonsense: Counter::default(),
            failures: Counter::default(),
            latency: LatencyHistogram::default(),
            good: AtomicU64::new(0),
            suspected_until: AtomicU64::new(0),
            standing: Mutex::default(),
        }
    }

    /// As [`new`](Self::new), for what a scheduler or a device may delay: a call that takes longer than `budget` is told of
    /// if another of the thousand before it did, or if it takes longer than `patience`.
    pub(crate) fn patient(seam: &'static str, budget: Duration, patience: Duration) -> Self {
        Self { patience, ..Self::new(seam, budget) }
    }

    /// One of several, by its name.
    pub(crate) fn of(&self, plug_in: &'static str) -> WatchOf<'_> {
        WatchOf { watch: self, plug_in: Some(plug_in) }
    }

    fn of_the_one(&self) -> WatchOf<'_> {
        WatchOf { watch: self, plug_in: None }
    }

    /// As [`WatchOf::call`], of the only plug-in; the same below.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        self.of_the_one().call(call)
    }

    /// As [`call`](Self::call); what it said if it panicked.
    pub(crate) fn try_call<T>(&self, call: impl FnOnce() -> T) -> Result<T, String> {
        self.of_the_one().try_call(call)
    }

    /// As [`call`](Self::call), of a seam that is asked once an event: one call in 16 is timed, and all of the next thousand
    /// once one was slow.
    pub(crate) fn call_often<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        let n = self.calls.count();
        // ORDERING: which calls are timed changes no answer.
        let is_suspected = n < self.suspected_until.load(Ordering::Relaxed);
        if !is_suspected && !n.is_multiple_of(SAMPLE) {
            return fenced(call).map_err(|message| self.panicked(message)).ok();
        }
        let began = Instant::now();
        let answer = fenced(call);
        let took = began.elapsed();
        let answer = answer.map_err(|message| self.panicked(message)).ok()?;
        self.took_so_long(None, took, n, if is_suspected { 1 } else { SAMPLE });
        Some(answer)
    }

    /// Call `n` of one of them has taken so long, and it stands for so many.
    fn took_so_long(&self, plug_in: Option<&'static str>, took: Duration, n: u64, stands_for: u64) {
        self.latency.record(took);
        if took <= self.budget {
            self.improve(stands_for);
            return;
        }
        self.overruns.add(1);
        // ORDERING: it decides only over what is told.
        let was_suspected = n < self.suspected_until.swap(n + SUSPECTED, Ordering::Relaxed);
        if was_suspected || took > self.patience {
            self.note(plug_in, Incident::Slow { took, budget: self.budget });
        }
    }

    /// The plug-in panicked, and was called by somebody else.
    pub(crate) fn panicked(&self, message: String) {
        self.of_the_one().panicked(message);
    }

    /// The plug-in answered what no answer can be.
    pub(crate) fn nonsense(&self, what: String) {
        self.of_the_one().nonsense(what);
    }

    /// The plug-in says that it failed.
    pub(crate) fn failed(&self, message: String) {
        self.failures.add(1);
        self.note(None, Incident::Failed { message });
    }

    /// It works again: a failure that it told of is over.
    pub(crate) fn works_again(&self) {
        self.standing.lock().retain(|one| !matches!(one.incident, Incident::Failed { .. }));
    }

    /// The latest incident of each kind of each plug-in, the gravest first, until [`forgive`](Self::forgive) was called or much
    /// has gone well.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        let mut standing = self.standing.lock().clone();
        standing.sort_by_key(|one| one.incident.gravity());
        standing
    }

    /// What was is counted for ever, but no longer told of.
    pub(crate) fn forgive(&self) {
        self.standing.lock().clear();
    }

    /// How long the calls took that were timed.
    pub(crate) fn latency(&self) -> &LatencyHistogram {
        &self.latency
    }

    pub(crate) fn stats(&self) -> PluginStats {
        PluginStats {
            seam: self.seam,
            calls: self.calls.get(),
            panics: self.panics.get(),
            overruns: self.overruns.get(),
            nonsense: self.nonsense.get(),
            failures: self.failures.get(),
            latency: self.latency.summary(),
        }
    }

    fn note(&self, plug_in: Option<&'static str>, incident: Incident) {
        /// Of what goes wrong again and again a log has enough.
        const LOGGED: u64 = 10;
        let n = self.panics.get() + self.overruns.get() + self.nonsense.get() + self.failures.get();
        if n <= LOGGED || n.is_power_of_two() {
            let seam = self.seam;
            tracing::warn!(target: "segue::plugin", seam, plug_in, %incident, n, "a plug-in did something wrong");
        }
        self.good.store(0, Ordering::Relaxed);
        let mut standing = self.standing.lock();
        let kind = incident.gravity();
        standing.retain(|one| (one.plug_in, one.incident.gravity()) != (plug_in, kind));
        standing.push(Standing { seam: self.seam, plug_in, incident });
    }

    /// So many calls went well.
    fn improve(&self, by: u64) {
        // ORDERING: one too many or too few tells of nothing but itself.
        let before = self.good.fetch_add(by, Ordering::Relaxed);
        if before < LONG && before + by >= LONG {
            self.forgive();
        }
    }
}

impl WatchOf<'_> {
    /// Calls the plug-in; `None` if it panicked.
    pub(crate) fn call<T>(self, call: impl FnOnce() -> T) -> Option<T> {
        self.try_call(call).ok()
    }

    /// As [`call`](Self::call); what it said if it panicked.
    fn try_call<T>(self, call: impl FnOnce() -> T) -> Result<T, String> {
        let began = Instant::now();
        let answer = fenced(call);
        self.watch.calls.add(1);
        match answer {
            // A panic takes its time to be told.
            Ok(answer) => {
                self.took(began.elapsed());
                Ok(answer)
            }
            Err(message) => {
                self.panicked(message.clone());
                Err(message)
            }
        }
    }

    /// As [`call`](Self::call), for one of several calls that are [timed](Self::took) together. Gives how long it took; a
    /// panic has taken no time.
    pub(crate) fn call_as_part<T>(self, call: impl FnOnce() -> T) -> (Option<T>, Duration) {
        let began = Instant::now();
        let answer = fenced(call);
        self.watch.calls.add(1);
        let took = began.elapsed();
        match answer {
            Ok(answer) => (Some(answer), took),
            Err(message) => {
                self.panicked(message);
                (None, Duration::ZERO)
            }
        }
    }

    /// As [`call`](Self::call), of something that the plug-in makes, uses once and lets go of: each behind a fence of its own, as
    /// a panic during a panic is the end of the process.
    pub(crate) fn call_with<G, T>(
        self,
        make: impl FnOnce() -> G,
        call: impl FnOnce(&mut G) -> T,
    ) -> Option<T> {
        let began = Instant::now();
        self.watch.calls.add(1);
        let answer = fenced(make).and_then(|mut made| {
            let answer = fenced(|| call(&mut made));
            self.free(made);
            answer
        });
        match answer {
            Ok(answer) => {
                self.took(began.elapsed());
                Some(answer)
            }
            Err(message) => {
                self.panicked(message);
                None
            }
        }
    }

    /// What was called for one request has taken so long.
    pub(crate) fn took(self, took: Duration) {
        self.watch.took_so_long(self.plug_in, took, self.watch.calls.get(), 1);
    }

    /// The plug-in answered what no answer can be.
    pub(crate) fn nonsense(self, what: String) {
        self.watch.nonsense.add(1);
        self.watch.note(self.plug_in, Incident::Nonsense { what });
    }

    /// Frees what the plug-in has given, which runs its code; gives how long that took. It is no call of its own.
    pub(crate) fn free<T>(self, given: T) -> Duration {
        let began = Instant::now();
        match fenced(|| drop(given)) {
            Ok(()) => began.elapsed(),
            Err(message) => {
                self.panicked(message);
                Duration::ZERO
            }
        }
    }

    fn panicked(self, message: String) {
        self.watch.panics.add(1);
        self.watch.note(self.plug_in, Incident::Panicked { message });
    }
}

impl Incident {
    /// A number for each kind, the least for the gravest.
    fn gravity(&self) -> u8 {
        match self {
            Self::Panicked { .. } => 0,
            Self::Failed { .. } => 1,
            Self::Nonsense { .. } => 2,
            Self::Slow { .. } => 3,
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
    fn what_goes_wrong_is_counted_and_told_until_it_is_forgiven() {
        let watch = Watch::new("filter", Duration::from_secs(60));
        assert_eq!(watch.call(|| 7), Some(7));
        assert_eq!(watch.standing(), []);
        assert_eq!(watch.call(|| -> u8 { panic!("out of {}", "tune") }), None);
        let message = "out of tune".to_owned();
        let incident = Incident::Panicked { message };
        let panicked = Standing { seam: "filter", plug_in: None, incident };
        assert_eq!(watch.standing(), std::slice::from_ref(&panicked));
        for number in ["0", "NaN"] {
            watch.nonsense(number.to_owned());
        }
        let incident = Incident::Nonsense { what: "NaN".to_owned() };
        let nonsense = Standing { seam: "filter", plug_in: None, incident };
        assert_eq!(watch.standing(), [panicked, nonsense], "the latest of each kind, the gravest first");
        watch.forgive();
        assert_eq!(watch.standing(), []);
        let impatient = Watch::new("filter", Duration::ZERO);
        impatient.call(slow);
        assert!(matches!(impatient.standing()[..], [Standing { incident: Incident::Slow { .. }, .. }]));
        let PluginStats { calls, panics, overruns, nonsense, .. } = watch.stats();
        assert_eq!((calls, panics, overruns, nonsense), (2, 1, 0, 2));
    }

    /// Takes longer than a budget of nothing.
    fn slow() -> u64 {
        std::hint::black_box((0..1_000).sum())
    }

    #[test]
    fn several_of_a_seam_are_counted_together_and_named_apart() {
        let watch = Watch::new("filter", Duration::from_secs(60));
        assert_eq!(watch.of("mine").call(|| 7), Some(7));
        watch.of("yours").nonsense("NaN".to_owned());
        let incident = Incident::Nonsense { what: "NaN".to_owned() };
        let of_yours = Standing { seam: "filter", plug_in: Some("yours"), incident };
        assert_eq!(watch.standing(), std::slice::from_ref(&of_yours));
        let (none, took) = watch.of("mine").call_as_part(|| -> u8 { panic!("out of tune") });
        assert_eq!((none, took), (None, Duration::ZERO));
        assert_eq!(watch.standing()[0].plug_in, Some("mine"));
        assert_eq!(watch.standing()[1..], [of_yours]);
        assert_eq!((watch.stats().calls, watch.stats().panics, watch.stats().nonsense), (2, 1, 1));
    }

    #[test]
    fn of_a_seam_that_is_asked_often_some_calls_are_timed_and_all_once_it_was_slow() {
        let watch = Watch::new("weigher", Duration::from_secs(60));
        for _ in 0..10 * SAMPLE {
            assert_eq!(watch.call_often(|| 7), Some(7));
        }
        assert_eq!((watch.stats().calls, watch.stats().latency.count), (10 * SAMPLE, 10));
        assert_eq!(watch.call_often(|| -> u8 { panic!("out of tune") }), None);
        assert_eq!((watch.stats().panics, watch.stats().latency.count), (1, 10), "a panic takes no time");

        let impatient = Watch::patient("weigher", Duration::ZERO, Duration::from_secs(60));
        impatient.call_often(slow);
        assert_eq!((impatient.stats().overruns, impatient.standing()), (1, vec![]), "a scheduler's whim");
        impatient.call_often(slow);
        assert_eq!(impatient.stats().overruns, 2, "all are timed from then on");
        assert!(matches!(impatient.standing()[..], [Standing { incident: Incident::Slow { .. }, .. }]));
    }

    #[test]
    fn who_does_well_for_long_is_no_trouble_any_more() {
        let call: fn(&Watch) = |watch| assert_eq!(watch.call(|| ()), Some(()));
        let call_often: fn(&Watch) = |watch| assert_eq!(watch.call_often(|| ()), Some(()));
        for call in [call, call_often] {
            let watch = Watch::new("weigher", Duration::from_secs(60));
            watch.nonsense("NaN".to_owned());
            (0..LONG - SAMPLE).for_each(|_| call(&watch));
            assert_eq!(watch.standing().len(), 1);
            (0..2 * SAMPLE).for_each(|_| call(&watch));
            assert_eq!(watch.standing(), []);
        }
    }
}
