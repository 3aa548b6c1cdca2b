//! A value that is replaced or changed, while readers keep what they have loaded.

use std::slice::from_ref;
use std::sync::Arc;

use super::sync::RwLock;
use crate::kernel::prefetch;

/// Always holds one `Arc<T>`. Readers hold the lock only as long as it takes to clone the `Arc`.
#[derive(Debug)]
pub(crate) struct Published<T>(RwLock<Arc<T>>);

impl<T> Published<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Self(RwLock::new(value))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.read())
    }

    /// Puts `value` in and gives the old one back, so that the caller frees it after unlocking.
    #[must_use = "the old value is freed here if nobody takes it"]
    pub(crate) fn replace(&self, value: Arc<T>) -> Arc<T> {
        std::mem::replace(&mut self.0.write(), value)
    }
}

/// Holds one `Arc<T>` or nothing yet.
#[derive(Debug)]
pub(crate) struct Slot<T>(RwLock<Option<Arc<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

impl<T> Slot<T> {
    pub(crate) fn load(&self) -> Option<Arc<T>> {
        self.0.read().clone()
    }

    /// Asks memory for the beginning of the value, without waiting for it.
    pub(crate) fn prefetch(&self) {
        if let Some(value) = &*self.0.read() {
            prefetch(from_ref(&**value));
        }
    }

    /// Shows the value to `look`, which must not wait for anything.
    pub(crate) fn look(&self, look: impl FnOnce(&T)) {
        if let Some(value) = &*self.0.read() {
            look(value);
        }
    }

    /// Changes the value: where it lies if no reader holds it, else in a copy that takes its place. `None` if there is
    /// nothing to change. For a slot that no other thread changes meanwhile.
    ///
    /// INVARIANT: what a reader has loaded never changes. A reader loads under the lock, and counts as long as they hold it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R>
    where
        T: Clone,
    {
        if let Some(value) = Arc::get_mut(self.0.write().as_mut()?) {
            return Some(change(value));
        }
        let mut value = T::clone(&*self.load()?);
        let result = change(&mut value);
        drop(self.replace(Arc::new(value)));
        Some(result)
    }

    /// Puts `value` in, or nothing, and gives the old one back, so that the caller frees it after unlocking.
    #[must_use = "the old value is freed here if nobody takes it"]
    pub(crate) fn replace(&self, value: impl Into<Option<Arc<T>>>) -> Option<Arc<T>> {
        std::mem::replace(&mut self.0.write(), value.into())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_changed_where_it_lies_and_what_a_reader_holds_never() {
        let slot = Slot::default();
        let push = |number: u32| move |numbers: &mut Vec<u32>| numbers.push(number);
        assert_eq!(slot.change(push(1)), None, "there is nothing to change");
        drop(slot.replace(Arc::new(vec![1])));
        let lies_at = |slot: &Slot<Vec<u32>>| Arc::as_ptr(&slot.load().expect("a value"));

        let before = lies_at(&slot);
        assert_eq!(slot.change(push(2)), Some(()));
        assert_eq!(lies_at(&slot), before);

        let held = slot.load().expect("a value");
        assert_eq!(slot.change(push(3)), Some(()));
        assert_eq!(*held, [1, 2]);
        assert_eq!(*slot.load().expect("a value"), [1, 2, 3]);
    }
}
