//! A consistent picture of all slots at one moment, taken while they go on changing.

use std::collections::HashMap;
use std::sync::Arc;

use super::published::Slot;
use super::sync::Mutex;
use crate::types::EventSeq;

/// A value that knows which event changed it last.
pub(crate) trait Sequenced {
    fn seq(&self) -> EventSeq;
}

/// The moment just after event `at`, for one walker to read while the writer moves on.
///
/// INVARIANT: whoever writes replaces slots by [`replace`](Self::replace) and [`change`](Self::change) alone, which keep the old
/// value *before* they put another one in, be it of a later event or the same history with another vector. So a walker
/// that looks at a slot first and here second either finds the value it wants here, or has met it in the slot.
/// Nothing is copied up front.
#[derive(Debug)]
pub(crate) struct Freeze<T> {
    at: EventSeq,
    kept: Mutex<HashMap<u32, Option<Arc<T>>>>,
}

impl<T: Sequenced> Freeze<T> {
    pub(crate) fn new(at: EventSeq) -> Self {
        Self { at, kept: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn at(&self) -> EventSeq {
        self.at
    }

    /// Puts `value` into `slot`, which is number `index`, or empties it, and gives the old one back. For a
    /// slot that no other thread changes meanwhile.
    #[must_use = "the old value is freed here if nobody takes it"]
    pub(crate) fn replace(
        &self,
        index: u32,
        slot: &Slot<T>,
        value: impl Into<Option<Arc<T>>>,
    ) -> Option<Arc<T>> {
        self.keep(index, slot.load());
        slot.replace(value)
    }

    /// Changes the value of `slot`, which is number `index`, as [`Slot::change`] does; never the value that it held at the
    /// moment of the freeze, which the walker may not have met yet.
    pub(crate) fn change<R>(&self, index: u32, slot: &Slot<T>, change: impl FnOnce(&mut T) -> R) -> Option<R>
    where
        T: Clone,
    {
        let mut is_later = false;
        slot.look(|value| is_later = value.seq() > self.at);
        // Whatever is later has taken the place of what was kept; the lock is for what was replaced without an event.
        if is_later || self.kept.lock().contains_key(&index) {
            return slot.change(change);
        }
        let mut value = T::clone(&*slot.load()?);
        let result = change(&mut value);
        drop(self.replace(index, slot, Arc::new(value)));
        Some(result)
    }

    /// What slot `index` held at the moment of the freeze.
    pub(crate) fn read(&self, index: u32, slot: &Slot<T>) -> Option<Arc<T>> {
        let present = slot.load();
        self.kept.lock().get(&index).cloned().unwrap_or(present)
    }

    /// Ends it, once the walker is done: the slots that were changed after it, in ascending order, and the values they held,
    /// in any order. Freeing all of these takes a while.
    pub(crate) fn end(&self) -> (Vec<u32>, Vec<Arc<T>>) {
        let kept = std::mem::take(&mut *self.kept.lock());
        let mut touched: Vec<_> = kept.keys().copied().collect();
        touched.sort_unstable();
        (touched, kept.into_values().flatten().collect())
    }

    /// Only the first value of a slot is that of the freeze.
    fn keep(&self, index: u32, old: Option<Arc<T>>) {
        if old.as_ref().is_none_or(|old| old.seq() <= self.at) {
            self.kept.lock().entry(index).or_insert(old);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Versioned(EventSeq, &'static str);

    impl Sequenced for Versioned {
        fn seq(&self) -> EventSeq {
            self.0
        }
    }

    #[test]
    fn a_value_replaced_without_an_event_is_read_as_it_was() {
        let (slot, freeze) = (Slot::default(), Freeze::new(EventSeq::ZERO));
        let first = Arc::new(Versioned(EventSeq::ZERO, "first"));
        drop(slot.replace(Arc::clone(&first)));
        drop(freeze.replace(0, &slot, Arc::new(Versioned(EventSeq::ZERO, "solved anew"))));
        drop(freeze.replace(0, &slot, Arc::new(Versioned(EventSeq::ZERO.next(), "changed"))));
        assert_eq!(freeze.read(0, &slot), Some(first));
    }

    #[test]
    fn a_value_that_the_freeze_may_not_have_met_is_not_changed_where_it_lies() {
        let (slot, freeze) = (Slot::default(), Freeze::new(EventSeq::ZERO));
        drop(slot.replace(Arc::new(Versioned(EventSeq::ZERO, "first"))));
        // Without an event, then with one, and with another.
        let later = EventSeq::ZERO.next();
        for (seq, what) in [(EventSeq::ZERO, "solved anew"), (later, "changed"), (later.next(), "again")] {
            let lies_at = |slot: &Slot<Versioned>| slot.load().as_ref().map(Arc::as_ptr);
            let before = lies_at(&slot);
            let change = |value: &mut Versioned| *value = Versioned(seq, what);
            assert_eq!(freeze.change(0, &slot, change), Some(()));
            assert_eq!(slot.load().as_deref(), Some(&Versioned(seq, what)));
            assert_eq!(lies_at(&slot) == before, what != "solved anew", "{what}");
            assert_eq!(freeze.read(0, &slot).as_deref(), Some(&Versioned(EventSeq::ZERO, "first")));
        }
    }
}
