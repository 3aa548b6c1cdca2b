//! One builder for every question whose answer is a list of items.

use std::collections::HashSet;
use std::fmt;

use super::answer::{Provenance, QueryError, Recommendation, Recommendations, Source};
use super::view::View;
use crate::kernel::AlignedVec;
use crate::search::{Allowed, Hit, top_by_value, top_of};
use crate::types::{EventSeq, ItemId, ItemIdx};

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

type Filter<'v> = Box<dyn Fn(&ItemId) -> bool + 'v>;

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
    filter: Option<Filter<'v>>,
    user_seq: EventSeq,
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
            user_seq: EventSeq::ZERO,
        }
    }

    /// Items in ascending order that the list leaves out unless known ones are allowed.
    pub(super) fn with_known(self, known: Vec<ItemIdx>) -> Self {
        debug_assert!(known.is_sorted());
        Self { known, ..self }
    }

    pub(super) fn with_user_seq(self, user_seq: EventSeq) -> Self {
        Self { user_seq, ..self }
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

    /// The answer: what scoring every item would give, though few are scored (see
    /// [`docs::numerics`](crate::docs::numerics)). Runs on the calling thread and blocks on nothing.
    ///
    /// # Errors
    /// [`QueryError::UnknownItem`] and [`QueryError::NoItemVector`] for
    /// [`View::similar`] to an item that nothing can be similar to; all other questions have an answer.
    pub fn run(self) -> Result<Recommendations, QueryError> {
        let view = self.view;
        let (hits, source) = match &self.target {
            Target::Personal(vector) => (self.by_product(vector), Source::Personal),
            Target::Taste(vector) => (self.by_product(vector), Source::Taste),
            Target::Similar(item) => (self.by_similarity(item)?, Source::Similarity),
            Target::Popular(source) => {
                (top_by_value(&view.items.popularity, self.limit, Allows(&self)), *source)
            }
        };
        Ok(self.answer(hits, source))
    }

    /// Answers queries of one view and one limit together: a piece of the catalogue is read once for all of them.
    pub(super) fn run_all(queries: Vec<Self>, limit: usize) -> Result<Vec<Recommendations>, QueryError> {
        let vector = |query: &Self| match &query.target {
            Target::Personal(vector) if query.only.is_none() => Some(vector.clone()),
            Target::Personal(_) | Target::Taste(_) | Target::Similar(_) | Target::Popular(_) => None,
        };
        let vectors: Vec<_> = queries.iter().map(vector).collect();
        let together = queries.iter().zip(&vectors);
        let together = together.filter_map(|(query, vector)| Some((&**vector.as_ref()?, Allows(query))));
        let mut hits = match queries.first() {
            Some(Self { view, .. }) => view.items.rows.top_by_products(view.path, together, limit),
            None => Vec::new(),
        }
        .into_iter();
        let answer = |(query, vector): (Self, &Option<_>)| match vector {
            Some(_) => Ok(query.answer(hits.next().expect("one list a vector"), Source::Personal)),
            None => query.run(),
        };
        queries.into_iter().zip(&vectors).map(answer).collect()
    }

    fn answer(&self, hits: Vec<Hit>, source: Source) -> Recommendations {
        let view = self.view;
        let pick = |(score, row)| Some(Recommendation { item: view.item_id(ItemIdx::new(row))?, score });
        let provenance = Provenance {
            source,
            generation: view.generation.id,
            items: view.items.version,
            user_seq: self.user_seq,
        };
        Recommendations::new(hits.into_iter().filter_map(pick).collect(), provenance)
    }

    fn by_product(&self, vector: &[f32]) -> Vec<Hit> {
        let (path, rows) = (self.view.path, &self.view.items.rows);
        match &self.only {
            // Few items: score them one by one rather than all.
            Some(only) => {
                let only = only.iter().map(|&item| (item.get(), rows.row(item)));
                top_of(path, vector, only, self.limit, Allows(self))
            }
            None => rows.top_by_product(path, vector, self.limit, Allows(self)),
        }
    }

    fn by_similarity(&self, item: &ItemId) -> Result<Vec<Hit>, QueryError> {
        let idx = self.view.item_idx(item).ok_or_else(|| QueryError::UnknownItem { item: item.clone() })?;
        let vector =
            self.view.item_vector(idx).ok_or_else(|| QueryError::NoItemVector { item: item.clone() })?;
        let others = Others { than: idx.get(), allows: Allows(self) };
        Ok(self.view.items.rows.top_by_cosine(self.view.path, vector, self.limit, others))
    }
}

/// What a question leaves out, and what its filter says.
struct Allows<'q, 'v>(&'q ItemQuery<'v>);

impl Allowed for Allows<'_, '_> {
    fn is_left_out(&self, row: u32) -> bool {
        let (query, item) = (self.0, ItemIdx::new(row));
        (!query.allow_known && query.known.binary_search(&item).is_ok())
            || query.exclude.contains(&item)
            || query.only.as_ref().is_some_and(|only| only.binary_search(&item).is_err())
    }

    fn is_wanted(&mut self, row: u32) -> bool {
        let (view, item) = (self.0.view, ItemIdx::new(row));
        match &self.0.filter {
            None => view.is_listed(item),
            Some(keep) => view.item_id(item).is_some_and(|id| keep(&id)),
        }
    }
}

/// The same without the item asked about.
struct Others<'q, 'v> {
    than: u32,
    allows: Allows<'q, 'v>,
}

impl Allowed for Others<'_, '_> {
    fn is_left_out(&self, row: u32) -> bool {
        row == self.than || self.allows.is_left_out(row)
    }

    fn is_wanted(&mut self, row: u32) -> bool {
        self.allows.is_wanted(row)
    }
}
