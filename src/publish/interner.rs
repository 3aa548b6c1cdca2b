//! Keys of the host to dense rows and back.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::fast::FixedState;
use parking_lot::RwLock;

use super::table::GrowOnlyTable;

/// Shards of the map: rehashing one of them is short, so readers never wait for the growth of the whole.
const SHARDS: usize = 256;

/// Gives every key a row, in order of first appearance. One thread adds; any number look up.
#[derive(Debug)]
pub(crate) struct Interner<K> {
    shards: Box<[RwLock<HashMap<K, u32, foldhash::fast::RandomState>>]>,
    shard_of: FixedState,
    keys: GrowOnlyTable<OnceLock<K>>,
    len: AtomicU32,
}

impl<K: Clone + Eq + Hash> Interner<K> {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            shard_of: FixedState::default(),
            keys: GrowOnlyTable::with_capacity(capacity),
            len: AtomicU32::new(0),
        }
    }

    /// Rows given so far.
    pub(crate) fn len(&self) -> u32 {
        // ORDERING: pairs with the release in `insert`: whoever sees the length sees the keys below it.
        self.len.load(Ordering::Acquire)
    }

    /// The row of `key`, if it has one.
    pub(crate) fn get(&self, key: &K) -> Option<u32> {
        self.shard(key).read().get(key).copied()
    }

    /// The key of row `row`, if given.
    pub(crate) fn key(&self, row: u32) -> Option<&K> {
        self.keys.get(row as usize)?.get()
    }

    /// Gives `key` the next row. Only the writer calls this, and only for a key without a row.
    pub(crate) fn insert(&self, key: &K) -> u32 {
        let row = self.len.load(Ordering::Relaxed);
        let fresh = self.keys.get_or_grow(row as usize).set(key.clone()).is_ok();
        debug_assert!(fresh, "one writer gives each row once");
        self.shard(key).write().insert(key.clone(), row);
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
        assert_eq!(interner.key(3), Some(&21));
        assert_eq!(interner.key(10_000), None);
    }
}
