//! What is seen of a training from outside.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::als::TrainingInput;
use crate::kernel::stride_of;

/// How far a training has come, and what it takes: for whoever looks on.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    n_done: AtomicUsize,
    n_bytes: AtomicU64,
}

// ORDERING: statistics publish nothing but their own values.
impl Progress {
    /// Passes that are done.
    pub(crate) fn n_done(&self) -> usize {
        self.n_done.load(Ordering::Relaxed)
    }

    /// Memory of the input and of the rows of both sides.
    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn has_done(&self, n_done: usize) {
        self.n_done.store(n_done, Ordering::Relaxed);
    }

    pub(super) fn takes(&self, input: &TrainingInput, n_users: u32, n_items: usize, n_factors: usize) {
        let floats = (n_users as usize + n_items) * stride_of(n_factors);
        self.n_bytes.store((input.n_bytes() + floats * size_of::<f32>()) as u64, Ordering::Relaxed);
    }
}
