//! The items' vectors and popularity, as one published version.

use std::sync::Arc;

use crate::als::Factors;
use crate::kernel::{AlignedVec, stride_of};
use crate::types::{ItemIdx, ItemVersion};

/// Items of a chunk: what is copied when one of them changes. 64 KB at 64 factors.
const CHUNK: usize = 256;

/// The item factors in chunks that versions share as long as nothing in them changes.
///
/// Rows are padded with zeros to whole SIMD vectors. An item nobody has solved yet has the zero row.
#[derive(Debug, Clone)]
pub(crate) struct ItemRows {
    n_items: usize,
    stride: usize,
    chunks: Vec<Arc<AlignedVec>>,
}

impl ItemRows {
    /// No items yet.
    pub(crate) fn empty(n_factors: usize) -> Self {
        Self { n_items: 0, stride: stride_of(n_factors), chunks: Vec::new() }
    }

    /// The rows of `factors`, then zero rows up to `n_items`.
    pub(crate) fn from_factors(factors: &Factors, n_items: usize) -> Self {
        let mut rows = Self::empty(factors.n_factors());
        rows.grow_to(n_items.max(factors.n_rows()));
        for row in 0..factors.n_rows() {
            rows.row_mut(row).copy_from_slice(factors.row(row));
        }
        rows
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
