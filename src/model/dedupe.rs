//! Which idempotency keys were seen lately.

use std::collections::{HashSet, VecDeque};

use crate::types::IdempotencyKey;

/// Remembers the last `capacity` keys.
#[derive(Debug)]
pub(crate) struct DedupeWindow {
    capacity: usize,
    seen: HashSet<IdempotencyKey, foldhash::fast::RandomState>,
    oldest_first: VecDeque<IdempotencyKey>,
}

impl DedupeWindow {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, seen: HashSet::default(), oldest_first: VecDeque::new() }
    }

    pub(crate) fn contains(&self, key: &IdempotencyKey) -> bool {
        self.seen.contains(key)
    }

    /// Remembers a key that is not there yet, forgetting the oldest beyond the capacity.
    pub(crate) fn insert(&mut self, key: &IdempotencyKey) {
        if self.capacity == 0 || !self.seen.insert(key.clone()) {
            return;
        }
        self.oldest_first.push_back(key.clone());
        while self.oldest_first.len() > self.capacity {
            if let Some(oldest) = self.oldest_first.pop_front() {
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
            window.insert(&key.into());
        }
        assert!(!window.contains(&"a".into()));
        assert!(window.contains(&"b".into()) && window.contains(&"c".into()));
    }
}
