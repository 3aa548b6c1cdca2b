//! What an engine holds in memory: bytes an item, a listener, a pair of both, measured with a million listeners.
//!
//! Run with `cargo bench --bench memory`; a few minutes, and 8 GB of memory. Measured is what the system has given the
//! process (resident pages, Linux alone), so that what the allocator rounds up is in it, and beside it what the engine
//! says of itself (`Stats::n_bytes`). Numbers serve as ids; a text has its own bytes besides, twice.
//!
//! The most that a process ever held is during a sweep, which has the whole matrix from both sides.

use std::time::Instant;

use segue::{AlsParams, Engine, Event, NeverSweep};

const N_FACTORS: usize = 64;
const N_USERS: u64 = 1_000_000;
const N_ITEMS: u64 = 100_000;
/// Pairs of each listener, in steps: what two steps differ by is what their pairs take.
const PAIRS: [u64; 4] = [1, 5, 10, 20];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let Some(before) = resident("VmRSS:") else {
        println!("not measured: this system does not tell what a process holds");
        return Ok(());
    };
    let als = AlsParams::builder().n_factors(N_FACTORS).build()?;
    let engine = Engine::builder().als(als).sweep_policy(NeverSweep).open()?;
    println!("{N_USERS} listeners, {N_ITEMS} items, {N_FACTORS} factors");
    println!("{:<42} {:>14} {:>14}", "", "resident", "by the engine");
    let mut last = before;
    let mut step = |what: &str, divisor: u64, unit: &str| {
        let now = resident("VmRSS:").unwrap_or(last);
        let (grown, told) = (now.saturating_sub(last), engine.stats().n_bytes);
        last = now;
        println!(
            "{what:<42} {:>11} MB {:>11} MB   {:>6} bytes {unit}",
            now >> 20,
            told >> 20,
            grown / divisor
        );
    };
    engine.add_items(0..N_ITEMS)?;
    step("items", N_ITEMS, "an item, without a model");

    let mut n_pairs = 0;
    for pairs in PAIRS {
        let events = (0..N_USERS).flat_map(|user| (n_pairs..pairs).map(move |place| play(user, place)));
        engine.import(events)?;
        let n_new = (pairs - n_pairs) * N_USERS;
        let unit = if n_pairs == 0 { "a listener with one pair" } else { "a pair more, and its event" };
        step(&format!("{pairs} pairs each"), n_new, unit);
        n_pairs = pairs;
    }
    let began = Instant::now();
    engine.sweep_now()?.wait()?;
    let took = began.elapsed();
    step("a model", N_USERS + N_ITEMS, "a row of the model");
    println!(
        "the first training took {took:.1?}; at most {} MB were held",
        resident("VmHWM:").unwrap_or(0) >> 20
    );
    engine.sweep_now()?.wait()?;
    step("after the next", N_USERS + N_ITEMS, "a row");
    Ok(())
}

/// A listen: the `place`-th of a listener, no two of the same item.
fn play(user: u64, place: u64) -> Event {
    let step = 1 + 2 * (user % 977);
    Event::listen(user, (user * 7_919 + place * step) % N_ITEMS)
}

/// Bytes that the process holds, or held at most.
fn resident(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|text| text.strip_prefix(line))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}
