//! The protocol that ranks every item.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::evaluation::Standing;
use super::{Evaluation, EvaluationError, Interaction, RankingReport};
use crate::kernel::{AlignedVec, TopK, score_rows};
use crate::metrics::{Hits, MetricsMean};
use crate::types::{ItemIdx, UserIdx};

/// What is asked of one user.
struct Question {
    user: UserIdx,
    relevant: HashSet<ItemIdx, foldhash::fast::FixedState>,
    /// Test pairs that the user's own history masks.
    n_repeats: usize,
}

/// One list, held against what was relevant.
struct Answer {
    standing: Standing,
    hits: Hits,
    n_unknown_items: usize,
    n_repeats: usize,
}

/// What one thread reuses from user to user.
struct Scratch {
    query: AlignedVec,
    scores: Vec<f32>,
}

impl Evaluation<'_> {
    /// Ranks all items for each user of `test`, without those the user has in training or in the history.
    ///
    /// The user's items in `test` are relevant, whatever their value, each once. One that the user has already
    /// is no longer asked for. Of equal scores the item with the smaller row comes first. Blocks; works on
    /// `pool`, with one score an item and thread in memory.
    ///
    /// # Errors
    /// [`EvaluationError::FoldIn`] if a history cannot be folded in.
    pub fn rank_all(
        &self,
        test: &[Interaction],
        cutoffs: &[NonZeroUsize],
        pool: &ThreadPool,
    ) -> Result<RankingReport, EvaluationError> {
        let limit = cutoffs.iter().max().map_or(0, |longest| longest.get());
        let scratch = || Scratch {
            query: AlignedVec::zeros(self.model.item_factors().stride()),
            scores: vec![0.0; self.model.item_factors().n_rows()],
        };
        let questions = self.questions(test);
        let answers: Vec<Result<Answer, EvaluationError>> = pool.install(|| {
            questions
                .par_iter()
                .map_init(scratch, |scratch, question| self.answer(question, limit, scratch))
                .collect()
        });
        // In the order of the users, so that sums and errors do not depend on the threads.
        let mut report = RankingReport::new(MetricsMean::new(cutoffs));
        for answer in answers {
            let answer = answer?;
            report.n_repeats += answer.n_repeats;
            match answer.standing {
                Standing::Unknown => {
                    report.n_unknown_users += 1;
                    continue;
                }
                Standing::FoldedIn => report.n_folded_in += 1,
                Standing::Trained => {}
            }
            report.n_unknown_items += answer.n_unknown_items;
            report.mean.add(&answer.hits);
        }
        Ok(report)
    }

    fn questions(&self, test: &[Interaction]) -> Vec<Question> {
        let mut by_user: BTreeMap<UserIdx, HashSet<ItemIdx, _>> = BTreeMap::new();
        for one in test {
            by_user.entry(one.user).or_default().insert(one.item);
        }
        let question = |(user, mut relevant): (UserIdx, HashSet<ItemIdx, _>)| {
            let n_repeats = self.known_items(user).filter(|item| relevant.remove(item)).count();
            Question { user, relevant, n_repeats }
        };
        by_user.into_iter().map(question).collect()
    }

    fn answer(
        &self,
        question: &Question,
        limit: usize,
        scratch: &mut Scratch,
    ) -> Result<Answer, EvaluationError> {
        let Scratch { query, scores } = scratch;
        let Question { user, relevant, n_repeats } = question;
        let standing = self.user_vector(*user, query)?;
        let mut ranked = Vec::new();
        if standing != Standing::Unknown {
            score_rows(self.path, query, self.model.item_factors().values(), scores);
            for item in self.known_items(*user) {
                // `TopK` never keeps NaN.
                scores[item.index()] = f32::NAN;
            }
            ranked = best_items(scores, limit);
        }
        Ok(Answer {
            standing,
            hits: Hits::of(&ranked, relevant),
            n_unknown_items: relevant.iter().filter(|item| !self.knows(**item)).count(),
            n_repeats: *n_repeats,
        })
    }
}

fn best_items(scores: &[f32], limit: usize) -> Vec<ItemIdx> {
    let mut top = TopK::new(limit);
    for (item, &score) in (0..).zip(scores) {
        if top.would_keep(score) {
            top.push(score, item);
        }
    }
    top.into_sorted().into_iter().map(|(_, item)| ItemIdx::new(item)).collect()
}
