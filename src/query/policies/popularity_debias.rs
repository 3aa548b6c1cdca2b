//! Less of what everybody hears.

use super::super::request::{Candidate, Request};
use super::super::rescorer::{ItemRescorer, Rescorer};
use super::error::{PolicyError, in_range};

/// Takes from what is popular: `strength × ln(1 + listeners)` from every score.
///
/// Scores of a model lie around 1 for what somebody loves, so a strength of 0.01 to 0.05 is felt and no more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PopularityDebias {
    strength: f32,
}

impl PopularityDebias {
    /// `strength` is from −1000 to 1000: 0 changes nothing, below 0 gives to what is popular.
    ///
    /// # Errors
    /// [`PolicyError::OutOfRange`], of NaN too.
    pub fn new(strength: f32) -> Result<Self, PolicyError> {
        Ok(Self { strength: in_range("strength", strength, -1_000.0, 1_000.0)? })
    }
}

impl Rescorer for PopularityDebias {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        Box::new(|candidates: &[Candidate], scores: &mut [f32]| {
            for (score, candidate) in scores.iter_mut().zip(candidates) {
                *score -= self.strength * candidate.listeners.max(0.0).ln_1p();
            }
        })
    }
}
