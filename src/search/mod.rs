//! Exact search: the best rows for a query vector, and no others.
//!
//! Layer 1. Pure: no lock, no IO, and no thread but those of the pool that a caller hands in.

mod codes;
mod index;
mod scan;

pub(crate) use index::{Allowed, NormIndex, RowSource};
pub(crate) use scan::{Hit, Search, top_by_value, top_of};

#[cfg(test)]
mod tests;
