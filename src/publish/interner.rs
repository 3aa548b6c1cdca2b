//! Keys of the host to dense rows and back.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::fast::FixedState;
use parking_lot::{Mutex, RwLock};

use super::table::GrowOnlyTable;

/// Shards of the map: rehashing one of them is short, so readers never wait for the growth of the whole.
const SHARDS: usize = 256;

/// Gives every key a row, in order of first appearance. One thread adds and removes; any number look up.
///
/// A row whose key was removed stays empty for ever: rows of matrices are numbered by it.
#[derive(Debug)]
pub(crate) struct Interner<K> {
    shards: Box<[RwLock<HashMap<K, u32, foldhash::fast::RandomState>>]>,
    shard_of: FixedState,
    keys: GrowOnlyTable<RwLock<Option<K>>>,
    len: AtomicU32,
    n_removed: AtomicU32,
    /// Keys removed while somebody reads all of them as they were at one moment; `None` at other times.
    kept: Mutex<Option<HashMap<u32, K>>>,
}

impl<K: Clone + Eq + Hash> Interner<K> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            shard_of: FixedState::default(),
            keys: GrowOnlyTable::with_capacity(capacity),
            len: AtomicU32::new(0),
            n_removed: AtomicU32::new(0),
            kept: Mutex::new(None),
        }
    }

    /// Rows given so far, those without a key any more included.
    pub(crate) fn len(&self) -> u32 {
        // ORDERING: pairs with the release in `push`: whoever sees the length sees the keys below it.
        self.len.load(Ordering::Acquire)
    }

    /// The row of `key`, if it has one.
    pub(crate) fn get(&self, key: &K) -> Option<u32> {
        self.shard(key).read().get(key).copied()
    }

    /// The key of row `row`, if it has one.
    pub(crate) fn key(&self, row: u32) -> Option<K> {
        self.keys.get(row as usize)?.read().clone()
    }

    /// Whether row `row`, which was given out, still has its key. Costs next to nothing as long as none was
    /// ever removed.
    pub(crate) fn has_key(&self, row: u32) -> bool {
        // ORDERING: whoever misses a removal that is just happening is answered as if asked before it.
        self.n_removed.load(Ordering::Relaxed) == 0
            || self.keys.get(row as usize).is_some_and(|key| key.read().is_some())
    }

    /// Gives `key` the next row. Only the writer calls this, and only for a key without a row.
    pub(crate) fn insert(&self, key: &K) -> u32 {
        let row = self.push(Some(key.clone()));
        self.shard(key).write().insert(key.clone(), row);
        row
    }

    /// Gives out a row that has no key any more: for a store that is read back.
    pub(crate) fn insert_gone(&self) -> u32 {
        self.n_removed.fetch_add(1, Ordering::Relaxed);
        self.push(None)
    }

    /// Takes `key` out; its row stays empty. Only the writer calls this.
    pub(crate) fn remove(&self, key: &K) -> Option<u32> {
        let row = self.shard(key).write().remove(key)?;
        self.n_removed.fetch_add(1, Ordering::Relaxed);
        // INVARIANT: kept before it is gone, so that whoever finds it gone finds it kept.
        if let Some(kept) = &mut *self.kept.lock() {
            kept.insert(row, key.clone());
        }
        self.keys.get_or_grow(row as usize).write().take();
        Some(row)
    }

    /// From now on [`frozen_key`](Self::frozen_key) finds every key there is now, removed or not.
    pub(crate) fn freeze(&self) {
        *self.kept.lock() = Some(HashMap::new());
    }

    /// Forgets the removed keys again.
    pub(crate) fn thaw(&self) {
        *self.kept.lock() = None;
    }

    /// The key that row `row` had at the [`freeze`](Self::freeze).
    pub(crate) fn frozen_key(&self, row: u32) -> Option<K> {
        self.key(row).or_else(|| self.kept.lock().as_ref()?.get(&row).cloned())
    }

    fn push(&self, key: Option<K>) -> u32 {
        let row = self.len.load(Ordering::Relaxed);
        *self.keys.get_or_grow(row as usize).write() = key;
        // ORDERING: pairs with the acquire in `len`.
        self.len.store(row + 1, Ordering::Release);
        row
    }

    fn shard(&self, key: &K) -> &RwLock<HashMap<K, u32, foldhash::fast::RandomState>> {
        // The high bits: the map below uses the low ones of another hash of the same key.
        let hash = self.shard_of.hash_one(key);
        &self.shards[(hash >> 56) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_given_in_order_of_first_appearance() {
        let interner = Interner::with_capacity(10_000);
        for number in 0..10_000_u64 {
            assert_eq!(interner.get(&(number * 7)), None);
            assert_eq!(u64::from(interner.insert(&(number * 7))), number);
        }
        assert_eq!(interner.len(), 10_000);
        assert_eq!(interner.get(&(9_999 * 7)), Some(9_999));
        assert_eq!(interner.key(3), Some(21));
        assert_eq!(interner.key(10_000), None);
    }

    #[test]
    fn a_removed_key_leaves_its_row_empty_and_may_come_back_to_another() {
        let interner = Interner::with_capacity(10);
        for key in ["ana", "ben", "cleo"] {
            interner.insert(&key);
        }
        interner.freeze();
        assert_eq!(interner.remove(&"ben"), Some(1));
        assert_eq!((interner.get(&"ben"), interner.key(1), interner.len()), (None, None, 3));
        assert!(interner.has_key(0) && !interner.has_key(1));
        assert_eq!(interner.frozen_key(1), Some("ben"));
        interner.thaw();
        assert_eq!(interner.frozen_key(1), None);
        assert_eq!((interner.insert(&"ben"), interner.insert_gone(), interner.len()), (3, 4, 5));
    }
}
