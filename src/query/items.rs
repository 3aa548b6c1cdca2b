//! One builder for every question whose answer is a list of items.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::answer::{Provenance, QueryError, Recommendation, Recommendations, Source};
use super::chain::{QueryPolicies, RequestFilters};
use super::extras::Extras;
use super::policies::Market;
use super::request::{About, Candidate, Heard, Request};
use super::user::UserView;
use super::view::View;
use crate::kernel::AlignedVec;
use crate::model::UserState;
use crate::search::{Allowed, Hit, top_by_value, top_of};
use crate::types::{Context, EventSeq, ItemId, ItemIdx, Timestamp, UserId};

/// Items of a list if [`ItemQuery::limit`] is not called.
const DEFAULT_LIMIT: usize = 10;

/// What the items of a list are ranked by.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Personal(AlignedVec),
    Taste(AlignedVec),
    Similar(ItemId),
    Popular(Source),
}

type Keep<'v> = Box<dyn Fn(&ItemId) -> bool + 'v>;

/// A question whose answer is a list of items, best first: say what may be in it, then
/// [`run`](Self::run) it.
///
/// ```
/// use segue::{Engine, Event};
///
/// let engine = Engine::builder().open()?;
/// engine.import((0..30_u64).map(|n| Event::listen(n % 7, n % 10)))?;
/// let view = engine.reader().view();
/// let picks = view.user(3).recommend().limit(2).exclude([9_u64]).filter(|item| item.as_u64() != Some(8)).run()?;
/// let mood = view.taste([(1_u64, 1.0), (2_u64, -1.0)])?.only(0..5_u64).limit(3).run()?;
/// # let _ = (picks, mood);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Whatever leaves items out acts before the best are chosen: a list is as long as its
/// [`limit`](Self::limit) whenever that many items are allowed.
pub struct ItemQuery<'v> {
    view: &'v View,
    target: Target,
    limit: usize,
    known: Vec<ItemIdx>,
    allow_known: bool,
    exclude: HashSet<ItemIdx>,
    only: Option<Vec<ItemIdx>>,
    filter: Option<Keep<'v>>,
    user: Option<UserId>,
    state: Option<Arc<UserState>>,
    context: Option<Context>,
    at: Option<Timestamp>,
    extras: Extras,
    is_plain: bool,
}

impl fmt::Debug for ItemQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemQuery")
            .field("target", &self.target)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<'v> ItemQuery<'v> {
    pub(super) fn new(view: &'v View, target: Target) -> Self {
        Self {
            view,
            target,
            limit: DEFAULT_LIMIT,
            known: Vec::new(),
            allow_known: false,
            exclude: HashSet::new(),
            only: None,
            filter: None,
            user: None,
            state: None,
            context: None,
            at: None,
            extras: Extras::default(),
            is_plain: false,
        }
    }

    /// Whose list it is, and what they have done.
    pub(super) fn of_user(self, user: UserId, state: Option<Arc<UserState>>) -> Self {
        Self { user: Some(user), state, ..self }
    }

    /// Items in ascending order that the list leaves out unless known ones are allowed.
    pub(super) fn with_known(self, known: Vec<ItemIdx>) -> Self {
        debug_assert!(known.is_sorted());
        Self { known, ..self }
    }

    /// At most so many items; default 10.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Also items that the user knows (or that the taste names).
    #[must_use]
    pub fn allow_known(self) -> Self {
        Self { allow_known: true, ..self }
    }

    /// None of these. May be called several times.
    #[must_use]
    pub fn exclude<I: Into<ItemId>>(mut self, items: impl IntoIterator<Item = I>) -> Self {
        let view = self.view;
        self.exclude.extend(items.into_iter().filter_map(|item| view.item_idx(&item.into())));
        self
    }

    /// Only these. Called twice, only what is in both.
    #[must_use]
    pub fn only<I: Into<ItemId>>(mut self, items: impl IntoIterator<Item = I>) -> Self {
        let mut only: Vec<_> =
            items.into_iter().filter_map(|item| self.view.item_idx(&item.into())).collect();
        only.sort_unstable();
        only.dedup();
        if let Some(before) = &self.only {
            only.retain(|item| before.binary_search(item).is_ok());
        }
        self.only = Some(only);
        self
    }

    /// Only what `keep` accepts. It is asked of items that would otherwise be in the list, on the calling
    /// thread; the list is the same as if it had been asked of all. Called twice, both must accept.
    #[must_use]
    pub fn filter(mut self, keep: impl Fn(&ItemId) -> bool + 'v) -> Self {
        self.filter = Some(match self.filter.take() {
            None => Box::new(keep),
            Some(before) => Box::new(move |item| before(item) && keep(item)),
        });
        self
    }

    /// In which circumstances the list is to be shown: for the engine's policies.
    #[must_use]
    pub fn context(self, context: Context) -> Self {
        Self { context: Some(context), ..self }
    }

    /// When the list is to be shown, for the engine's policies; default now, by the engine's clock.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    /// With something that the engine's policies ask for by its type ([`Request::get`](crate::plugin::Request::get)): a
    /// profile, a mood, whatever the host's own policies want to know. Of each type there is one, the latest.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.extras.set(value);
        self
    }

    /// For a market: of what [`Markets`](crate::plugin::Markets) says is available there.
    #[must_use]
    pub fn in_market(self, market: impl Into<Market>) -> Self {
        self.with(market.into())
    }

    /// Whom a list is for that is not made from their taste: the engine's policies then know what they have heard, as in what
    /// is similar to an item or popular. It leaves nothing out by itself.
    #[must_use]
    pub fn for_listener(self, listener: &UserView<'_>) -> Self {
        self.of_user(listener.id().clone(), listener.state())
    }

    /// Without the engine's filters, rescorers and slate policy: the model's list, for those who want to know.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { is_plain: true, ..self }
    }

    /// The answer: what scoring every item would give, though few are scored (see
    /// [`docs::numerics`](crate::docs::numerics)). Runs on the calling thread, the
    /// engine's policies included, and blocks on nothing but them.
    ///
    /// # Errors
    /// [`QueryError::UnknownItem`] and [`QueryError::NoItemVector`] for
    /// [`View::similar`] to an item that nothing can be similar to; all other questions have an answer.
    pub fn run(self) -> Result<Recommendations, QueryError> {
        let began = Instant::now();
        let answer = self.answer();
        self.view.policies.watches.lists.record(began.elapsed());
        answer
    }

    /// Answers queries of one view together: a piece of the catalogue is read once for all of them.
    pub(super) fn run_all(queries: &[Self]) -> Result<Vec<Recommendations>, QueryError> {
        let vectors: Vec<_> = queries.iter().map(Self::vector_to_search).collect();
        let requests: Vec<_> = queries.iter().map(Self::request).collect();
        // The others make their own.
        let filters = queries.iter().zip(&vectors).zip(&requests);
        let mut filters: Vec<_> = filters
            .map(|((query, vector), request)| vector.and_then(|_: &[f32]| query.filters(request)))
            .collect();
        let Some(first) = queries.first() else { return Ok(Vec::new()) };
        let together =
            queries.iter().zip(&vectors).zip(&mut filters).filter_map(|((query, vector), filters)| {
                Some(((*vector)?, Allows::new(query, filters.as_mut())))
            });
        let view = first.view;
        let n_wanted = queries.iter().map(Self::n_wanted).max().unwrap_or_default();
        let mut hits = view.items.rows.top_by_products(view.path, together, n_wanted).into_iter();
        let answer = |((query, vector), request): ((&Self, &Option<_>), &Request<'_>)| match vector {
            Some(_) => {
                let mut hits = hits.next().expect("one list a vector");
                hits.truncate(query.n_wanted());
                Ok(query.list(hits, request))
            }
            None => query.answer(),
        };
        queries.iter().zip(&vectors).zip(&requests).map(answer).collect()
    }

    /// The vector of a list that is searched for in all of the catalogue.
    fn vector_to_search(&self) -> Option<&[f32]> {
        match &self.target {
            Target::Personal(vector) if self.only.is_none() && !self.is_in_parts() => Some(vector),
            Target::Personal(_) | Target::Taste(_) | Target::Similar(_) | Target::Popular(_) => None,
        }
    }

    fn answer(&self) -> Result<Recommendations, QueryError> {
        let request = self.request();
        let mut filters = self.filters(&request);
        let n_wanted = self.n_wanted();
        if let Target::Personal(vector) = &self.target
            && self.is_in_parts()
        {
            return Ok(self.list(self.by_parts(vector, n_wanted, filters), &request));
        }
        let allows = Allows::new(self, filters.as_mut());
        let hits = match &self.target {
            Target::Personal(vector) | Target::Taste(vector) => self.by_product(vector, n_wanted, allows),
            Target::Similar(item) => self.by_similarity(item, n_wanted, allows)?,
            Target::Popular(_) => top_by_value(&self.view.items.popularity, n_wanted, allows),
        };
        Ok(self.list(hits, &request))
    }

    /// What the policies are told of it.
    fn request(&self) -> Request<'_> {
        let source = match &self.target {
            Target::Personal(_) => Source::Personal,
            Target::Taste(_) => Source::Taste,
            Target::Similar(_) => Source::Similarity,
            Target::Popular(source) => *source,
        };
        let at = match (self.at, self.policies()) {
            (Some(at), _) => at,
            (None, Some(policies)) => policies.now(),
            // Nobody wants to know.
            (None, None) => Timestamp::default(),
        };
        let (user, context) = (self.user.as_ref(), self.context.as_ref());
        let state = self.state.as_deref();
        let about = About { view: Some(self.view), state, extras: Some(&self.extras) };
        Request { user, at, context, limit: self.limit, source, about }
    }

    /// The policies that have something to say.
    fn policies(&self) -> Option<&'v QueryPolicies> {
        let view = self.view;
        Some(&*view.policies).filter(|policies| !self.is_plain && !policies.is_empty())
    }

    fn filters<'r>(&self, request: &'r Request<'r>) -> Option<RequestFilters<'r>>
    where
        'v: 'r,
    {
        Some(self.policies()?.filters(request)).filter(|filters| !filters.is_empty())
    }

    /// How many items a search must find.
    fn n_wanted(&self) -> usize {
        self.policies().map_or(self.limit, |policies| policies.n_wanted(self.limit))
    }

    fn list(&self, hits: Vec<Hit>, request: &Request<'_>) -> Recommendations {
        let view = self.view;
        let items = match self.policies().filter(|policies| policies.reorders()) {
            None => {
                let pick =
                    |(score, row)| Some(Recommendation { item: view.item_id(ItemIdx::new(row))?, score });
                hits.into_iter().filter_map(pick).collect()
            }
            Some(policies) => {
                let ranked = hits.into_iter().filter_map(|hit| self.candidate(hit)).collect();
                let pick = |Candidate { item, score, .. }| Recommendation { item, score };
                policies.arrange(request, ranked).into_iter().map(pick).collect()
            }
        };
        let provenance = Provenance {
            source: request.source,
            generation: view.generation.id,
            items: view.items.version,
            user_seq: self.state.as_ref().map_or(EventSeq::ZERO, |state| state.seq),
        };
        Recommendations::new(items, provenance)
    }

    /// What the policies are told of an item; `None` if it was forgotten.
    fn candidate(&self, (score, row): Hit) -> Option<Candidate> {
        let idx = ItemIdx::new(row);
        let heard = self.state.as_ref().and_then(|state| state.history.cell(idx)).map(Heard::from);
        let listeners = self.view.items.popularity[row as usize];
        Some(Candidate { item: self.view.item_id(idx)?, score, listeners, heard, idx })
    }

    /// Whether known and new items are searched for apart.
    fn is_in_parts(&self) -> bool {
        let mixes_known = || self.policies().is_some_and(QueryPolicies::mixes_known);
        self.allow_known && !self.known.is_empty() && mixes_known()
    }

    /// The best `n_wanted` of what is new and of what is known, together the best first.
    fn by_parts(&self, vector: &[f32], n_wanted: usize, mut filters: Option<RequestFilters<'_>>) -> Vec<Hit> {
        let new = Allows { leaves_out_known: true, ..Allows::new(self, filters.as_mut()) };
        let mut hits = self.by_product(vector, n_wanted, new);
        let (rows, n_items) = (&self.view.items.rows, self.view.n_items());
        // What came after this view was taken is not part of it.
        let known = self.known.iter().filter(|item| item.index() < n_items);
        let known = known.map(|&item| (item.get(), rows.row(item)));
        hits.extend(top_of(self.view.path, vector, known, n_wanted, Allows::new(self, filters.as_mut())));
        hits.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        hits
    }

    fn by_product(&self, vector: &[f32], n_wanted: usize, allows: Allows<'_, '_, '_>) -> Vec<Hit> {
        let (path, rows) = (self.view.path, &self.view.items.rows);
        match &self.only {
            // Few items: score them one by one rather than all.
            Some(only) => {
                let only = only.iter().map(|&item| (item.get(), rows.row(item)));
                top_of(path, vector, only, n_wanted, allows)
            }
            None => rows.top_by_product(path, vector, n_wanted, allows),
        }
    }

    fn by_similarity(
        &self,
        item: &ItemId,
        n_wanted: usize,
        allows: Allows<'_, '_, '_>,
    ) -> Result<Vec<Hit>, QueryError> {
        let idx = self.view.item_idx(item).ok_or_else(|| QueryError::UnknownItem { item: item.clone() })?;
        let vector =
            self.view.item_vector(idx).ok_or_else(|| QueryError::NoItemVector { item: item.clone() })?;
        let others = Others { than: idx.get(), allows };
        Ok(self.view.items.rows.top_by_cosine(self.view.path, vector, n_wanted, others))
    }
}

/// What a question leaves out, and what its filters say.
struct Allows<'q, 'v, 'r> {
    query: &'q ItemQuery<'v>,
    leaves_out_known: bool,
    filters: Option<&'q mut RequestFilters<'r>>,
    candidates: Vec<Candidate>,
    kept: Vec<bool>,
}

impl<'q, 'v, 'r> Allows<'q, 'v, 'r> {
    fn new(query: &'q ItemQuery<'v>, filters: Option<&'q mut RequestFilters<'r>>) -> Self {
        Self {
            query,
            leaves_out_known: !query.allow_known,
            filters,
            candidates: Vec::new(),
            kept: Vec::new(),
        }
    }
}

impl Allowed for Allows<'_, '_, '_> {
    fn is_left_out(&self, row: u32) -> bool {
        let (query, item) = (self.query, ItemIdx::new(row));
        (self.leaves_out_known && query.known.binary_search(&item).is_ok())
            || query.exclude.contains(&item)
            || query.only.as_ref().is_some_and(|only| only.binary_search(&item).is_err())
    }

    fn is_wanted(&mut self, row: u32) -> bool {
        let (view, item) = (self.query.view, ItemIdx::new(row));
        match &self.query.filter {
            None => view.is_listed(item),
            Some(keep) => view.item_id(item).is_some_and(|id| keep(&id)),
        }
    }

    fn are_wanted(&mut self, hits: &[Hit], wanted: &mut [bool]) {
        for (wanted, &(_, row)) in wanted.iter_mut().zip(hits) {
            *wanted = self.is_wanted(row);
        }
        let Self { query, filters: Some(filters), candidates, kept, .. } = self else { return };
        candidates.clear();
        for (wanted, &hit) in wanted.iter_mut().zip(hits).filter(|(wanted, _)| **wanted) {
            match query.candidate(hit) {
                Some(candidate) => candidates.push(candidate),
                None => *wanted = false,
            }
        }
        kept.clear();
        kept.resize(candidates.len(), true);
        filters.keep(candidates, kept);
        for (wanted, &kept) in wanted.iter_mut().filter(|wanted| **wanted).zip(&*kept) {
            *wanted = kept;
        }
    }
}

/// The same without the item asked about.
struct Others<'q, 'v, 'r> {
    than: u32,
    allows: Allows<'q, 'v, 'r>,
}

impl Allowed for Others<'_, '_, '_> {
    fn is_left_out(&self, row: u32) -> bool {
        row == self.than || self.allows.is_left_out(row)
    }

    fn is_wanted(&mut self, row: u32) -> bool {
        self.allows.is_wanted(row)
    }

    fn are_wanted(&mut self, hits: &[Hit], wanted: &mut [bool]) {
        self.allows.are_wanted(hits, wanted);
    }
}
