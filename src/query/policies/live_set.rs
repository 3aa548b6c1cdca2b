//! A set that a host changes while requests look at it.

use std::fmt;
use std::sync::Arc;

use foldhash::HashSet;
use parking_lot::Mutex;

use crate::publish::Published;
use crate::types::ItemId;

/// Keys, replaced whole with each change: a request sees one moment of it.
pub(crate) struct LiveSet {
    now: Published<HashSet<ItemId>>,
    /// Who changes it. Not what readers wait for.
    changing: Mutex<()>,
}

impl Default for LiveSet {
    fn default() -> Self {
        Self { now: Published::new(Arc::default()), changing: Mutex::default() }
    }
}

impl fmt::Debug for LiveSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSet").field("len", &self.load().len()).finish_non_exhaustive()
    }
}

impl LiveSet {
    pub(crate) fn load(&self) -> Arc<HashSet<ItemId>> {
        self.now.load()
    }

    pub(super) fn add(&self, keys: Vec<ItemId>) {
        self.change(|set| set.extend(keys));
    }

    pub(super) fn remove(&self, keys: &[ItemId]) {
        self.change(|set| set.retain(|key| !keys.contains(key)));
    }

    pub(crate) fn replace(&self, keys: HashSet<ItemId>) {
        let _turn = self.changing.lock();
        drop(self.now.replace(Arc::new(keys)));
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<ItemId>)) {
        let _turn = self.changing.lock();
        let mut next = HashSet::clone(&self.now.load());
        change(&mut next);
        drop(self.now.replace(Arc::new(next)));
    }
}

type GroupOf = Arc<dyn Fn(&ItemId) -> Option<ItemId> + Send + Sync>;

/// What key an item is looked up by.
#[derive(Clone, Default)]
pub(super) enum KeyOf {
    #[default]
    Itself,
    Group(GroupOf),
}

impl KeyOf {
    /// Whether the item's key is in `set`; `None` if it has no key.
    pub(super) fn is_in(&self, item: &ItemId, set: &HashSet<ItemId>) -> Option<bool> {
        match self {
            Self::Itself => Some(set.contains(item)),
            Self::Group(group_of) => group_of(item).map(|group| set.contains(&group)),
        }
    }
}

impl fmt::Debug for KeyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Itself => "Itself",
            Self::Group(_) => "Group(closure)",
        })
    }
}
