//! Exact search over factors from anywhere.

use rayon::ThreadPool;
use thiserror::Error;

use crate::als::Factors;
use crate::kernel::{AlignedVec, SimdPath};
use crate::search::{Allowed, NormIndex, RowSource, Search};
use crate::types::ItemIdx;

/// Item factors with an index for exact search: what an [`Engine`](crate::Engine) answers with, for a model that
/// was trained elsewhere.
///
/// Every list is what scoring all items would give. Few are: items are in order of norm, in 8-bit codes, and
/// a bound on what the codes leave out decides which of them are looked at (see `docs::numerics`). Takes
/// `n_factors` + 20 bytes an item beside the factors.
///
/// ```
/// use ndarray::array;
/// use segue::{Factors, ItemIdx, ItemIndex};
///
/// let items = Factors::from_array(array![[1.0, 0.0], [2.0, 0.1], [0.0, 3.0]].view())?;
/// let index = ItemIndex::new(items);
/// let best = index.top(&[1.0, 0.0], 2, &[])?;
/// assert_eq!(best, [(ItemIdx::new(1), 2.0), (ItemIdx::new(0), 1.0)]);
/// assert_eq!(index.top(&[1.0, 0.0], 1, &[ItemIdx::new(1)])?, [(ItemIdx::new(0), 1.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ItemIndex {
    path: SimdPath,
    items: Factors,
    index: NormIndex,
}

/// Why a search has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The query is not as long as the items' vectors.
    #[error("the query must have {expected} factors, got {got}")]
    QueryLength {
        /// The factors of the items.
        expected: usize,
        /// The length given.
        got: usize,
    },
    /// The query is not a vector of numbers.
    #[error("the query must be finite, got {got} in place {place}")]
    NonFinite {
        /// The place of the first such element.
        place: usize,
        /// Its value.
        got: f32,
    },
    /// There is no such item.
    #[error("item {got} is not below n_items, {n_items}")]
    ItemOutOfRange {
        /// The row asked for.
        got: u32,
        /// How many items there are.
        n_items: usize,
    },
    /// The known items are not in ascending order, so that they could not be found quickly.
    #[error("the known items must be ascending, the one in place {place} is below the one before it")]
    KnownNotAscending {
        /// The first place out of order.
        place: usize,
    },
}

impl ItemIndex {
    /// Indexes `items` on the calling thread: about half a microsecond an item at 64 factors.
    pub fn new(items: Factors) -> Self {
        let index = NormIndex::build(&items);
        Self { path: SimdPath::detect(), items, index }
    }

    /// Searches on `path`; by default on [`SimdPath::detect`]'s.
    #[must_use]
    pub fn on(self, path: SimdPath) -> Self {
        Self { path, ..self }
    }

    /// The items.
    pub fn items(&self) -> &Factors {
        &self.items
    }

    /// The `limit` items with the largest inner product with `query`, best first, without those in `known`,
    /// which is ascending. Of equal ones the lower item comes first.
    ///
    /// Runs on the calling thread and blocks on nothing.
    ///
    /// # Errors
    /// [`SearchError`] if the query has another number of factors or is not finite, or if `known` is not ascending.
    pub fn top(
        &self,
        query: &[f32],
        limit: usize,
        known: &[ItemIdx],
    ) -> Result<Vec<(ItemIdx, f32)>, SearchError> {
        let query = self.checked(query, known)?;
        Ok(items(self.search().by_product(&query, limit, Unknown::new(known))))
    }

    /// As [`top`](Self::top), on the threads of `pool` if that pays: where millions of vectors are of one length, every one
    /// of them has to be looked at. Blocks until it is done.
    ///
    /// # Errors
    /// As [`top`](Self::top).
    pub fn top_on(
        &self,
        pool: &ThreadPool,
        query: &[f32],
        limit: usize,
        known: &[ItemIdx],
    ) -> Result<Vec<(ItemIdx, f32)>, SearchError> {
        let query = self.checked(query, known)?;
        Ok(items(self.search().by_product_on(pool, &query, limit, Unknown::new(known))))
    }

    /// As [`top`](Self::top), for several queries, each with its known items: a piece of the catalogue is read once for all
    /// of them. Runs on the calling thread.
    ///
    /// # Errors
    /// As [`top`](Self::top), if that is the case for any of them.
    pub fn top_of_each(
        &self,
        queries: &[(&[f32], &[ItemIdx])],
        limit: usize,
    ) -> Result<Vec<Vec<(ItemIdx, f32)>>, SearchError> {
        let padded: Vec<_> =
            queries.iter().map(|(query, known)| self.checked(query, known)).collect::<Result<_, _>>()?;
        let each = padded.iter().zip(queries).map(|(query, (_, known))| (&**query, Unknown::new(known)));
        Ok(self.search().by_products(each, limit).into_iter().map(items).collect())
    }

    /// The query with its padding.
    fn checked(&self, query: &[f32], known: &[ItemIdx]) -> Result<AlignedVec, SearchError> {
        if let Some(before) = known.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(SearchError::KnownNotAscending { place: before + 1 });
        }
        let expected = self.items.n_factors();
        if query.len() != expected {
            return Err(SearchError::QueryLength { expected, got: query.len() });
        }
        if let Some(place) = query.iter().position(|value| !value.is_finite()) {
            return Err(SearchError::NonFinite { place, got: query[place] });
        }
        let mut padded = AlignedVec::zeros(self.items.stride());
        padded[..expected].copy_from_slice(query);
        Ok(padded)
    }

    /// The `limit` items whose vectors point most in the direction of that of `item`, by cosine, best first.
    ///
    /// Runs on the calling thread and looks at the codes of every item: norms say nothing of a direction.
    ///
    /// # Errors
    /// [`SearchError::ItemOutOfRange`] if there is no such item.
    pub fn similar(&self, item: ItemIdx, limit: usize) -> Result<Vec<(ItemIdx, f32)>, SearchError> {
        let n_items = self.items.n_rows();
        if item.index() >= n_items {
            return Err(SearchError::ItemOutOfRange { got: item.get(), n_items });
        }
        let query = self.items.row(item.index());
        Ok(items(self.search().by_cosine(query, limit, Unknown::new(&[item]))))
    }

    fn search(&self) -> Search<'_, Factors> {
        Search { path: self.path, rows: &self.items, index: &self.index, changed: &[] }
    }
}

fn items(hits: Vec<(f32, u32)>) -> Vec<(ItemIdx, f32)> {
    hits.into_iter().map(|(score, row)| (ItemIdx::new(row), score)).collect()
}

impl RowSource for Factors {
    fn stride(&self) -> usize {
        self.stride()
    }

    fn n_rows(&self) -> usize {
        self.n_rows()
    }

    fn row(&self, row: u32) -> &[f32] {
        self.row(row as usize)
    }
}

/// Everything but some ascending items.
#[derive(Debug, Clone, Copy)]
struct Unknown<'a> {
    known: &'a [ItemIdx],
}

impl<'a> Unknown<'a> {
    fn new(known: &'a [ItemIdx]) -> Self {
        Self { known }
    }
}

impl Allowed for Unknown<'_> {
    fn is_left_out(&self, row: u32) -> bool {
        self.known.binary_search(&ItemIdx::new(row)).is_ok()
    }

    fn is_wanted(&mut self, _row: u32) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_does_not_fit_is_refused() {
        let index = ItemIndex::new(Factors::zeros(3, 2));
        assert_eq!(index.top(&[1.0], 1, &[]), Err(SearchError::QueryLength { expected: 2, got: 1 }));
        let refused = index.top(&[0.0, f32::INFINITY], 1, &[]);
        assert_eq!(refused, Err(SearchError::NonFinite { place: 1, got: f32::INFINITY }));
        let known = [2, 2, 1].map(ItemIdx::new);
        assert_eq!(index.top(&[0.0, 1.0], 1, &known), Err(SearchError::KnownNotAscending { place: 2 }));
        let refused = index.similar(ItemIdx::new(3), 1);
        assert_eq!(refused, Err(SearchError::ItemOutOfRange { got: 3, n_items: 3 }));
        assert_eq!(ItemIndex::new(Factors::zeros(0, 2)).top(&[1.0, 1.0], 5, &[]), Ok(Vec::new()));
    }
}
