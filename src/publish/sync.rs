//! The locks of this module: `parking_lot`'s, or loom's under the model checker, behind one face.

#[cfg(not(loom))]
pub(super) use parking_lot::{Condvar, Mutex, RwLock};

/// Sleeps until notified or until `deadline`; says whether it was notified in time.
#[cfg(not(loom))]
pub(super) fn wait_until<'a, T>(
    condvar: &Condvar,
    mut guard: parking_lot::MutexGuard<'a, T>,
    deadline: std::time::Instant,
) -> (parking_lot::MutexGuard<'a, T>, bool) {
    let in_time = !condvar.wait_until(&mut guard, deadline).timed_out();
    (guard, in_time)
}

#[cfg(loom)]
pub(super) use self::checked::{Condvar, Mutex, RwLock, wait_until};

/// loom's locks with parking_lot's signatures.
#[cfg(loom)]
mod checked {
    use loom::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

    pub(in crate::publish) use loom::sync::Condvar;

    #[derive(Debug, Default)]
    pub(in crate::publish) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(in crate::publish) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(in crate::publish) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("loom does not poison")
        }
    }

    #[derive(Debug, Default)]
    pub(in crate::publish) struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub(in crate::publish) fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        pub(in crate::publish) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect("loom does not poison")
        }

        pub(in crate::publish) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect("loom does not poison")
        }
    }

    /// loom has no time: a wait ends by a notification only, so a lost wake-up shows as a deadlock.
    pub(in crate::publish) fn wait_until<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        _deadline: std::time::Instant,
    ) -> (MutexGuard<'a, T>, bool) {
        (condvar.wait(guard).expect("loom does not poison"), true)
    }
}
