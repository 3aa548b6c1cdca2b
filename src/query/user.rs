//! One user, pinned.

use std::cell::OnceCell;
use std::sync::Arc;

use super::answer::{ColdCause, HistoryEntry, QueryError, SimilarUser};
use super::items::{ItemQuery, Target};
use super::view::{View, telling};
use crate::kernel::{AlignedVec, TopK, dot};
use crate::model::{Cell, Fact, UserState, Weighing};
use crate::types::{DayPart, EventSeq, ItemId, Signal, Timestamp, UserId, UserIdx};

/// A user at one moment: their history is pinned, so that everything asked of one `UserView` agrees.
///
/// Their vector is taken ready-made where there is one of this view's generation, and solved from the
/// history, on the calling thread and once, where there is not.
#[derive(Debug)]
pub struct UserView<'v> {
    view: &'v View,
    id: UserId,
    known: Option<Known>,
    vector: OnceCell<Option<AlignedVec>>,
}

/// What is known of a user, and from where.
#[derive(Debug)]
struct Known {
    /// `None` for somebody only a private session knows.
    idx: Option<UserIdx>,
    state: Arc<UserState>,
    whose: Whose,
}

/// Who knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Everybody,
    /// A private session, on top of the rest: no vector at hand is of this history.
    Session,
}

/// What was done with an item of this id.
#[derive(Debug, Clone)]
pub(crate) struct FactOf {
    pub(crate) item: ItemId,
    pub(crate) at: Timestamp,
    pub(crate) signal: Signal,
    pub(crate) day_part: DayPart,
}

impl<'v> UserView<'v> {
    pub(super) fn new(view: &'v View, id: UserId) -> Self {
        let known =
            published(view, &id).map(|(idx, state)| Known { idx: Some(idx), state, whose: Whose::Everybody });
        Self { view, id, known, vector: OnceCell::new() }
    }

    /// The user in a state that was published before.
    pub(super) fn pinned_at(view: &'v View, idx: UserIdx, id: UserId, state: Arc<UserState>) -> Self {
        let known = Some(Known { idx: Some(idx), state, whose: Whose::Everybody });
        Self { view, id, known, vector: OnceCell::new() }
    }

    /// The user with more on top of what is known of them.
    pub(super) fn with_facts(
        view: &'v View,
        id: &UserId,
        facts: impl Iterator<Item = FactOf>,
        max_history: usize,
    ) -> Self {
        let fact = |FactOf { item, at, signal, day_part }| {
            Some(Fact { item: view.item_idx(&item)?, at, signal, day_part })
        };
        let mut facts = facts.filter_map(fact).peekable();
        let base = published(view, id);
        let known = (base.is_some() || facts.peek().is_some()).then(|| {
            let idx = base.as_ref().map(|(idx, _)| *idx);
            let state = base.map(|(_, state)| state).unwrap_or_default();
            let state = Arc::new(state.with_facts(facts, max_history, view.shared.decay));
            Known { idx, state, whose: Whose::Session }
        });
        Self { view, id: id.clone(), known, vector: OnceCell::new() }
    }

    /// The user's id.
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// Whether the engine has learned anything of this user, or their private session knows something.
    pub fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The user's last event that this view knows of; zero for an unknown user.
    pub fn seq(&self) -> EventSeq {
        self.known.as_ref().map_or(EventSeq::ZERO, |known| known.state.seq)
    }

    /// Items for this user: new to them, unless [`ItemQuery::allow_known`] is called.
    ///
    /// A user nothing is known of gets the popular items, and the answer says so
    /// ([`Source::Cold`](super::Source::Cold)).
    pub fn recommend(&self) -> ItemQuery<'v> {
        let query = match self.vector() {
            Some(vector) => ItemQuery::new(self.view, Target::Personal(vector.clone())),
            None => ItemQuery::new(self.view, Target::Popular(super::Source::Cold(self.cold_cause()))),
        };
        let cells = self.known.as_ref().map(|known| known.state.history.cells());
        let known = cells.unwrap_or_default().iter().map(Cell::item).collect();
        query.with_known(known).of_user(self.id.clone(), self.state())
    }

    /// What the user would score each of `items`, in their order, on the scale of
    /// [`Source::Personal`](super::Source::Personal). `None` for an item that is not known, and for all if
    /// there is nothing personal to go on.
    pub fn estimate<I: Into<ItemId>>(&self, items: impl IntoIterator<Item = I>) -> Vec<Option<f32>> {
        let vector = self.vector();
        let score = |item: I| {
            let item = self.view.item_idx(&item.into())?;
            Some(dot(self.view.path, vector?, self.view.items.rows.row(item)))
        };
        items.into_iter().map(score).collect()
    }

    /// The `limit` users whose vectors point the same way. Looks at every user: some tens of nanoseconds
    /// each, on the calling thread; a user who has been silent since the last sweep is seen as the sweep
    /// saw them, and whoever is just being written as the last sweep left them.
    ///
    /// # Errors
    /// [`QueryError::NoUserVector`] if there is nothing to compare.
    pub fn similar(&self, limit: usize) -> Result<Vec<SimilarUser>, QueryError> {
        let missing = || QueryError::NoUserVector { user: self.id.clone() };
        let vector = self.vector().ok_or_else(missing)?;
        let own = self.known.as_ref().and_then(|known| known.idx).map(UserIdx::get);
        let (view, norm) = (self.view, self.norm(vector));
        let mut top = TopK::new(limit);
        for row in (0..view.shared.user_ids.len()).filter(|&row| Some(row) != own) {
            let Some(state) = view.shared.user(UserIdx::new(row)) else { continue };
            if let Some(other) = view.generation.vector_at_hand(UserIdx::new(row), &state) {
                // Zero over zero is NaN, which no list keeps.
                top.push(dot(view.path, vector, other) / (norm * self.norm(other)), row);
            }
        }
        let similar = top
            .into_sorted()
            .into_iter()
            .filter_map(|(score, row)| Some(SimilarUser { user: view.user_id(UserIdx::new(row))?, score }));
        Ok(similar.collect())
    }

    /// The user's history, in order of when the engine first met each item.
    pub fn history(&self) -> Vec<HistoryEntry> {
        self.entries(usize::MAX)
    }

    /// The same without items that came after this view was taken.
    pub(crate) fn history_in_view(&self) -> Vec<HistoryEntry> {
        self.entries(self.view.n_items())
    }

    /// The history of the first `n_items` items.
    fn entries(&self, n_items: usize) -> Vec<HistoryEntry> {
        let Some(Known { state, .. }) = &self.known else { return Vec::new() };
        let cells = state.history.cells();
        // Before the first sweep there is no moment that all histories are reckoned at: take their own last.
        let latest = || cells.iter().map(Cell::last_seen).max().unwrap_or_default();
        let as_of = if self.view.has_model() { self.view.generation.as_of } else { latest() };
        let factor = self.view.shared.decay.common_factor(state.history.landmark(), as_of);
        let entry = |cell: &Cell| {
            let confidence = cell.confidence();
            Some(HistoryEntry {
                item: self.view.item_id(cell.item())?,
                events: cell.events(),
                preference: if confidence > 0.0 { cell.weighted_preference() / confidence } else { 0.0 },
                confidence: Weighing::confidence(cell, factor),
                last_seen: cell.last_seen(),
            })
        };
        cells.iter().take_while(|cell| cell.item().index() < n_items).filter_map(entry).collect()
    }

    /// What they have done, as far as anything is known of them.
    pub(super) fn state(&self) -> Option<Arc<UserState>> {
        self.known.as_ref().map(|known| Arc::clone(&known.state))
    }

    /// What this view of a user pins and the vector it answers with, for tests that check it from outside.
    #[cfg(test)]
    pub(crate) fn pinned(&self) -> Option<(UserIdx, &UserState, Option<&AlignedVec>)> {
        self.known.as_ref().and_then(|known| Some((known.idx?, &*known.state, self.vector())))
    }

    /// The vector that queries of this user are answered with, padded; `None` if they are answered without.
    pub(crate) fn vector(&self) -> Option<&AlignedVec> {
        let solve = || {
            let Known { idx, state, whose } = self.known.as_ref()?;
            let (generation, items) = (&self.view.generation, &self.view.items.rows);
            View::with_scratch(|scratch| match (whose, idx) {
                (Whose::Everybody, Some(idx)) => generation.vector_of(*idx, state, items, scratch),
                _ => generation.solve(&state.history, items, scratch),
            })
            .and_then(telling)
        };
        self.vector.get_or_init(solve).as_ref()
    }

    fn norm(&self, vector: &[f32]) -> f32 {
        dot(self.view.path, vector, vector).sqrt()
    }

    fn cold_cause(&self) -> ColdCause {
        match &self.known {
            None => ColdCause::UnknownUser,
            Some(_) if !self.view.has_model() => ColdCause::NoModel,
            Some(_) => ColdCause::NothingKnown,
        }
    }
}

/// What is published of the user of this id.
fn published(view: &View, id: &UserId) -> Option<(UserIdx, Arc<UserState>)> {
    let idx = UserIdx::new(view.shared.user_ids.get(id)?);
    Some((idx, view.shared.user(idx)?))
}
