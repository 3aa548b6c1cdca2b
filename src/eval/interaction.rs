//! What files say, and how it weighs.

use thiserror::Error;

use crate::als::{Pair, PairError, TrainingInput, TrainingInputError};
use crate::kernel::rounded;
use crate::types::{ItemIdx, UserIdx};

/// One line of a data set: a user, an item, and how much of it (plays, stars, 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interaction {
    /// Who.
    pub user: UserIdx,
    /// What.
    pub item: ItemIdx,
    /// How much; 1 where the file has no such column.
    pub value: f32,
}

/// One user's positive and the negatives that a data set gives to rank it among: the protocol of He et al.,
/// "Neural Collaborative Filtering" (WWW 2017).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenNegatives {
    /// Who.
    pub user: UserIdx,
    /// The item that was held out.
    pub positive: ItemIdx,
    /// What it is ranked among.
    pub negatives: Vec<ItemIdx>,
}

/// How the value of a pair becomes its confidence. Its preference is 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Confidence {
    /// 1, whatever the value.
    #[default]
    Ones,
    /// `alpha · ln(1 + value)`: the hundredth play says less than the first.
    Log {
        /// The slope at 0.
        alpha: f32,
    },
    /// `alpha · value`.
    Linear {
        /// The slope.
        alpha: f32,
    },
}

/// Why interactions are not an input to train on.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum WeighError {
    /// The value has no confidence.
    #[error("{value} has no confidence; give values and an alpha that are finite and >= 0")]
    Value {
        /// The value, summed over the pair's lines.
        value: f32,
        /// What is wrong with the confidence.
        source: PairError,
    },
    /// A row is beyond the counts given.
    #[error("an interaction has no row to go to")]
    Row(#[from] TrainingInputError),
}

impl Confidence {
    /// The pair of somebody with this value.
    ///
    /// # Errors
    /// [`PairError`] if the confidence comes out negative, NaN or infinite.
    pub fn pair(self, value: f32) -> Result<Pair, PairError> {
        let confidence = match self {
            Self::Ones => 1.0,
            Self::Log { alpha } => rounded(f64::from(alpha) * libm::log1p(f64::from(value))),
            Self::Linear { alpha } => alpha * value,
        };
        Pair::new(confidence, confidence)
    }
}

/// Weighs interactions for training.
///
/// The values of a pair that occurs more than once are added up *before* they are weighed. So `Ones` gives 1
/// a pair and not 1 a line, and `Log` sees the total of the plays.
///
/// # Errors
/// [`WeighError`] if a value has no confidence or a row is not below `n_users` or `n_items`.
pub fn training_input(
    n_users: usize,
    n_items: usize,
    interactions: &[Interaction],
    confidence: Confidence,
) -> Result<TrainingInput, WeighError> {
    let pairs = weighed(interactions, confidence)?;
    Ok(TrainingInput::from_pairs(n_users, n_items, pairs)?)
}

/// The pairs of `interactions`, each once, ascending by user and item.
pub(super) fn weighed(
    interactions: &[Interaction],
    confidence: Confidence,
) -> Result<Vec<(UserIdx, ItemIdx, Pair)>, WeighError> {
    let mut sorted = interactions.to_vec();
    // Stable, so that equal pairs are added in the order they came.
    sorted.sort_by_key(|one| (one.user, one.item));
    sorted
        .chunk_by(|a, b| (a.user, a.item) == (b.user, b.item))
        .map(|lines| {
            let value = rounded(lines.iter().map(|line| f64::from(line.value)).sum());
            let pair = confidence.pair(value).map_err(|source| WeighError::Value { value, source })?;
            Ok((lines[0].user, lines[0].item, pair))
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "one rounding of the formula is the claim")]
mod tests {
    use super::*;

    fn line(user: u32, item: u32, value: f32) -> Interaction {
        Interaction { user: UserIdx::new(user), item: ItemIdx::new(item), value }
    }

    #[test]
    fn each_rule_has_its_formula() {
        let confidence = |rule: Confidence, value| rule.pair(value).expect("usable").confidence();
        assert_eq!(confidence(Confidence::Ones, 7.0), 1.0);
        assert_eq!(confidence(Confidence::Linear { alpha: 0.5 }, 7.0), 3.5);
        // One rounding to f32 of 2 · ln 8.
        assert_eq!(confidence(Confidence::Log { alpha: 2.0 }, 7.0), rounded(2.0 * 8.0_f64.ln()));
        let pair = Confidence::Linear { alpha: 2.0 }.pair(3.0).expect("usable");
        assert_eq!(pair.weighted_preference(), pair.confidence(), "the preference is 1");
    }

    #[test]
    fn lines_of_one_pair_add_up_before_they_are_weighed() {
        let lines = [line(1, 0, 3.0), line(0, 1, 1.0), line(1, 0, 4.0)];
        let confidence = |rule| {
            let input = training_input(2, 2, &lines, rule).expect("usable");
            assert_eq!(input.n_pairs(), 2);
            input.by_user().get(1, 0).expect("two lines").confidence()
        };
        assert_eq!(confidence(Confidence::Ones), 1.0);
        assert_eq!(confidence(Confidence::Log { alpha: 1.0 }), rounded(8.0_f64.ln()));
    }

    #[test]
    fn values_without_a_confidence_are_named() {
        for (rule, value) in [
            (Confidence::Linear { alpha: -1.0 }, 2.0),
            (Confidence::Linear { alpha: f32::MAX }, 2.0),
            (Confidence::Log { alpha: f32::NAN }, 2.0),
            (Confidence::Log { alpha: 1.0 }, -3.0),
        ] {
            let refused = training_input(1, 1, &[line(0, 0, value)], rule).expect_err("unusable");
            assert!(matches!(refused, WeighError::Value { value: got, .. } if got == value), "{rule:?}");
        }
        let refused = training_input(1, 1, &[line(0, 1, 1.0)], Confidence::Ones);
        assert!(matches!(refused, Err(WeighError::Row(_))));
    }
}
