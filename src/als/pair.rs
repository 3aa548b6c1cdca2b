//! What is known of one user and one item, as the solver takes it.

use std::ops::Add;

use thiserror::Error;

use crate::types::Signal;

/// Confidence `c` and weighted preference `c·p` of one user–item pair; several events add up.
///
/// The sum of both, not of preferences, is what enters the normal equations. It also holds what a
/// preference cannot: in the mapping of Hu, Koren & Volinsky a confidence of 1 becomes `c = 0, c·p = 1`.
///
/// ```
/// use segue::{Pair, Signal};
///
/// let listen = Pair::from_signal(Signal::positive(2.0)?);
/// let skip = Pair::from_signal(Signal::new(-0.5, 1.0)?);
/// let both = listen + skip;
/// assert_eq!((both.confidence(), both.weighted_preference()), (3.0, 1.5));
/// # Ok::<(), segue::SignalError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pair {
    confidence: f32,
    weighted_preference: f32,
}

/// Why two numbers are not a [`Pair`].
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum PairError {
    /// The confidence is NaN, infinite or negative.
    #[error("confidence must be finite and >= 0, got {got}")]
    Confidence {
        /// The refused value.
        got: f32,
    },
    /// The weighted preference is NaN or infinite, or there is one without confidence.
    #[error("weighted preference must be finite, and 0 where confidence is 0, got {got}")]
    WeightedPreference {
        /// The refused value.
        got: f32,
    },
    /// A confidence in the convention of Hu, Koren & Volinsky that is below that of unobserved pairs.
    #[error(
        "a Hu–Koren–Volinsky confidence must be finite and at least 1 in magnitude, got {got}; scale it up"
    )]
    HuKorenVolinsky {
        /// The refused value.
        got: f32,
    },
}

impl Pair {
    /// One event.
    pub fn from_signal(signal: Signal) -> Self {
        Self {
            confidence: signal.confidence(),
            weighted_preference: signal.confidence() * signal.preference(),
        }
    }

    /// A pair from the two sums.
    ///
    /// # Errors
    /// [`PairError`] if a number is not finite, if the confidence is negative, or if there is a weighted
    /// preference without confidence.
    pub fn new(confidence: f32, weighted_preference: f32) -> Result<Self, PairError> {
        if !(confidence.is_finite() && confidence >= 0.0) {
            return Err(PairError::Confidence { got: confidence });
        }
        if !weighted_preference.is_finite() || (confidence == 0.0 && weighted_preference != 0.0) {
            return Err(PairError::WeightedPreference { got: weighted_preference });
        }
        Ok(Self { confidence, weighted_preference })
    }

    /// The pair that has the same minimiser as `confidence` in Hu, Koren & Volinsky, "Collaborative
    /// Filtering for Implicit Feedback Datasets" (ICDM 2008), and in libraries that follow it.
    ///
    /// Use it with [`AlsParams::hu_koren_volinsky`](crate::AlsParams::hu_koren_volinsky). A positive
    /// confidence means preference 1, a negative one preference 0 with that much confidence. There the
    /// confidence includes the 1 of an unobserved pair, here it comes on top of it.
    ///
    /// # Errors
    /// [`PairError::HuKorenVolinsky`] if `confidence` is not finite or below 1 in magnitude: that would be
    /// less than an unobserved pair weighs, and the system could be singular.
    pub fn from_hu_koren_volinsky(confidence: f32) -> Result<Self, PairError> {
        if !confidence.is_finite() || confidence.abs() < 1.0 {
            return Err(PairError::HuKorenVolinsky { got: confidence });
        }
        Ok(Self { confidence: confidence.abs() - 1.0, weighted_preference: confidence.max(0.0) })
    }

    /// A pair from two sums that are known to be usable.
    pub(crate) fn from_sums(confidence: f32, weighted_preference: f32) -> Self {
        debug_assert!(
            Self::new(confidence, weighted_preference).is_ok(),
            "{confidence}, {weighted_preference}"
        );
        Self { confidence, weighted_preference }
    }

    /// How much it counts on top of an unobserved pair.
    pub fn confidence(self) -> f32 {
        self.confidence
    }

    /// The confidence times what the pair should score.
    pub fn weighted_preference(self) -> f32 {
        self.weighted_preference
    }
}

impl Add for Pair {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            confidence: self.confidence + other.confidence,
            weighted_preference: self.weighted_preference + other.weighted_preference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_numbers_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, -1e-30] {
            assert!(matches!(Pair::new(bad, 0.0), Err(PairError::Confidence { .. })), "{bad}");
        }
        assert!(matches!(Pair::new(0.0, 1.0), Err(PairError::WeightedPreference { .. })));
        assert!(matches!(Pair::new(1.0, f32::NAN), Err(PairError::WeightedPreference { .. })));
        assert_eq!(Pair::new(0.0, 0.0), Ok(Pair::default()));
    }

    #[test]
    fn confidences_below_an_unobserved_pair_are_refused() {
        for bad in [0.0, 0.5, -0.999, f32::NAN, f32::NEG_INFINITY] {
            assert!(Pair::from_hu_koren_volinsky(bad).is_err(), "{bad}");
        }
        for (confidence, expected) in [(1.0, (0.0, 1.0)), (5.0, (4.0, 5.0)), (-3.0, (2.0, 0.0))] {
            let pair = Pair::from_hu_koren_volinsky(confidence).expect("at least 1");
            assert_eq!((pair.confidence, pair.weighted_preference), expected);
        }
    }
}
