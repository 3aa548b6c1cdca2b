//! While an import runs, the writer still does what it does between batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::small;
use segue::{Event, SweepContext, SweepDecision, SweepPolicy};

#[derive(Debug)]
struct CountsCalls(Arc<AtomicU64>);

impl SweepPolicy for CountsCalls {
    fn decide(&self, _context: &SweepContext) -> SweepDecision {
        self.0.fetch_add(1, Ordering::Relaxed);
        SweepDecision::Wait
    }
}

#[test]
fn the_sweep_policy_is_asked_between_the_parts_of_an_import() {
    let calls = Arc::new(AtomicU64::new(0));
    let engine = small().sweep_policy(CountsCalls(Arc::clone(&calls))).open().expect("usable settings");
    // Parts of 4,096 events: 50 of them. The writer never runs out of parts, as learning one takes longer
    // than making the next.
    engine.import((0..50 * 4_096_u64).map(|n| Event::listen(n % 3_000, n % 500))).expect("running");
    let calls = calls.load(Ordering::Relaxed);
    assert!(calls >= 45, "it was asked {calls} times");
}
