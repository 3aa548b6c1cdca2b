//! A full queue hands the event back, or makes the sender wait: nothing is lost, nothing is dropped unsaid.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::common::{PATIENCE, small};
use segue::{Engine, Event, EventSender, Outcome, Reader, SendError, Signal, TrySendError, ViewAfterError};

/// An engine whose weigher stops at every event until it is let go on: the writer is held by the test.
struct Held {
    engine: Engine,
    sender: EventSender,
    reader: Reader,
    /// A word for each event the weigher has begun with.
    began: Receiver<()>,
    go_on: SyncSender<()>,
}

fn held(capacity: usize) -> Held {
    let (began_sender, began) = sync_channel(1_000);
    let (go_on, may_go_on) = mpsc::sync_channel(1_000);
    let may_go_on = Mutex::new(may_go_on);
    let engine = small()
        .queue_capacity(capacity)
        .weigh_with(move |_| {
            began_sender.send(()).ok();
            // Once the test lets its end go, nobody waits any more.
            may_go_on.lock().expect("not poisoned").recv().ok();
            Signal::positive(1.0).expect("in range")
        })
        .open()
        .expect("usable settings");
    Held { sender: engine.sender(), reader: engine.reader(), engine, began, go_on }
}

impl Held {
    /// Fills the queue: one event in the writer's hands, `n` behind it.
    fn fill(&self, n: u64) {
        self.sender.send(Event::listen("held", 0)).expect("running");
        self.began.recv_timeout(PATIENCE).expect("the writer took it");
        for item in 0..n {
            self.sender.try_send(Event::listen("waiting", item)).expect("there is room");
        }
    }
}

#[test]
fn try_send_and_send_timeout_hand_the_event_back() {
    let held = held(3);
    held.fill(3);
    let sender = held.engine.sender();
    assert_eq!(sender.queue_len(), 3);
    let event = Event::like("ana", "portishead").key("k1");
    assert_eq!(sender.try_send(event.clone()), Err(TrySendError::Full(event.clone())));
    let refused = sender.send_timeout(event.clone(), Duration::from_millis(1));
    assert_eq!(refused, Err(TrySendError::Full(event.clone())));
    assert_eq!(refused.expect_err("full").into_event(), event);
    // A mistake is told as such, full or not.
    assert!(matches!(sender.try_send(Event::listen("", 1)), Err(TrySendError::Invalid(_))));
    drop(held.go_on);
    assert_eq!(sender.send_timeout(event, PATIENCE), Ok(()), "there is room again");
    let report = held.engine.shutdown(PATIENCE).expect("the writer is well");
    assert_eq!((report.applied.get(), report.unprocessed), (5, 0));
}

#[test]
fn send_waits_until_there_is_room_and_keeps_the_order() {
    let held = held(1);
    held.fill(1);
    let (sender, reader) = (held.engine.sender(), held.engine.reader());
    let (sent, has_sent) = sync_channel(100);
    let blocked = std::thread::spawn(move || {
        for item in 100..110_u64 {
            let receipt = sender.send_tracked(Event::listen("ana", item)).expect("running");
            sent.send(receipt).expect("the test listens");
        }
    });
    // Each event let through makes room for one more, and for no more than that.
    for released in 1..=12_usize {
        held.go_on.send(()).expect("the weigher listens");
        if released < 12 {
            held.began.recv_timeout(PATIENCE).expect("the next one");
        }
        let can_have_been_sent = (released).min(10);
        assert!(has_sent.try_iter().count() <= can_have_been_sent);
    }
    blocked.join().expect("all were sent");
    let last = held.engine.sender().send_tracked(Event::listen("ana", 200)).expect("running");
    drop(held.go_on);
    let view = reader.view_after(&last, PATIENCE).expect("learned");
    let heard: Vec<_> =
        view.user("ana").history().into_iter().filter_map(|entry| entry.item.as_u64()).collect();
    let expected: Vec<u64> = (100..110).chain([200]).collect();
    assert_eq!(heard, expected, "in the order they were sent");
}

/// Waits until the engine has been told to stop, which senders are the first to hear.
fn until_stopping(sender: &EventSender) {
    while !matches!(sender.try_send(Event::listen("probe", 1)), Err(TrySendError::Stopped(_))) {
        std::thread::yield_now();
    }
}

#[test]
fn a_drop_hands_blocked_senders_their_events_back() {
    let held = held(2);
    held.fill(2);
    let (engine, sender) = (held.engine, held.sender);
    let (results, ended) = sync_channel(10);
    for n in 0..4_u64 {
        let (sender, results) = (sender.clone(), results.clone());
        std::thread::spawn(move || results.send(sender.send(Event::listen("blocked", n))));
    }
    let dropper = std::thread::spawn(move || drop(engine));
    // The writer is still held and the queue still full: whoever waits for room hears of the end.
    let mut handed_back: Vec<Event> = (0..4)
        .map(|_| match ended.recv_timeout(PATIENCE).expect("nobody waits for ever") {
            Err(SendError::Stopped(event)) => event,
            other => panic!("there was never any room: {other:?}"),
        })
        .collect();
    handed_back.sort_by_key(|event| event.item().as_u64());
    let sent: Vec<_> = (0..4_u64).map(|n| Event::listen("blocked", n)).collect();
    assert_eq!(handed_back, sent);
    drop(held.go_on);
    dropper.join().expect("the drop returns");
}

#[test]
fn receipts_of_what_was_not_reached_say_stopped_and_the_report_counts_them() {
    let held = held(10);
    held.fill(0);
    let (engine, sender, reader) = (held.engine, held.sender, held.reader);
    let receipts: Vec<_> =
        (0..5_u64).map(|n| sender.send_tracked(Event::listen("ana", n)).expect("running")).collect();
    assert!(receipts.iter().all(|receipt| receipt.outcome().is_none()));
    let shutdown = std::thread::spawn(move || engine.shutdown(Duration::ZERO));
    until_stopping(&sender);
    let queued = sender.queue_len();
    // One event is let through: the one that the weigher has begun with.
    held.go_on.send(()).expect("the weigher listens");
    let report = shutdown.join().expect("no panic").expect("the writer is well");
    assert_eq!((report.applied.get(), report.unprocessed), (1, queued));
    for receipt in receipts {
        assert_eq!(receipt.wait(PATIENCE), Some(Outcome::Stopped));
        assert_eq!(reader.view_after(&receipt, PATIENCE).expect_err("stopped"), ViewAfterError::Stopped);
    }
    assert!(!reader.view().user("ana").is_known(), "nothing of it was learned");
    let event = Event::listen("ana", 7);
    assert_eq!(sender.send(event.clone()), Err(SendError::Stopped(event.clone())));
    assert_eq!(sender.send_timeout(event.clone(), PATIENCE), Err(TrySendError::Stopped(event)));
}

#[test]
fn a_shutdown_ends_while_others_go_on_sending() {
    let engine = small().queue_capacity(8).open().expect("usable settings");
    std::thread::scope(|scope| {
        for n in 0..3_u64 {
            let sender = engine.sender();
            scope.spawn(move || while sender.send(Event::listen(n, 1)).is_ok() {});
        }
        // Senders are refused from the start of the shutdown on, so the queue empties long before the
        // deadline, which no test would wait for.
        let report = engine.shutdown(Duration::MAX).expect("the writer is well");
        assert_eq!(report.unprocessed, 0, "a long deadline leaves nothing");
    });
}

#[test]
fn every_event_that_was_taken_is_learned_or_counted_as_left() {
    for round in 0..24_u64 {
        let capacity = [8, 1_024, 65_536][usize::try_from(round % 3).expect("small")];
        // With all the time it needs, with a little, and with none.
        let deadline =
            [PATIENCE, Duration::from_millis(2), Duration::ZERO][usize::try_from(round / 8).expect("small")];
        let engine = small().queue_capacity(capacity).open().expect("usable settings");
        let (taken, report) = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..4_u64)
                .map(|n| {
                    let sender = engine.sender();
                    scope.spawn(move || {
                        let mut taken = 0_usize;
                        while sender.send(Event::listen(n, taken as u64 % 50)).is_ok() {
                            taken += 1;
                        }
                        taken
                    })
                })
                .collect();
            let reader = engine.reader();
            while reader.applied() == segue::EventSeq::ZERO {
                std::thread::yield_now();
            }
            let report = engine.shutdown(deadline).expect("the writer is well");
            let taken: usize = senders.into_iter().map(|sender| sender.join().expect("no panic")).sum();
            (taken, report)
        });
        let learned = usize::try_from(report.applied.get()).expect("small");
        assert_eq!(taken, learned + report.unprocessed, "capacity {capacity}, {deadline:?}: {report:?}");
        assert!(deadline < PATIENCE || report.unprocessed == 0, "{report:?}");
    }
}

#[test]
fn no_receipt_stays_open_however_late_its_event_was_sent() {
    for _ in 0..300 {
        let engine = small().queue_capacity(4).open().expect("usable settings");
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..3_u64)
                .map(|n| {
                    let sender = engine.sender();
                    scope.spawn(move || {
                        let mut receipts = Vec::new();
                        while let Ok(receipt) = sender.send_tracked(Event::listen(n, 1)) {
                            receipts.push(receipt);
                        }
                        // The sender lives on, and so does whatever it left in the queue.
                        receipts.iter().all(|receipt| receipt.wait(PATIENCE).is_some())
                    })
                })
                .collect();
            drop(engine);
            assert!(
                senders.into_iter().all(|sender| sender.join().expect("no panic")),
                "a receipt stays open"
            );
        });
    }
}
