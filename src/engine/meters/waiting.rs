//! How old the oldest event is that nobody can see yet.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the writer knows of the age of what it has not published.
///
/// A queue cannot be asked for the age of its first event. But events leave it in the order in which they were sent, near
/// enough, so what is still in it was sent after what was taken out last, and after the last moment at which it was empty.
#[derive(Debug)]
pub(super) struct Waiting {
    opened: Instant,
    /// No event that waits was sent before; in nanoseconds since `opened`.
    since: AtomicU64,
    /// Whether the writer has some in hand.
    in_hand: AtomicBool,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { opened: Instant::now(), since: AtomicU64::new(0), in_hand: AtomicBool::new(false) }
    }
}

impl Waiting {
    /// A batch begins with the event that was sent at `sent_at`.
    pub(super) fn taken(&self, sent_at: Instant) {
        self.nothing_before(sent_at);
        // ORDERING: a statistic; whoever reads one value with an older other is off by a batch.
        self.in_hand.store(true, Ordering::Relaxed);
    }

    /// The batch is visible, whose last event was sent at `sent_at`.
    pub(super) fn published(&self, sent_at: Instant) {
        self.in_hand.store(false, Ordering::Relaxed);
        self.nothing_before(sent_at);
    }

    /// What waits was sent at `moment` or later.
    pub(super) fn nothing_before(&self, moment: Instant) {
        let since = moment.saturating_duration_since(self.opened);
        self.since.store(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The age of the oldest event that is not visible, at most: zero if none waits.
    pub(super) fn age(&self, queue_len: usize) -> Duration {
        if queue_len == 0 && !self.in_hand.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.opened.elapsed().saturating_sub(Duration::from_nanos(self.since.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_oldest_event_in_hand_or_in_the_queue() {
        let waiting = Waiting::default();
        assert_eq!(waiting.age(0), Duration::ZERO);
        let long_ago = Duration::from_secs(100);
        let opened = waiting.opened;
        let waiting = Waiting { opened: opened.checked_sub(long_ago).unwrap_or(opened), ..waiting };
        let hundred = opened.saturating_duration_since(waiting.opened);
        waiting.taken(waiting.opened);
        assert!(waiting.age(0) >= hundred, "in hand");
        waiting.published(opened);
        assert_eq!(waiting.age(0), Duration::ZERO);
        assert!(waiting.age(1) < hundred.max(Duration::from_secs(50)), "what is in the queue came later");
    }
}
