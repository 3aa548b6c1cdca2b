//! A count that many threads may add to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts; read by `stats()`.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        // ORDERING: a statistic publishes nothing but its own value.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds one; gives what it was before.
    pub(crate) fn count(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
