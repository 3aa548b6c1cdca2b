//! What a protocol found.

use crate::metrics::MetricsMean;

/// The metrics of a protocol run, and what in the test data was not as it seems.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RankingReport {
    /// The metrics, averaged over the lists made: one a user, or one a case of given negatives.
    pub mean: MetricsMean,
    /// Of the lists, those for users who were folded in.
    pub n_folded_in: usize,
    /// The lists not made: for users without training pairs and without a history that the model knows
    /// anything of.
    pub n_unknown_users: usize,
    /// Relevant items, over all lists made, that the model has no row for. They count as misses.
    pub n_unknown_items: usize,
    /// Test pairs left out because the user's own history masks the item. (Only when all items are ranked.)
    pub n_repeats: usize,
    /// Given negatives that the user has in training or in the history; [`SeenNegatives`](super::SeenNegatives)
    /// says what was done with them. (Only with given negatives.)
    pub n_seen_negatives: usize,
    /// Given negatives left out because they are the positive itself or were given twice. (Only with given
    /// negatives.)
    pub n_repeated_negatives: usize,
}

impl RankingReport {
    pub(super) fn new(mean: MetricsMean) -> Self {
        Self {
            mean,
            n_folded_in: 0,
            n_unknown_users: 0,
            n_unknown_items: 0,
            n_repeats: 0,
            n_seen_negatives: 0,
            n_repeated_negatives: 0,
        }
    }
}
