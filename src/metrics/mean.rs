//! Metrics averaged over users.

use std::num::NonZeroUsize;

use super::{Hits, RankingMetrics};
use crate::kernel::count_as_f64;

/// The mean of the metrics of many users, at several cutoffs at once. Every user counts the same.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use segue::metrics::{Hits, MetricsMean};
///
/// let ten = NonZeroUsize::new(10).expect("not zero");
/// let mut mean = MetricsMean::new(&[ten]);
/// mean.add(&Hits::of_one(NonZeroUsize::new(1)));
/// mean.add(&Hits::of_one(None));
/// assert_eq!(mean.at(ten).expect("two users").hit_rate, 0.5);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsMean {
    sums: Vec<(NonZeroUsize, RankingMetrics)>,
    n_users: usize,
    n_without_relevant: usize,
}

impl MetricsMean {
    /// Nobody yet, at the cutoffs given: the k of "recall at k".
    pub fn new(cutoffs: &[NonZeroUsize]) -> Self {
        let sums = cutoffs.iter().map(|&k| (k, RankingMetrics::default())).collect();
        Self { sums, n_users: 0, n_without_relevant: 0 }
    }

    /// Adds a user; one for whom nothing was relevant is counted apart and left out of the mean.
    ///
    /// Sums are in f64 and in the order of the calls.
    pub fn add(&mut self, hits: &Hits) {
        if hits.n_relevant() == 0 {
            self.n_without_relevant += 1;
            return;
        }
        self.n_users += 1;
        for (k, sum) in &mut self.sums {
            *sum = sum.zip_with(hits.at(*k).unwrap_or_default(), |sum, one| sum + one);
        }
    }

    /// How many users the mean is over.
    pub fn n_users(&self) -> usize {
        self.n_users
    }

    /// How many users were left out because nothing was relevant for them.
    pub fn n_without_relevant(&self) -> usize {
        self.n_without_relevant
    }

    /// The mean at `k`; `None` if `k` is none of the cutoffs or nobody is in the mean.
    pub fn at(&self, k: NonZeroUsize) -> Option<RankingMetrics> {
        self.iter().find(|(cutoff, _)| *cutoff == k).map(|(_, mean)| mean)
    }

    /// The means at all cutoffs, in the order given; none if nobody is in the mean.
    pub fn iter(&self) -> impl Iterator<Item = (NonZeroUsize, RankingMetrics)> {
        let n_users = count_as_f64(self.n_users);
        let sums = if self.n_users == 0 { &[] } else { self.sums.as_slice() };
        sums.iter().map(move |&(k, sum)| (k, sum.zip_with(sum, |sum, _| sum / n_users)))
    }
}
