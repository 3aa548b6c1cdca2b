//! A run is a function of its events: of no clock, no thread, no address, no hash seed.

use std::time::Duration;

use crate::common::{Answer, PATIENCE, answers, now, random_events, small};
use segue::{ManualClock, SimdPath};

fn run(threads: usize, path: SimdPath) -> Vec<Vec<Answer>> {
    let clock = ManualClock::at(now());
    let builder = small().clock(clock.clone()).half_life(Duration::from_secs(9 * 24 * 3_600));
    let mut engine = builder.threads(threads).simd_path(path).open_manual().expect("usable settings");
    let mut seen = Vec::new();
    for (at, event) in random_events(1, 2_000, 40, 60).into_iter().enumerate() {
        engine.apply(event).expect("well formed");
        if at % 7 == 0 {
            clock.advance(Duration::from_millis(30));
            engine.pump();
        }
        if at % 500 == 499 {
            engine.sweep().expect("there is something to learn");
            seen.push(answers(&engine.reader().view(), 40, 60));
        }
    }
    seen.push(answers(&engine.reader().view(), 40, 60));
    seen
}

#[test]
fn twice_by_hand() {
    assert!(run(1, SimdPath::detect()) == run(1, SimdPath::detect()));
}

#[test]
fn on_any_number_of_threads_and_any_path() {
    let expected = run(1, SimdPath::detect());
    for path in SimdPath::available() {
        for threads in [1, 2, 8] {
            assert!(run(threads, path) == expected, "{threads} threads, {path}");
        }
    }
}

#[test]
fn with_a_writer_thread_as_without_one() {
    let events = random_events(2, 3_000, 40, 60);
    let mut manual = small().open_manual().expect("usable settings");
    manual.import(events.clone());
    manual.sweep().expect("there is something to learn");
    let engine = small().open().expect("usable settings");
    let sender = engine.sender();
    for event in events {
        sender.send(event).expect("running");
    }
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    let receipt = sender.send_tracked(segue::Event::listen("ana", 1)).expect("running");
    let view = engine.reader().view_after(&receipt, PATIENCE).expect("learned");
    assert!(answers(&view, 40, 60) == answers(&manual.reader().view(), 40, 60));
}
