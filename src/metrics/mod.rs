//! Ranking metrics with binary relevance, each cut at the first k places of a list.
//!
//! Layer 1, and pure. One list at a time: [`Hits`] finds where the relevant items stand, [`Hits::at`] turns
//! that into [`RankingMetrics`], [`MetricsMean`] averages them over users.
//!
//! # Definitions
//!
//! A list of places 1, 2, … is held against n relevant items. `r_1 < r_2 < … < r_h` are the places, at most k,
//! where relevant items stand; h is their number.
//!
//! | metric | formula |
//! |---|---|
//! | recall | `h / n` |
//! | truncated recall | `h / min(k, n)` |
//! | precision | `h / k` |
//! | NDCG | `Σ_j 1/log2(1 + r_j)` over `Σ_(r = 1 … min(k, n)) 1/log2(1 + r)` |
//! | hit rate | 1 if `h > 0`, else 0 |
//! | average precision | `Σ_j (j / r_j)` over `min(k, n)` |
//! | reciprocal rank | `1 / r_1`, or 0 if `h = 0` |
//!
//! Averaged over users the last two are called MAP and MRR.
//!
//! # Conventions
//!
//! * **Recall** has two readings in the literature. The plain one cannot reach 1 where k < n; papers on
//!   Gowalla, Yelp and Amazon-Book since NGCF (Wang et al., SIGIR 2019) report it. The truncated one is that of
//!   Liang et al., "Variational Autoencoders for Collaborative Filtering" (WWW 2018), and of the results on
//!   ML-20M and MSD that follow it. They differ only where k < n. Here `recall` is the plain one.
//! * **NDCG** gives a relevant item the gain 1 and divides by what a perfect list of k places would have.
//! * **Average precision** divides by what a perfect list of k places could have, not by n.
//! * **A list shorter than k** is not an error: the places it does not fill are misses. Precision still divides
//!   by k.
//! * **An item that a list repeats** counts once, at its first place. The repetition keeps its place as a miss,
//!   because a listener is shown it again.
//! * **A user without relevant items** has no metrics. [`MetricsMean`] leaves such users out of the averages
//!   and counts them.
//! * **Ties** among scores are broken by whoever makes the list.

mod hits;
mod mean;

pub use hits::{Hits, RankingMetrics};
pub use mean::MetricsMean;

#[cfg(test)]
mod tests;
