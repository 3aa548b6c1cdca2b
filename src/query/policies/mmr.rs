//! A list whose items are not all alike.

use std::fmt;

use super::super::request::{Candidate, Request};
use super::super::slate::SlatePolicy;
use super::error::{PolicyError, in_range};
use crate::types::ItemId;

/// Maximal marginal relevance: each place gets the item that is good and least like those before it.
///
/// Carbonell & Goldstein (SIGIR 1998): of the items left, the one with the greatest
/// `lambda × score − (1 − lambda) × similarity`, where the similarity is the greatest one to any item placed before, and
/// scores are brought to 0 to 1 over the request's items, so that one lambda goes for scores of every scale. Of equal ones
/// the better ranked comes first; the first place always goes to the best.
///
/// Similarity is the cosine of the items' vectors ([`by_vectors`](Self::by_vectors)), or what the host says
/// ([`by`](Self::by)). Takes `limit` × as many comparisons as there are items to choose from: for ten of sixty some ten
/// microseconds.
///
/// ```
/// use segue::plugin::Mmr;
/// use segue::{Engine, ItemId};
///
/// let engine = Engine::builder().slate(Mmr::by_vectors(0.7)?).open()?;
///
/// // Tracks are called "artist/title": two of one artist are alike, and no others.
/// let artist = |item: &ItemId| item.to_string().split_once('/').map(|(artist, _)| artist.to_owned());
/// let alike = move |a: &ItemId, b: &ItemId| if artist(a) == artist(b) { 1.0 } else { 0.0 };
/// let engine = Engine::builder().slate(Mmr::by(0.7, alike)?).open()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Mmr<S = VectorCosine> {
    lambda: f32,
    similarity: S,
}

/// The similarity of items by their vectors: of 0 where one has none yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct VectorCosine;

impl Mmr {
    /// Items are alike as far as their listeners are. `lambda` of 1 is the list as it is, of 0 the greatest variety; 0.5
    /// to 0.8 is usual.
    ///
    /// # Errors
    /// [`PolicyError::OutOfRange`] unless `lambda` is between 0 and 1.
    pub fn by_vectors(lambda: f32) -> Result<Self, PolicyError> {
        Self::by(lambda, VectorCosine)
    }
}

impl<S> Mmr<S> {
    /// Items are as alike as `similarity` says: a number from −1 to 1, and 0 where it is none.
    ///
    /// # Errors
    /// [`PolicyError::OutOfRange`] unless `lambda` is between 0 and 1.
    pub fn by(lambda: f32, similarity: S) -> Result<Self, PolicyError> {
        Ok(Self { lambda: in_range("lambda", lambda, 0.0, 1.0)?, similarity })
    }
}

impl<S> fmt::Debug for Mmr<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mmr").field("lambda", &self.lambda).finish_non_exhaustive()
    }
}

impl SlatePolicy for Mmr<VectorCosine> {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        let similarity = |a: usize, b: usize| request.similarity(&ranked[a], &ranked[b]).unwrap_or(0.0);
        greedy(self.lambda, request.limit, &relevances(ranked), similarity)
    }
}

impl<S: Fn(&ItemId, &ItemId) -> f32 + Send + Sync + 'static> SlatePolicy for Mmr<S> {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        let similarity = |a: usize, b: usize| {
            let said = (self.similarity)(&ranked[a].item, &ranked[b].item);
            if said.is_finite() { said.clamp(-1.0, 1.0) } else { 0.0 }
        };
        greedy(self.lambda, request.limit, &relevances(ranked), similarity)
    }
}

/// The scores, brought to 0 to 1.
fn relevances(ranked: &[Candidate]) -> Vec<f32> {
    let scores = || ranked.iter().map(|candidate| candidate.score);
    let (least, most) = (scores().fold(f32::INFINITY, f32::min), scores().fold(f32::NEG_INFINITY, f32::max));
    let span = most - least;
    scores().map(|score| if span > 0.0 { (score - least) / span } else { 1.0 }).collect()
}

fn greedy(
    lambda: f32,
    limit: usize,
    relevances: &[f32],
    similarity: impl Fn(usize, usize) -> f32,
) -> Vec<usize> {
    let mut left: Vec<usize> = (0..relevances.len()).collect();
    // Of those left, in their order: how alike they are to the likest item placed.
    let mut likeness: Vec<Option<f32>> = vec![None; left.len()];
    let mut slate = Vec::with_capacity(limit.min(left.len()));
    while slate.len() < limit {
        let worth = |at: usize| lambda * relevances[left[at]] - (1.0 - lambda) * likeness[at].unwrap_or(0.0);
        // Of equal ones `max_by` takes the last.
        let best = (0..left.len()).rev().max_by(|&a, &b| worth(a).total_cmp(&worth(b)));
        let Some(best) = best else { break };
        let placed = left.remove(best);
        likeness.remove(best);
        for (&place, likeness) in left.iter().zip(&mut likeness) {
            let like = similarity(place, placed);
            *likeness = Some(likeness.map_or(like, |before| before.max(like)));
        }
        slate.push(placed);
    }
    slate
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::{TestRequest, candidate};

    /// As it stands in the paper, everything reckoned anew for every place.
    fn naive(lambda: f32, limit: usize, relevances: &[f32], similarity: &[Vec<f32>]) -> Vec<usize> {
        let mut slate: Vec<usize> = Vec::new();
        while slate.len() < limit.min(relevances.len()) {
            let mut best: Option<(f32, usize)> = None;
            for place in (0..relevances.len()).filter(|place| !slate.contains(place)) {
                let likest =
                    slate.iter().map(|&other| similarity[place][other]).reduce(f32::max).unwrap_or(0.0);
                let worth = lambda * relevances[place] - (1.0 - lambda) * likest;
                if best.is_none_or(|(most, _)| worth > most) {
                    best = Some((worth, place));
                }
            }
            slate.extend(best.map(|(_, place)| place));
        }
        slate
    }

    proptest! {
        #[test]
        fn it_is_the_greedy_choice(
            lambda in 0.0_f32..=1.0,
            limit in 0_usize..15,
            scores in prop::collection::vec(-5.0_f32..5.0, 0..12),
            seed in prop::collection::vec(-1.0_f32..1.0, 144),
        ) {
            let n = scores.len();
            let similarity: Vec<Vec<f32>> =
                (0..n).map(|a| (0..n).map(|b| seed[a.min(b) * 12 + a.max(b)]).collect()).collect();
            let ranked: Vec<_> = (0_u64..).zip(&scores).map(|(item, &score)| candidate(item, score)).collect();
            let expected = naive(lambda, limit, &relevances(&ranked), &similarity);
            let number = |item: &ItemId| usize::try_from(item.as_u64().expect("a number")).expect("small");
            let by_host = move |a: &ItemId, b: &ItemId| similarity[number(a)][number(b)];
            let mmr = Mmr::by(lambda, by_host).expect("in range");
            prop_assert_eq!(mmr.arrange(&TestRequest::new(limit).request(), &ranked), expected);
        }
    }

    #[test]
    fn what_is_alike_comes_later_and_nonsense_is_no_likeness() {
        let ranked: Vec<_> =
            [(0_u64, 1.0), (1, 0.9), (2, 0.5), (3, 0.0)].map(|(n, score)| candidate(n, score)).into();
        let pairs =
            |a: &ItemId, b: &ItemId| if a.as_u64().max(b.as_u64()) == Some(1) { 1.0 } else { f32::NAN };
        assert_eq!(
            Mmr::by(0.5, pairs).expect("in range").arrange(&TestRequest::new(4).request(), &ranked),
            [0, 2, 3, 1]
        );
        assert_eq!(
            Mmr::by(1.0, pairs).expect("in range").arrange(&TestRequest::new(9).request(), &ranked),
            [0, 1, 2, 3]
        );
        assert!(matches!(Mmr::by_vectors(f32::NAN), Err(PolicyError::OutOfRange { setting: "lambda", .. })));
    }
}
