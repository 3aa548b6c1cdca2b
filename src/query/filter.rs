//! What may be shown.

use std::fmt;

use super::request::{Candidate, Request};

/// Says which items a request may be shown. Acts before the best are chosen, so a list is full whenever there are
/// enough items that pass.
///
/// Asked on the thread that asks the engine, and only of items that would otherwise enter the list: a few dozen for a
/// list of ten, some at a time, more than are shown in the end; so an answer must not depend on what was asked before. It
/// should take microseconds. A panic is caught, counted and named in [`health`](crate::Engine::health), and
/// [`on_panic`](Self::on_panic) says what becomes of the items; more than 50 ms for one request is counted and named as well. A closure is given with [`EngineBuilder::filter_with`](crate::EngineBuilder::filter_with).
///
/// ```
/// use segue::plugin::{Candidate, Filter, ItemFilter, Request};
///
/// /// Nothing that more than `most` have heard of.
/// #[derive(Debug)]
/// struct OffTheBeatenTrack {
///     most: f32,
/// }
///
/// impl Filter for OffTheBeatenTrack {
///     fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
///         Box::new(|candidates: &[Candidate], keep: &mut [bool]| {
///             for (keep, candidate) in keep.iter_mut().zip(candidates) {
///                 *keep = candidate.listeners <= self.most;
///             }
///         })
///     }
/// }
/// # segue::Engine::builder().filter(OffTheBeatenTrack { most: 1_000.0 });
/// ```
pub trait Filter: fmt::Debug + Send + Sync + 'static {
    /// Called once a request. What it gives is asked for the items of that request alone.
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r>;

    /// What becomes of the items of a request once the filter has panicked in it: by default they are shown, as a matter of
    /// taste should not empty a list. What must never be shown wants [`OnPanic::Hide`].
    fn on_panic(&self) -> OnPanic {
        OnPanic::Show
    }
}

/// What becomes of items that a filter could not judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPanic {
    /// As if there were no such filter.
    #[default]
    Show,
    /// None of them is shown.
    Hide,
}

/// A [`Filter`] at work on one request.
pub trait ItemFilter {
    /// Sets those of `keep` to false that must not be shown. As long as `candidates`; all true at first.
    fn keep(&mut self, candidates: &[Candidate], keep: &mut [bool]);
}

impl<F: FnMut(&[Candidate], &mut [bool])> ItemFilter for F {
    fn keep(&mut self, candidates: &[Candidate], keep: &mut [bool]) {
        self(candidates, keep);
    }
}

/// Lets everything pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepAll;

impl Filter for KeepAll {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        Box::new(|_: &[Candidate], _: &mut [bool]| {})
    }
}

/// A closure as a filter, one item at a time.
pub(crate) struct FilterWith<F>(pub(crate) F);

impl<F> fmt::Debug for FilterWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterWith(closure)")
    }
}

impl<F: Fn(&Request<'_>, &Candidate) -> bool + Send + Sync + 'static> Filter for FilterWith<F> {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = (self.0)(request, candidate);
            }
        })
    }
}
