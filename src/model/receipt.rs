//! What became of an event.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::limits::Refusal;
use crate::guard::fenced;
use crate::types::EventSeq;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Learned, as this event; its effect can be seen by every view taken from now on.
    Applied(EventSeq),
    /// An event with the same idempotency key was learned before; this one changed nothing.
    Duplicate,
    /// Refused; nothing has changed.
    Rejected(Refusal),
    /// The engine stopped before it came to this event; nothing has changed.
    Stopped,
    /// The store failed while the event was being written. Nobody can see its effect, and the engine is
    /// read-only; once it is opened again, the event may be there or not. Send it again then, with the same
    /// idempotency key.
    StoreFailed,
}

impl Outcome {
    /// What was learned is not safe after all.
    pub(crate) fn take_back(&mut self) {
        if matches!(self, Self::Applied(_)) {
            *self = Self::StoreFailed;
        }
    }
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
struct Cell {
    state: Mutex<State>,
    decided: Condvar,
}

/// A claim on the outcome of one event, from [`EventSender::send_tracked`](crate::EventSender::send_tracked).
///
/// Poll it, wait for it, or await it: it is a future that needs no particular runtime.
#[derive(Debug)]
pub struct Receipt(Arc<Cell>);

impl Receipt {
    /// The outcome, if it is decided. Never blocks.
    pub fn outcome(&self) -> Option<Outcome> {
        self.0.state.lock().outcome
    }

    /// Sleeps until the outcome is decided, at most `timeout`. Blocks the calling thread.
    pub fn wait(&self, timeout: Duration) -> Option<Outcome> {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.0.state.lock();
        while state.outcome.is_none() {
            match deadline {
                Some(deadline) if self.0.decided.wait_until(&mut state, deadline).timed_out() => break,
                Some(_) => {}
                // A timeout beyond the end of time.
                None => self.0.decided.wait(&mut state),
            }
        }
        state.outcome
    }
}

impl Future for Receipt {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        // Cloned before and freed after the lock is held: wakers run code of the host.
        let waker = context.waker().clone();
        let mut state = self.0.state.lock();
        if let Some(outcome) = state.outcome {
            return Poll::Ready(outcome);
        }
        let earlier = state.waker.replace(waker);
        drop(state);
        drop(earlier);
        Poll::Pending
    }
}

/// The engine's end of a [`Receipt`]. Dropped without a word, it says [`Outcome::Stopped`].
#[derive(Debug)]
pub(crate) struct Completer(Option<Arc<Cell>>);

impl Completer {
    pub(crate) fn new() -> (Self, Receipt) {
        let cell = Arc::new(Cell::default());
        (Self(Some(Arc::clone(&cell))), Receipt(cell))
    }

    pub(crate) fn complete(mut self, outcome: Outcome) {
        self.decide(outcome);
    }

    fn decide(&mut self, outcome: Outcome) {
        let Some(cell) = self.0.take() else { return };
        let waker = {
            let mut state = cell.state.lock();
            state.outcome = Some(outcome);
            state.waker.take()
        };
        cell.decided.notify_all();
        // Outside the lock: a waker may poll at once.
        if let Some(waker) = waker {
            // It is the host's code, on the writer's thread. Should it panic, the host hears of it by its own
            // panic hook, and the task it should have woken is the host's loss.
            let _ = fenced(|| waker.wake());
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        self.decide(Outcome::Stopped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completer_dropped_without_a_word_says_stopped() {
        let (completer, receipt) = Completer::new();
        assert_eq!(receipt.outcome(), None);
        assert_eq!(receipt.wait(Duration::ZERO), None);
        drop(completer);
        assert_eq!(receipt.wait(Duration::MAX), Some(Outcome::Stopped));
    }

    #[test]
    fn awaiting_a_receipt_wakes_the_task() {
        struct Count(std::sync::atomic::AtomicU32);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let (completer, mut receipt) = Completer::new();
        assert_eq!(Pin::new(&mut receipt).poll(&mut context), Poll::Pending);
        completer.complete(Outcome::Duplicate);
        assert_eq!(count.0.load(std::sync::atomic::Ordering::SeqCst), 1);
        assert_eq!(Pin::new(&mut receipt).poll(&mut context), Poll::Ready(Outcome::Duplicate));
    }
}
