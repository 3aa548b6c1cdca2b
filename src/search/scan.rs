//! Searches: what is indexed through the index, the rest row by row.

use super::index::{Allowed, NormIndex, RowSource, cosine};
use crate::kernel::{SimdPath, TopK, dot};

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
    pub(crate) fn by_product(&self, query: &[f32], limit: usize, mut allowed: impl Allowed) -> Vec<Hit> {
        let mut top = TopK::new(limit);
        offer(&mut top, self.unindexed(), |row| dot(self.path, query, row), &mut allowed);
        let mut unchanged = Unchanged { allowed, changed: self.changed };
        self.index.offer_by_product(self.path, query, self.rows, &mut unchanged, &mut top);
        top.into_sorted()
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
    for (row, content) in rows {
        let score = score(content);
        if top.would_keep(score) && !allowed.is_left_out(row) && allowed.is_wanted(row) {
            top.push(score, row);
        }
    }
}

/// Leaves out what the index no longer knows.
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
}
