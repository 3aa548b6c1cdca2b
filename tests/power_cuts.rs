//! Whatever the storage does at whatever moment, opening it again gives exactly a front part of what was learned,
//! and all of it that was acknowledged.
//!
//! The long run: `cargo test --release --test power_cuts -- --ignored --nocapture`.

mod common;

use std::time::Duration;

use common::naive::{Naive, Step, music};
use common::power::{Fault, FaultyStorage, Plan};
use common::{Random, now, random_events, small};
use segue::{Durability, EngineBuilder, ManualEngine};

const FAULTS: [Fault; 5] = [Fault::PowerCut, Fault::ShortWrite, Fault::Io, Fault::NoSpace, Fault::SyncFails];

/// What one crash came to, for the report.
#[derive(Debug, Default)]
struct Tally {
    crashes: u64,
    acknowledged: u64,
    recovered: u64,
}

/// A world small enough to be crashed thousands of times: its steps, and how it is kept.
struct World {
    seed: u64,
    steps: Vec<Step>,
    durability: Durability,
}

impl World {
    fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let events = random_events(seed, 60, 5, 12);
        let step = |(place, event): (usize, segue::Event)| match random.below(25) {
            0 => Step::ForgetUser(random.below(5).into()),
            1 => Step::ForgetItem(random.below(12).into()),
            2 => Step::MergeUsers { from: random.below(5).into(), into: random.below(7).into() },
            3 => Step::from(event.key(format!("key-{}", place / 3))),
            _ => Step::from(event),
        };
        let steps = events.into_iter().enumerate().map(step).collect();
        let durability = match seed % 3 {
            0 => Durability::Immediate,
            1 => Durability::Buffered,
            _ => Durability::Interval(Duration::ZERO),
        };
        Self { seed, steps, durability }
    }

    fn builder(&self, storage: &FaultyStorage) -> EngineBuilder {
        small().store_in(storage.clone(), self.durability).journal_segment_bytes(900)
    }

    /// Takes the steps in small batches, with sweeps, item batches and checkpoints between; gives the number of
    /// steps that were acknowledged.
    fn run(&self, storage: &FaultyStorage) -> usize {
        let Ok(mut engine) = self.builder(storage).open_manual() else { return 0 };
        let mut random = Random::new(self.seed);
        let mut acknowledged = 0;
        for (place, step) in self.steps.iter().enumerate() {
            take(&mut engine, step);
            let done = match random.below(12) {
                0..5 => engine.flush().is_ok(),
                5 => {
                    // It has failed if there is nothing to learn from, which is no matter here.
                    let _ = engine.sweep();
                    false
                }
                6 => {
                    engine.fold_items();
                    false
                }
                7 => engine.checkpoint().is_ok(),
                8 | 9 => {
                    engine.pump();
                    false
                }
                _ => false,
            };
            if done {
                acknowledged = place + 1;
            }
        }
        if engine.flush().is_ok() { self.steps.len() } else { acknowledged }
    }

    /// Opens what is left and holds it against the model; `acknowledged` steps must be there. Gives the number
    /// of steps that are.
    fn check(&self, storage: &FaultyStorage, acknowledged: usize, what: &str) -> usize {
        let mut engine = match self.builder(storage).open_manual() {
            Ok(engine) => engine,
            Err(error) => panic!("{what}: {error:?}\n{:?}", storage.trace()),
        };
        let view = engine.reader().view();
        let range = acknowledged..=self.steps.len();
        let naive = Naive::new(now(), music);
        let Some(recovered) = naive.matching_prefix(&view, &self.steps, range) else {
            let of_all = Naive::new(now(), music).matching_prefix(&view, &self.steps, 0..=self.steps.len());
            panic!("{what}: {acknowledged} acknowledged, but what is there is {of_all:?}");
        };
        let digest = engine.digest();
        drop(engine);
        let mut again = self.builder(storage).threads(2).open_manual().expect("it was just closed");
        assert_eq!(again.digest(), digest, "{what}: opened once more");
        recovered
    }

    /// One fault at one operation, and what comes after it.
    fn crash(&self, fault: Fault, at: u64, tally: &mut Tally) {
        let what = format!("world {}, {fault:?} at {at}", self.seed);
        let storage = FaultyStorage::new(self.seed ^ at).with_plan(Plan::once(at, fault));
        let acknowledged = self.run(&storage);
        let left = if at.is_multiple_of(4) && fault != Fault::PowerCut {
            // The process ends, the next one reads what the system has, and then the power goes.
            let killed = storage.kill();
            killed.free_space();
            self.check(&killed, acknowledged, &format!("{what}, killed"));
            killed.reboot(at)
        } else {
            storage.reboot(at)
        };
        // A second power cut, while the store is being opened.
        let left = if at.is_multiple_of(3) {
            left.set_plan(Plan::once(1 + at % 7, Fault::PowerCut));
            drop(self.builder(&left).open_manual());
            left.reboot(at + 1)
        } else {
            left
        };
        tally.recovered += self.check(&left, acknowledged, &what) as u64;
        tally.acknowledged += acknowledged as u64;
        tally.crashes += 1;
    }
}

fn take(engine: &mut ManualEngine, step: &Step) {
    match step.clone() {
        Step::Event(event) => drop(engine.apply(event).expect("well formed")),
        Step::ForgetUser(user) => drop(engine.forget_user(user)),
        Step::ForgetItem(item) => drop(engine.forget_item(item)),
        Step::MergeUsers { from, into } => drop(engine.merge_users(from, into)),
    }
}

/// Crashes worlds from `first_seed` on until there were `n` crashes.
fn crash_worlds(first_seed: u64, n: u64) -> Tally {
    const CRASHES_PER_WORLD: u64 = 25;
    let mut tally = Tally::default();
    for seed in first_seed.. {
        if tally.crashes >= n {
            break;
        }
        let world = World::draw(seed);
        let healthy = FaultyStorage::new(seed);
        assert_eq!(world.run(&healthy), world.steps.len(), "nothing fails");
        let operations = healthy.operations();
        let mut random = Random::new(seed);
        for _ in 0..CRASHES_PER_WORLD {
            let fault = FAULTS[usize::try_from(random.below(5)).expect("small")];
            world.crash(fault, 1 + random.below(operations), &mut tally);
        }
    }
    tally
}

#[test]
fn a_thousand_crashes_lose_nothing_acknowledged_and_invent_nothing() {
    let tally = crash_worlds(1, 1_000);
    assert!(tally.crashes >= 1_000 && tally.acknowledged > 10_000, "{tally:?}");
    assert!(tally.recovered > tally.acknowledged, "now and then more survives than was promised: {tally:?}");
}

#[test]
#[ignore = "takes some minutes: cargo test --release --test power_cuts -- --ignored --nocapture"]
fn a_hundred_thousand_crashes_lose_nothing_acknowledged_and_invent_nothing() {
    let tally = crash_worlds(1_000_000, 100_000);
    println!("{tally:?}");
    assert!(tally.crashes >= 100_000);
}
