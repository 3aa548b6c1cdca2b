//! Ids of files to rows and back.

use std::collections::HashMap;
use std::sync::Arc;

use crate::types::{ItemIdx, UserIdx};

/// The users and items that files named, numbered in order of first appearance.
///
/// One table serves all files of an evaluation. Read the training part first: who and what appears only later
/// then has a row beyond the model's last, and so is unknown to it.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    users: IdTable,
    items: IdTable,
}

/// One side of [`Ids`].
#[derive(Debug, Clone, Default)]
struct IdTable {
    rows: HashMap<Arc<str>, u32, foldhash::fast::FixedState>,
    ids: Vec<Arc<str>>,
}

impl Ids {
    /// How many users have a row.
    pub fn n_users(&self) -> usize {
        self.users.ids.len()
    }

    /// How many items have a row.
    pub fn n_items(&self) -> usize {
        self.items.ids.len()
    }

    /// The row of a user, if a file named it.
    pub fn user(&self, id: &str) -> Option<UserIdx> {
        self.users.rows.get(id).copied().map(UserIdx::new)
    }

    /// The row of an item, if a file named it.
    pub fn item(&self, id: &str) -> Option<ItemIdx> {
        self.items.rows.get(id).copied().map(ItemIdx::new)
    }

    /// All users in order of their rows.
    pub fn user_ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.users.ids.iter().map(AsRef::as_ref)
    }

    /// All items in order of their rows.
    pub fn item_ids(&self) -> impl ExactSizeIterator<Item = &str> {
        self.items.ids.iter().map(AsRef::as_ref)
    }

    /// The id of a user's row.
    pub fn user_id(&self, user: UserIdx) -> Option<&str> {
        self.users.ids.get(user.index()).map(AsRef::as_ref)
    }

    /// The id of an item's row.
    pub fn item_id(&self, item: ItemIdx) -> Option<&str> {
        self.items.ids.get(item.index()).map(AsRef::as_ref)
    }

    /// The row of a user, a new one if it has none; `None` if all 2³² rows are taken.
    pub(super) fn add_user(&mut self, id: &str) -> Option<UserIdx> {
        self.users.add(id).map(UserIdx::new)
    }

    /// The row of an item, a new one if it has none; `None` if all 2³² rows are taken.
    pub(super) fn add_item(&mut self, id: &str) -> Option<ItemIdx> {
        self.items.add(id).map(ItemIdx::new)
    }
}

impl IdTable {
    fn add(&mut self, id: &str) -> Option<u32> {
        if let Some(&row) = self.rows.get(id) {
            return Some(row);
        }
        let row = u32::try_from(self.ids.len()).ok()?;
        let id: Arc<str> = id.into();
        self.rows.insert(Arc::clone(&id), row);
        self.ids.push(id);
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_first_appearance_on_each_side_alone() {
        let mut ids = Ids::default();
        for (id, row) in [("b", 0), ("a", 1), ("b", 0), ("007", 2), ("7", 3)] {
            assert_eq!(ids.add_user(id), Some(UserIdx::new(row)));
        }
        assert_eq!(ids.add_item("a"), Some(ItemIdx::new(0)));
        assert_eq!((ids.n_users(), ids.n_items()), (4, 1));
        assert_eq!(ids.user_ids().collect::<Vec<_>>(), ["b", "a", "007", "7"]);
        assert_eq!((ids.user("a"), ids.user("c")), (Some(UserIdx::new(1)), None));
        assert_eq!((ids.user_id(UserIdx::new(2)), ids.item_id(ItemIdx::new(1))), (Some("007"), None));
    }
}
