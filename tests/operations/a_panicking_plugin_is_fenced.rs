//! A panic in a plug-in is caught, counted and told; the engine goes on.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use crate::common::{PATIENCE, small};
use segue::plugin::Incident;
use segue::{Degradation, Event, Health, Outcome, Refusal, Signal, SweepContext, SweepDecision, SweepPolicy};

#[test]
fn a_weigher_that_panics_refuses_its_event_alone() {
    let engine = small()
        .weigh_with(|facts| {
            assert!(facts.item.as_str() != Some("cursed"), "cannot weigh this");
            Signal::positive(1.0).expect("in range")
        })
        .open()
        .expect("usable settings");
    let sender = engine.sender();
    sender.send(Event::listen("ana", "fine")).expect("running");
    let cursed = sender.send_tracked(Event::listen("zoe", "cursed")).expect("running");
    let after = sender.send_tracked(Event::listen("ana", "fine too")).expect("running");
    assert_eq!(cursed.wait(PATIENCE), Some(Outcome::Rejected(Refusal::WeigherPanicked)));
    let view = engine.reader().view_after(&after, PATIENCE).expect("the engine goes on");
    assert_eq!(view.user("ana").history().len(), 2);
    assert!(!view.user("zoe").is_known(), "nothing of the refused event is left");
    let stats = engine.stats();
    assert_eq!((stats.applied, stats.plugin_panics, stats.n_items), (2, 1, 2));
    assert_eq!(stats.refused[&Refusal::WeigherPanicked], 1);
    let Health::Degraded { why: Degradation::Plugin { seam, incident: Incident::Panicked { message }, .. } } =
        engine.health()
    else {
        panic!("{:?}", engine.health());
    };
    assert_eq!((seam, &*message), ("weigher", "cannot weigh this"));
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    assert!(matches!(engine.health(), Health::Serving { .. }), "a published sweep clears it");
}

#[derive(Debug)]
struct NoIdea;

impl SweepPolicy for NoIdea {
    fn decide(&self, _context: &SweepContext) -> SweepDecision {
        panic!("no idea")
    }
}

#[test]
fn a_sweep_policy_that_panics_waits() {
    let engine = small().sweep_policy(NoIdea).open().expect("usable settings");
    let receipt = engine.sender().send_tracked(Event::listen("ana", 1)).expect("running");
    engine.reader().view_after(&receipt, PATIENCE).expect("the engine goes on");
    // Asked at the latest before the next event is taken.
    let receipt = engine.sender().send_tracked(Event::listen("ana", 2)).expect("running");
    engine.reader().view_after(&receipt, PATIENCE).expect("the engine goes on");
    let why = Degradation::Plugin {
        seam: "sweep policy",
        plug_in: None,
        incident: Incident::Panicked { message: "no idea".to_owned() },
    };
    assert_eq!(engine.health(), Health::Degraded { why });
    assert!(engine.stats().plugin_panics >= 1);
    assert_eq!(engine.stats().sweeps, 0);
    engine.sweep_now().expect("running").wait().expect("the host may still call for one");
    assert!(engine.shutdown(PATIENCE).is_ok());
}

struct Tripwire;

impl Wake for Tripwire {
    fn wake(self: Arc<Self>) {
        panic!("a waker of the host's")
    }
}

#[test]
fn a_waker_that_panics_does_not_end_the_engine() {
    let engine = small().queue_capacity(16).open().expect("usable settings");
    let waker = Waker::from(Arc::new(Tripwire));
    let mut context = Context::from_waker(&waker);
    let mut n_pending = 0;
    // Whether a receipt is still open when it is polled is the writer's luck: until some were.
    while n_pending < 5 {
        let receipt = engine.sender().send_tracked(Event::listen("ana", 1)).expect("the engine goes on");
        let mut receipt = pin!(receipt);
        n_pending += u32::from(receipt.as_mut().poll(&mut context).is_pending());
        assert!(matches!(receipt.wait(PATIENCE), Some(Outcome::Applied(_))));
    }
    let receipt = engine.sender().send_tracked(Event::listen("ana", 2)).expect("the engine goes on");
    assert!(engine.reader().view_after(&receipt, PATIENCE).is_ok());
    assert!(engine.shutdown(PATIENCE).is_ok());
}
