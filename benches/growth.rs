//! How cost grows with the world: the time of a sweep and the memory with the pairs, the time of a query with the listeners.
//!
//! Run with `cargo bench --bench growth`; some minutes, and 6 GB of memory. Worlds have one shape, listeners of 50 artists and
//! five listeners an artist, and double in size. A sweep is one by conjugate gradients and one exact one, 64 factors, two
//! threads, the least of three. Memory is what the process has grown by (resident pages, Linux alone) once an engine
//! has imported the world. A query is a whole recommendation of ten, the median of thousands, for listeners in random order;
//! all have 20,000 artists, so that only the listeners grow.
//!
//! What is linear has the same number in every line.

use std::process::Command;
use std::time::{Duration, Instant};

use segue::{Als, AlsParams, Engine, Event, ItemIdx, NeverSweep, Pair, SweepSolver, TrainingInput, UserIdx};

const PAIRS_OF_A_USER: usize = 50;
const USERS_OF_AN_ITEM: usize = 5;
const N_FACTORS: usize = 64;
/// Of the engines: only their listeners grow.
const N_ITEMS: usize = 20_000;
const WORLDS: [usize; 6] = [10_000, 20_000, 40_000, 80_000, 160_000, 320_000];

type Failure = Box<dyn std::error::Error>;

/// Tells a child how large its world is.
const SIZE: &str = "SEGUE_GROWTH_LISTENERS";

fn main() -> Result<(), Failure> {
    if let Ok(n_users) = std::env::var(SIZE) {
        return engine(n_users.parse()?);
    }
    sweeps()?;
    println!("engines of {N_ITEMS} artists");
    println!("{:>10} {:>10} {:>22} {:>22}", "listeners", "pairs", "memory, a pair", "a query, p50");
    for n_users in WORLDS {
        // Each in a process of its own: what another has given back its allocator keeps.
        let status = Command::new(std::env::current_exe()?).env(SIZE, n_users.to_string()).status()?;
        if !status.success() {
            return Err(format!("the engine of {n_users} listeners failed").into());
        }
    }
    Ok(())
}

fn sweeps() -> Result<(), Failure> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    println!("sweeps");
    println!("{:>10} {:>10} {:>12} {:>16} {:>16}", "listeners", "pairs", "", "by steps", "exact");
    for n_users in WORLDS {
        let n_items = n_users / USERS_OF_AN_ITEM;
        let pairs = pairs(n_users, n_items);
        let n_pairs = pairs.len();
        let heard = Pair::new(1.0, 1.0)?;
        let pairs = pairs.into_iter().map(|(user, item)| (UserIdx::new(user), ItemIdx::new(item), heard));
        let input = TrainingInput::from_pairs(n_users, n_items, pairs)?;
        let mut took = Vec::new();
        for solver in [SweepSolver::APPROXIMATE, SweepSolver::Exact] {
            let params = AlsParams::builder().n_factors(N_FACTORS).build()?;
            let mut als = Als::new(params, n_users, n_items).solving_with(solver);
            als.sweep(&input, &pool)?;
            let mut least = Duration::MAX;
            for _ in 0..3 {
                let began = Instant::now();
                als.sweep(&input, &pool)?;
                least = least.min(began.elapsed());
            }
            took.push(least);
        }
        let of_a_pair = |time: Duration| time.as_nanos() / n_pairs as u128;
        println!(
            "{n_users:>10} {n_pairs:>10} {:>12} {:>8.0?} {:>4} ns {:>8.0?} {:>4} ns",
            "time, a pair",
            took[0],
            of_a_pair(took[0]),
            took[1],
            of_a_pair(took[1]),
        );
    }
    println!();
    Ok(())
}

fn engine(n_users: usize) -> Result<(), Failure> {
    const N_QUERIES: usize = 10_000;
    let before = resident();
    let als = AlsParams::builder().n_factors(N_FACTORS).build()?;
    let engine = Engine::builder().als(als).sweep_policy(NeverSweep).sweeps(2, 1).open()?;
    let mut n_pairs = 0;
    let plays = pairs(n_users, N_ITEMS).into_iter().inspect(|_| n_pairs += 1);
    engine.import(plays.map(|(user, item)| Event::listen(u64::from(user), u64::from(item))))?;
    let grown = resident().zip(before).map(|(now, before)| now.saturating_sub(before));
    engine.sweep_now()?.wait()?;
    let mut draw = Draw(3);
    let view = engine.reader().view();
    let mut took = Vec::with_capacity(N_QUERIES);
    for _ in 0..N_QUERIES {
        let user = u64::from(draw.below(n_users));
        let began = Instant::now();
        view.user(user).recommend().limit(10).run()?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let memory = grown.map_or_else(
        || "not measured".to_owned(),
        |grown| format!("{} MB, {} bytes", grown >> 20, grown / n_pairs),
    );
    println!("{n_users:>10} {n_pairs:>10} {memory:>22} {:>22.1?}", took[N_QUERIES / 2]);
    Ok(())
}

/// Everybody's different artists, few of them popular.
fn pairs(n_users: usize, n_items: usize) -> Vec<(u32, u32)> {
    let mut draw = Draw(1);
    let mut pairs = Vec::with_capacity(n_users * PAIRS_OF_A_USER);
    let mut own = Vec::new();
    for user in 0..u32::try_from(n_users).expect("fits") {
        own.clear();
        while own.len() < PAIRS_OF_A_USER {
            let within = draw.below(n_items) as usize + 1;
            own.push(draw.below(within));
        }
        own.sort_unstable();
        own.dedup();
        pairs.extend(own.iter().map(|&item| (user, item)));
    }
    pairs
}

/// Steele, Lea & Flood's `SplitMix64`.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let wide = u128::from(z ^ (z >> 31)) * bound as u128;
        u32::try_from(wide >> 64).expect("below a bound of few")
    }
}

/// Bytes that the process holds.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}
