//! Users changed since the last publication.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Shared, Solve, UserState};
use crate::types::{EventSeq, UserIdx};

/// States kept for their memory at most: some 100 MB at 50 items and 64 events a user.
const MAX_SPARE: usize = 32_768;
/// Of this size at most. Larger ones are few, and would hold much for whoever comes next.
const MAX_SPARE_BYTES: usize = 8_192;

/// A state being written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) user: UserIdx,
    pub(super) state: UserState,
    /// What the latest change asked for.
    pub(super) solve: Solve,
}

/// The states being written, in order of first change, so that publication has one order everywhere.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    states: Vec<Draft>,
    position: HashMap<UserIdx, usize, foldhash::fast::RandomState>,
    /// States that nobody uses any more, for the memory they have: giving it back and asking for it anew takes as long as
    /// copying a history does.
    spare: Vec<UserState>,
    /// Bytes of these, near enough.
    n_spare_bytes: usize,
    /// How many of them the next batch is likely to need.
    n_wanted: usize,
}

impl Drafts {
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// The draft of `user`, if there is one.
    pub(super) fn get(&self, user: UserIdx) -> Option<&UserState> {
        self.position.get(&user).map(|&at| &self.states[at].state)
    }

    /// The draft of `user`, begun from what is published.
    pub(super) fn edit(&mut self, user: UserIdx, shared: &Shared, solve: Solve) -> &mut UserState {
        let at = *self.position.entry(user).or_insert_with(|| {
            let published = shared.user(user);
            let draft = |state: Arc<UserState>| {
                let spare = self.spare.pop();
                self.n_spare_bytes -= spare.as_ref().map_or(0, UserState::n_bytes);
                state.draft_in(spare.unwrap_or_default())
            };
            let state = published.map(draft).unwrap_or_default();
            self.states.push(Draft { user, state, solve });
            self.states.len() - 1
        });
        let draft = &mut self.states[at];
        draft.solve = solve;
        &mut draft.state
    }

    /// Notes the last event of a user whose draft is being edited.
    pub(super) fn stamp(&mut self, user: UserIdx, seq: EventSeq) {
        let at = self.position.get(&user).expect("an edited user has a draft");
        self.states[*at].state.seq = seq;
    }

    /// Takes a state that was replaced; it is of use if nobody reads it any more.
    pub(super) fn recycle(&mut self, old: Arc<UserState>) {
        if self.spare.len() < self.n_wanted
            && old.n_bytes() <= MAX_SPARE_BYTES
            && let Some(state) = Arc::into_inner(old)
        {
            self.n_spare_bytes += state.n_bytes();
            self.spare.push(state);
        }
    }

    /// Bytes of what is kept for more drafts.
    pub(super) fn n_spare_bytes(&self) -> u64 {
        self.n_spare_bytes as u64
    }

    /// Gives back the memory that is kept for more drafts.
    pub(super) fn free_spare(&mut self) {
        self.spare = Vec::new();
        self.n_spare_bytes = 0;
    }

    pub(super) fn take(&mut self) -> Vec<Draft> {
        if self.states.is_empty() {
            return Vec::new();
        }
        self.position.clear();
        self.n_wanted = MAX_SPARE.min(2 * self.states.len());
        for superfluous in self.spare.drain(self.n_wanted.min(self.spare.len())..) {
            self.n_spare_bytes -= superfluous.n_bytes();
        }
        std::mem::take(&mut self.states)
    }
}
