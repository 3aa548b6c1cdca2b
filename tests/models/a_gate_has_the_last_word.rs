//! A sweep gate decides whether a model is published; one that fails is named and does no harm.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{PATIENCE, random_events, small};
use segue::plugin::Incident;
use segue::{
    Degradation, Engine, EngineBuilder, GateFacts, GateRefusal, GenerationId, Health, Notice, PublishAlways,
    Source, SweepGate, TrainingError,
};

fn engine(builder: EngineBuilder) -> Engine {
    let engine = builder.open().expect("usable settings");
    engine.import(random_events(1, 500, 20, 30)).expect("running");
    engine
}

/// Queries are answered, by the model.
fn answers(engine: &Engine) {
    let list = engine.reader().view().user(1).recommend().allow_known().run().expect("always an answer");
    assert_eq!((list.provenance().source, list.len()), (Source::Personal, 10));
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
    answers(&engine);
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
        Health::Degraded { why: Degradation::Plugin { seam: "sweep gate", plug_in: None, incident } }
    );
    assert_eq!(engine.stats().plugin_panics, 1);
    answers(&engine);
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
                why: Degradation::Plugin { seam: "sweep gate", incident: Incident::Slow { .. }, .. }
            }
        ),
        "{health:?}"
    );
    answers(&engine);
}

#[test]
fn a_gate_may_be_a_closure() {
    let none = |_: &GateFacts<'_>| Err(GateRefusal::Other { reason: "not today".to_owned() });
    let engine = engine(small().sweep_gate_with(none));
    let refused = engine.sweep_now().expect("running").wait().expect_err("it lets nothing pass");
    assert!(matches!(refused, TrainingError::Refused(GateRefusal::Other { .. })), "{refused:?}");
}

/// What is said of an observer that acts so when a sweep is published. The engine goes on.
fn of_observer(act: fn()) -> Incident {
    let engine = engine(small().observe_with(move |_| act()));
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    let health = engine.health();
    let Health::Degraded { why: Degradation::Plugin { seam: "observer", incident, .. } } = health else {
        panic!("{health:?}")
    };
    let receipt = engine.sender().send_tracked(segue::Event::listen(1, 1)).expect("running");
    engine.reader().view_after(&receipt, PATIENCE).expect("the engine goes on");
    answers(&engine);
    incident
}

#[test]
fn an_observer_that_panics_is_named_and_does_no_harm() {
    let incident = of_observer(|| panic!("cannot look"));
    assert_eq!(incident, Incident::Panicked { message: "cannot look".to_owned() });
}

#[test]
fn an_observer_that_dawdles_is_waited_for_and_named() {
    let incident = of_observer(|| std::thread::sleep(Duration::from_millis(200)));
    let Incident::Slow { took, budget } = incident else { panic!("{incident:?}") };
    assert!(took >= Duration::from_millis(200) && budget == Duration::from_millis(10));
}
