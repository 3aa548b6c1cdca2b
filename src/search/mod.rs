//! Exact maximum inner product: the best rows for a query vector, and no others.
//!
//! Layer 1. Pure: no lock, no IO.

mod scan;

pub(crate) use scan::{top_by_cosine, top_by_product, top_by_value};
