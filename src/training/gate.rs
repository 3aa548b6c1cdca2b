//! What a trained candidate must satisfy to be published.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::exam::{ExamResult, PLACES};
use crate::guard::Watch;
use crate::kernel::count_as_f64;
use crate::model::ItemRows;
use crate::types::GenerationId;

/// A model below this has collapsed towards nothing, as one of very few events does; whatever comes after it
/// is large beside it. Items of a healthy model have norms around 1.
const LEAST_NORM: f64 = 1.0;
/// The same if little has happened since: a model that has not just been born is what it will be.
const LEAST_NORM_OF_OLD: f64 = 0.1;

/// A gate looks at a few thousand numbers.
const BUDGET: Duration = Duration::from_millis(100);

/// Decides whether what a sweep has found is published.
///
/// Asked on a thread of the pool, once a sweep, after the training; it should answer within 100 ms. A panic is caught,
/// counted, and [`QualityGate::default`] decides instead. Not asked whether everything is finite: what is not is never
/// published, whatever a gate says. Not asked by a replay, which does what the journal says was done. A closure is given with
/// [`EngineBuilder::sweep_gate_with`](crate::EngineBuilder::sweep_gate_with).
///
/// ```
/// use segue::plugin::{GateFacts, GateRefusal, QualityGate, SweepGate};
///
/// /// Publishes nothing before there is enough to learn from.
/// #[derive(Debug)]
/// struct Patient(QualityGate);
///
/// impl SweepGate for Patient {
///     fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
///         if facts.n_pairs < 10_000 {
///             return Err(GateRefusal::Other { reason: format!("{} pairs are few", facts.n_pairs) });
///         }
///         self.0.judge(facts)
///     }
/// }
/// ```
pub trait SweepGate: Any + fmt::Debug + Send + Sync {
    /// Whether the candidate may follow the model in use.
    ///
    /// # Errors
    /// Why it may not.
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal>;
}

/// What a [`SweepGate`] is told of a candidate and the model in use before it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GateFacts<'a> {
    /// The model in use; [`GenerationId::ZERO`] if there is none yet.
    pub before: GenerationId,
    /// The pairs that the candidate has learned from.
    pub n_pairs: usize,
    /// Events learned so far to those that the model in use has learned from; infinite if there is none, or if one of
    /// the two is from elsewhere or has another number of factors.
    pub growth: f64,
    /// The root mean square norm of the items' vectors in use; `None` if there are none, or if one of the two
    /// models is from elsewhere or has another number of factors.
    pub norm_before: Option<f64>,
    /// That of the candidate's; finite.
    pub norm: f64,
    /// The share of the items with a vector that have one in the candidate, too; `None` if there are none.
    pub coverage: Option<f64>,
    /// The mean share of the best 20 items of a user that are among the best 20 of the candidate; `None` if there is
    /// nothing to compare. Of a few hundred users, or of those of the trials.
    pub overlap: Option<f64>,
    /// What was kept from both and then asked of both; empty if too little is new, or if the items of the model in use are
    /// not at hand as they were published: after an opening from a checkpoint, until the next sweep is.
    pub trials: &'a [Trial],
}

/// A pair that neither the candidate nor the model in use has learned from: one of the latest items that came into
/// somebody's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trial {
    /// The place of the item, from 1, among all that the user does not know, by the model in use; `None` beyond 100.
    pub rank_before: Option<usize>,
    /// The same by the candidate.
    pub rank_after: Option<usize>,
}

impl Trial {
    /// For tests of a gate.
    pub fn new(rank_before: Option<usize>, rank_after: Option<usize>) -> Self {
        Self { rank_before, rank_after }
    }
}

/// Why a trained candidate was not published. The model in use stays in use.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum GateRefusal {
    /// The items' vectors have grown out of all proportion.
    #[error("the items' root mean square norm went from {before} to {after}; raise `regularization`")]
    ExplodingNorm {
        /// That of the model in use.
        before: f64,
        /// That of the candidate.
        after: f64,
    },
    /// A vector of the candidate is not finite.
    #[error("an item's vector is not finite; raise `regularization` or lower the weigher's confidences")]
    NotFinite,
    /// Many items that had a vector have none in the candidate.
    #[error("only {coverage:.3} of the items with a vector would keep one, and {least} must")]
    LostItems {
        /// The share that has one, still.
        coverage: f64,
        /// The least share.
        least: f64,
    },
    /// Lists would be others altogether, though little has happened since the last sweep.
    #[error("lists would share {overlap:.3} of their best items with those of now, and must share {least}")]
    Churn {
        /// The mean share of the best 20 that stays.
        overlap: f64,
        /// The least.
        least: f64,
    },
    /// It would have recommended significantly worse what was heard lately.
    #[error(
        "NDCG@{PLACES} of what {n_trials} users have lately discovered fell from {before:.4} to {after:.4}, t = {t:.2}"
    )]
    Worse {
        /// That of the model in use.
        before: f64,
        /// That of the candidate.
        after: f64,
        /// In how many trials.
        n_trials: usize,
        /// Student's t of the paired differences.
        t: f64,
    },
    /// A gate of the host's had a reason of its own.
    #[error("{reason}")]
    Other {
        /// Which.
        reason: String,
    },
}

/// Publishes whatever is finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublishAlways;

impl SweepGate for PublishAlways {
    fn judge(&self, _facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        Ok(())
    }
}

/// Refuses what is significantly worse than the model in use, or unlike it without a reason: the default.
///
/// *Worse* is judged on trials: of users who were active since the last sweep, the latest item that was new to them is
/// kept from the training, and both models are asked for the 100 best items of each. NDCG@100 is compared pair by pair
/// by a one-sided t-test: the candidate is refused if it lost more than [`tolerated_loss`](Self::tolerated_loss), and
/// if t is below −[`t_limit`](Self::t_limit). An honest training falls below −3.3 once in two thousand times.
///
/// ```
/// use segue::plugin::QualityGate;
/// use segue::Engine;
///
/// let gate = QualityGate { t_limit: 2.5, ..QualityGate::default() };
/// let engine = Engine::builder().sweep_gate(gate).open()?;
/// # Ok::<(), segue::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityGate {
    /// How far below zero Student's t must be for a loss to be significant; default 3.3.
    pub t_limit: f64,
    /// The share of NDCG@100 that may be lost however certain the loss; default 0.02.
    pub tolerated_loss: f64,
    /// Trials without which nothing is said about quality; default 100. There are 100 to 2,000 of them or none: with more than
    /// that asked for, quality is not judged at all.
    pub min_trials: usize,
    /// How many times the root mean square norm of the items may be what it was; default 5. Before counts as 1 at
    /// least, as models grow out of nothing, or as 0.1 if there were few events since.
    pub max_norm_growth: f64,
    /// The share of items with a vector that must keep one; default 0.9.
    pub min_coverage: f64,
    /// The mean share of the best 20 items that must stay, as long as there were few events since the last sweep; default
    /// 0.1. Trainings from other random starts share a half.
    pub min_overlap: f64,
    /// Up to which growth of the number of events that holds; default 1.1, which is a tenth more than at the last sweep.
    pub old_until: f64,
}

impl Default for QualityGate {
    fn default() -> Self {
        Self {
            t_limit: 3.3,
            tolerated_loss: 0.02,
            min_trials: 100,
            max_norm_growth: 5.0,
            min_coverage: 0.9,
            min_overlap: 0.1,
            old_until: 1.1,
        }
    }
}

impl SweepGate for QualityGate {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        let is_old = facts.growth <= self.old_until;
        let least_norm = if is_old { LEAST_NORM_OF_OLD } else { LEAST_NORM };
        if let Some(before) = facts.norm_before
            && facts.norm > before.max(least_norm) * self.max_norm_growth
        {
            return Err(GateRefusal::ExplodingNorm { before, after: facts.norm });
        }
        if let Some(coverage) = facts.coverage.filter(|&coverage| coverage < self.min_coverage) {
            return Err(GateRefusal::LostItems { coverage, least: self.min_coverage });
        }
        let outcome = Outcome::of(facts.trials);
        if facts.trials.len() >= self.min_trials
            && outcome.t < -self.t_limit
            && outcome.after < outcome.before * (1.0 - self.tolerated_loss)
        {
            let Outcome { before, after, t } = outcome;
            return Err(GateRefusal::Worse { before, after, n_trials: facts.trials.len(), t });
        }
        match facts.overlap {
            Some(overlap) if is_old && overlap < self.min_overlap => {
                Err(GateRefusal::Churn { overlap, least: self.min_overlap })
            }
            _ => Ok(()),
        }
    }
}

/// A closure as a sweep gate.
pub(crate) struct JudgeWith<F>(pub(crate) F);

impl<F> fmt::Debug for JudgeWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JudgeWith(closure)")
    }
}

impl<F> SweepGate for JudgeWith<F>
where
    F: Fn(&GateFacts<'_>) -> Result<(), GateRefusal> + Send + Sync + 'static,
{
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        (self.0)(facts)
    }
}

/// What trials come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Mean NDCG@100 of the model in use.
    pub(super) before: f64,
    /// That of the candidate.
    pub(super) after: f64,
    /// Student's t of the differences; 0 if there are none.
    pub(super) t: f64,
}

impl Outcome {
    pub(super) fn of(trials: &[Trial]) -> Self {
        let n = count_as_f64(trials.len()).max(1.0);
        let before = trials.iter().map(|trial| gain(trial.rank_before)).sum::<f64>() / n;
        let after = trials.iter().map(|trial| gain(trial.rank_after)).sum::<f64>() / n;
        let mean = after - before;
        let deviation = |trial: &Trial| gain(trial.rank_after) - gain(trial.rank_before) - mean;
        let squares: f64 = trials.iter().map(|trial| deviation(trial) * deviation(trial)).sum();
        let error = (squares / (n - 1.0).max(1.0) / n).sqrt();
        // All differences alike: as certain as can be, if there is any.
        let t = if mean == 0.0 { 0.0 } else { mean / error.max(f64::MIN_POSITIVE) };
        Self { before, after, t }
    }
}

/// The discounted gain of one relevant item; the ideal is 1.
fn gain(rank: Option<usize>) -> f64 {
    rank.map_or(0.0, |rank| 1.0 / libm::log2(1.0 + count_as_f64(rank)))
}

/// The gate of an engine, under watch.
#[derive(Debug)]
pub(crate) struct WatchedGate {
    gate: Box<dyn SweepGate>,
    pub(crate) watch: Arc<Watch>,
}

impl WatchedGate {
    pub(crate) fn new(gate: Box<dyn SweepGate>) -> Self {
        Self { gate, watch: Arc::new(Watch::new("sweep gate", BUDGET)) }
    }

    /// Another in its place, under the same watch.
    pub(crate) fn replaced_by(&self, gate: Box<dyn SweepGate>) -> Self {
        Self { gate, watch: Arc::clone(&self.watch) }
    }

    /// The gate, if it is a `G`.
    pub(crate) fn downcast<G: SweepGate>(&self) -> Option<&G> {
        let gate: &dyn Any = &*self.gate;
        gate.downcast_ref()
    }

    /// Whether the candidate, which is finite, may be published.
    pub(super) fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        // What it did at the last sweep has been told since then.
        self.watch.forgive();
        self.watch.call(|| self.gate.judge(facts)).unwrap_or_else(|| QualityGate::default().judge(facts))
    }
}

impl Default for WatchedGate {
    fn default() -> Self {
        Self::new(Box::new(QualityGate::default()))
    }
}

/// What was found out about a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct GateReport {
    /// Pairs kept from the training and asked of both models; see [`QualityGate`].
    pub n_trials: usize,
    /// Their mean NDCG@100 by the model in use before; 0 without trials.
    pub ndcg_before: f64,
    /// The same by the candidate.
    pub ndcg: f64,
    /// The mean share of users' best 20 items that have stayed; `None` if there was nothing to compare.
    pub overlap: Option<f64>,
}

impl GateReport {
    pub(super) fn of(result: &ExamResult) -> Self {
        let Outcome { before, after, .. } = Outcome::of(&result.trials);
        // A sum of nothing is −0.
        let (ndcg_before, ndcg) = (before + 0.0, after + 0.0);
        Self { n_trials: result.trials.len(), ndcg_before, ndcg, overlap: result.overlap }
    }
}

/// The root mean square of the norms of all rows; 0 if there are none.
pub(super) fn rms_norm(rows: &ItemRows) -> f64 {
    let square = |&value: &f32| f64::from(value) * f64::from(value);
    let sum: f64 = rows.chunks().flat_map(|(_, rows)| rows).map(square).sum();
    (sum / count_as_f64(rows.n_items().max(1))).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(trials: &[Trial]) -> GateFacts<'_> {
        GateFacts {
            before: GenerationId::ZERO,
            n_pairs: 1_000,
            growth: 1.05,
            norm_before: Some(1.0),
            norm: 1.0,
            coverage: Some(1.0),
            overlap: Some(0.5),
            trials,
        }
    }

    #[test]
    fn explosions_are_refused() {
        let judge =
            |norm_before, norm| WatchedGate::default().judge(&GateFacts { norm_before, norm, ..facts(&[]) });
        let grown = |norm_before, norm| {
            WatchedGate::default().judge(&GateFacts { norm_before, norm, growth: 50.0, ..facts(&[]) })
        };
        assert_eq!(judge(None, 1e6), Ok(()));
        assert_eq!(grown(Some(0.0), 1.0), Ok(()));
        assert_eq!(judge(Some(2.5e-6), 0.49), Ok(()), "a collapsed model locks nobody out");
        assert_eq!(grown(Some(0.2), 1.1), Ok(()));
        assert_eq!(judge(Some(0.2), 1.1), Err(GateRefusal::ExplodingNorm { before: 0.2, after: 1.1 }));
        assert_eq!(judge(Some(1.0), 4.9), Ok(()));
        assert_eq!(judge(Some(1.0), 5.1), Err(GateRefusal::ExplodingNorm { before: 1.0, after: 5.1 }));
        let always = WatchedGate::new(Box::new(PublishAlways));
        assert_eq!(always.judge(&GateFacts { coverage: Some(0.0), ..facts(&[]) }), Ok(()));
    }

    #[test]
    fn limits_are_refused_beyond_and_not_before() {
        let gate = QualityGate::default();
        assert_eq!(gate.judge(&facts(&[])), Ok(()));
        let lost = GateFacts { coverage: Some(0.89), ..facts(&[]) };
        assert_eq!(gate.judge(&lost), Err(GateRefusal::LostItems { coverage: 0.89, least: 0.9 }));
        let churned = GateFacts { overlap: Some(0.09), ..facts(&[]) };
        assert_eq!(gate.judge(&churned), Err(GateRefusal::Churn { overlap: 0.09, least: 0.1 }));
        let grown = GateFacts { growth: 1.2, ..churned };
        assert_eq!(gate.judge(&grown), Ok(()), "much is new, so lists may be");
    }

    #[test]
    fn nothing_to_judge_by_is_zero_and_not_less() {
        let GateReport { ndcg_before, ndcg, .. } = GateReport::of(&ExamResult::default());
        assert_eq!((ndcg_before.to_bits(), ndcg.to_bits()), (0, 0), "{ndcg_before}, {ndcg}");
    }

    /// By hand: gains 1 to 1/log2(3) = .6309 in 100 trials, and half of those back in 20.
    #[test]
    fn a_loss_is_refused_if_it_is_significant_and_not_if_it_may_be_chance() {
        let gate = QualityGate::default();
        let better = vec![Trial::new(Some(2), Some(1)); 300];
        assert_eq!(gate.judge(&facts(&better)), Ok(()));
        let worse = vec![Trial::new(Some(1), Some(2)); 100];
        let Err(GateRefusal::Worse { before, after, n_trials: 100, t }) = gate.judge(&facts(&worse)) else {
            panic!("it is worse in every trial");
        };
        assert!((before - 1.0).abs() < 1e-12 && (after - 0.630_929_753_571).abs() < 1e-9, "{before} {after}");
        assert!(t < -1e6, "{t}");
        assert_eq!(gate.judge(&facts(&worse[..99])), Ok(()), "too few");
        // 60 of 100 lose what 40 win: mean −.2 × .3691, deviation .9847 × .3691, so t = −.2 / .9847 × 10 = −2.03.
        let mixed: Vec<_> = (0..100)
            .map(|at| if at < 60 { Trial::new(Some(1), Some(2)) } else { Trial::new(Some(2), Some(1)) })
            .collect();
        let outcome = Outcome::of(&mixed);
        assert!((outcome.t + 2.031).abs() < 1e-3, "{outcome:?}");
        assert_eq!(gate.judge(&facts(&mixed)), Ok(()));
        let strict = QualityGate { t_limit: 2.0, ..gate };
        assert!(matches!(strict.judge(&facts(&mixed)), Err(GateRefusal::Worse { .. })));
        let lenient = QualityGate { tolerated_loss: 0.5, ..strict };
        assert_eq!(lenient.judge(&facts(&mixed)), Ok(()));
    }
}
