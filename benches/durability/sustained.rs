//! As many events as the engine takes, in memory alone and by each durability.

use std::path::Path;
use std::time::{Duration, Instant};

use segue::{Durability, Engine, Event, SweepEvery};

use crate::plays::Plays;
use crate::{Failure, Scratch, as_f64, params};

const N_USERS: usize = 5_000;
const N_ITEMS: usize = 2_000;
/// Items in each history before the measurement.
const HISTORY: usize = 50;
const ROUNDS: usize = 5;

const KINDS: [(&str, Option<Durability>); 4] = [
    ("memory", None),
    ("Buffered", Some(Durability::Buffered)),
    ("Interval(50 ms)", Some(Durability::Interval(Duration::from_millis(50)))),
    ("Immediate", Some(Durability::Immediate)),
];

pub(crate) fn run(scratch: &Scratch) -> Result<(), Failure> {
    println!("sustained: any of {N_USERS} users at each event (target: Buffered, Interval at least 0.75)");
    let mut rates = [const { Vec::new() }; KINDS.len()];
    for round in 0..ROUNDS {
        for (kind, (name, durability)) in KINDS.iter().enumerate() {
            let store = scratch.at("sustained");
            let rate = one(&store, *durability)?;
            eprintln!("  round {} of {ROUNDS}: {name:15} {rate:7.0} events/s", round + 1);
            rates[kind].push(rate);
            if durability.is_some() {
                std::fs::remove_dir_all(store)?;
            }
        }
    }
    let ratios: Vec<f64> = (0..KINDS.len())
        .map(|kind| median((0..ROUNDS).map(|round| rates[kind][round] / rates[0][round]).collect()))
        .collect();
    for (kind, (name, _)) in KINDS.iter().enumerate() {
        println!(
            "  {name:15} {:7.0} events/s, {:.2} of memory alone",
            median(rates[kind].clone()),
            ratios[kind]
        );
    }
    println!();
    Ok(())
}

/// Events a second.
fn one(store: &Path, durability: Option<Durability>) -> Result<f64, Failure> {
    const DURATION: Duration = Duration::from_secs(5);
    /// Bounds how far behind the writer can be.
    const QUEUE: usize = 50_000;
    /// Looking at the clock for each event would be a part of what is measured.
    const AT_ONCE: usize = 256;
    let policy = SweepEvery::time(Duration::from_secs(2));
    let mut builder = Engine::builder().als(params()?).sweep_policy(policy).queue_capacity(QUEUE);
    if let Some(durability) = durability {
        builder = builder.store(store, durability);
    }
    let engine = builder.open()?;
    let mut plays = Plays::with_texts(N_USERS, N_ITEMS, 3);
    engine.import(plays.histories(N_USERS * HISTORY))?;
    engine.sweep_now()?.wait()?;

    let sender = engine.sender();
    let mut n_sent = 0;
    let began = Instant::now();
    while began.elapsed() < DURATION {
        for _ in 0..AT_ONCE {
            sender.send(plays.next_event())?;
            n_sent += 1;
        }
    }
    // Once this one is visible, everything before it is.
    let last = sender.send_tracked(Event::listen("the-last", "the-last"))?;
    engine.reader().view_after(&last, Duration::from_secs(60))?;
    Ok(as_f64(n_sent + 1) / began.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
