//! Which idempotency keys were seen lately.

use std::collections::{HashSet, VecDeque};

use crate::types::{IdempotencyKey, UserIdx};

/// Remembers the last `capacity` keys, and whose they were.
#[derive(Debug, Clone)]
pub(crate) struct DedupeWindow {
    capacity: usize,
    seen: HashSet<IdempotencyKey, foldhash::fast::RandomState>,
    oldest_first: VecDeque<(IdempotencyKey, UserIdx)>,
}

impl DedupeWindow {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, seen: HashSet::default(), oldest_first: VecDeque::new() }
    }

    pub(crate) fn contains(&self, key: &IdempotencyKey) -> bool {
        self.seen.contains(key)
    }

    /// Remembers a key that is not there yet, forgetting the oldest beyond the capacity.
    pub(crate) fn insert(&mut self, key: &IdempotencyKey, user: UserIdx) {
        if self.capacity == 0 || !self.seen.insert(key.clone()) {
            return;
        }
        self.oldest_first.push_back((key.clone(), user));
        self.forget_beyond_capacity();
    }

    /// Remembers another number of keys from now on.
    pub(crate) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.forget_beyond_capacity();
    }

    /// Forgets the keys of a user.
    pub(crate) fn forget_user(&mut self, user: UserIdx) {
        let Self { seen, oldest_first, .. } = self;
        oldest_first.retain(|(key, whose)| *whose != user || !seen.remove(key));
    }

    /// The keys of `from` are those of `into` from now on.
    pub(crate) fn give_to(&mut self, from: UserIdx, into: UserIdx) {
        for (_, whose) in self.oldest_first.iter_mut().filter(|(_, whose)| *whose == from) {
            *whose = into;
        }
    }

    /// Memory held, near enough: each key stands in a map and in a list.
    pub(crate) fn n_bytes(&self) -> u64 {
        let key = size_of::<IdempotencyKey>();
        (self.oldest_first.len() * (2 * key + size_of::<UserIdx>())) as u64
    }

    /// All keys and whose they are, oldest first.
    pub(crate) fn keys(&self) -> impl ExactSizeIterator<Item = &(IdempotencyKey, UserIdx)> {
        self.oldest_first.iter()
    }

    fn forget_beyond_capacity(&mut self) {
        while self.oldest_first.len() > self.capacity {
            if let Some((oldest, _)) = self.oldest_first.pop_front() {
                self.seen.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_key_is_forgotten_first() {
        let mut window = DedupeWindow::new(2);
        for key in ["a", "b", "b", "c"] {
            window.insert(&key.into(), UserIdx::new(0));
        }
        assert!(!window.contains(&"a".into()));
        assert!(window.contains(&"b".into()) && window.contains(&"c".into()));
    }

    #[test]
    fn a_forgotten_users_keys_are_forgotten() {
        let mut window = DedupeWindow::new(10);
        for (key, user) in [("a", 0), ("b", 1), ("c", 0)] {
            window.insert(&key.into(), UserIdx::new(user));
        }
        window.forget_user(UserIdx::new(0));
        assert!(!window.contains(&"a".into()) && window.contains(&"b".into()));
        assert_eq!(window.keys().len(), 1);
    }
}
