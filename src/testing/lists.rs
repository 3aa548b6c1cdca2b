//! Plug-ins of lists, watched at work.

use std::cell::RefCell;
use std::time::Duration;

use super::complaints::Complaints;
use super::world::World;
use crate::guard::fenced;
use crate::query::{Candidate, Filter, ItemFilter, ItemRescorer, OnPanic, Request, Rescorer, SlatePolicy};

/// What an engine allows for one request.
const BUDGET: Duration = Duration::from_millis(50);

/// Puts a filter to the test: it must not panic or be slow, and must say the same of an item whenever it is asked, alone or
/// with others, earlier or later.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_filter(filter: impl Filter) {
    World::default().check_filter(filter);
}

/// Puts a rescorer to the test: it must not panic or be slow, give finite scores, and give the same ones twice.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_rescorer(rescorer: impl Rescorer) {
    World::default().check_rescorer(rescorer);
}

/// Puts a slate policy to the test: it must not panic or be slow, name places that are there, each at most once, and make
/// the same list twice.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_slate(slate: impl SlatePolicy) {
    World::default().check_slate(slate);
}

#[derive(Debug)]
pub(super) struct FilterProbe<F> {
    pub(super) inner: F,
    pub(super) complaints: Complaints,
}

impl<F: Filter> Filter for FilterProbe<F> {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        let begun = self.complaints.twice(BUDGET, || self.inner.for_request(request));
        let Some((together, alone)) = begun else { return Box::new(|_: &[Candidate], _: &mut [bool]| {}) };
        let (together, alone) = (RefCell::new(together), RefCell::new(alone));
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            let judge = || {
                let mut kept = vec![true; candidates.len()];
                together.borrow_mut().keep(candidates, &mut kept);
                kept
            };
            let Some((first, second)) = self.complaints.twice(BUDGET, judge) else { return };
            if first != second {
                self.complaints.add("it says two things of the same items, asked twice".to_owned());
            }
            for (place, candidate) in candidates.iter().enumerate().rev() {
                if self.complaints.is_slow() {
                    break;
                }
                let mut kept = [true];
                let one = &candidates[place..=place];
                if let Err(message) = fenced(|| alone.borrow_mut().keep(one, &mut kept)) {
                    self.complaints.add(format!("it panicked: {message}"));
                } else if kept[0] != first[place] {
                    let item = &candidate.item;
                    self.complaints
                        .add(format!("it says two things of item {item}, asked alone and with others"));
                }
            }
            keep.copy_from_slice(&first);
        })
    }

    fn on_panic(&self) -> OnPanic {
        self.inner.on_panic()
    }
}

#[derive(Debug)]
pub(super) struct RescorerProbe<R> {
    pub(super) inner: R,
    pub(super) complaints: Complaints,
}

impl<R: Rescorer> Rescorer for RescorerProbe<R> {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        Box::new(move |candidates: &[Candidate], scores: &mut [f32]| {
            let rescore = || {
                let mut scores = scores.to_vec();
                self.inner.for_request(request).rescore(candidates, &mut scores);
                scores
            };
            let Some((first, second)) = self.complaints.twice(BUDGET, rescore) else { return };
            let bits = |scores: &[f32]| scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
            if bits(&first) != bits(&second) {
                self.complaints.add("it gives two scores to the same item, asked twice".to_owned());
            }
            for (candidate, score) in candidates.iter().zip(&first).filter(|(_, score)| !score.is_finite()) {
                self.complaints.add(format!("it gives item {} a score of {score}", candidate.item));
            }
            scores.copy_from_slice(&first);
        })
    }
}

#[derive(Debug)]
pub(super) struct SlateProbe<S> {
    pub(super) inner: S,
    pub(super) complaints: Complaints,
}

impl<S: SlatePolicy> SlatePolicy for SlateProbe<S> {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        let arrange = || self.inner.arrange(request, ranked);
        let Some((first, second)) = self.complaints.twice(BUDGET, arrange) else { return Vec::new() };
        if first != second {
            self.complaints.add("it makes two lists of the same items, asked twice".to_owned());
        }
        let mut is_placed = vec![false; ranked.len()];
        for &place in &first {
            match is_placed.get_mut(place) {
                None => self.complaints.add(format!("it names place {place} of {}", ranked.len())),
                Some(true) => self.complaints.add(format!("it names place {place} twice")),
                Some(is_placed) => *is_placed = true,
            }
        }
        first
    }

    fn mixes_known(&self) -> bool {
        self.inner.mixes_known()
    }
}
