//! Settings of policies that cannot be.

use thiserror::Error;

/// Why a policy of lists cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A number is not in its range.
    #[error("{setting} must be between {min} and {max}, got {got}")]
    OutOfRange {
        /// Which one.
        setting: &'static str,
        /// The least it may be.
        min: f32,
        /// The most it may be.
        max: f32,
        /// The refused value.
        got: f32,
    },
}

/// `got` if it is a number from `min` to `max`.
pub(super) fn in_range(setting: &'static str, got: f32, min: f32, max: f32) -> Result<f32, PolicyError> {
    // `contains` is false for NaN.
    let is_in_range = (min..=max).contains(&got);
    is_in_range.then_some(got).ok_or(PolicyError::OutOfRange { setting, min, max, got })
}
