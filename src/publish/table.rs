//! A table that grows and never moves what it holds.

use std::slice::from_ref;
use std::sync::OnceLock;

use crate::kernel::prefetch;

/// Entries of a chunk. Growing allocates one chunk, so no reader ever waits for a large copy.
const CHUNK: usize = 4_096;

/// Rows `0..capacity`, allocated a chunk at a time on first use.
#[derive(Debug)]
pub(crate) struct GrowOnlyTable<T> {
    chunks: Box<[OnceLock<Box<[T]>>]>,
}

impl<T: Default> GrowOnlyTable<T> {
    /// Room for `capacity` entries; costs 24 bytes a chunk until they are used.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { chunks: (0..capacity.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect() }
    }

    /// Entry `index`, if its chunk is in use.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get().map(|chunk| &chunk[index % CHUNK])
    }

    /// Asks memory for entry `index`, without waiting for it.
    pub(crate) fn prefetch(&self, index: usize) {
        if let Some(entry) = self.get(index) {
            prefetch(from_ref(entry));
        }
    }

    /// Entry `index`, taking its chunk into use.
    ///
    /// # Panics
    /// If `index` is beyond the capacity, which the caller has checked.
    pub(crate) fn get_or_grow(&self, index: usize) -> &T {
        let chunk = self.chunks[index / CHUNK].get_or_init(|| (0..CHUNK).map(|_| T::default()).collect());
        &chunk[index % CHUNK]
    }
}
