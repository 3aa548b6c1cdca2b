//! Float storage that starts on a cache line.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// Floats in one vector register of the widest path, and what rows are padded to a multiple of.
pub(crate) const LANES: usize = 16;

/// What a cache line, and the widest register, has in bytes.
const ALIGNMENT_BYTES: usize = 64;

/// Floats that a row of `n_factors` takes with its padding.
pub(crate) fn stride_of(n_factors: usize) -> usize {
    n_factors.next_multiple_of(LANES)
}

/// Floats that start on a 64-byte boundary: rows that straddle cache lines cost a fifth of the speed.
///
/// The allocation has spare floats and the data starts at the first aligned one, which needs no `unsafe`.
pub(crate) struct AlignedVec {
    // INVARIANT: `start + len <= storage.len()`, and the box never reallocates, so `start` stays aligned.
    storage: Box<[f32]>,
    start: usize,
    len: usize,
}

impl AlignedVec {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let storage = vec![0.0; len + LANES - 1].into_boxed_slice();
        // `align_offset` may refuse to answer; alignment is for speed alone.
        let start = storage.as_ptr().align_offset(ALIGNMENT_BYTES);
        let start = if start < LANES { start } else { 0 };
        Self { storage, start, len }
    }

    /// Lengthens by zeros or shortens to `len`, in amortised constant time per float.
    pub(crate) fn resize(&mut self, len: usize) {
        if self.start + len > self.storage.len() {
            let mut longer = Self::zeros(len.max(2 * self.len));
            longer[..self.len].copy_from_slice(self);
            longer.len = self.len;
            *self = longer;
        }
        let kept = self.len.min(len);
        self.len = len;
        self[kept..].fill(0.0);
    }

    /// The first `len` floats, with whatever they hold, after growing to that length if need be.
    pub(crate) fn at_least(&mut self, len: usize) -> &mut [f32] {
        if self.len < len {
            self.resize(len);
        }
        &mut self[..len]
    }
}

impl Default for AlignedVec {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl Deref for AlignedVec {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedVec {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

impl Clone for AlignedVec {
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl From<&[f32]> for AlignedVec {
    fn from(values: &[f32]) -> Self {
        let mut copy = Self::zeros(values.len());
        copy.copy_from_slice(values);
        copy
    }
}

impl PartialEq for AlignedVec {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for AlignedVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_starts_on_a_cache_line_after_every_change() {
        let aligned = |floats: &AlignedVec| floats.as_ptr().addr().is_multiple_of(ALIGNMENT_BYTES);
        for len in [0, 1, 15, 16, 1_000] {
            let mut floats = AlignedVec::zeros(len);
            assert!(aligned(&floats));
            floats.resize(len + 777);
            assert!(aligned(&floats) && aligned(&floats.clone()));
        }
    }

    #[test]
    fn resizing_keeps_the_front_and_fills_with_zeros() {
        let mut floats = AlignedVec::from(&[1.0, 2.0, 3.0][..]);
        floats.resize(2);
        floats.resize(4);
        assert_eq!(&*floats, [1.0, 2.0, 0.0, 0.0]);
        floats.resize(100);
        assert_eq!((floats[1], floats[99], floats.len()), (2.0, 0.0, 100));
    }
}
