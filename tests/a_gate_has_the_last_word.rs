//! A sweep gate decides whether a model is published; one that fails is named and does no harm.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{PATIENCE, random_events, small};
use segue::plugin::Incident;
use segue::{
    Degradation, Engine, EngineBuilder, GateFacts, GateRefusal, GenerationId, Health, Notice, PublishAlways,
    SweepGate, TrainingError,
};

fn engine(builder: EngineBuilder) -> Engine {
    let engine = builder.open().expect("usable settings");
    engine.import(random_events(1, 500, 20, 30)).expect("running");
    engine
}

/// Publishes nothing after the first generation.
#[derive(Debug)]
struct OnceIsEnough;

impl SweepGate for OnceIsEnough {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        if facts.before == GenerationId::ZERO {
            Ok(())
        } else {
            Err(GateRefusal::Other { reason: "once is enough".to_owned() })
        }
    }
}

#[test]
fn a_refusal_is_told_everywhere_and_the_model_in_use_stays() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let engine = engine(small().sweep_gate(OnceIsEnough).observe_with(move |notice| {
        let line = if let Notice::Published(report) = notice {
            format!("published {}", report.generation.get())
        } else if let Notice::SweepFailed(error) = notice {
            format!("failed: {error}")
        } else {
            return;
        };
        tell.lock().expect("nobody panics").push(line);
    }));
    let first = engine.sweep_now().expect("running").wait().expect("the first passes");
    let refused = engine.sweep_now().expect("running").wait().expect_err("the second does not");
    let reason = GateRefusal::Other { reason: "once is enough".to_owned() };
    assert_eq!(refused, TrainingError::Refused(reason.clone()));
    let why = Degradation::SweepFailed(TrainingError::Refused(reason));
    assert_eq!(engine.health(), Health::Degraded { why });
    assert_eq!(engine.stats().last_sweep.map(|report| report.generation), Some(first.generation));
    assert_eq!((engine.stats().sweeps, engine.stats().failed_sweeps), (1, 1));
    assert_eq!(
        *told.lock().expect("nobody panics"),
        ["published 1", "failed: the candidate was not published"]
    );
}

#[derive(Debug)]
struct AtALoss;

impl SweepGate for AtALoss {
    fn judge(&self, _facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        panic!("at a loss")
    }
}

#[test]
fn a_gate_that_panics_is_done_without_and_named() {
    let engine = engine(small().sweep_gate(AtALoss));
    engine.sweep_now().expect("running").wait().expect("the default gate lets it pass");
    let incident = Incident::Panicked { message: "at a loss".to_owned() };
    assert_eq!(
        engine.health(),
        Health::Degraded { why: Degradation::Plugin { seam: "sweep gate", incident } }
    );
    assert_eq!(engine.stats().plugin_panics, 1);
}

#[derive(Debug)]
struct Slow(Duration);

impl SweepGate for Slow {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        std::thread::sleep(self.0);
        PublishAlways.judge(facts)
    }
}

#[test]
fn a_gate_that_takes_its_time_is_waited_for_and_named() {
    let engine = engine(small().sweep_gate(Slow(Duration::from_millis(200))));
    engine.sweep_now().expect("running").wait().expect("it lets it pass");
    let health = engine.health();
    assert!(
        matches!(
            &health,
            Health::Degraded {
                why: Degradation::Plugin { seam: "sweep gate", incident: Incident::Slow { .. } }
            }
        ),
        "{health:?}"
    );
}

#[test]
fn an_observer_that_panics_or_dawdles_is_named_and_does_no_harm() {
    let engine = engine(small().observe_with(|_| panic!("cannot look")));
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    let incident = Incident::Panicked { message: "cannot look".to_owned() };
    assert_eq!(engine.health(), Health::Degraded { why: Degradation::Plugin { seam: "observer", incident } });
    let receipt = engine.sender().send_tracked(segue::Event::listen(1, 1)).expect("running");
    engine.reader().view_after(&receipt, PATIENCE).expect("the engine goes on");
}
