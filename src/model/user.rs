//! All that is known of one user.

use super::history::{Fact, History};
use super::recent::{ActionCode, RawEvent, Recent};
use super::weighing::Decay;
use crate::kernel::{AlignedVec, prefetch};
use crate::publish::Sequenced;
use crate::types::{EventSeq, GenerationId, ItemIdx};

/// A user's history and, beside it, the vector it was last solved to.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserState {
    pub(crate) seq: EventSeq,
    pub(crate) history: History,
    pub(crate) recent: Recent,
    pub(crate) folded: Option<Folded>,
}

/// The solution of a history against one generation's items.
#[derive(Debug, Clone)]
pub(crate) struct Folded {
    pub(crate) generation: GenerationId,
    pub(crate) vector: AlignedVec,
}

/// Whether a user who has changed is solved when they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Solve {
    Now,
    /// Leave it to the first reader who asks, as imports do.
    OnRead,
}

/// What an event did to a history, for those who keep indexes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Change {
    /// A cell of the event's item was made.
    pub(crate) new_cell: bool,
    /// The cell of the event's item is gone.
    pub(crate) cell_gone: bool,
    /// Another item's cell was dropped to make room.
    pub(crate) evicted: Option<ItemIdx>,
}

/// What a merge did to a history, for those who keep indexes over it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Absorbed {
    /// Items of which a cell was made.
    pub(crate) new: Vec<ItemIdx>,
    /// Items whose cell was dropped to make room, some of the new ones perhaps.
    pub(crate) evicted: Vec<ItemIdx>,
}

/// How much a user's state may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserLimits {
    pub(crate) max_history: usize,
    pub(crate) recent_events: usize,
}

impl Sequenced for UserState {
    fn seq(&self) -> EventSeq {
        self.seq
    }
}

impl UserState {
    /// Asks memory for what learning an event and solving read of it.
    pub(crate) fn prefetch(&self) {
        self.history.prefetch();
        self.recent.prefetch_last();
        if let Some(folded) = &self.folded {
            prefetch(&folded.vector);
        }
    }

    /// A copy to change. It has no vector: a vector beside a history always knows all of it.
    pub(crate) fn draft(&self) -> Self {
        Self { seq: self.seq, history: self.history.clone(), recent: self.recent.clone(), folded: None }
    }

    /// A copy with more events in its history, of which none can be taken back. As there, the lightest cells beyond
    /// `max_history` are dropped.
    pub(crate) fn with_facts(
        &self,
        facts: impl IntoIterator<Item = Fact>,
        max_history: usize,
        decay: Decay,
    ) -> Self {
        let mut history = self.history.clone();
        for fact in facts {
            history.add(fact, decay);
            if history.cells().len() > max_history {
                history.evict_lightest(Some(fact.item));
            }
        }
        Self { seq: self.seq, history, recent: Recent::default(), folded: None }
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, event: RawEvent, limits: UserLimits, decay: Decay) -> Change {
        let new_cell = self.history.add(event.fact(), decay);
        self.recent.push(event, limits.recent_events, limits.max_history);
        let mut evicted = None;
        if self.history.cells().len() > limits.max_history {
            evicted = self.history.evict_lightest(Some(event.item())).map(|cell| cell.item());
            if let Some(item) = evicted {
                self.recent.forget_item(item);
            }
        }
        Change { new_cell, cell_gone: false, evicted }
    }

    /// Takes back the newest event of this action on this item; `None` if there is none to take back.
    pub(crate) fn undo(&mut self, item: ItemIdx, action: ActionCode, decay: Decay) -> Option<(Fact, Change)> {
        let event = self.recent.take_newest(item, action)?;
        let cell_gone = self.history.remove(event.fact(), self.recent.of_item(item), decay);
        Some((event.fact(), Change { cell_gone, ..Change::default() }))
    }

    /// Adds all that is known of another user; gives the items that are new to this one and those that had to
    /// make room.
    pub(crate) fn absorb(&mut self, other: &Self, limits: UserLimits, decay: Decay) -> Absorbed {
        let mut absorbed = Absorbed { new: self.history.absorb(&other.history, decay), evicted: Vec::new() };
        self.recent.absorb(&other.recent, limits.recent_events, limits.max_history);
        while self.history.cells().len() > limits.max_history {
            let Some(cell) = self.history.evict_lightest(None) else { break };
            self.recent.forget_item(cell.item());
            absorbed.evicted.push(cell.item());
        }
        absorbed
    }

    /// Forgets everything that was done with an item.
    pub(crate) fn forget_item(&mut self, item: ItemIdx) {
        self.history.forget_item(item);
        self.recent.forget_item(item);
    }

    /// Gives spare memory back before the state is published.
    pub(crate) fn shrink(&mut self) {
        self.history.shrink();
        self.recent.shrink();
    }

    /// Memory held, in bytes: near enough for a cap.
    pub(crate) fn n_bytes(&self) -> usize {
        size_of::<Self>()
            + size_of_val(self.history.cells())
            + self.recent.len() * size_of::<RawEvent>()
            + self.n_vector_bytes()
    }

    /// Those of them that the vector takes.
    pub(crate) fn n_vector_bytes(&self) -> usize {
        self.folded.as_ref().map_or(0, |folded| size_of_val(&*folded.vector))
    }
}
