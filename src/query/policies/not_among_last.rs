//! Nothing of what has just been played.

use super::super::filter::{Filter, ItemFilter};
use super::super::request::{Candidate, Request};

/// Keeps back the so many items that its listener heard last, however long ago that is: what "recently played" shows
/// need not be recommended. Of several heard at the same moment all are kept back.
///
/// Of use where known items may be shown at all, as by [`ItemQuery::allow_known`](crate::ItemQuery::allow_known).
///
/// ```
/// use segue::Engine;
/// use segue::plugin::NotAmongLast;
///
/// let engine = Engine::builder().filter(NotAmongLast(50)).open()?;
/// # Ok::<(), segue::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NotAmongLast(pub usize);

impl Filter for NotAmongLast {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        let first_kept_back = request.nth_latest(self.0);
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            let Some(first) = first_kept_back else { return };
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = candidate.heard.is_none_or(|heard| heard.last_seen < first);
            }
        })
    }
}
