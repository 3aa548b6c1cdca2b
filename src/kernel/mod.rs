//! Arithmetic on slices, and seeded random numbers.
//!
//! Layer 0: pure functions of their arguments.

mod random;

pub(crate) use random::{AliasTable, SplitMix64};
