//! How far something has come, and sleeping until it has come far enough.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::patience::look_a_while;
use super::sync::{Condvar, Mutex, wait_until};
use crate::guard::fenced;
use crate::types::EventSeq;

/// What waiting for a [`Watermark`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// It stands at the event or beyond.
    Reached,
    /// The deadline came first.
    TimedOut,
    /// It will not move any more, and stands before the event.
    Closed,
}

/// The last event of which something is true: that readers can see its effect, that it survives a power cut.
///
/// One thread moves it; any number of threads and futures wait for it.
#[derive(Debug)]
pub(crate) struct Watermark {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug)]
struct State {
    at: EventSeq,
    is_closed: bool,
    /// Of futures that wait, by the event they wait for; the second number tells those of one event apart.
    wakers: BTreeMap<Ticket, Waker>,
    next_ticket: u64,
}

/// The place of a future among those who wait. It is given back by [`Watermark::forget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(EventSeq, u64);

impl Default for Watermark {
    fn default() -> Self {
        Self::at(EventSeq::ZERO)
    }
}

impl Watermark {
    /// One that stands at `seq`.
    pub(crate) fn at(seq: EventSeq) -> Self {
        let state = State { at: seq, is_closed: false, wakers: BTreeMap::new(), next_ticket: 0 };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    /// Called once it is true of everything up to `seq`.
    pub(crate) fn advance(&self, seq: EventSeq) {
        let mut state = self.state.lock();
        debug_assert!(state.at <= seq, "the watermark never goes back");
        state.at = seq;
        let mut woken = Vec::new();
        while let Some(first) = state.wakers.first_entry().filter(|first| first.key().0 <= seq) {
            woken.push(first.remove());
        }
        drop(state);
        self.moved.notify_all();
        wake(woken);
    }

    /// Says that it will not move any more; whoever waits learns of it.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let woken = std::mem::take(&mut state.wakers).into_values();
        drop(state);
        self.moved.notify_all();
        wake(woken);
    }

    /// The last event of which it is true.
    pub(crate) fn reached(&self) -> EventSeq {
        self.state.lock().at
    }

    /// As [`wait_for`](Self::wait_for), but looks for a while before it sleeps: for what takes microseconds.
    pub(crate) fn wait_awake_for(&self, seq: EventSeq, deadline: Instant) -> Waited {
        let soon = look_a_while(Some(deadline), || self.state.lock().waited_for(seq));
        soon.unwrap_or_else(|| self.wait_for(seq, deadline))
    }

    /// Sleeps until it is true of event `seq`, until `deadline`, or until it is closed.
    pub(crate) fn wait_for(&self, seq: EventSeq, deadline: Instant) -> Waited {
        let mut state = self.state.lock();
        loop {
            if let Some(waited) = state.waited_for(seq) {
                return waited;
            }
            let in_time;
            (state, in_time) = wait_until(&self.moved, state, deadline);
            if !in_time {
                return state.waited_for(seq).unwrap_or(Waited::TimedOut);
            }
        }
    }

    /// As [`wait_for`](Self::wait_for), for a future: the task of `context` is woken when there is an answer.
    /// `ticket` is the future's own, `None` at first and again once there is an answer.
    pub(crate) fn poll_for(
        &self,
        seq: EventSeq,
        ticket: &mut Option<Ticket>,
        context: &mut Context<'_>,
    ) -> Poll<Waited> {
        // Cloned before and freed after the lock is held: wakers run code of the host.
        let waker = context.waker().clone();
        let mut state = self.state.lock();
        if let Some(waited) = state.waited_for(seq) {
            // `advance` or `close` has taken the waker out.
            *ticket = None;
            return Poll::Ready(waited);
        }
        let place = *ticket.get_or_insert_with(|| state.new_ticket(seq));
        let earlier = state.wakers.insert(place, waker);
        drop(state);
        drop(earlier);
        Poll::Pending
    }

    /// Wakes the future with this ticket no more.
    pub(crate) fn forget(&self, ticket: Ticket) {
        let waker = self.state.lock().wakers.remove(&ticket);
        drop(waker);
    }
}

impl State {
    fn waited_for(&self, seq: EventSeq) -> Option<Waited> {
        if self.at >= seq {
            Some(Waited::Reached)
        } else if self.is_closed {
            Some(Waited::Closed)
        } else {
            None
        }
    }

    fn new_ticket(&mut self, seq: EventSeq) -> Ticket {
        self.next_ticket += 1;
        Ticket(seq, self.next_ticket)
    }
}

/// Without a lock: a waker may poll at once.
fn wake(woken: impl IntoIterator<Item = Waker>) {
    for waker in woken {
        // It is the host's code. Should it panic, the host hears of it by its own panic hook, and the task it
        // should have woken is the host's loss.
        let _ = fenced(|| waker.wake());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

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
    fn a_closed_watermark_still_knows_what_it_has_reached() {
        let watermark = Watermark::at(seq(3));
        assert_eq!(watermark.wait_for(seq(4), Instant::now()), Waited::TimedOut);
        watermark.close();
        let later = Instant::now() + Duration::from_secs(3_600);
        assert_eq!(watermark.wait_for(seq(3), later), Waited::Reached);
        assert_eq!(watermark.wait_for(seq(4), later), Waited::Closed);
    }

    #[test]
    fn a_future_is_woken_once_and_only_when_its_event_is_reached() {
        let watermark = Watermark::default();
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut ticket = None;
        assert_eq!(watermark.poll_for(seq(2), &mut ticket, &mut context), Poll::Pending);
        // Polled again, it keeps its one place.
        assert_eq!(watermark.poll_for(seq(2), &mut ticket, &mut context), Poll::Pending);
        watermark.advance(seq(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        watermark.advance(seq(3));
        watermark.close();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        let reached = Poll::Ready(Waited::Reached);
        assert_eq!(watermark.poll_for(seq(2), &mut ticket, &mut context), reached);
        assert_eq!(ticket, None);
    }

    #[test]
    fn a_forgotten_future_leaves_nothing_behind() {
        let watermark = Watermark::default();
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut ticket = None;
        let polled = watermark.poll_for(seq(1), &mut ticket, &mut Context::from_waker(&waker));
        assert_eq!(polled, Poll::Pending);
        watermark.forget(ticket.expect("it waits"));
        assert!(watermark.state.lock().wakers.is_empty());
        watermark.advance(seq(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
    }
}
