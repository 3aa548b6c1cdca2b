//! Asking memory ahead of time.

#![expect(clippy::inline_always, reason = "an instruction or two between others")]

use std::mem::size_of;

use prefetch_index::prefetch_index;

/// What memory moves at once.
const CACHE_LINE_BYTES: usize = 64;

/// Asks memory for the cache line on which `items[at]` starts, without waiting for it. There need be none.
#[inline(always)]
pub(crate) fn prefetch_at<T>(items: &[T], at: usize) {
    prefetch_index(items, at);
}

/// Asks memory for `items`, which start on a cache line and will be read soon, without waiting for them.
#[inline(always)]
pub(crate) fn prefetch<T>(items: &[T]) {
    for at in (0..items.len()).step_by((CACHE_LINE_BYTES / size_of::<T>()).max(1)) {
        prefetch_index(items, at);
    }
}
