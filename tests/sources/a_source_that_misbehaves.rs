//! A source that panics, sleeps, fails or gives nonsense is named; the engine goes on, and so does the source.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::common::{PATIENCE, small};
use segue::plugin::{EventError, EventSource, Incident, Pull, SourceBatch, SourceError, SourceWaker};
use segue::{BuildError, Degradation, Engine, Event, Health};

/// What a source does when it is asked for the so-manieth time.
type Behaviour = fn(usize, &mut SourceBatch) -> Result<Pull, SourceError>;

const IDLE: Pull = Pull::Idle { at_most: Duration::from_secs(3_600) };

#[derive(Debug)]
struct Odd {
    behave: Behaviour,
    n_asked: usize,
    /// Told of each call before it does anything else: by then all before it was dealt with.
    calls: Sender<&'static str>,
}

impl EventSource for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn begin(&mut self, _: Option<u64>, _: SourceWaker) -> Result<(), SourceError> {
        let _ = self.calls.send("begin");
        Ok(())
    }

    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
        let _ = self.calls.send("pull");
        self.n_asked += 1;
        (self.behave)(self.n_asked, batch)
    }
}

fn open(behave: Behaviour) -> (Engine, Receiver<&'static str>) {
    let (calls, called) = channel();
    let engine = small().source(Odd { behave, n_asked: 0, calls }).open().expect("usable settings");
    (engine, called)
}

/// Waits for so many calls of this kind.
fn wait_for(calls: &Receiver<&'static str>, call: &str, times: usize) {
    for _ in 0..times {
        while calls.recv_timeout(PATIENCE).expect("it goes on") != call {}
    }
}

fn incident(engine: &Engine) -> Incident {
    let health = engine.health();
    let Health::Degraded { why: Degradation::Source { name, incident } } = health else {
        panic!("{health:?}")
    };
    assert_eq!(name, "odd");
    incident
}

/// The engine learns what others send, and what the source gives in the end.
fn check_goes_on(engine: Engine, calls: &Receiver<&'static str>) {
    let receipt = engine.sender().send_tracked(Event::listen("ana", 1)).expect("running");
    let view = engine.reader().view_after(&receipt, PATIENCE).expect("learned");
    assert_eq!(view.user("ana").history().len(), 1);
    while engine.source_offset("odd") != Some(100) {
        // It is asked again and again until it gives something.
        let _ = calls.recv_timeout(Duration::from_millis(1));
    }
    assert!(engine.reader().view().user("late").is_known());
    let report = engine.shutdown(PATIENCE).expect("it runs");
    assert_eq!(report.sources_left, 0);
}

#[expect(clippy::unnecessary_wraps, reason = "it ends what sources answer, and they may fail")]
fn late(batch: &mut SourceBatch) -> Result<Pull, SourceError> {
    batch.push(Event::listen("late", 2), 100);
    Ok(IDLE)
}

#[test]
fn a_panic_is_named_and_the_source_begun_anew() {
    let (engine, calls) = open(|asked, batch| match asked {
        1 => {
            batch.push(Event::listen("lost", 7), 7);
            panic!("out of tune")
        }
        _ => late(batch),
    });
    wait_for(&calls, "begin", 2);
    assert_eq!(incident(&engine), Incident::Panicked { message: "out of tune".to_owned() });
    assert_eq!(engine.stats().plugin_panics, 1);
    assert!(!engine.reader().view().user("lost").is_known(), "what a panic leaves behind is not trusted");
    check_goes_on(engine, &calls);
}

/// Panics the first time it is called in this way.
#[derive(Debug)]
struct PanicsIn {
    which: &'static str,
    has_panicked: bool,
    from: u64,
}

impl PanicsIn {
    fn called(&mut self, call: &'static str) {
        let is_now = call == self.which && !self.has_panicked;
        self.has_panicked |= is_now;
        assert!(!is_now, "out of tune in {call}");
    }
}

impl EventSource for PanicsIn {
    fn name(&self) -> &'static str {
        assert!(self.which != "name", "out of tune in name");
        "odd"
    }

    fn begin(&mut self, from: Option<u64>, _: SourceWaker) -> Result<(), SourceError> {
        self.called("begin");
        self.from = from.unwrap_or(0);
        Ok(())
    }

    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
        for offset in self.from + 1..=3 {
            // The second has no listener.
            let user = if offset == 2 { "" } else { "ana" };
            batch.push(Event::listen(user, offset), offset);
        }
        self.from = 3;
        Ok(Pull::Idle { at_most: Duration::from_millis(10) })
    }

    fn kept(&mut self, _offset: u64) -> Result<(), SourceError> {
        self.called("kept");
        Ok(())
    }

    fn refused(&mut self, offset: u64, _error: &EventError) -> String {
        self.called("refused");
        format!("line {offset}")
    }
}

#[test]
fn a_panic_in_any_other_call_is_named_and_all_is_learned_exactly_once() {
    for which in ["begin", "kept", "refused"] {
        let source = PanicsIn { which, has_panicked: false, from: 0 };
        // The clock stands still: what has to wait for the next batch of items would wait for ever.
        let engine = small().item_batch_every(Duration::ZERO).source(source).open();
        let engine = engine.expect("usable settings");
        while engine.stats().plugin_panics == 0 || engine.source_offset("odd") != Some(3) {
            std::thread::yield_now();
        }
        let said = engine.health().to_string();
        assert!(said.starts_with("degraded: the source of events \"odd\" misbehaved: it "), "{said}");
        let view = engine.reader().view();
        let history = view.user("ana").history();
        let counts: Vec<_> = history.iter().map(|entry| entry.events).collect();
        assert_eq!(counts, [1, 1], "{which}");
        // Popularity comes with the items, a moment after the histories.
        while engine.reader().view().popular().run().expect("always an answer").len() < 2 {
            std::thread::yield_now();
        }
        assert_eq!(engine.reader().view().popular().run().expect("always an answer").len(), 2);
        let stats = engine.stats().sources.remove(0);
        assert_eq!((stats.applied, stats.malformed, stats.plugin.panics), (2, 1, 1), "{which}");
        let place = if which == "refused" { "offset 2: " } else { "line 2: " };
        assert!(stats.last_malformed.is_some_and(|last| last.starts_with(place)), "{which}");
        assert_eq!(engine.shutdown(PATIENCE).expect("it runs").sources_left, 0);
    }
}

#[test]
fn a_source_that_panics_at_its_name_is_refused() {
    let source = || PanicsIn { which: "name", has_panicked: false, from: 0 };
    let refused =
        [small().source(source()).open().map(drop), small().source(source()).open_manual().map(drop)];
    for refused in refused {
        let Err(BuildError::SourcePanicked { message }) = refused else { panic!("{refused:?}") };
        assert_eq!(message, "out of tune in name");
    }
}

#[test]
fn a_failure_is_named_until_it_works_again() {
    static IS_MENDED: AtomicBool = AtomicBool::new(false);
    let (engine, calls) = open(|asked, batch| {
        if IS_MENDED.load(Ordering::SeqCst) {
            return late(batch);
        }
        batch.push(Event::listen("before", asked as u64), asked as u64);
        Err(std::io::Error::other("the string is broken").into())
    });
    wait_for(&calls, "begin", 3);
    assert_eq!(incident(&engine), Incident::Failed { message: "the string is broken".to_owned() });
    IS_MENDED.store(true, Ordering::SeqCst);
    while engine.source_offset("odd") != Some(100) {
        std::thread::yield_now();
    }
    let is_failing =
        |one: &Degradation| matches!(one, Degradation::Source { incident: Incident::Failed { .. }, .. });
    while engine.stats().degradations.iter().any(is_failing) {
        std::thread::yield_now();
    }
    // What was learned is seen before it is counted.
    let counts = || {
        let stats = engine.stats().sources.remove(0);
        (stats.applied, stats.plugin.failures)
    };
    let (mut applied, mut failures) = counts();
    while applied <= failures {
        std::thread::yield_now();
        (applied, failures) = counts();
    }
    assert_eq!(applied, failures + 1, "what came before a failure is learned");
    let history = engine.reader().view().user("before").history();
    let is_once = history.iter().all(|entry| entry.events == 1);
    assert!(history.len() as u64 == failures && is_once, "once: {history:?}");
    check_goes_on(engine, &calls);
}

#[test]
fn one_that_sleeps_is_named_and_keeps_nobody_waiting() {
    let (engine, calls) = open(|asked, batch| {
        std::thread::sleep(Duration::from_millis(200));
        if asked == 1 { Ok(Pull::More) } else { late(batch) }
    });
    wait_for(&calls, "pull", 2);
    let Incident::Slow { took, .. } = incident(&engine) else { panic!("{:?}", engine.health()) };
    assert!(took >= Duration::from_millis(200));
    check_goes_on(engine, &calls);
}

#[test]
fn an_offset_that_falls_is_not_followed() {
    let (engine, calls) = open(|asked, batch| match asked {
        1 => {
            batch.push(Event::listen("first", 1), 50);
            batch.push(Event::listen("second", 1), 49);
            Ok(Pull::More)
        }
        _ => late(batch),
    });
    wait_for(&calls, "begin", 2);
    let Incident::Nonsense { what } = incident(&engine) else { panic!("{:?}", engine.health()) };
    assert!(what.contains("offset 49 after 50"), "{what}");
    check_goes_on(engine, &calls);
}

#[test]
fn what_is_no_event_is_counted_and_passed_over() {
    let (engine, calls) = open(|asked, batch| {
        if asked == 1 {
            batch.push(Event::listen("", 1), 1);
            batch.push(Event::listen("good", 1), 2);
            batch.push(Event::skip("bad", 1).at_fraction(f32::NAN), 3);
            batch.refuse("page 7: a stain", 4);
            batch.push(Event::listen("good", 2), 5);
            Ok(Pull::More)
        } else {
            late(batch)
        }
    });
    wait_for(&calls, "pull", 2);
    let Incident::Nonsense { what } = incident(&engine) else { panic!("{:?}", engine.health()) };
    assert!(what.contains("page 7: a stain"), "{what}");
    while engine.stats().sources[0].applied < 3 {
        std::thread::yield_now();
    }
    let stats = engine.stats().sources.remove(0);
    assert_eq!((stats.malformed, stats.last_malformed.as_deref()), (3, Some("page 7: a stain")));
    check_goes_on(engine, &calls);
}

#[test]
fn one_that_does_not_come_back_is_left_behind() {
    #[derive(Debug)]
    struct Deaf(Sender<()>, Receiver<()>);
    impl EventSource for Deaf {
        fn name(&self) -> &'static str {
            "deaf"
        }
        fn begin(&mut self, _: Option<u64>, _: SourceWaker) -> Result<(), SourceError> {
            Ok(())
        }
        fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
            let _ = (self.0.send(()), self.1.recv());
            batch.push(Event::listen("too late", 1), 1);
            Ok(Pull::More)
        }
    }
    let (release, released) = channel();
    let (asked, is_asked) = channel();
    let engine = small().source(Deaf(asked, released)).open().expect("usable settings");
    let reader = engine.reader();
    is_asked.recv_timeout(PATIENCE).expect("it is asked");
    let report = engine.shutdown(Duration::ZERO).expect("it runs");
    assert_eq!((report.sources_left, report.unprocessed), (1, 0));
    drop(release);
    assert!(!reader.view().user("too late").is_known());
}

#[test]
fn a_source_needs_a_name_of_its_own() {
    #[derive(Debug)]
    struct Named(String);
    impl EventSource for Named {
        fn name(&self) -> &str {
            &self.0
        }
        fn begin(&mut self, _: Option<u64>, _: SourceWaker) -> Result<(), SourceError> {
            Ok(())
        }
        fn pull(&mut self, _: &mut SourceBatch) -> Result<Pull, SourceError> {
            Ok(Pull::Ended)
        }
    }
    let source = |name: &str| Named(name.to_owned());
    let nameless = small().source(source("")).open();
    assert!(matches!(nameless, Err(BuildError::SourceName { got: 0 })), "{nameless:?}");
    let twins = small().source(source("a")).source(source("b")).source(source("a")).open_manual();
    assert!(matches!(&twins, Err(BuildError::SameSource { name }) if name == "a"), "{twins:?}");
    drop(small().source(source("a")).source(source("b")).open().expect("usable settings"));
}
