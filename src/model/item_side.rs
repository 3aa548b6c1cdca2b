//! The items' vectors and popularity, as one published version.

use std::sync::Arc;

use crate::als::Factors;
use crate::kernel::{AlignedVec, SimdPath, stride_of};
use crate::search::{Allowed, Hit, NormIndex, RowSource, Search};
use crate::types::{ItemIdx, ItemVersion};

/// Items of a chunk: what is copied when one of them changes. 64 KB at 64 factors.
const CHUNK: usize = 256;

/// Rows that may be unindexed before a new index pays: searches look at each of them.
const MIN_UNINDEXED: usize = 512;
/// The same, as a part of all rows.
const UNINDEXED_PART: usize = 64;

/// The item factors in chunks that versions share as long as nothing in them changes, with an index for
/// searches.
///
/// Rows are padded with zeros to whole SIMD vectors. An item nobody has solved yet has the zero row. What has
/// changed or come since the index was built is searched beside it, so results are exact at all times.
#[derive(Debug, Clone)]
pub(crate) struct ItemRows {
    n_items: usize,
    stride: usize,
    chunks: Vec<Arc<AlignedVec>>,
    index: Arc<NormIndex>,
    /// Rows in the index that have changed since, ascending.
    changed: Vec<u32>,
}

impl ItemRows {
    /// No items yet.
    pub(crate) fn empty(n_factors: usize) -> Self {
        Self {
            n_items: 0,
            stride: stride_of(n_factors),
            chunks: Vec::new(),
            index: Arc::default(),
            changed: Vec::new(),
        }
    }

    /// The rows of `factors`, indexed.
    pub(crate) fn from_factors(factors: &Factors) -> Self {
        let mut rows = Self::empty(factors.n_factors());
        rows.grow_to(factors.n_rows());
        for row in 0..factors.n_rows() {
            rows.row_mut(row).copy_from_slice(factors.row(row));
        }
        rows.index = Arc::new(NormIndex::build(&rows));
        rows
    }

    /// Indexes all rows anew if many have changed or come since they were indexed.
    pub(crate) fn settle(&mut self) {
        let n_unindexed = self.changed.len() + self.n_items - self.index.n_rows();
        if n_unindexed > MIN_UNINDEXED.max(self.n_items / UNINDEXED_PART) {
            self.index = Arc::new(NormIndex::build(self));
            self.changed.clear();
        }
    }

    /// Adds zero rows up to `n_items`.
    pub(crate) fn grow_to(&mut self, n_items: usize) {
        self.n_items = self.n_items.max(n_items);
        while self.chunks.len() * CHUNK < self.n_items {
            self.chunks.push(Arc::new(AlignedVec::zeros(CHUNK * self.stride)));
        }
    }

    pub(crate) fn n_items(&self) -> usize {
        self.n_items
    }

    /// Memory of the rows; versions share most of it.
    pub(crate) fn n_bytes_of_rows(&self) -> u64 {
        (self.chunks.len() * CHUNK * self.stride * size_of::<f32>()) as u64
    }

    /// Memory of what searches go through.
    pub(crate) fn n_bytes_of_index(&self) -> u64 {
        self.index.n_bytes() as u64
    }

    /// Floats of a row, padding included.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The padded row of an item.
    pub(crate) fn row(&self, item: ItemIdx) -> &[f32] {
        let (chunk, within) = (item.index() / CHUNK, item.index() % CHUNK * self.stride);
        &self.chunks[chunk][within..within + self.stride]
    }

    /// Replaces a row, copying its chunk if an older version shares it.
    pub(crate) fn set_row(&mut self, item: ItemIdx, row: &[f32]) {
        self.row_mut(item.index()).copy_from_slice(row);
        if item.index() < self.index.n_rows()
            && let Err(place) = self.changed.binary_search(&item.get())
        {
            self.changed.insert(place, item.get());
        }
    }

    /// The `limit` rows with the largest inner product with `query`; ties go to the lower row.
    pub(crate) fn top_by_product(
        &self,
        path: SimdPath,
        query: &[f32],
        limit: usize,
        allowed: impl Allowed,
    ) -> Vec<Hit> {
        self.search(path).by_product(query, limit, allowed)
    }

    /// As [`top_by_product`](Self::top_by_product), for several queries at once.
    pub(crate) fn top_by_products<'q>(
        &self,
        path: SimdPath,
        queries: impl IntoIterator<Item = (&'q [f32], impl Allowed)>,
        limit: usize,
    ) -> Vec<Vec<Hit>> {
        self.search(path).by_products(queries, limit)
    }

    /// The `limit` rows with the largest cosine to `query`. Rows of zeros have none and are left out.
    pub(crate) fn top_by_cosine(
        &self,
        path: SimdPath,
        query: &[f32],
        limit: usize,
        allowed: impl Allowed,
    ) -> Vec<Hit> {
        self.search(path).by_cosine(query, limit, allowed)
    }

    fn search(&self, path: SimdPath) -> Search<'_, Self> {
        Search { path, rows: self, index: &self.index, changed: &self.changed }
    }

    /// Runs of rows: the first item's number and the padded rows, whole chunks where there are any.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.chunks.iter().enumerate().map(|(at, chunk)| {
            let first = at * CHUNK;
            let n_rows = CHUNK.min(self.n_items - first);
            (first, &chunk[..n_rows * self.stride])
        })
    }

    fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let (chunk, within) = (row / CHUNK, row % CHUNK * self.stride);
        &mut Arc::make_mut(&mut self.chunks[chunk])[within..within + self.stride]
    }
}

impl RowSource for ItemRows {
    fn stride(&self) -> usize {
        self.stride
    }

    fn n_rows(&self) -> usize {
        self.n_items
    }

    fn row(&self, row: u32) -> &[f32] {
        self.row(ItemIdx::new(row))
    }
}

/// One version of the items of one generation.
#[derive(Debug, Clone)]
pub(crate) struct ItemSide {
    pub(crate) version: ItemVersion,
    pub(crate) rows: ItemRows,
    /// Listeners of each item; as long as `rows` has items.
    pub(crate) popularity: Arc<[f32]>,
}

impl ItemSide {
    /// No items yet.
    pub(crate) fn empty(n_factors: usize) -> Self {
        Self { version: ItemVersion::ZERO, rows: ItemRows::empty(n_factors), popularity: Arc::from([]) }
    }

    pub(crate) fn n_items(&self) -> usize {
        self.rows.n_items()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{count_as_f64, rounded};

    struct All;

    impl Allowed for All {
        fn is_left_out(&self, _row: u32) -> bool {
            false
        }

        fn is_wanted(&mut self, _row: u32) -> bool {
            true
        }
    }

    #[test]
    fn what_changes_and_what_comes_is_found_before_it_is_indexed_and_after() {
        let n_items = 100;
        let mut factors = Factors::zeros(n_items, 1);
        (0..n_items).for_each(|row| factors.row_mut(row)[0] = 1.0 / (1.0 + rounded(count_as_f64(row))));
        let mut rows = ItemRows::from_factors(&factors);
        let mut vector = AlignedVec::zeros(rows.stride());
        let best = |rows: &ItemRows| -> Vec<u32> {
            let mut query = AlignedVec::zeros(rows.stride());
            query[0] = 1.0;
            rows.top_by_product(SimdPath::detect(), &query, 3, All).into_iter().map(|(_, row)| row).collect()
        };
        assert_eq!(best(&rows), [0, 1, 2]);
        // The first falls behind, a late one rises, and it rises twice.
        for (row, value) in [(0, 0.001), (70, 0.9), (70, 2.0)] {
            vector[0] = value;
            rows.set_row(ItemIdx::new(row), &vector);
        }
        assert_eq!(best(&rows), [70, 1, 2]);
        rows.grow_to(n_items + MIN_UNINDEXED);
        vector[0] = 3.0;
        rows.set_row(ItemIdx::new(300), &vector);
        assert_eq!(best(&rows), [300, 70, 1]);
        assert_eq!(rows.index.n_rows(), n_items, "not indexed yet");
        rows.settle();
        assert_eq!(best(&rows), [300, 70, 1]);
        assert_eq!((rows.index.n_rows(), rows.changed.len()), (n_items + MIN_UNINDEXED, 0));
    }
}
