//! In which order.

use std::fmt;

use super::request::{Candidate, Request};

/// Gives items of a request other scores, and so another order.
///
/// Called on the thread that asks, with the best items by the model's score: four times as many as are asked for, and at
/// least fifty more ([`EngineBuilder::rescore_pool`](crate::EngineBuilder::rescore_pool)); what is not among those cannot
/// rise. Several act one after the other, in the order they were given. A list then has its scores on the scale of the
/// last, whatever its [`Source`](crate::Source) says.
///
/// It should take microseconds. A panic is caught, counted and named in [`health`](crate::Engine::health), and the scores
/// stay as they were; so does a single score that is not finite. A call that takes longer than 50 ms is counted and named
/// as well.
///
/// A closure is given with [`EngineBuilder::rescore_with`](crate::EngineBuilder::rescore_with).
pub trait Rescorer: fmt::Debug + Send + Sync + 'static {
    /// Called once a request. What it gives scores the items of that request alone.
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r>;
}

/// A [`Rescorer`] at work on one request.
pub trait ItemRescorer {
    /// Changes `scores`, which are those of `candidates`, in their order. Higher is better.
    fn rescore(&mut self, candidates: &[Candidate], scores: &mut [f32]);
}

impl<F: FnMut(&[Candidate], &mut [f32])> ItemRescorer for F {
    fn rescore(&mut self, candidates: &[Candidate], scores: &mut [f32]) {
        self(candidates, scores);
    }
}

/// Leaves all scores as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepScores;

impl Rescorer for KeepScores {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        Box::new(|_: &[Candidate], _: &mut [f32]| {})
    }
}

/// A closure as a rescorer, one item at a time.
pub(crate) struct RescoreWith<F>(pub(crate) F);

impl<F> fmt::Debug for RescoreWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RescoreWith(closure)")
    }
}

impl<F: Fn(&Request<'_>, &Candidate) -> f32 + Send + Sync + 'static> Rescorer for RescoreWith<F> {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        Box::new(move |candidates: &[Candidate], scores: &mut [f32]| {
            for (score, candidate) in scores.iter_mut().zip(candidates) {
                *score = (self.0)(request, candidate);
            }
        })
    }
}
