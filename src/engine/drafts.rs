//! Users changed since the last publication.

use std::collections::HashMap;

use crate::model::{Shared, Solve, UserState};
use crate::types::{EventSeq, UserIdx};

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
            let state = published.map(|state| state.draft()).unwrap_or_default();
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

    pub(super) fn take(&mut self) -> Vec<Draft> {
        self.position.clear();
        std::mem::take(&mut self.states)
    }
}
