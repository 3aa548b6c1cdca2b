//! How threads of an engine leave their core to others.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread works before others have their turn.
const TURN: Duration = Duration::from_micros(50);
/// How long a pause is, to which Linux adds the [timer slack](shorten_pauses) of the thread.
const PAUSE: Duration = Duration::from_nanos(1);

thread_local! {
    static PAUSES_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Has pauses of the calling thread last some 20 µs, for good: Linux may prolong every sleep by the timer slack of the thread,
/// which is 50 µs unless somebody has set it. For threads of the engine's own, and those that they begin.
#[cfg(target_os = "linux")]
pub(crate) fn shorten_pauses() {
    // Enough for whoever waits for the core to get it.
    const SLACK_NS: u64 = 20_000;
    let is_longer = rustix::thread::current_timer_slack().is_ok_and(|slack| slack > SLACK_NS);
    let slack = std::num::NonZeroU64::new(SLACK_NS);
    if is_longer && let Err(error) = rustix::thread::set_current_timer_slack(slack) {
        tracing::debug!(target: "segue::engine", %error, "pauses of this thread are as long as its sleeps");
    }
}

/// Other systems have no pauses.
#[cfg(not(target_os = "linux"))]
pub(crate) fn shorten_pauses() {}

/// Has the calling thread pause from time to time until `deadline`, after which somebody waits for what it does; never if that
/// is `None`, as threads do that nobody has told.
///
/// Whoever wakes on Linux, a query's thread above all, often has to wait for the core it slept on, be another one idle or
/// not, until whoever runs there has had a whole time slice of some milliseconds. A pause ends that, and unlike yielding
/// keeps the thread's share of a busy machine.
pub(crate) fn pause_until(deadline: Option<Instant>) {
    // Other systems let whoever wakes go first by themselves, and some of their sleeps are ten times as long.
    if cfg!(target_os = "linux") {
        PAUSES_UNTIL.set(deadline);
    }
}

/// Says that the calling thread has only just woken, so that its turn begins.
pub(crate) fn begin_turn() {
    BEGAN.set(Some(Instant::now()));
}

/// Whether the calling thread pauses from time to time, as nobody waits for it yet.
pub(crate) fn is_pausing() -> bool {
    PAUSES_UNTIL.get().is_some_and(|deadline| Instant::now() < deadline)
}

/// Called between two steps of long work, without a lock: lets others have their turn if the calling thread has had its own.
pub(crate) fn after_you() {
    let Some(deadline) = PAUSES_UNTIL.get() else { return };
    let now = Instant::now();
    if now >= deadline {
        PAUSES_UNTIL.set(None);
    } else if BEGAN.get().is_none_or(|began| now.saturating_duration_since(began) >= TURN) {
        thread::sleep(PAUSE);
        begin_turn();
    }
}

/// The same things, with [`after_you`] between them, once in so many; a thing alone waits for nobody.
pub(crate) fn with_pauses<T>(things: impl IntoIterator<Item = T>, every: usize) -> impl Iterator<Item = T> {
    things.into_iter().enumerate().map(move |(at, thing)| {
        if at > 0 && at.is_multiple_of(every) {
            after_you();
        }
        thing
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    /// On a thread of its own, as what it is told stays with it.
    fn on_a_thread(test: fn()) {
        thread::spawn(test).join().expect("the test holds");
    }

    fn has_paused() -> bool {
        let before = BEGAN.get();
        after_you();
        BEGAN.get() != before
    }

    #[test]
    fn a_thread_that_nobody_has_told_never_pauses() {
        on_a_thread(|| {
            let began = Instant::now();
            while began.elapsed() < 5 * TURN {
                assert!(!has_paused());
            }
        });
    }

    #[test]
    fn a_pause_comes_after_a_turn_and_not_before() {
        on_a_thread(|| {
            let began = Instant::now();
            begin_turn();
            pause_until(Some(began + LONG));
            while !has_paused() {}
            assert!(began.elapsed() >= TURN);
            while !has_paused() {}
            assert!(began.elapsed() >= 2 * TURN);
        });
    }

    #[test]
    fn pauses_come_between_things_and_not_before_the_first() {
        on_a_thread(|| {
            pause_until(Some(Instant::now() + LONG));
            // Nobody has said that a turn began, so that the next step would pause.
            let mut things = with_pauses(0..4, 2);
            let mut pauses_before = |thing: i32| {
                BEGAN.set(None);
                assert_eq!(things.next(), Some(thing));
                BEGAN.get().is_some()
            };
            assert_eq!([0, 1, 2, 3].map(&mut pauses_before), [false, false, true, false]);
        });
    }

    #[test]
    fn there_are_no_pauses_once_somebody_waits() {
        on_a_thread(|| {
            let deadline = Instant::now() + 5 * TURN;
            pause_until(Some(deadline));
            while is_pausing() {
                after_you();
            }
            assert!(Instant::now() >= deadline);
            let began = Instant::now();
            while began.elapsed() < 5 * TURN {
                assert!(!has_paused());
            }
        });
    }
}
