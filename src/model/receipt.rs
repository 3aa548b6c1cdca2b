//! What became of an event.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use thiserror::Error;

use super::limits::Refusal;
use crate::guard::fenced;
use crate::publish::{Ticket, Waited, Watermark, look_a_while};
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
    /// What was learned is not safe after all, nor is that of which this was the duplicate: it may have been learned
    /// a moment before.
    pub(crate) fn take_back(&mut self) {
        if matches!(self, Self::Applied(_) | Self::Duplicate) {
            *self = Self::StoreFailed;
        }
    }
}

/// Why a [`Receipt`] cannot say that its event is durable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DurableError {
    /// It was not durable within the time. It may still become so.
    #[error("the event was not durable within {timeout:?}; wait longer, or flush the engine")]
    TimedOut {
        /// The time that was given.
        timeout: Duration,
    },
    /// The engine keeps nothing beyond memory.
    #[error("the engine has no store, so no event is ever durable; open it with one")]
    MemoryOnly,
    /// The journal failed, or the engine ended, before the event was known to be durable. What it changed may
    /// be visible, and may or may not be there when the store is opened again.
    #[error("the journal ended before the event was durable; see `health`, then open the store again")]
    Failed,
}

#[derive(Debug, Default)]
struct State {
    decision: Option<Decision>,
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
struct Decision {
    outcome: Outcome,
    /// The last event that had been learned: durable with it is all that the outcome rests on.
    as_of: EventSeq,
}

#[derive(Debug)]
struct Cell {
    state: Mutex<State>,
    decided: Condvar,
    /// The last durable event; `None` for an engine without a store.
    durable: Option<Arc<Watermark>>,
}

/// A claim on the outcome of one event, from [`EventSender::send_tracked`](crate::EventSender::send_tracked).
///
/// Poll it, wait for it, or await it: it is a future that needs no particular runtime. It is decided when the
/// event is learned; when the event also survives a power cut, [`wait_durable`](Self::wait_durable) and
/// [`durable`](Self::durable) tell.
#[derive(Debug)]
pub struct Receipt(Arc<Cell>);

impl Receipt {
    /// The outcome, if it is decided. Never blocks.
    pub fn outcome(&self) -> Option<Outcome> {
        self.decision().map(|decision| decision.outcome)
    }

    /// Waits until the outcome is decided, at most `timeout`. Blocks the calling thread, which looks again and again for a
    /// tenth of a millisecond, giving its core away in between, and then sleeps.
    pub fn wait(&self, timeout: Duration) -> Option<Outcome> {
        let deadline = Instant::now().checked_add(timeout);
        let soon = look_a_while(deadline, || self.decision());
        soon.or_else(|| self.wait_until(deadline)).map(|decision| decision.outcome)
    }

    /// Sleeps until the outcome is decided and survives a power cut, at most `timeout`. Blocks the calling
    /// thread.
    ///
    /// A refused event, and one that the engine stopped before, has nothing to survive: those outcomes come
    /// back at once. For a duplicate it is the event it duplicates that is waited for. When that is depends on
    /// the engine's durability: an engine that leaves it to the operating system makes events durable when it
    /// is flushed or closed, and when it begins a new segment of its journal.
    ///
    /// # Errors
    /// [`DurableError`] if it took too long, the engine has no store, or its journal failed before.
    pub fn wait_durable(&self, timeout: Duration) -> Result<Outcome, DurableError> {
        let deadline = Instant::now().checked_add(timeout);
        let Decision { outcome, as_of } =
            self.wait_until(deadline).ok_or(DurableError::TimedOut { timeout })?;
        if !has_something_to_survive(outcome) {
            return Ok(outcome);
        }
        let durable = self.0.durable.as_ref().ok_or(DurableError::MemoryOnly)?;
        match durable.wait_for(as_of, deadline.unwrap_or_else(far_future)) {
            Waited::Reached => Ok(outcome),
            Waited::TimedOut => Err(DurableError::TimedOut { timeout }),
            Waited::Closed => Err(DurableError::Failed),
        }
    }

    /// A future of what [`wait_durable`](Self::wait_durable) gives. To know both moments, await `&mut receipt`
    /// before.
    pub fn durable(self) -> Durable {
        Durable { receipt: self, ticket: None }
    }

    fn decision(&self) -> Option<Decision> {
        self.0.state.lock().decision
    }

    /// `None` as a deadline is beyond the end of time.
    fn wait_until(&self, deadline: Option<Instant>) -> Option<Decision> {
        let mut state = self.0.state.lock();
        while state.decision.is_none() {
            match deadline {
                Some(deadline) if self.0.decided.wait_until(&mut state, deadline).timed_out() => break,
                Some(_) => {}
                None => self.0.decided.wait(&mut state),
            }
        }
        state.decision
    }

    fn poll_decision(&self, context: &mut Context<'_>) -> Poll<Decision> {
        // Cloned before and freed after the lock is held: wakers run code of the host.
        let waker = context.waker().clone();
        let mut state = self.0.state.lock();
        if let Some(decision) = state.decision {
            return Poll::Ready(decision);
        }
        let earlier = state.waker.replace(waker);
        drop(state);
        drop(earlier);
        Poll::Pending
    }
}

impl Future for Receipt {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        self.poll_decision(context).map(|decision| decision.outcome)
    }
}

/// A future of an outcome that survives a power cut, from [`Receipt::durable`]. It needs no particular runtime.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct Durable {
    receipt: Receipt,
    /// Its place among those who wait for the watermark.
    ticket: Option<Ticket>,
}

impl Future for Durable {
    type Output = Result<Outcome, DurableError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { receipt, ticket } = &mut *self;
        let Poll::Ready(Decision { outcome, as_of }) = receipt.poll_decision(context) else {
            return Poll::Pending;
        };
        if !has_something_to_survive(outcome) {
            return Poll::Ready(Ok(outcome));
        }
        let Some(durable) = &receipt.0.durable else {
            return Poll::Ready(Err(DurableError::MemoryOnly));
        };
        match durable.poll_for(as_of, ticket, context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Waited::Reached) => Poll::Ready(Ok(outcome)),
            Poll::Ready(Waited::Closed | Waited::TimedOut) => Poll::Ready(Err(DurableError::Failed)),
        }
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if let (Some(ticket), Some(durable)) = (self.ticket.take(), &self.receipt.0.durable) {
            durable.forget(ticket);
        }
    }
}

fn has_something_to_survive(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Applied(_) | Outcome::Duplicate => true,
        Outcome::Rejected(_) | Outcome::Stopped | Outcome::StoreFailed => false,
    }
}

/// A deadline that nobody lives to see, for timeouts beyond the end of time.
fn far_future() -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
    Instant::now() + CENTURY
}

/// The engine's end of a [`Receipt`]. Dropped without a word, it says [`Outcome::Stopped`].
#[derive(Debug)]
pub(crate) struct Completer(Option<Arc<Cell>>);

impl Completer {
    /// `durable` is the last durable event of the engine's journal, if it has one.
    pub(crate) fn new(durable: Option<Arc<Watermark>>) -> (Self, Receipt) {
        let (state, decided) = (Mutex::new(State::default()), Condvar::new());
        let cell = Arc::new(Cell { state, decided, durable });
        (Self(Some(Arc::clone(&cell))), Receipt(cell))
    }

    /// `as_of` is the last event learned so far: that of the batch will do, as it becomes durable as one.
    pub(crate) fn complete(mut self, outcome: Outcome, as_of: EventSeq) {
        self.decide(outcome, as_of);
    }

    fn decide(&mut self, outcome: Outcome, as_of: EventSeq) {
        let Some(cell) = self.0.take() else { return };
        // An event of its own need not wait for those behind it.
        let as_of = if let Outcome::Applied(seq) = outcome { seq } else { as_of };
        let waker = {
            let mut state = cell.state.lock();
            state.decision = Some(Decision { outcome, as_of });
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
        self.decide(Outcome::Stopped, EventSeq::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Count(AtomicU32);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn seq(raw: u64) -> EventSeq {
        EventSeq::from_raw(raw)
    }

    #[test]
    fn a_completer_dropped_without_a_word_says_stopped() {
        let (completer, receipt) = Completer::new(None);
        assert_eq!(receipt.outcome(), None);
        assert_eq!(receipt.wait(Duration::ZERO), None);
        drop(completer);
        assert_eq!(receipt.wait(Duration::MAX), Some(Outcome::Stopped));
        assert_eq!(receipt.wait_durable(Duration::MAX), Ok(Outcome::Stopped));
    }

    #[test]
    fn awaiting_a_receipt_wakes_the_task() {
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let (completer, mut receipt) = Completer::new(None);
        assert_eq!(Pin::new(&mut receipt).poll(&mut context), Poll::Pending);
        completer.complete(Outcome::Duplicate, seq(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(Pin::new(&mut receipt).poll(&mut context), Poll::Ready(Outcome::Duplicate));
    }

    #[test]
    fn without_a_store_nothing_is_durable() {
        let (completer, receipt) = Completer::new(None);
        assert_eq!(
            receipt.wait_durable(Duration::ZERO),
            Err(DurableError::TimedOut { timeout: Duration::ZERO })
        );
        completer.complete(Outcome::Applied(seq(1)), seq(1));
        assert_eq!(receipt.wait_durable(Duration::MAX), Err(DurableError::MemoryOnly));
    }

    #[test]
    fn an_event_is_durable_when_the_watermark_has_reached_it() {
        let durable = Arc::new(Watermark::default());
        let of = |outcome, as_of| {
            let (completer, receipt) = Completer::new(Some(Arc::clone(&durable)));
            completer.complete(outcome, as_of);
            receipt
        };
        // Both are decided at the end of a batch of five events.
        let applied = of(Outcome::Applied(seq(3)), seq(5));
        let duplicate = of(Outcome::Duplicate, seq(5));
        let refused = of(Outcome::Rejected(Refusal::UnknownItem), seq(5));
        let timed_out = Err(DurableError::TimedOut { timeout: Duration::ZERO });
        assert_eq!(applied.wait_durable(Duration::ZERO), timed_out);
        assert_eq!(refused.wait_durable(Duration::ZERO), Ok(Outcome::Rejected(Refusal::UnknownItem)));
        durable.advance(seq(3));
        assert_eq!(applied.wait_durable(Duration::MAX), Ok(Outcome::Applied(seq(3))));
        assert_eq!(duplicate.wait_durable(Duration::ZERO), timed_out);
        durable.close();
        assert_eq!(applied.wait_durable(Duration::MAX), Ok(Outcome::Applied(seq(3))));
        assert_eq!(duplicate.wait_durable(Duration::MAX), Err(DurableError::Failed));
    }

    #[test]
    fn awaiting_durability_wakes_the_task_for_each_step() {
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let watermark = Arc::new(Watermark::default());
        let (completer, receipt) = Completer::new(Some(Arc::clone(&watermark)));
        let mut durable = receipt.durable();
        assert_eq!(Pin::new(&mut durable).poll(&mut context), Poll::Pending);
        completer.complete(Outcome::Applied(seq(1)), seq(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(Pin::new(&mut durable).poll(&mut context), Poll::Pending);
        watermark.advance(seq(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert_eq!(Pin::new(&mut durable).poll(&mut context), Poll::Ready(Ok(Outcome::Applied(seq(1)))));
    }

    #[test]
    fn a_future_that_nobody_waits_for_any_more_wakes_nobody() {
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(Arc::clone(&count));
        let watermark = Arc::new(Watermark::default());
        let (completer, receipt) = Completer::new(Some(Arc::clone(&watermark)));
        completer.complete(Outcome::Applied(seq(1)), seq(1));
        let mut durable = receipt.durable();
        assert_eq!(Pin::new(&mut durable).poll(&mut Context::from_waker(&waker)), Poll::Pending);
        drop(durable);
        watermark.advance(seq(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
    }
}
