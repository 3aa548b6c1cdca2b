//! What a trained candidate must satisfy to be published.

use thiserror::Error;

use crate::als::Factors;

/// How many times its predecessor's root mean square norm a candidate's may be. A warm sweep moves it by
/// per cents; a factor of ten is an explosion.
const MAX_NORM_GROWTH: f64 = 10.0;

/// A model below this has collapsed towards nothing, as one of very few events does; whatever comes after it
/// is large beside it. Items of a healthy model have norms around 1.
const LEAST_NORM: f64 = 1.0;

/// Why a trained candidate was not published. The model in use stays in use.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
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
}

/// The root mean square of the norms of all rows; 0 if there are none.
#[expect(clippy::cast_precision_loss, reason = "a mean over rows bears rounding")]
pub(crate) fn rms_norm(factors: &Factors) -> f64 {
    let sum: f64 = (0..factors.n_rows())
        .flat_map(|row| factors.row(row))
        .map(|&value| f64::from(value) * f64::from(value))
        .sum();
    (sum / factors.n_rows().max(1) as f64).sqrt()
}

/// Whether a candidate whose items have root mean square norm `after` may follow a model that has `before`
/// (`None` for the first).
pub(crate) fn check(before: Option<f64>, after: f64) -> Result<(), GateRefusal> {
    if !after.is_finite() {
        return Err(GateRefusal::NotFinite);
    }
    match before {
        Some(before) if after > before.max(LEAST_NORM) * MAX_NORM_GROWTH => {
            Err(GateRefusal::ExplodingNorm { before, after })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explosions_and_nan_are_refused() {
        assert_eq!(check(None, 1e6), Ok(()));
        assert_eq!(check(Some(0.0), 1.0), Ok(()));
        assert_eq!(check(Some(2.5e-6), 0.49), Ok(()), "a collapsed model locks nobody out");
        assert_eq!(check(Some(1.0), 9.9), Ok(()));
        assert_eq!(check(Some(1.0), 10.1), Err(GateRefusal::ExplodingNorm { before: 1.0, after: 10.1 }));
        assert_eq!(check(Some(1.0), f64::NAN), Err(GateRefusal::NotFinite));
    }
}
