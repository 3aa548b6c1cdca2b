//! Conversions between numbers, each with its reason.

/// A count as f64.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
pub(crate) fn count_as_f64(count: usize) -> f64 {
    count as f64
}

/// The nearest f32.
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
pub(crate) fn rounded(value: f64) -> f32 {
    value as f32
}
