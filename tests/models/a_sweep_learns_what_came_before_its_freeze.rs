//! A sweep learns from exactly the events up to the one its report names, while others go on coming in.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::small;
use segue::Event;

const USERS: u64 = 400;

/// Every event is a new pair, so that the number of pairs at a moment is the number of events until then.
#[test]
fn the_pairs_of_a_sweep_are_those_before_its_freeze() {
    let engine = small().sweeps(1, 1).queue_capacity(64).open().expect("usable settings");
    engine.import((0..USERS).map(|user| Event::listen(user, 0))).expect("running");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sender = engine.sender();
        let done = &done;
        scope.spawn(move || {
            // New users come in as well, so that rows appear during a freeze.
            for item in 1.. {
                for user in 0..USERS + item {
                    if done.load(Ordering::Relaxed) || item > 4_000 {
                        return;
                    }
                    sender.send(Event::listen(user, item)).expect("running");
                }
            }
        });
        let mut wrong = Vec::new();
        for _ in 0..150 {
            let report = engine.sweep_now().expect("running").wait().expect("there is something to learn");
            let pairs = u64::try_from(report.n_pairs).expect("small");
            if pairs != report.frozen_at.get() {
                wrong.push((report.frozen_at, pairs));
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(wrong.is_empty(), "frozen at, pairs: {wrong:?}");
    });
}
