//! Users changed since the last publication.

use std::collections::HashMap;

use crate::model::{Shared, UserState};
use crate::types::UserIdx;

/// The states being written, in order of first change, so that publication has one order everywhere.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    states: Vec<(UserIdx, UserState)>,
    position: HashMap<UserIdx, usize, foldhash::fast::RandomState>,
}

impl Drafts {
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// The draft of `user`, if there is one.
    pub(super) fn get(&self, user: UserIdx) -> Option<&UserState> {
        self.position.get(&user).map(|&at| &self.states[at].1)
    }

    /// The draft of `user`, begun from what is published.
    pub(super) fn edit(&mut self, user: UserIdx, shared: &Shared) -> &mut UserState {
        let at = *self.position.entry(user).or_insert_with(|| {
            let published = shared.user(user);
            let draft = published.map(|state| state.without_vector()).unwrap_or_default();
            self.states.push((user, draft));
            self.states.len() - 1
        });
        &mut self.states[at].1
    }

    pub(super) fn take(&mut self) -> Vec<(UserIdx, UserState)> {
        self.position.clear();
        std::mem::take(&mut self.states)
    }
}
