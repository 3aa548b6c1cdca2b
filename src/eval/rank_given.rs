//! The protocol that ranks one positive among given negatives.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use thiserror::Error;

use super::evaluation::Standing;
use super::{Evaluation, EvaluationError, GivenNegatives, Interaction, RankingReport};
use crate::kernel::{AlignedVec, dot};
use crate::metrics::{Hits, MetricsMean};
use crate::types::{ItemIdx, UserIdx};

/// What to do with given negatives that the user has in training or in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeenNegatives {
    /// Rank them with the others. This is what published results did: they rank all that are given.
    #[default]
    Keep,
    /// Leave them out. A recommender would not show them again, and their scores are high.
    Drop,
}

/// The given negatives are not those of the test part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{n_without_negatives} test pairs have no given negatives and {n_without_test} given negatives no test pair; \
     give two files of one split"
)]
pub struct MismatchedNegatives {
    /// How many test pairs are no case's positive.
    pub n_without_negatives: usize,
    /// How many cases have a positive that is no test pair.
    pub n_without_test: usize,
}

/// One list, held against the positive.
struct Answer {
    standing: Standing,
    place: Option<NonZeroUsize>,
    is_unknown_item: bool,
    n_seen: usize,
    n_repeated: usize,
}

/// Checks that the positives of `cases` are the pairs of `test`.
///
/// # Errors
/// [`MismatchedNegatives`] counts what has no counterpart.
pub fn check_negatives(test: &[Interaction], cases: &[GivenNegatives]) -> Result<(), MismatchedNegatives> {
    let tested: HashSet<(UserIdx, ItemIdx)> = test.iter().map(|one| (one.user, one.item)).collect();
    let given: HashSet<(UserIdx, ItemIdx)> = cases.iter().map(|case| (case.user, case.positive)).collect();
    let n_without_negatives = tested.difference(&given).count();
    let n_without_test = given.difference(&tested).count();
    if n_without_negatives + n_without_test == 0 {
        Ok(())
    } else {
        Err(MismatchedNegatives { n_without_negatives, n_without_test })
    }
}

impl Evaluation<'_> {
    /// Ranks the positive of each case among its negatives.
    ///
    /// * The candidates are a set, as in the code that He et al. published: a negative given twice counts once,
    ///   and one that is the positive itself is left out. (In their ML-1M files 156 users have such a one;
    ///   kept, it would tie with the positive.)
    /// * Ties go against the positive: it stands behind every negative of an equal score. A model that scores
    ///   all items alike hits nothing.
    /// * A negative without a row in the model scores 0, as an item without listeners does. A positive without
    ///   one is a miss.
    ///
    /// Training items are not masked: what is ranked is what was given, but for [`SeenNegatives::Drop`].
    /// Blocks; works on `pool`.
    ///
    /// # Errors
    /// [`EvaluationError::FoldIn`] if a history cannot be folded in.
    pub fn rank_given(
        &self,
        cases: &[GivenNegatives],
        seen: SeenNegatives,
        cutoffs: &[NonZeroUsize],
        pool: &ThreadPool,
    ) -> Result<RankingReport, EvaluationError> {
        let query = || AlignedVec::zeros(self.model.item_factors().stride());
        let answers: Vec<Result<Answer, EvaluationError>> = pool.install(|| {
            cases.par_iter().map_init(query, |query, case| self.place_positive(case, seen, query)).collect()
        });
        // In the order of the cases, so that sums and errors do not depend on the threads.
        let mut report = RankingReport::new(MetricsMean::new(cutoffs));
        for answer in answers {
            let answer = answer?;
            match answer.standing {
                Standing::Unknown => {
                    report.n_unknown_users += 1;
                    continue;
                }
                Standing::FoldedIn => report.n_folded_in += 1,
                Standing::Trained => {}
            }
            report.n_unknown_items += usize::from(answer.is_unknown_item);
            report.n_seen_negatives += answer.n_seen;
            report.n_repeated_negatives += answer.n_repeated;
            report.mean.add(&Hits::of_one(answer.place));
        }
        Ok(report)
    }

    fn place_positive(
        &self,
        case: &GivenNegatives,
        seen: SeenNegatives,
        query: &mut AlignedVec,
    ) -> Result<Answer, EvaluationError> {
        let standing = self.user_vector(case.user, query)?;
        let known: HashSet<ItemIdx> = self.known_items(case.user).collect();
        let mut met = HashSet::from([case.positive]);
        let (mut n_seen, mut n_repeated, mut n_before) = (0, 0, 0);
        let positive_score = self.score(query, case.positive);
        for &negative in &case.negatives {
            if !met.insert(negative) {
                n_repeated += 1;
                continue;
            }
            if known.contains(&negative) {
                n_seen += 1;
                if seen == SeenNegatives::Drop {
                    continue;
                }
            }
            // Not "at least": a score that is NaN goes against the positive too.
            let is_behind = self.score(query, negative) < positive_score;
            n_before += usize::from(!is_behind);
        }
        let is_unknown_item = !self.knows(case.positive);
        let place = if is_unknown_item { None } else { NonZeroUsize::new(n_before + 1) };
        Ok(Answer { standing, place, is_unknown_item, n_seen, n_repeated })
    }

    fn score(&self, query: &AlignedVec, item: ItemIdx) -> f32 {
        if self.knows(item) {
            dot(self.path, query, self.model.item_factors().row(item.index()))
        } else {
            0.0
        }
    }
}
