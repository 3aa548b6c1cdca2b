//! Looking for what will be there in a moment, before going to sleep.

use std::time::Instant;

/// Looks again and again for a tenth of a millisecond, at most until `deadline`, and gives the core away in between: to be
/// put to sleep and woken takes longer than an idle writer takes for an event.
#[cfg(not(loom))]
pub(crate) fn look_a_while<T>(deadline: Option<Instant>, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    const A_WHILE: std::time::Duration = std::time::Duration::from_micros(100);
    let until = Instant::now() + A_WHILE;
    let until = deadline.map_or(until, |deadline| deadline.min(until));
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= until {
            return found;
        }
        std::thread::yield_now();
    }
}

/// The model checker has no time to pass.
#[cfg(loom)]
pub(crate) fn look_a_while<T>(_deadline: Option<Instant>, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    look()
}
