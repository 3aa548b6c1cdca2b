//! What one event says about a user and an item, as the solver understands it.

use thiserror::Error;

/// How much an event counts, and towards which score.
///
/// The two are separate on purpose: a skip is not "little confidence in a like", it is confidence in a
/// low score. See the crate's `docs::numerics` for how they enter the objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    preference: f32,
    confidence: f32,
}

/// Why two numbers are not a [`Signal`].
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The preference is NaN, infinite, or beyond ±[`Signal::MAX_PREFERENCE`].
    #[error("preference must be between -16 and 16, got {got}")]
    Preference {
        /// The refused value.
        got: f32,
    },
    /// The confidence is NaN, negative, or beyond [`Signal::MAX_CONFIDENCE`].
    #[error("confidence must be between 0 and 1e9, got {got}")]
    Confidence {
        /// The refused value.
        got: f32,
    },
}

impl Signal {
    /// The largest magnitude of a preference. 1 is "liked"; nothing sensible is far beyond it.
    pub const MAX_PREFERENCE: f32 = 16.0;
    /// The largest confidence of one event.
    pub const MAX_CONFIDENCE: f32 = 1e9;

    /// A signal, if both numbers are usable.
    ///
    /// `preference` is what the pair should score (1 liked, 0 as good as unobserved, below 0 skipped or
    /// disliked); `confidence` is how much that counts (unobserved pairs weigh `unobserved_weight`).
    ///
    /// # Errors
    /// [`SignalError`] names the value that is NaN, infinite or out of range.
    pub fn new(preference: f32, confidence: f32) -> Result<Self, SignalError> {
        // `contains` is false for NaN.
        if !(-Self::MAX_PREFERENCE..=Self::MAX_PREFERENCE).contains(&preference) {
            return Err(SignalError::Preference { got: preference });
        }
        if !(0.0..=Self::MAX_CONFIDENCE).contains(&confidence) {
            return Err(SignalError::Confidence { got: confidence });
        }
        Ok(Self { preference, confidence })
    }

    /// A signal of preference 1.
    ///
    /// # Errors
    /// As [`Signal::new`].
    pub fn positive(confidence: f32) -> Result<Self, SignalError> {
        Self::new(1.0, confidence)
    }

    /// What the pair should score.
    pub fn preference(self) -> f32 {
        self.preference
    }

    /// How much that counts.
    pub fn confidence(self) -> f32 {
        self.confidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_numbers_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -17.0, 17.0] {
            assert!(matches!(Signal::new(bad, 1.0), Err(SignalError::Preference { .. })), "{bad}");
        }
        for bad in [f32::NAN, f32::INFINITY, -1e-30, 1.1e9] {
            assert!(matches!(Signal::new(1.0, bad), Err(SignalError::Confidence { .. })), "{bad}");
        }
    }
}
