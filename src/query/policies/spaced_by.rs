//! Artists apart.

use std::fmt;

use super::super::request::{Candidate, Request};
use super::super::slate::SlatePolicy;
use crate::types::ItemId;

/// Keeps items of one group (an artist, an album) apart in the list.
///
/// Each place gets the best item whose group is in none of the `apart` places before it. If there is none, it gets
/// the best that is left: a list is never shorter for it. Items without a group are in nobody's way.
///
/// ```
/// use segue::plugin::SpacedBy;
/// use segue::{Engine, ItemId};
///
/// // Tracks are called "artist/title".
/// let artist = |item: &ItemId| item.to_string().split_once('/').map(|(artist, _)| artist.to_owned());
/// let engine = Engine::builder().slate(SpacedBy::new(2, artist)).open()?;
/// # Ok::<(), segue::BuildError>(())
/// ```
pub struct SpacedBy<F> {
    apart: usize,
    group_of: F,
}

impl<F> SpacedBy<F> {
    /// At least `apart` other items between two of one group, which `group_of` an item tells.
    pub fn new(apart: usize, group_of: F) -> Self {
        Self { apart, group_of }
    }
}

impl<F> fmt::Debug for SpacedBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpacedBy").field("apart", &self.apart).finish_non_exhaustive()
    }
}

impl<G: PartialEq, F: Fn(&ItemId) -> Option<G> + Send + Sync + 'static> SlatePolicy for SpacedBy<F> {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        let groups: Vec<Option<G>> =
            ranked.iter().map(|candidate| (self.group_of)(&candidate.item)).collect();
        let mut left: Vec<usize> = (0..ranked.len()).collect();
        let mut slate: Vec<usize> = Vec::new();
        while slate.len() < request.limit && !left.is_empty() {
            let near = &slate[slate.len().saturating_sub(self.apart)..];
            let is_free = |&place: &usize| {
                groups[place].is_none() || near.iter().all(|&other| groups[other] != groups[place])
            };
            let next = left.iter().position(is_free).unwrap_or(0);
            slate.push(left.remove(next));
        }
        slate
    }
}
