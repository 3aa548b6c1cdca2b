//! Queries and events beside a checkpoint.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use segue::{Engine, EventSender, Reader, Receipt};

use crate::plays::Plays;
use crate::{Failure, large, percentile};

/// What was done, from the moment it was due.
#[derive(Default)]
struct Latencies {
    queries: Vec<Duration>,
    events: Vec<Duration>,
}

pub(crate) fn run(store: &Path) -> Result<(), Failure> {
    /// Pairs of a time without and one with a checkpoint.
    const ROUNDS: usize = 3;
    let engine = large::builder(store)?.open()?;
    let query_every = query_every(&engine)?;
    println!("beside a checkpoint: 2000 events/s, a query every {query_every:.1?}");
    let (mut without, mut with) = (Latencies::default(), Latencies::default());
    let mut length = Duration::from_secs(10);
    for round in 0..ROUNDS {
        serve(&engine, query_every, &mut without, || {
            thread::sleep(length);
            Ok(())
        })?;
        let report = serve(&engine, query_every, &mut with, || Ok(engine.checkpoint()?.wait()?))?;
        length = report.duration.max(Duration::from_secs(5));
        eprintln!("  round {} of {ROUNDS}: the checkpoint took {:.1?}", round + 1, report.duration);
    }
    tell("queries without", &mut without.queries);
    tell("queries during ", &mut with.queries);
    tell("events without ", &mut without.events);
    tell("events during  ", &mut with.events);
    println!();
    engine.shutdown(Duration::from_secs(60))?;
    Ok(())
}

/// So seldom that the thread that asks is busy less than a third of the time.
fn query_every(engine: &Engine) -> Result<Duration, Failure> {
    const N_QUERIES: u32 = 20;
    let (mut plays, reader) = (large::plays(7), engine.reader());
    let began = Instant::now();
    for _ in 0..N_QUERIES {
        ask(&reader, &mut plays)?;
    }
    Ok(began.elapsed() / N_QUERIES * 10 / 3)
}

fn ask(reader: &Reader, plays: &mut Plays) -> Result<(), Failure> {
    reader.view().user(plays.user()).recommend().limit(10).run()?;
    Ok(())
}

/// Sends and asks for as long as `work` takes.
fn serve<T>(
    engine: &Engine,
    query_every: Duration,
    latencies: &mut Latencies,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    const EVENT_EVERY: Duration = Duration::from_micros(500);
    let done = AtomicBool::new(false);
    let (sender, reader) = (engine.sender(), engine.reader());
    let (sent, receipts) = mpsc::channel::<(Instant, Receipt)>();
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut plays = large::plays(8);
            at_intervals(query_every, &done, |_| ask(&reader, &mut plays).is_ok())
        });
        let done_sending = &done;
        let sending = scope.spawn(move || send(&sender, EVENT_EVERY, done_sending, &sent));
        let waiting = scope.spawn(move || {
            let wait = |(due, receipt): (Instant, Receipt)| {
                receipt.wait(Duration::from_secs(60)).map(|_| due.elapsed())
            };
            receipts.into_iter().filter_map(wait).collect::<Vec<_>>()
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        latencies.queries.extend(asking.join().expect("asking does not panic"));
        sending.join().expect("sending does not panic");
        latencies.events.extend(waiting.join().expect("waiting does not panic"));
        result
    })
}

fn send(sender: &EventSender, every: Duration, done: &AtomicBool, sent: &mpsc::Sender<(Instant, Receipt)>) {
    let mut plays = large::plays(9);
    at_intervals(every, done, |due| {
        sender.send_tracked(plays.next_event()).is_ok_and(|receipt| sent.send((due, receipt)).is_ok())
    });
}

/// Acts at equal intervals whether or not the last act took longer: who comes late waits in line. Gives the time
/// from when each was due to when it was done, and ends when one says no.
fn at_intervals(every: Duration, done: &AtomicBool, mut act: impl FnMut(Instant) -> bool) -> Vec<Duration> {
    let mut latencies = Vec::new();
    let mut due = Instant::now();
    while !done.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if !act(due) {
            break;
        }
        latencies.push(due.elapsed());
        due += every;
    }
    latencies
}

fn tell(what: &str, latencies: &mut [Duration]) {
    latencies.sort_unstable();
    println!(
        "  {what}  p50 {:8.1?}, p99 {:8.1?}, longest {:8.1?}  ({})",
        percentile(latencies, 50),
        percentile(latencies, 99),
        percentile(latencies, 100),
        latencies.len(),
    );
}
