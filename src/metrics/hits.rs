//! One ranked list held against what was relevant.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroUsize;

use crate::kernel::count_as_f64;

/// The places of a list where relevant items stand, and how many items were relevant.
///
/// ```
/// use std::collections::HashSet;
/// use std::num::NonZeroUsize;
///
/// use segue::metrics::Hits;
///
/// let relevant = HashSet::from(["roads", "teardrop"]);
/// let hits = Hits::of(&["roads", "angel", "teardrop"], &relevant);
/// let two = NonZeroUsize::new(2).expect("not zero");
/// let metrics = hits.at(two).expect("two items are relevant");
/// assert_eq!((metrics.recall, metrics.precision, metrics.reciprocal_rank), (0.5, 0.5, 1.0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// Ascending, the first place is 1.
    places: Vec<usize>,
    // INVARIANT: at least the number of places.
    n_relevant: usize,
}

/// What one list is worth at its first k places, or the mean of many. All are between 0 and 1.
///
/// The [module](crate::metrics) has the formulas and the conventions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct RankingMetrics {
    /// The share of the relevant items that the list holds.
    pub recall: f64,
    /// The share of the relevant items that the list could have held. (Liang et al., WWW 2018.)
    pub truncated_recall: f64,
    /// The share of the k places that hold a relevant item.
    pub precision: f64,
    /// The discounted gain of the list over that of a perfect one. (Järvelin & Kekäläinen, TOIS 2002, with
    /// gains 0 and 1.)
    pub ndcg: f64,
    /// 1 if the list holds a relevant item.
    pub hit_rate: f64,
    /// The mean precision at the places of the relevant items. Averaged over users: MAP.
    pub average_precision: f64,
    /// One over the place of the first relevant item. Averaged over users: MRR.
    pub reciprocal_rank: f64,
}

impl Hits {
    /// Finds the items of `relevant` in `ranked`, which is in order, best first.
    ///
    /// An item that `ranked` repeats counts once, at its first place.
    pub fn of<T: Eq + Hash, S: BuildHasher>(ranked: &[T], relevant: &HashSet<T, S>) -> Self {
        let mut met = HashSet::new();
        let places = (1..)
            .zip(ranked)
            .filter(|(_, item)| relevant.contains(item) && met.insert(*item))
            .map(|(place, _)| place)
            .collect();
        Self { places, n_relevant: relevant.len() }
    }

    /// One relevant item, which stands at `place`; `None` if no list could hold it.
    pub fn of_one(place: Option<NonZeroUsize>) -> Self {
        Self { places: place.map(NonZeroUsize::get).into_iter().collect(), n_relevant: 1 }
    }

    /// How many items were relevant, found or not.
    pub fn n_relevant(&self) -> usize {
        self.n_relevant
    }

    /// The metrics of the first `k` places; `None` if nothing was relevant.
    pub fn at(&self, k: NonZeroUsize) -> Option<RankingMetrics> {
        let k = k.get();
        let best = k.min(self.n_relevant);
        if best == 0 {
            return None;
        }
        let places = &self.places[..self.places.partition_point(|&place| place <= k)];
        let n_hits = count_as_f64(places.len());
        let gain: f64 = places.iter().copied().map(discount).sum();
        let best_gain: f64 = (1..=best).map(discount).sum();
        let precisions: f64 =
            (1..).zip(places).map(|(nth, &place)| count_as_f64(nth) / count_as_f64(place)).sum();
        Some(RankingMetrics {
            recall: n_hits / count_as_f64(self.n_relevant),
            truncated_recall: n_hits / count_as_f64(best),
            precision: n_hits / count_as_f64(k),
            ndcg: gain / best_gain,
            hit_rate: if places.is_empty() { 0.0 } else { 1.0 },
            average_precision: precisions / count_as_f64(best),
            reciprocal_rank: places.first().map_or(0.0, |&place| count_as_f64(place).recip()),
        })
    }
}

impl RankingMetrics {
    /// Applies `f` to each pair of metrics.
    pub(super) fn zip_with(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            recall: f(self.recall, other.recall),
            truncated_recall: f(self.truncated_recall, other.truncated_recall),
            precision: f(self.precision, other.precision),
            ndcg: f(self.ndcg, other.ndcg),
            hit_rate: f(self.hit_rate, other.hit_rate),
            average_precision: f(self.average_precision, other.average_precision),
            reciprocal_rank: f(self.reciprocal_rank, other.reciprocal_rank),
        }
    }
}

/// What an item at `place` is worth to NDCG.
fn discount(place: usize) -> f64 {
    libm::log2(1.0 + count_as_f64(place)).recip()
}
