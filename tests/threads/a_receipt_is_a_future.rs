//! Every receipt can be awaited, without any runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use crate::common::small;
use segue::{Event, Outcome, Refusal};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest executor: sleeps until it is woken. Without the wake it would sleep for ever.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn awaiting_it_gives_the_outcome() {
    let engine = small().open().expect("usable settings");
    let (sender, reader) = (engine.sender(), engine.reader());
    for n in 1..=2_000_u64 {
        let receipt = sender.send_tracked(Event::listen("ana", n % 50).key(n)).expect("running");
        let Outcome::Applied(seq) = block_on(receipt) else { panic!("it was learned") };
        assert_eq!(seq.get(), n);
        assert_eq!(reader.view().user("ana").seq(), seq, "its effect is there");
    }
    let again = sender.send_tracked(Event::listen("ana", 1).key(7)).expect("running");
    assert_eq!(block_on(again), Outcome::Duplicate);
    let undo = sender.send_tracked(Event::undo(Event::save("ana", 1))).expect("running");
    assert_eq!(block_on(undo), Outcome::Rejected(Refusal::NothingToUndo));
}

#[test]
fn the_end_of_the_engine_wakes_whoever_awaits_it() {
    let engine = small().open().expect("usable settings");
    let receipts: Vec<_> = (0..5_000_u64)
        .map(|n| engine.sender().send_tracked(Event::listen(n % 40, n % 30)).expect("running"))
        .collect();
    let waiter = std::thread::spawn(move || receipts.into_iter().map(block_on).collect::<Vec<_>>());
    drop(engine);
    let outcomes = waiter.join().expect("nobody sleeps for ever");
    let n_applied = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count();
    // In the order they were sent: what was learned, then what was not reached.
    assert!(outcomes[n_applied..].iter().all(|outcome| *outcome == Outcome::Stopped));
}
