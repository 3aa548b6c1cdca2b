//! Somebody who asks for recommendations all the time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use segue::{Engine, Health, Source, UserId};

use crate::latency::Latencies;

/// How long whole queries took: a view, its user, ten recommendations.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) idle: Latencies,
    /// Queries that had a sweep under way when they began or when they ended.
    pub(crate) sweeping: Latencies,
}

/// Runs `work` on this thread while another asks on behalf of the listeners, one after the other.
pub(crate) fn while_asking<T>(engine: &Engine, listeners: &[UserId], work: impl FnOnce() -> T) -> (T, Asked) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let asker = scope.spawn(|| ask(engine, listeners, &done));
        let result = work();
        done.store(true, Ordering::Relaxed);
        (result, asker.join().expect("asking does not panic"))
    })
}

fn ask(engine: &Engine, listeners: &[UserId], done: &AtomicBool) -> Asked {
    /// A prime, and no divisor of the number of listeners: so everybody comes up, neighbours far apart.
    const STRIDE: usize = 7_919;
    let reader = engine.reader();
    let mut asked = Asked::default();
    let mut turns = (0..).map(|turn: usize| &listeners[turn.wrapping_mul(STRIDE) % listeners.len()]);
    while let Some(listener) = turns.next().filter(|_| !done.load(Ordering::Relaxed)) {
        let sweeping_before = is_sweeping(engine);
        let began = Instant::now();
        let answer = reader.view().user(listener).recommend().limit(10).run();
        let latency = began.elapsed();
        // Before there is a model, or for a listener nothing is known of, the answer is a cheap list of
        // what is popular: not what we want to time.
        if answer.is_ok_and(|list| list.provenance().source == Source::Personal) {
            let sweeping = sweeping_before || is_sweeping(engine);
            if sweeping { asked.sweeping.push(latency) } else { asked.idle.push(latency) }
        }
        // Asking takes at most a quarter of this thread's time, so it does not queue behind itself.
        thread::sleep((3 * latency).max(Duration::from_millis(1)));
    }
    asked
}

fn is_sweeping(engine: &Engine) -> bool {
    matches!(engine.health(), Health::Serving { sweeping: true, .. } | Health::Warming { sweeping: true, .. })
}
