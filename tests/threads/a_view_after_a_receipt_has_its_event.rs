//! After `view_after` the effect of the event is there, always: with many senders, and sweeps all the time.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{PATIENCE, small};
use segue::{Engine, Event, Outcome, ViewAfterError};

const SENDERS: u64 = 4;

/// What has to happen meanwhile, however busy the machine.
const MIN_SWEEPS: u64 = 10;

/// Each sender plays `n` new items to some listeners of its own, or more until there were enough sweeps, and asks after
/// each. Returns how many it played.
fn send_and_ask(engine: &Engine, sender: u64, n: u64) -> u64 {
    let (events, reader) = (engine.sender(), engine.reader());
    let mut played = 0;
    while played < n || engine.stats().sweeps < MIN_SWEEPS {
        let at = played;
        played += 1;
        let (user, item) = (sender * 10 + at % 10, at / 10);
        let receipt = events.send_tracked(Event::listen(user, item)).expect("running");
        let view = reader.view_after(&receipt, PATIENCE).expect("learned");
        let Some(Outcome::Applied(seq)) = receipt.outcome() else { panic!("it was learned") };
        let ana = view.user(user);
        assert!(ana.seq() >= seq, "{} < {seq}", ana.seq());
        let history = ana.history();
        assert_eq!(history.len() as u64, item + 1, "every item so far, each new");
        assert!(history.iter().any(|entry| entry.item == item.into() && entry.events == 1));
        let later = reader.view_at(seq, PATIENCE).expect("it is there already");
        assert!(later.user(user).seq() >= seq && reader.applied() >= seq);
        // What was heard is not recommended, so the list knows the event too.
        let list = ana.recommend().limit(usize::MAX).run().expect("always an answer");
        assert!(list.ids().all(|id| *id != item.into()));
        assert!(list.provenance().user_seq >= seq);
    }
    played
}

fn stress(n: u64) {
    let engine = small().sweeps(1, 1).open().expect("usable settings");
    engine.import((0..200_u64).map(|at| Event::listen(1_000 + at % 40, at % 23))).expect("running");
    let done = AtomicBool::new(false);
    let played: u64 = std::thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                engine.sweep_now().expect("running").wait().expect("there is something to learn");
            }
        });
        let engine = &engine;
        let senders: Vec<_> =
            (0..SENDERS).map(|sender| scope.spawn(move || send_and_ask(engine, sender, n))).collect();
        let ended: Vec<_> = senders.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        let played = ended.into_iter().map(|ended| ended.expect("the effect was there")).sum();
        sweeper.join().expect("every sweep was published");
        played
    });
    let stats = engine.stats();
    println!("{} events, {} sweeps, {:?}", stats.applied, stats.sweeps, stats.event_to_visible);
    assert_eq!(stats.applied, 200 + played);
}

#[test]
fn its_effect_is_there_while_sweeps_run() {
    stress(1_000);
}

/// Run with `cargo test --release --test threads -- --ignored --nocapture`.
#[test]
#[ignore = "some minutes"]
fn its_effect_is_there_for_long() {
    stress(5_000);
}

#[test]
fn the_effect_of_what_counts_as_applied_is_there() {
    // A short queue makes for many short batches, each with a publication to look into.
    let engine = small().queue_capacity(8).open().expect("usable settings");
    // With a model and a long history each of her events takes a while to fold in.
    engine.import((0..3_000_u64).map(|item| Event::listen("ana", item))).expect("running");
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    let (sender, reader, done) = (engine.sender(), engine.reader(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Only ana does anything, so her last event is everybody's.
                let applied = reader.applied();
                let seen = reader.view().user("ana").seq();
                assert!(seen >= applied, "{applied} is said to be there, {seen} is");
            }
        });
        for item in 0..20_000_u64 {
            sender.send(Event::listen("ana", item % 3_000)).expect("running");
        }
        let last = sender.send_tracked(Event::listen("ana", 1)).expect("running");
        assert!(last.wait(PATIENCE).is_some());
        done.store(true, Ordering::Relaxed);
        watcher.join().expect("what is applied is there");
    });
    let seq = engine.reader().applied();
    assert!(engine.reader().view_at(seq, PATIENCE).is_ok());
}

#[test]
fn a_view_at_an_event_that_is_not_published_times_out() {
    let mut engine = small().open_manual().expect("usable settings");
    let Outcome::Applied(seq) = engine.apply(Event::listen("ana", 1)).expect("well formed") else {
        panic!("it was learned")
    };
    let reader = engine.reader();
    let nothing = std::time::Duration::ZERO;
    assert_eq!(reader.view_at(seq, nothing).err(), Some(ViewAfterError::TimedOut { timeout: nothing }));
    engine.pump();
    assert_eq!(reader.view_at(seq, nothing).expect("published").user("ana").seq(), seq);
}
