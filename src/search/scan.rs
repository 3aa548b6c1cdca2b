//! Searches: what is indexed through the index, the rest row by row.

use std::ops::Range;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::index::{Allowed, NormIndex, Promising, RowSource, cosine};
use crate::kernel::{SimdPath, TopK, dot};

/// Blocks that all queries of a batch go through before any goes on: at 64 factors 86 KB, which the second cache holds.
const BLOCKS_AT_ONCE: usize = 64;
/// Blocks before a search is split over threads: at 64 factors about a millisecond's work, or nothing at all.
const BLOCKS_BEFORE_SPLIT: usize = 4_096;

/// A hit: the score and the row.
pub(crate) type Hit = (f32, u32);

/// Rows with an index that some of them have left.
#[derive(Debug)]
pub(crate) struct Search<'a, R> {
    pub(crate) path: SimdPath,
    pub(crate) rows: &'a R,
    pub(crate) index: &'a NormIndex,
    /// Rows of the index that are no longer what they were, ascending. Rows beyond its last are new.
    pub(crate) changed: &'a [u32],
}

impl<R: RowSource> Search<'_, R> {
    /// The `limit` rows with the largest inner product with `query`; ties go to the lower row.
    pub(crate) fn by_product(&self, query: &[f32], limit: usize, allowed: impl Allowed) -> Vec<Hit> {
        let mut query = self.begin_by_product(query, limit, allowed);
        query.go_through(0..self.index.n_blocks());
        query.top.into_sorted()
    }

    /// As [`by_product`](Self::by_product), for several queries: a piece of the index is read once for all of them.
    pub(crate) fn by_products<'q>(
        &self,
        queries: impl IntoIterator<Item = (&'q [f32], impl Allowed)>,
        limit: usize,
    ) -> Vec<Vec<Hit>> {
        let begin = |(query, allowed)| self.begin_by_product(query, limit, allowed);
        let mut queries: Vec<_> = queries.into_iter().map(begin).collect();
        let mut first = 0;
        while first < self.index.n_blocks() && queries.iter().any(|query| query.goes_on) {
            let end = (first + BLOCKS_AT_ONCE).min(self.index.n_blocks());
            for query in queries.iter_mut().filter(|query| query.goes_on) {
                query.go_through(first..end);
            }
            first = end;
        }
        queries.into_iter().map(|query| query.top.into_sorted()).collect()
    }

    /// As [`by_product`](Self::by_product), on the threads of `pool` if the catalogue is so large that it pays.
    pub(crate) fn by_product_on(
        &self,
        pool: &ThreadPool,
        query: &[f32],
        limit: usize,
        allowed: impl Allowed + Clone + Send + Sync,
    ) -> Vec<Hit>
    where
        R: Sync,
    {
        let mut begun = self.begin_by_product(query, limit, allowed);
        // Most searches end here: what is left is short.
        let rest = BLOCKS_BEFORE_SPLIT.min(self.index.n_blocks())..self.index.n_blocks();
        begun.go_through(0..rest.start);
        if begun.goes_on && !rest.is_empty() {
            let part = rest.len().div_ceil(pool.current_num_threads()).max(1);
            let found: Vec<_> = pool.install(|| {
                let starts = rest.clone().into_par_iter().step_by(part);
                let parts = starts.map(|start| {
                    let mut query = begun.clone();
                    query.go_through(start..(start + part).min(rest.end));
                    query.top.into_sorted()
                });
                parts.collect()
            });
            // Each part has what was found before it.
            let mut all: Vec<_> = found.into_iter().flatten().map(|(score, row)| (row, score)).collect();
            all.sort_unstable_by_key(|&(row, _)| row);
            all.dedup_by_key(|&mut (row, _)| row);
            begun.top = TopK::new(limit);
            for (row, score) in all {
                begun.top.push(score, row);
            }
        }
        begun.top.into_sorted()
    }

    /// Looks at what is not indexed.
    fn begin_by_product<'s, A: Allowed>(
        &'s self,
        query: &'s [f32],
        limit: usize,
        mut allowed: A,
    ) -> ProductQuery<'s, R, A> {
        let mut top = TopK::new(limit);
        offer(&mut top, self.unindexed(), |row| dot(self.path, query, row), &mut allowed);
        ProductQuery {
            search: self,
            query,
            allowed: Unchanged { allowed, changed: self.changed },
            top,
            goes_on: true,
        }
    }

    /// The `limit` rows with the largest cosine to `query`. Rows of zeros have none and are left out.
    pub(crate) fn by_cosine(&self, query: &[f32], limit: usize, mut allowed: impl Allowed) -> Vec<Hit> {
        let mut top = TopK::new(limit);
        offer(&mut top, self.unindexed(), |row| cosine(self.path, query, row), &mut allowed);
        let mut unchanged = Unchanged { allowed, changed: self.changed };
        self.index.offer_by_cosine(self.path, query, self.rows, &mut unchanged, &mut top);
        top.into_sorted()
    }

    fn unindexed(&self) -> impl Iterator<Item = (u32, &[f32])> {
        let n_rows = u32::try_from(self.rows.n_rows()).expect("rows are capped at u32");
        let n_indexed = u32::try_from(self.index.n_rows()).expect("rows are capped at u32");
        self.changed.iter().copied().chain(n_indexed..n_rows).map(|row| (row, self.rows.row(row)))
    }
}

/// A query on its way through an index.
#[derive(Debug)]
struct ProductQuery<'s, R, A> {
    search: &'s Search<'s, R>,
    query: &'s [f32],
    allowed: Unchanged<'s, A>,
    top: TopK,
    /// Whether there may be something further on.
    goes_on: bool,
}

impl<R, A: Clone> Clone for ProductQuery<'_, R, A> {
    fn clone(&self) -> Self {
        Self { allowed: self.allowed.clone(), top: self.top.clone(), ..*self }
    }
}

impl<R: RowSource, A: Allowed> ProductQuery<'_, R, A> {
    fn go_through(&mut self, blocks: Range<usize>) {
        let Search { path, rows, index, .. } = *self.search;
        self.goes_on =
            index.offer_by_product(path, self.query, blocks, rows, &mut self.allowed, &mut self.top);
    }
}

/// The `limit` of `rows` with the largest inner product with `query`; ties go to the lower row.
pub(crate) fn top_of<'a>(
    path: SimdPath,
    query: &[f32],
    rows: impl Iterator<Item = (u32, &'a [f32])>,
    limit: usize,
    mut allowed: impl Allowed,
) -> Vec<Hit> {
    let mut top = TopK::new(limit);
    offer(&mut top, rows, |row| dot(path, query, row), &mut allowed);
    top.into_sorted()
}

/// The `limit` largest values.
pub(crate) fn top_by_value(values: &[f32], limit: usize, mut allowed: impl Allowed) -> Vec<Hit> {
    let mut top = TopK::new(limit);
    offer(&mut top, (0..).zip(values), |&value| value, &mut allowed);
    top.into_sorted()
}

fn offer<T>(
    top: &mut TopK,
    rows: impl Iterator<Item = (u32, T)>,
    score: impl Fn(T) -> f32,
    allowed: &mut impl Allowed,
) {
    let mut would_enter = Promising::default();
    for (row, content) in rows {
        let score = score(content);
        if top.would_keep(score) && !allowed.is_left_out(row) {
            would_enter.push((score, row));
            if would_enter.is_full() {
                would_enter.offer(allowed, top);
            }
        }
    }
    would_enter.offer(allowed, top);
}

/// Leaves out what the index no longer knows.
#[derive(Debug, Clone)]
struct Unchanged<'a, A> {
    allowed: A,
    changed: &'a [u32],
}

impl<A: Allowed> Allowed for Unchanged<'_, A> {
    fn is_left_out(&self, row: u32) -> bool {
        self.allowed.is_left_out(row) || self.changed.binary_search(&row).is_ok()
    }

    fn is_wanted(&mut self, row: u32) -> bool {
        self.allowed.is_wanted(row)
    }

    fn are_wanted(&mut self, hits: &[Hit], wanted: &mut [bool]) {
        self.allowed.are_wanted(hits, wanted);
    }
}
