//! What a policy is told of a request, and of the items that may be shown.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use super::answer::Source;
use super::extras::Extras;
use super::view::View;
use crate::kernel::dot;
use crate::model::{Cell, UserState};
use crate::types::{Context, ItemId, ItemIdx, Timestamp, UserId};

/// What a policy is told of a request: who asks, when, in which circumstances, and for what.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Request<'r> {
    /// Who asks; `None` where no user is meant, as for what is similar to an item, unless
    /// [`ItemQuery::for_listener`](crate::ItemQuery::for_listener) says whom the list is for.
    pub user: Option<&'r UserId>,
    /// When, by the engine's clock, or as the host said with [`ItemQuery::at`](crate::ItemQuery::at).
    pub at: Timestamp,
    /// In which circumstances, if the host said so with [`ItemQuery::context`](crate::ItemQuery::context).
    pub context: Option<&'r Context>,
    /// How many items are to be shown.
    pub limit: usize,
    /// What the scores are.
    pub source: Source,
    pub(super) about: About<'r>,
}

/// What a request looks things up in; in tests of policies alone there may be nothing.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'r> {
    pub(super) view: Option<&'r View>,
    pub(super) state: Option<&'r UserState>,
    pub(super) extras: Option<&'r Extras>,
}

impl fmt::Debug for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("About").field("extras", &self.extras).finish_non_exhaustive()
    }
}

impl<'r> Request<'r> {
    /// What the host gave this request with [`ItemQuery::with`](crate::ItemQuery::with): at most one value of a type.
    pub fn get<T: Any>(&self) -> Option<&'r T> {
        self.about.extras?.get()
    }

    /// What the user heard less than `window` before the request, in no particular order; what is stamped later than
    /// the request counts as heard just now. Looks at all of the user's history: some nanoseconds an item, and some
    /// tens for each it gives.
    pub fn heard_within(&self, window: Duration) -> impl Iterator<Item = (ItemId, Heard)> + use<'r> {
        let (at, view) = (self.at, self.about.view);
        self.cells().iter().filter_map(move |cell| {
            let is_recent = at.saturating_since(cell.last_seen()) < window;
            if is_recent { Some((view?.item_id(cell.item())?, Heard::from(cell))) } else { None }
        })
    }

    /// When the user last heard the `n`th latest of the items they know: what was heard then or later are the latest
    /// `n`, and more if several bear the same time. `None` if `n` is 0 or nothing is known; with fewer than `n` items, of the first of all.
    pub fn nth_latest(&self, n: usize) -> Option<Timestamp> {
        let mut seen: Vec<Timestamp> = self.cells().iter().map(Cell::last_seen).collect();
        let nth = n.min(seen.len()).checked_sub(1)?;
        Some(*seen.select_nth_unstable_by(nth, |a, b| b.cmp(a)).1)
    }

    /// The vector of an item of this request; `None` if it has none yet. Padded with zeros, in the coordinates of the
    /// generation that answers: good for comparing two of one request, and for nothing else.
    pub fn vector(&self, candidate: &Candidate) -> Option<&'r [f32]> {
        let view = self.about.view?;
        (candidate.idx.index() < view.n_items()).then(|| view.item_vector(candidate.idx))?
    }

    /// How alike the listeners of two items of this request are: the cosine of their vectors, −1 to 1. `None` if one
    /// has no vector yet.
    pub fn similarity(&self, a: &Candidate, b: &Candidate) -> Option<f32> {
        let (path, a, b) = (self.about.view?.path, self.vector(a)?, self.vector(b)?);
        let cosine = dot(path, a, b) / (dot(path, a, a) * dot(path, b, b)).sqrt();
        cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
    }

    fn cells(&self) -> &'r [Cell] {
        self.about.state.map(|state| state.history.cells()).unwrap_or_default()
    }
}

/// An item that may be shown.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// The item.
    pub item: ItemId,
    /// Its score, as the model gives it or, further on, as rescorers left it.
    pub score: f32,
    /// How many listeners it has.
    pub listeners: f32,
    /// What the user has done with it; `None` if nothing, or if no user is meant.
    pub heard: Option<Heard>,
    pub(super) idx: ItemIdx,
}

/// What a user has done with an item.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Heard {
    /// Events, undone ones not counted.
    pub events: u32,
    /// The latest of them.
    pub last_seen: Timestamp,
    /// Their preference, on average by confidence: 1 for what was liked, below 0 for what was skipped.
    pub preference: f32,
}

impl From<&Cell> for Heard {
    fn from(cell: &Cell) -> Self {
        let confidence = cell.confidence();
        let preference = if confidence > 0.0 { cell.weighted_preference() / confidence } else { 0.0 };
        Self { events: cell.events(), last_seen: cell.last_seen(), preference }
    }
}
