//! Not again so soon.

use std::time::Duration;

use super::super::filter::{Filter, ItemFilter};
use super::super::request::{Candidate, Request};

/// Keeps back what its listener has heard within a time: a cool-down by item.
///
/// Of use where known items may be shown at all, as by [`ItemQuery::allow_known`](crate::ItemQuery::allow_known).
#[derive(Debug, Clone, Copy)]
pub struct NotHeardFor(pub Duration);

impl Filter for NotHeardFor {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        Box::new(|candidates: &[Candidate], keep: &mut [bool]| {
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = candidate
                    .heard
                    .is_none_or(|heard| request.at.saturating_since(heard.last_seen) >= self.0);
            }
        })
    }
}
