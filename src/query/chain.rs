//! The policies of an engine's queries, each under watch.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::filter::{Filter, ItemFilter, OnPanic};
use super::request::{Candidate, Request};
use super::rescorer::Rescorer;
use super::slate::SlatePolicy;
use crate::guard::{LatencyHistogram, Watch, WatchOf};
use crate::model::WatchedClock;
use crate::types::{SystemClock, Timestamp};

/// What takes longer than this is no scheduler's whim: a request should take microseconds.
const BUDGET: Duration = Duration::from_millis(50);

/// What decides over the lists of an engine, and in which order.
#[derive(Debug)]
pub(crate) struct QueryPolicies {
    pub(crate) filters: Vec<Named<dyn Filter>>,
    pub(crate) rescorers: Vec<Named<dyn Rescorer>>,
    slates: Vec<Named<dyn SlatePolicy>>,
    mixes_known: bool,
    /// Items that rescorers and the slate get; `None` for four times as many as are asked for and at least fifty more.
    pub(crate) pool: Option<usize>,
    /// The engine's: what a query is told while it fails was shown to an event before.
    pub(crate) clock: WatchedClock,
    pub(crate) watches: QueryWatches,
}

/// A plug-in, and what its type is called: which of several it is.
#[derive(Debug)]
pub(crate) struct Named<P: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) plug_in: Box<P>,
}

/// One for each seam of queries.
#[derive(Debug, Clone)]
pub(crate) struct QueryWatches {
    pub(crate) filter: Arc<Watch>,
    pub(crate) rescorer: Arc<Watch>,
    pub(crate) slate: Arc<Watch>,
    /// The same clock is asked by the engine, for every event.
    pub(crate) clock: Arc<Watch>,
    /// How long lists take, policies included.
    pub(crate) lists: Arc<LatencyHistogram>,
}

impl Default for QueryWatches {
    fn default() -> Self {
        let watch = |seam| Arc::new(Watch::new(seam, BUDGET));
        Self {
            filter: watch("filter"),
            rescorer: watch("rescorer"),
            slate: watch("slate policy"),
            clock: Arc::new(Watch::patient("clock", Duration::from_millis(1), BUDGET)),
            lists: Arc::default(),
        }
    }
}

impl QueryWatches {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Watch> {
        [&*self.filter, &*self.rescorer, &*self.slate, &*self.clock].into_iter()
    }
}

impl Default for QueryPolicies {
    fn default() -> Self {
        Self::watched_by(QueryWatches::default())
    }
}

impl QueryPolicies {
    /// None, under these watches.
    pub(crate) fn watched_by(watches: QueryWatches) -> Self {
        Self {
            filters: Vec::new(),
            rescorers: Vec::new(),
            slates: Vec::new(),
            mixes_known: false,
            pool: None,
            clock: WatchedClock::new(Arc::new(SystemClock), Arc::clone(&watches.clock)),
            watches,
        }
    }

    /// Adds a slate policy, after those added before.
    pub(crate) fn push_slate(&mut self, slate: Named<dyn SlatePolicy>) {
        let watch = self.watches.slate.of(slate.name);
        self.mixes_known |= watch.call(|| slate.plug_in.mixes_known()).unwrap_or_default();
        self.slates.push(slate);
    }

    /// Whether a list wants the best of what is known and the best of what is new.
    pub(super) fn mixes_known(&self) -> bool {
        self.mixes_known
    }

    /// Whether anybody wants to know the time.
    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty() && !self.reorders()
    }

    /// Whether lists are more than the best by the model's score.
    pub(super) fn reorders(&self) -> bool {
        !self.rescorers.is_empty() || !self.slates.is_empty()
    }

    /// How many items a search must find for a list of `limit`.
    pub(super) fn n_wanted(&self, limit: usize) -> usize {
        if !self.reorders() || limit == 0 {
            return limit;
        }
        let pool = self.pool.unwrap_or_else(|| limit.saturating_mul(4).max(limit.saturating_add(50)));
        pool.max(limit)
    }

    /// The time of a request.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The filters of one request.
    pub(super) fn filters<'r>(&'r self, request: &'r Request<'r>) -> RequestFilters<'r> {
        let begin = |filter: &'r Named<dyn Filter>| {
            let watch = self.watches.filter.of(filter.name);
            let (begun, spent) = watch.call_as_part(|| filter.plug_in.for_request(request));
            let on_panic = watch.call_as_part(|| filter.plug_in.on_panic()).0.unwrap_or_default();
            Link { filter: begun, on_panic, watch, spent }
        };
        RequestFilters { chain: self.filters.iter().map(begin).collect(), passed: Vec::new() }
    }

    /// The items of a list: `ranked`, which are the best first, as rescorers and slate policies have them.
    pub(super) fn arrange(&self, request: &Request<'_>, mut ranked: Vec<Candidate>) -> Vec<Candidate> {
        for rescorer in &self.rescorers {
            self.rescore(rescorer, request, &mut ranked);
        }
        for (nth, slate) in self.slates.iter().enumerate() {
            let is_last = nth + 1 == self.slates.len();
            let limit = if is_last { request.limit } else { ranked.len() };
            ranked = self.arrange_by(slate, &Request { limit, ..*request }, ranked);
        }
        ranked.truncate(request.limit);
        ranked
    }

    fn arrange_by(
        &self,
        slate: &Named<dyn SlatePolicy>,
        request: &Request<'_>,
        ranked: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let watch = self.watches.slate.of(slate.name);
        let Some(places) = watch.call(|| slate.plug_in.arrange(request, &ranked)) else { return ranked };
        let (n_ranked, is_silent) = (ranked.len(), places.is_empty());
        let mut left: Vec<Option<Candidate>> = ranked.into_iter().map(Some).collect();
        let mut list = Vec::with_capacity(request.limit.min(n_ranked));
        for place in places {
            match left.get_mut(place).and_then(Option::take) {
                Some(candidate) => list.push(candidate),
                None => watch.nonsense(format!("place {place} of {n_ranked}, or twice")),
            }
        }
        // Nobody wants a list of nothing; who wants it says so.
        if list.is_empty() && !is_silent { left.into_iter().flatten().collect() } else { list }
    }

    fn rescore(&self, rescorer: &Named<dyn Rescorer>, request: &Request<'_>, ranked: &mut [Candidate]) {
        let watch = self.watches.rescorer.of(rescorer.name);
        let mut scores: Vec<f32> = ranked.iter().map(|candidate| candidate.score).collect();
        let rescorer = &rescorer.plug_in;
        let rescored =
            watch.call_with(|| rescorer.for_request(request), |at_work| at_work.rescore(ranked, &mut scores));
        if rescored.is_none() {
            return;
        }
        for (candidate, score) in ranked.iter_mut().zip(scores) {
            if score.is_finite() {
                candidate.score = score;
            } else {
                watch.nonsense(format!("a score of {score}"));
            }
        }
        // Stable: equal scores keep the order they had.
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
}

/// The filters at work on one request.
#[derive(Debug)]
pub(super) struct RequestFilters<'r> {
    chain: Vec<Link<'r>>,
    passed: Vec<bool>,
}

struct Link<'r> {
    /// `None` once it has panicked: it may be half changed, and is not asked again.
    filter: Option<Box<dyn ItemFilter + 'r>>,
    on_panic: OnPanic,
    watch: WatchOf<'r>,
    /// On this request, so far.
    spent: Duration,
}

impl fmt::Debug for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("watch", &self.watch).finish_non_exhaustive()
    }
}

impl RequestFilters<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    /// Sets those of `keep` to false that a filter keeps back.
    pub(super) fn keep(&mut self, candidates: &[Candidate], keep: &mut [bool]) {
        let Self { chain, passed } = self;
        for link in chain {
            passed.clear();
            passed.resize(candidates.len(), true);
            if !link.judge(candidates, passed) {
                passed.fill(link.on_panic == OnPanic::Show);
            }
            for (keep, passed) in keep.iter_mut().zip(&*passed) {
                *keep &= *passed;
            }
        }
    }
}

impl Link<'_> {
    /// Asks the filter; whether it has answered.
    fn judge(&mut self, candidates: &[Candidate], passed: &mut [bool]) -> bool {
        let Some(filter) = &mut self.filter else { return false };
        let (judged, took) = self.watch.call_as_part(|| filter.keep(candidates, passed));
        self.spent += took;
        if judged.is_none() {
            self.let_go();
        }
        judged.is_some()
    }

    fn let_go(&mut self) {
        if let Some(filter) = self.filter.take() {
            self.spent += self.watch.free(filter);
        }
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.let_go();
        // A panic has taken no time.
        if self.spent > Duration::ZERO {
            self.watch.took(self.spent);
        }
    }
}
