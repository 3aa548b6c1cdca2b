//! The settings of the objective.

use thiserror::Error;

use crate::kernel::{count_as_f64, rounded};

/// The settings of the objective: checked once, then trusted.
///
/// ```
/// use segue::AlsParams;
///
/// let params = AlsParams::builder().n_factors(128).regularization(0.003).build()?;
/// assert_eq!(params.n_factors(), 128);
/// # Ok::<(), segue::ParamError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AlsParams {
    n_factors: usize,
    regularization: f32,
    unobserved_weight: f32,
    frequency_exponent: f32,
    seed: u64,
}

/// Collects the settings; [`build`](Self::build) checks them.
#[derive(Debug, Clone)]
pub struct AlsParamsBuilder {
    params: AlsParams,
}

/// Why settings were refused.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum ParamError {
    /// Too few or too many factors.
    #[error("n_factors must be between 1 and 1024, got {got}")]
    NFactors {
        /// The refused value.
        got: usize,
    },
    /// An unusable regularization.
    #[error("regularization must be > 0 and at most 1e6, got {got}")]
    Regularization {
        /// The refused value.
        got: f32,
    },
    /// An unusable weight of unobserved pairs.
    #[error("unobserved_weight must be between 0 and 1e6, got {got}")]
    UnobservedWeight {
        /// The refused value.
        got: f32,
    },
    /// An unusable exponent.
    #[error("frequency_exponent must be between 0 and 2, got {got}")]
    FrequencyExponent {
        /// The refused value.
        got: f32,
    },
}

impl Default for AlsParams {
    /// What [`AlsParams::builder`] gives if nothing is set.
    fn default() -> Self {
        Self::builder().build().expect("the defaults are in range")
    }
}

impl AlsParams {
    /// The same with another regularization; `None` if that is out of range.
    pub(crate) fn with_regularization(&self, regularization: f32) -> Option<Self> {
        let params = Self { regularization, ..self.clone() };
        AlsParamsBuilder { params }.build().ok()
    }

    /// The same but for the number of factors, which is one that others have.
    pub(crate) fn with_n_factors(&self, n_factors: usize) -> Self {
        Self { n_factors, ..self.clone() }
    }

    /// The most factors a model may have.
    pub const MAX_FACTORS: usize = 1_024;
    /// Beyond it, sums of squares would leave the range of f32.
    const MAX_WEIGHT: f32 = 1e6;
    /// The least regularization of a row: its inverse is still far inside the range of f32. Reached only
    /// by rows without any weight, whose solution is their prior mean whatever the value.
    const MIN_OF_ROW: f64 = 1e-30;
    /// The most: the same, from the other end.
    const MAX_OF_ROW: f64 = 1e30;

    /// Starts from the defaults: 64 factors, regularization 0.003, unobserved weight 0.2, frequency
    /// exponent 1.
    pub fn builder() -> AlsParamsBuilder {
        AlsParamsBuilder {
            params: Self {
                n_factors: 64,
                regularization: 0.003,
                unobserved_weight: 0.2,
                frequency_exponent: 1.0,
                seed: 0,
            },
        }
    }

    /// The settings of Hu, Koren & Volinsky (ICDM 2008): unobserved pairs weigh 1 and the regularization is
    /// the same for every row. For pairs from
    /// [`Pair::from_hu_koren_volinsky`](crate::Pair::from_hu_koren_volinsky).
    ///
    /// # Errors
    /// [`ParamError`] names the value that is out of range.
    pub fn hu_koren_volinsky(n_factors: usize, regularization: f32) -> Result<Self, ParamError> {
        Self::builder()
            .n_factors(n_factors)
            .regularization(regularization)
            .unobserved_weight(1.0)
            .frequency_exponent(0.0)
            .build()
    }

    /// k, the length of a factor vector.
    pub fn n_factors(&self) -> usize {
        self.n_factors
    }

    /// λ, the L2 weight, before it is scaled by how much is known of a row.
    pub fn regularization(&self) -> f32 {
        self.regularization
    }

    /// a0, the weight that every pair has, seen or not.
    pub fn unobserved_weight(&self) -> f32 {
        self.unobserved_weight
    }

    /// ν: how the regularization grows with the weight of a row.
    pub fn frequency_exponent(&self) -> f32 {
        self.frequency_exponent
    }

    /// Where the first item factors are drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Mean and standard deviation of the first item factors: 0.1/√k, or less where `n_items` of them would weigh
    /// more than the regularization and the first users follow chance.
    pub(crate) fn init_scale(&self, n_items: usize) -> f32 {
        /// What the items together may weigh, of the regularization: 0.15 to 0.5 left the least objective after five
        /// sweeps, a hundredth more of either outside of 0.05 to 5.
        const SHARE: f64 = 0.3;
        let usual = 0.1 / count_as_f64(self.n_factors).sqrt();
        let weight = f64::from(self.unobserved_weight) * count_as_f64(n_items);
        let regularization = f64::from(self.regularization_of_row(0.0, n_items));
        // `min` of what is NaN or infinite, as without weight, is the usual.
        rounded(usual.min((SHARE * regularization / weight).sqrt()))
    }

    /// The regularization of one row: `λ (Σc + a0·n_others)^ν`, where `n_others` counts the rows of the other
    /// side.
    pub(crate) fn regularization_of_row(&self, total_confidence: f64, n_others: usize) -> f32 {
        let weight = total_confidence + f64::from(self.unobserved_weight) * count_as_f64(n_others);
        let exponent = f64::from(self.frequency_exponent);
        // The usual exponents without `pow`: it runs once per fold-in.
        let scale = if exponent == 0.0 {
            1.0
        } else if exponent.to_bits() == 1.0_f64.to_bits() {
            weight
        } else {
            libm::pow(weight, exponent)
        };
        rounded((f64::from(self.regularization) * scale).clamp(Self::MIN_OF_ROW, Self::MAX_OF_ROW))
    }
}

impl AlsParamsBuilder {
    /// k, the length of a factor vector: 1 to 1,024, by default 64. More is slower, and better up to a point.
    #[must_use]
    pub fn n_factors(mut self, n_factors: usize) -> Self {
        self.params.n_factors = n_factors;
        self
    }

    /// λ, the L2 weight: above 0, by default 0.003. Under the default frequency exponent, 0.1 to 0.0003 are
    /// worth a search; for a large catalogue see [`frequency_exponent`](Self::frequency_exponent).
    #[must_use]
    pub fn regularization(mut self, regularization: f32) -> Self {
        self.params.regularization = regularization;
        self
    }

    /// The weight of a pair on top of which confidence comes: 0 or more, by default 0.2. More pushes
    /// everything unheard towards 0, and favours what is popular.
    #[must_use]
    pub fn unobserved_weight(mut self, unobserved_weight: f32) -> Self {
        self.params.unobserved_weight = unobserved_weight;
        self
    }

    /// ν in `λ (Σc + a0·n)^ν`: 0 to 2, by default 1. At 0 every row has the same regularization, at 1 it
    /// grows with what is known of the row (Rendle, Krichene, Zhang & Koren, "Revisiting the Performance of
    /// iALS on Item Recommendation Benchmarks", ACM Recommender Systems 2022).
    ///
    /// At 1 a large catalogue draws all vectors to zero, as `a0·n` outgrows the rest: by default a listener of 50 among
    /// 160,000 items is regularized more than 600 times as much as by their own pairs, and lists come to be those of
    /// popularity. With more than some ten thousand items, begin with 0.5 and a λ of 0.1, or with a smaller a0.
    #[must_use]
    pub fn frequency_exponent(mut self, frequency_exponent: f32) -> Self {
        self.params.frequency_exponent = frequency_exponent;
        self
    }

    /// Where the first item factors are drawn from; by default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.params.seed = seed;
        self
    }

    /// The settings, if all of them are usable.
    ///
    /// # Errors
    /// [`ParamError`] names the first value that is out of range.
    pub fn build(self) -> Result<AlsParams, ParamError> {
        let params = self.params;
        // `contains` is false for NaN.
        if !(1..=AlsParams::MAX_FACTORS).contains(&params.n_factors) {
            return Err(ParamError::NFactors { got: params.n_factors });
        }
        if !(f32::MIN_POSITIVE..=AlsParams::MAX_WEIGHT).contains(&params.regularization) {
            return Err(ParamError::Regularization { got: params.regularization });
        }
        if !(0.0..=AlsParams::MAX_WEIGHT).contains(&params.unobserved_weight) {
            return Err(ParamError::UnobservedWeight { got: params.unobserved_weight });
        }
        if !(0.0..=2.0).contains(&params.frequency_exponent) {
            return Err(ParamError::FrequencyExponent { got: params.frequency_exponent });
        }
        Ok(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_settings_are_refused_by_name() {
        let builder = AlsParams::builder;
        assert_eq!(builder().n_factors(0).build(), Err(ParamError::NFactors { got: 0 }));
        assert_eq!(builder().n_factors(1_025).build(), Err(ParamError::NFactors { got: 1_025 }));
        for bad in [f32::NAN, f32::INFINITY, -1.0] {
            assert!(matches!(builder().regularization(bad).build(), Err(ParamError::Regularization { .. })));
            let refused = builder().unobserved_weight(bad).build();
            assert!(matches!(refused, Err(ParamError::UnobservedWeight { .. })));
            let refused = builder().frequency_exponent(bad).build();
            assert!(matches!(refused, Err(ParamError::FrequencyExponent { .. })));
        }
        assert_eq!(
            builder().regularization(-1.0).build().expect_err("negative").to_string(),
            "regularization must be > 0 and at most 1e6, got -1"
        );
    }

    #[test]
    fn regularization_grows_with_the_weight_of_a_row_to_the_exponent() {
        let of_row = |exponent, total, n_others| {
            AlsParams::builder()
                .regularization(0.5)
                .unobserved_weight(0.25)
                .frequency_exponent(exponent)
                .build()
                .expect("usable")
                .regularization_of_row(total, n_others)
        };
        // λ = 0.5, weight 12 + 0.25 · 16 = 16.
        assert_eq!(of_row(0.0, 12.0, 16).to_bits(), 0.5_f32.to_bits());
        assert_eq!(of_row(0.5, 12.0, 16).to_bits(), 2.0_f32.to_bits());
        assert_eq!(of_row(1.0, 12.0, 16).to_bits(), 8.0_f32.to_bits());
        assert_eq!(of_row(2.0, 12.0, 16).to_bits(), 128.0_f32.to_bits());
    }

    #[test]
    fn a_row_without_weight_keeps_a_positive_regularization() {
        let params = AlsParams::builder().unobserved_weight(0.0).build().expect("usable");
        assert!(params.regularization_of_row(0.0, 1_000) > 0.0);
        assert!(params.regularization_of_row(1e-38, 1_000).recip().is_finite());
    }
}
