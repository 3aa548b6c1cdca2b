//! A state to be written or summed up: that of a snapshot, or the living one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::snapshot::{RunningGramians, Snapshot};
use crate::model::{
    ActionNames, DedupeWindow, Generation, ItemRecord, ItemSide, Shared, SkipCounts, UserState,
};
use crate::publish::Freeze;
use crate::types::{ItemId, UserId, UserIdx};

/// What of an engine is the same after a restart.
#[derive(Debug)]
pub(crate) struct StateParts<'a> {
    pub(crate) shared: &'a Shared,
    /// The moment to read at; without one, nobody may write meanwhile.
    pub(crate) freeze: Option<&'a Freeze<UserState>>,
    pub(crate) n_users: u32,
    pub(crate) n_items: u32,
    pub(crate) generation: Arc<Generation>,
    pub(crate) items: Arc<ItemSide>,
    pub(crate) running: Option<&'a RunningGramians>,
    /// One a row of the items.
    pub(crate) item_records: &'a [ItemRecord],
    pub(crate) skips: &'a SkipCounts,
    pub(crate) dedupe: &'a DedupeWindow,
    pub(crate) actions: &'a ActionNames,
    pub(crate) source_offsets: &'a BTreeMap<String, u64>,
}

/// What is counted of the users, for the end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_field_names, reason = "counts begin with `n_`")]
pub(super) struct UserCounts {
    pub(super) n_users: u64,
    pub(super) n_cells: u64,
    pub(super) n_events: u64,
}

impl UserCounts {
    /// One more user who was not forgotten.
    pub(super) fn add(&mut self, state: Option<&UserState>) {
        self.n_users += 1;
        if let Some(UserState { history, recent, .. }) = state {
            self.n_cells += history.cells().len() as u64;
            self.n_events += (recent.ring().len() + recent.standing().len()) as u64;
        }
    }
}

impl Snapshot {
    /// To be read as it was when it was taken.
    pub(crate) fn parts(&self) -> StateParts<'_> {
        StateParts {
            shared: &self.shared,
            freeze: Some(&self.freeze),
            n_users: self.n_users,
            n_items: self.n_items,
            generation: Arc::clone(&self.generation),
            items: Arc::clone(&self.items),
            running: self.running.as_ref(),
            item_records: &self.item_records,
            skips: &self.skips,
            dedupe: &self.dedupe,
            actions: &self.actions,
            source_offsets: &self.source_offsets,
        }
    }
}

#[cfg(test)]
impl super::snapshot::Restored {
    /// `item_records` are those of its `by_item`.
    pub(crate) fn parts<'a>(&'a self, item_records: &'a [ItemRecord]) -> StateParts<'a> {
        let generation = self.shared.current.load();
        StateParts {
            shared: &self.shared,
            freeze: None,
            n_users: self.shared.user_ids.len(),
            n_items: self.shared.item_ids.len(),
            items: generation.items.load(),
            generation,
            running: self.running.as_ref(),
            item_records,
            skips: &self.skips,
            dedupe: &self.dedupe,
            actions: &self.actions,
            source_offsets: &self.source_offsets,
        }
    }
}

impl StateParts<'_> {
    /// The id of a row; `None` for a user who was forgotten.
    pub(super) fn user_id(&self, user: UserIdx) -> Option<UserId> {
        match self.freeze {
            Some(_) => self.shared.user_ids.frozen_key(user.get()),
            None => self.shared.user_ids.key(user.get()),
        }
    }

    pub(super) fn item_id(&self, row: u32) -> Option<ItemId> {
        match self.freeze {
            Some(_) => self.shared.item_ids.frozen_key(row),
            None => self.shared.item_ids.key(row),
        }
    }

    pub(super) fn user_state(&self, user: UserIdx) -> Option<Arc<UserState>> {
        match self.freeze {
            Some(freeze) => freeze.read(user.get(), self.shared.slot(user)),
            None => self.shared.user(user),
        }
    }

    /// The vector beside a history if it is of the present generation, without its padding.
    pub(super) fn vector<'a>(&self, state: &'a UserState) -> Option<&'a [f32]> {
        let factors = &self.generation.users.as_ref()?.factors;
        let folded = state.folded.as_ref().filter(|folded| folded.generation == self.generation.id)?;
        Some(&folded.vector[..factors.n_factors()])
    }

    /// Calls `take` with every row of the sweep, without its padding: zeros for a user who was forgotten.
    pub(super) fn each_swept_row<E>(&self, mut take: impl FnMut(&[f32]) -> Result<(), E>) -> Result<(), E> {
        let Some(side) = &self.generation.users else { return Ok(()) };
        let zeros = vec![0.0; side.factors.n_factors()];
        for user in (0..).map(UserIdx::new).take(side.factors.n_rows()) {
            let is_known = self.user_id(user).is_some();
            let row = side.factors.get(user.index()).filter(|_| is_known);
            take(row.unwrap_or(&zeros))?;
        }
        Ok(())
    }
}
