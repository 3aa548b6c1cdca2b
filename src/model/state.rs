//! What the writer and the readers share.

use std::collections::VecDeque;
use std::sync::Arc;

use super::generation::Generation;
use super::item_side::ItemSide;
use super::limits::Limits;
use super::user::UserState;
use super::weighing::Decay;
use crate::publish::{GrowOnlyTable, Interner, Published, Slot, Watermark};
use crate::types::{ItemId, UserId, UserIdx};

/// How many users each step of [`Shared::states`] is ahead of the next.
const AHEAD: usize = 8;

/// The published state of an engine: one writer, any number of readers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) current: Published<Generation>,
    pub(crate) user_ids: Interner<UserId>,
    pub(crate) item_ids: Interner<ItemId>,
    pub(crate) applied: Watermark,
    /// How events fade, the same for all generations.
    pub(crate) decay: Decay,
    users: GrowOnlyTable<Slot<UserState>>,
}

impl Shared {
    pub(crate) fn new(limits: &Limits, n_factors: usize, decay: Decay) -> Self {
        let max_users = limits.max_users as usize;
        Self {
            current: Published::new(Arc::new(Generation::empty(ItemSide::empty(n_factors)))),
            user_ids: Interner::with_capacity(max_users),
            item_ids: Interner::with_capacity(limits.max_items as usize),
            applied: Watermark::default(),
            decay,
            users: GrowOnlyTable::with_capacity(max_users),
        }
    }

    /// The published state of a user, if anything was published yet.
    pub(crate) fn user(&self, user: UserIdx) -> Option<Arc<UserState>> {
        self.users.get(user.index())?.load()
    }

    /// The published states of `users`, in their order. Memory is asked for what comes next while the caller has the
    /// present one in hand: of a hundred thousand users few are in a cache. `ask` asks for what the caller will read of a
    /// state.
    pub(crate) fn states<'a>(
        &'a self,
        users: &'a [UserIdx],
        ask: impl Fn(UserIdx, &UserState) + 'a,
    ) -> impl Iterator<Item = (UserIdx, Option<Arc<UserState>>)> + 'a {
        let mut loaded = VecDeque::with_capacity(AHEAD + 1);
        (0..users.len() + AHEAD).filter_map(move |at| {
            // Each step needs what the step before has asked for.
            if let Some(&user) = users.get(at + 2 * AHEAD) {
                self.ask_for_slot(user);
            }
            if let Some(&user) = users.get(at + AHEAD) {
                self.ask_for_state(user);
            }
            if let Some(&user) = users.get(at) {
                let state = self.user(user);
                if let Some(state) = &state {
                    ask(user, state);
                }
                loaded.push_back((user, state));
            }
            if at < AHEAD { None } else { loaded.pop_front() }
        })
    }

    /// Asks memory for where the state of `user` hangs.
    pub(crate) fn ask_for_slot(&self, user: UserIdx) {
        self.users.prefetch(user.index());
    }

    /// Asks memory for the state of `user`, some time after [`ask_for_slot`](Self::ask_for_slot).
    pub(crate) fn ask_for_state(&self, user: UserIdx) {
        if let Some(slot) = self.users.get(user.index()) {
            slot.prefetch();
        }
    }

    /// Shows the state of `user`, if there is one, to `look`, which must not wait for anything: some time after
    /// [`ask_for_state`](Self::ask_for_state), to ask memory for parts of it.
    pub(crate) fn look(&self, user: UserIdx, look: impl FnOnce(&UserState)) {
        if let Some(slot) = self.users.get(user.index()) {
            slot.look(look);
        }
    }

    /// The slot of a user who has a row.
    pub(crate) fn slot(&self, user: UserIdx) -> &Slot<UserState> {
        self.users.get_or_grow(user.index())
    }
}
