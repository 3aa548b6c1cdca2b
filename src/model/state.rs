//! What the writer and the readers share.

use std::sync::Arc;

use super::generation::Generation;
use super::item_side::ItemSide;
use super::limits::Limits;
use super::user::UserState;
use super::weighing::Decay;
use crate::publish::{GrowOnlyTable, Interner, Published, Slot, Watermark};
use crate::types::{ItemId, UserId, UserIdx};

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

    /// The slot of a user who has a row.
    pub(crate) fn slot(&self, user: UserIdx) -> &Slot<UserState> {
        self.users.get_or_grow(user.index())
    }
}
