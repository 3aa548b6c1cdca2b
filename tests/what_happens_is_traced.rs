//! Spans and events come under the targets that the documentation lists, at the levels it says.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::power::{Fault, FaultyStorage, Plan};
use common::temp::TempDir;
use common::{random_events, small};
use segue::{Durability, Event, Health};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// Keeps of each span its target, name and level, of each event its target and level.
#[derive(Debug, Clone, Default)]
struct Seen {
    spans: Arc<Mutex<BTreeSet<(String, String, String)>>>,
    events: Arc<Mutex<BTreeSet<(String, String)>>>,
    n_spans: Arc<AtomicU64>,
}

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("segue")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let metadata = span.metadata();
        let span = (metadata.target().into(), metadata.name().into(), metadata.level().to_string());
        self.spans.lock().expect("no test panics inside").insert(span);
        Id::from_u64(1 + self.n_spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let metadata = event.metadata();
        let event = (metadata.target().into(), metadata.level().to_string());
        self.events.lock().expect("no test panics inside").insert(event);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Every target, span and level of what an engine does in its life, good and bad.
#[test]
fn what_happens_is_seen_under_documented_targets() {
    let seen = Seen::default();
    // Of the whole process: sweeps run on threads of their own. This file has no other test.
    tracing::subscriber::set_global_default(seen.clone()).expect("there is none yet");

    let directory = TempDir::new();
    let mut engine = small()
        .weigh_with(|facts| {
            assert!(facts.item.as_str() != Some("cursed"), "cannot weigh this");
            segue::Signal::positive(1.0).expect("in range")
        })
        .store(directory.path(), Durability::Immediate)
        .open_manual()
        .expect("usable settings");
    engine.import(random_events(1, 300, 20, 20));
    engine.sweep().expect("there is something to learn");
    engine.apply(Event::listen("zoe", "cursed")).expect("well formed");
    engine.checkpoint().expect("it is written");
    drop(engine);

    let storage = FaultyStorage::new(1);
    let engine = small().store_in(storage.clone(), Durability::Immediate).open().expect("usable settings");
    storage.set_plan(Plan::once(storage.operations() + 1, Fault::Io));
    // An idle writer marks what has become durable, and may be the one who notices.
    if let Ok(receipt) = engine.sender().send_tracked(Event::listen("ana", 1)) {
        receipt.wait(common::PATIENCE).expect("decided");
    }
    assert!(matches!(engine.health(), Health::ReadOnly { .. }), "{}", engine.health());
    engine.shutdown(common::PATIENCE).expect("it runs");

    let spans = seen.spans.lock().expect("no test panics inside").clone();
    let span = |target: &str, name: &str, level: Level| {
        (format!("segue::{target}"), name.to_owned(), level.to_string())
    };
    let expected = [
        span("checkpoint", "checkpoint", Level::INFO),
        span("publish", "publish", Level::TRACE),
        span("recovery", "recovery", Level::INFO),
        span("sweep", "sweep", Level::INFO),
    ];
    assert_eq!(spans, BTreeSet::from(expected));
    let events = seen.events.lock().expect("no test panics inside").clone();
    let event = |target: &str, level: Level| (format!("segue::{target}"), level.to_string());
    for expected in [
        event("recovery", Level::INFO),
        event("sweep", Level::DEBUG),
        event("sweep", Level::INFO),
        event("checkpoint", Level::INFO),
        event("journal", Level::ERROR),
        event("plugin", Level::WARN),
        event("engine", Level::INFO),
    ] {
        assert!(events.contains(&expected), "{expected:?} is not in {events:?}");
    }
    let page = include_str!("../src/docs/operations.md");
    for target in spans.iter().map(|(target, ..)| target).chain(events.iter().map(|(target, _)| target)) {
        assert!(page.contains(&format!("| `{target}` |")), "{target} is not documented");
    }
}
