//! The policies of an engine's queries, each under watch.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::filter::{Filter, ItemFilter, OnPanic};
use super::request::{Candidate, Request};
use super::rescorer::Rescorer;
use super::slate::SlatePolicy;
use crate::guard::{LatencyHistogram, Watch};
use crate::model::WatchedClock;
use crate::types::{SystemClock, Timestamp};

/// What takes longer than this is no scheduler's whim: a request should take microseconds.
const BUDGET: Duration = Duration::from_millis(50);

/// What decides over the lists of an engine, and in which order.
#[derive(Debug)]
pub(crate) struct QueryPolicies {
    pub(crate) filters: Vec<Box<dyn Filter>>,
    pub(crate) rescorers: Vec<Box<dyn Rescorer>>,
    slates: Vec<Box<dyn SlatePolicy>>,
    mixes_known: bool,
    /// Items that rescorers and the slate get; `None` for four times as many as are asked for and at least fifty more.
    pub(crate) pool: Option<usize>,
    /// The engine's: what a query is told while it fails was shown to an event before.
    pub(crate) clock: WatchedClock,
    pub(crate) watches: QueryWatches,
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
    pub(crate) fn push_slate(&mut self, slate: Box<dyn SlatePolicy>) {
        self.mixes_known |= self.watches.slate.call(|| slate.mixes_known()).unwrap_or_default();
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
        let watch = &*self.watches.filter;
        let mut filters = RequestFilters {
            chain: Vec::with_capacity(self.filters.len()),
            watch,
            passed: Vec::new(),
            spent: Duration::ZERO,
        };
        for filter in &self.filters {
            let (begun, took) = watch.call_as_part(|| filter.for_request(request));
            filters.spent += took;
            let on_panic = watch.call_as_part(|| filter.on_panic()).0.unwrap_or_default();
            filters.chain.push(Link { filter: begun, on_panic });
        }
        filters
    }

    /// The items of a list: `ranked`, which are the best first, as rescorers and slate policies have them.
    pub(super) fn arrange(&self, request: &Request<'_>, mut ranked: Vec<Candidate>) -> Vec<Candidate> {
        for rescorer in &self.rescorers {
            self.rescore(&**rescorer, request, &mut ranked);
        }
        for (nth, slate) in self.slates.iter().enumerate() {
            let is_last = nth + 1 == self.slates.len();
            let limit = if is_last { request.limit } else { ranked.len() };
            ranked = self.arrange_by(&**slate, &Request { limit, ..*request }, ranked);
        }
        ranked.truncate(request.limit);
        ranked
    }

    fn arrange_by(
        &self,
        slate: &dyn SlatePolicy,
        request: &Request<'_>,
        ranked: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let watch = &self.watches.slate;
        let Some(places) = watch.call(|| slate.arrange(request, &ranked)) else { return ranked };
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

    fn rescore(&self, rescorer: &dyn Rescorer, request: &Request<'_>, ranked: &mut [Candidate]) {
        let watch = &self.watches.rescorer;
        let mut scores: Vec<f32> = ranked.iter().map(|candidate| candidate.score).collect();
        if watch.call(|| rescorer.for_request(request).rescore(ranked, &mut scores)).is_none() {
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
pub(super) struct RequestFilters<'r> {
    chain: Vec<Link<'r>>,
    watch: &'r Watch,
    passed: Vec<bool>,
    spent: Duration,
}

struct Link<'r> {
    /// `None` once it has panicked: it may be half changed, and is not asked again.
    filter: Option<Box<dyn ItemFilter + 'r>>,
    on_panic: OnPanic,
}

impl fmt::Debug for RequestFilters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFilters").field("filters", &self.chain.len()).finish_non_exhaustive()
    }
}

impl RequestFilters<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    /// Sets those of `keep` to false that a filter keeps back.
    pub(super) fn keep(&mut self, candidates: &[Candidate], keep: &mut [bool]) {
        let Self { chain, watch, passed, spent } = self;
        for Link { filter, on_panic } in chain {
            passed.clear();
            passed.resize(candidates.len(), true);
            let judged = filter.as_mut().and_then(|filter| {
                let (judged, took) = watch.call_as_part(|| filter.keep(candidates, passed));
                *spent += took;
                judged
            });
            if judged.is_none() {
                *filter = None;
                passed.fill(*on_panic == OnPanic::Show);
            }
            for (keep, passed) in keep.iter_mut().zip(&*passed) {
                *keep &= *passed;
            }
        }
    }
}

impl Drop for RequestFilters<'_> {
    fn drop(&mut self) {
        if !self.chain.is_empty() {
            self.watch.took(self.spent);
        }
    }
}
