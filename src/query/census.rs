//! Everybody and everything that a view knows, to be gone through one by one.

use std::sync::Arc;

use super::user::UserView;
use super::view::View;
use crate::als::AlsParams;
use crate::model::UserState;
use crate::types::{ItemId, ItemIdx, UserId, UserIdx};

/// The items of a view, and all users as they were when it was taken: their ids, and their states by reference. No vector
/// is copied.
#[derive(Debug)]
pub(crate) struct Census<'v> {
    view: &'v View,
    users: Vec<PinnedUser>,
    items: Vec<(ItemIdx, ItemId)>,
}

#[derive(Debug)]
struct PinnedUser {
    idx: UserIdx,
    id: UserId,
    state: Arc<UserState>,
}

impl<'v> Census<'v> {
    pub(crate) fn of(view: &'v View) -> Self {
        let user = |row| {
            let idx = UserIdx::new(row);
            Some(PinnedUser { idx, id: view.user_id(idx)?, state: view.shared.user(idx)? })
        };
        // Before the users: an item of a history that is still known when that is read was known now.
        let item = |row| Some((ItemIdx::new(row), view.item_id(ItemIdx::new(row))?));
        let n_items = u32::try_from(view.n_items()).expect("items are numbered by u32");
        let items = (0..n_items).filter_map(item).collect();
        let users = (0..view.shared.user_ids.len()).filter_map(user).collect();
        Self { view, users, items }
    }

    pub(crate) fn n_users(&self) -> usize {
        self.users.len()
    }

    pub(crate) fn n_items(&self) -> usize {
        self.items.len()
    }

    /// What the model was trained with; `None` if there is no model.
    pub(crate) fn params(&self) -> Option<&'v AlsParams> {
        self.view.generation.users.as_ref().map(|side| side.base.params())
    }

    pub(crate) fn user_ids(&self) -> impl Iterator<Item = &UserId> {
        self.users.iter().map(|user| &user.id)
    }

    pub(crate) fn item_ids(&self) -> impl Iterator<Item = &ItemId> {
        self.items.iter().map(|(_, id)| id)
    }

    /// The users as a query of them would see them.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserView<'v>> {
        let pinned = |user: &PinnedUser| {
            UserView::pinned_at(self.view, user.idx, user.id.clone(), Arc::clone(&user.state))
        };
        self.users.iter().map(pinned)
    }

    /// The items' rows with their padding; zeros for one that has none yet.
    pub(crate) fn item_rows(&self) -> impl Iterator<Item = &'v [f32]> {
        let rows = &self.view.items.rows;
        self.items.iter().map(|&(item, _)| rows.row(item))
    }
}
