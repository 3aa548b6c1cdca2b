//! A large store: making it, and opening it again.

use std::path::Path;
use std::time::{Duration, Instant};

use segue::{CheckpointEvery, Durability, Engine, EngineBuilder, Health, NeverSweep, SweepReport};

use crate::plays::Plays;
use crate::{Failure, as_f64, n_bytes, params};

const N_USERS: usize = 359_000;
const N_ITEMS: usize = 160_000;
const N_PAIRS: usize = 17_500_000;

/// The users and items of the store, playing on from `seed`.
pub(crate) fn plays(seed: u64) -> Plays {
    Plays::with_texts(N_USERS, N_ITEMS, seed)
}

pub(crate) fn builder(store: &Path) -> Result<EngineBuilder, Failure> {
    Ok(Engine::builder()
        .als(params()?)
        .sweep_policy(NeverSweep)
        .sweeps(1, 1)
        .checkpoint_every(CheckpointEvery::call())
        .store(store, Durability::Interval(Duration::from_millis(50))))
}

/// Imports, sweeps, writes a checkpoint.
pub(crate) fn make(store: &Path) -> Result<(), Failure> {
    println!("a store of {N_USERS} users, {N_ITEMS} items, {N_PAIRS} pairs");
    let engine = builder(store)?.open()?;
    let mut plays = plays(5);
    let began = Instant::now();
    let imported = engine.import(plays.histories(N_PAIRS))?;
    let took = began.elapsed();
    println!(
        "  import {took:.1?}, {:.0} events/s; {} MB of journal, {} MB of memory by the engine's own count",
        as_f64(imported.applied) / took.as_secs_f64(),
        n_bytes(store, ".segment")? >> 20,
        engine.stats().n_bytes >> 20,
    );
    let SweepReport { duration, .. } = engine.sweep_now()?.wait()?;
    println!("  one sweep {duration:.1?}");
    let report = engine.checkpoint()?.wait()?;
    println!(
        "  checkpoint {:.1?}: {} MB, {:.1} bytes a pair, {} pairs\n",
        report.duration,
        report.n_bytes >> 20,
        as_f64(report.n_bytes) / as_f64(report.n_cells),
        report.n_cells,
    );
    engine.shutdown(Duration::from_secs(60))?;
    Ok(())
}

/// Opens it from its checkpoint, then with a million events more.
pub(crate) fn recover(store: &Path) -> Result<(), Failure> {
    const ROUNDS: usize = 3;
    const TAIL: usize = 1_000_000;
    println!("recovery (target: at most 10 s from the checkpoint)");
    // What others have learned meanwhile goes into a checkpoint first.
    let engine = builder(store)?.open()?;
    engine.checkpoint()?.wait()?;
    engine.shutdown(Duration::from_secs(60))?;
    for _ in 0..ROUNDS {
        open_and_tell(store, "from the checkpoint")?.shutdown(Duration::from_secs(60))?;
    }

    let engine = builder(store)?.open()?;
    let mut plays = plays(6);
    let sender = engine.sender();
    let began = Instant::now();
    for _ in 0..TAIL {
        sender.send(plays.next_event())?;
    }
    engine.flush()?;
    let took = began.elapsed();
    println!(
        "  {TAIL} events learned and durable in {took:.1?}; {} item batches",
        engine.stats().item_batches
    );
    engine.shutdown(Duration::from_secs(60))?;
    open_and_tell(store, "with a tail")?;
    println!();
    Ok(())
}

fn open_and_tell(store: &Path, what: &str) -> Result<Engine, Failure> {
    let began = Instant::now();
    let engine = builder(store)?.open()?;
    let took = began.elapsed();
    let Health::Serving { recovery: Some(recovery), .. } = engine.health() else {
        return Err(format!("the engine is {:?}", engine.health()).into());
    };
    println!("  {what}: {took:.1?}; {} records, {} events of them", recovery.records, recovery.events);
    Ok(engine)
}
