//! Which of the best make a list.

use std::fmt;

use super::request::{Candidate, Request};

/// Makes a list of the best items: spaces artists, mixes the known with the new, whatever a list is that its items are not.
///
/// Called once a request on the thread that asks, with as many items as a [`Rescorer`](crate::plugin::Rescorer) gets. Several act
/// one after the other, in the order they were given: each gets what the one before made of it, in that order, and all
/// but the last make a list of everything they get (`request.limit` says so). It should take
/// microseconds. Places that are out of range or come twice are left out, counted and named in
/// [`health`](crate::Engine::health); if all are, and if it panics, which is caught, counted and named, the best are shown as they
/// are; a call that takes longer than 50 ms is counted and named as well.
pub trait SlatePolicy: fmt::Debug + Send + Sync + 'static {
    /// The places in `ranked`, which are the best first, of the items to show, in their order; those beyond
    /// `request.limit` are not shown.
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize>;

    /// Whether it mixes what the user knows with what is new to them. Where a list may hold both, it is then given the best
    /// of each, as many as it would get of all: by score alone, what is known leaves no room for the rest. Asked once, by
    /// [`EngineBuilder::slate`](crate::EngineBuilder::slate); a panic is counted, named, and taken as `false`.
    fn mixes_known(&self) -> bool {
        false
    }
}

/// A closure as a slate policy.
pub(crate) struct ArrangeWith<F>(pub(crate) F);

impl<F> fmt::Debug for ArrangeWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArrangeWith(closure)")
    }
}

impl<F: Fn(&Request<'_>, &[Candidate]) -> Vec<usize> + Send + Sync + 'static> SlatePolicy for ArrangeWith<F> {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        (self.0)(request, ranked)
    }
}

/// The best, as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct TopRanked;

impl SlatePolicy for TopRanked {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        (0..ranked.len().min(request.limit)).collect()
    }
}
