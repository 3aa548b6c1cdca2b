//! What is learned in bytes on disk.

use std::path::Path;
use std::time::Duration;

use segue::{CheckpointEvery, Durability, Engine, NeverSweep};

use crate::plays::Plays;
use crate::{Failure, Scratch, as_f64, n_bytes, params};

const N_USERS: usize = 5_000;
const N_ITEMS: usize = 2_000;
const HISTORY: usize = 50;

pub(crate) fn run(scratch: &Scratch) -> Result<(), Failure> {
    println!("bytes on disk, {N_USERS} users with {HISTORY} of {N_ITEMS} items each");
    let texts = Plays::with_texts(N_USERS, N_ITEMS, 4);
    one(&scratch.at("texts"), "ids of 15 and 16 letters", texts)?;
    let numbers = Plays::with_numbers(N_USERS as u64, N_ITEMS as u64, 4);
    one(&scratch.at("numbers"), "ids of numbers", numbers)?;
    println!();
    Ok(())
}

fn one(store: &Path, what: &str, mut plays: Plays) -> Result<(), Failure> {
    const N_EVENTS: u64 = 200_000;
    let engine = Engine::builder()
        .als(params()?)
        .sweep_policy(NeverSweep)
        .checkpoint_every(CheckpointEvery::call())
        .store(store, Durability::Buffered)
        .open()?;
    engine.import(plays.histories(N_USERS * HISTORY))?;
    engine.sweep_now()?.wait()?;
    let before = n_bytes(store, ".segment")?;
    let sender = engine.sender();
    for _ in 0..N_EVENTS {
        sender.send(plays.next_event())?;
    }
    engine.flush()?;
    let per_event = as_f64(n_bytes(store, ".segment")? - before) / as_f64(N_EVENTS);
    let report = engine.checkpoint()?.wait()?;
    let per_pair = as_f64(report.n_bytes) / as_f64(report.n_cells);
    println!(
        "  {what}: {per_event:.1} an event, all other records included; {per_pair:.1} a pair of a checkpoint, \
         vectors, ids and recent events included"
    );
    engine.shutdown(Duration::from_secs(60))?;
    Ok(())
}
