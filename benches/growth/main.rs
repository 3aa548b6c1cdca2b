//! How cost grows with the world: the time of a sweep and the memory of an engine with the pairs, the time of a query with the
//! listeners.
//!
//! Run with `cargo bench --bench growth`; a minute, and 3 GB of memory. Prints what `results.md` beside this file holds.
//!
//! Worlds are S, M and L, about as large as those of the peers, and two between them. A sweep is one by conjugate gradients or
//! an exact one, the least of three after five others. Memory is what a process has grown by (resident pages, Linux alone)
//! once its engine has imported the world, before any sweep. A query is a whole recommendation of ten, the median of
//! thousands, in engines that differ in their listeners alone: of any of these, and of the same hundred again and again.

mod listening;
mod plot;

use std::process::Command;
use std::time::{Duration, Instant};

use listening::{Draw, pairs};
use plot::{Plot, Series};
use segue::{
    Als, AlsParams, Engine, Event, ItemIdx, NeverSweep, Pair, ParamError, SweepSolver, TrainingInput,
    UserIdx, View,
};

const N_FACTORS: usize = 64;
const N_THREADS: usize = 2;

struct World {
    name: &'static str,
    n_users: u32,
    n_items: u32,
    n_items_of_a_user: u32,
}

const fn world(name: &'static str, n_users: u32, n_items: u32, n_items_of_a_user: u32) -> World {
    World { name, n_users, n_items, n_items_of_a_user }
}

const WORLDS: [World; 5] = [
    world("S", 10_000, 2_000, 50),
    world("", 32_000, 6_400, 50),
    world("M", 100_000, 20_000, 50),
    world("", 190_000, 56_000, 49),
    world("L", 359_000, 160_000, 49),
];

/// The listeners of the engines that are asked, and all engines' artists.
const AUDIENCES: [u32; 6] = [10_000, 20_000, 40_000, 80_000, 160_000, 320_000];
const N_ITEMS_OF_AUDIENCES: u32 = 20_000;
/// Listeners who are asked again and again.
const N_REGULARS: u32 = 100;

type Failure = Box<dyn std::error::Error>;

/// Tells a child which world's memory it is to measure.
const CHILD: &str = "SEGUE_GROWTH_WORLD";

fn main() -> Result<(), Failure> {
    if let Ok(place) = std::env::var(CHILD) {
        return memory(&WORLDS[place.parse::<usize>()?]);
    }
    let params = params()?;
    println!("# How cost grows\n");
    println!(
        "Made by `cargo bench --bench growth`: {}, {N_THREADS} threads, {} factors, regularization {}, unobserved weight {}, \
         frequency exponent {}.\n",
        cpu(),
        params.n_factors(),
        params.regularization(),
        params.unobserved_weight(),
        params.frequency_exponent(),
    );
    println!(
        "| world | listeners | artists | pairs | a sweep by conjugate gradients | an exact sweep | memory without a model |"
    );
    println!("|---|---|---|---|---|---|---|");
    let worlds = WORLDS.iter().enumerate().map(WorldCost::measure).collect::<Result<Vec<_>, _>>()?;
    println!(
        "\n| listeners of {N_ITEMS_OF_AUDIENCES} artists | a query of any of them | of the same {N_REGULARS} |"
    );
    println!("|---|---|---|");
    let audiences = AUDIENCES.map(AudienceCost::measure).into_iter().collect::<Result<Vec<_>, _>>()?;
    let of_worlds = |cost: fn(&WorldCost) -> f64| worlds.iter().map(|one| (one.n_pairs, cost(one))).collect();
    let plot = Plot {
        x: "pairs (of queries: listeners)",
        series: vec![
            Series {
                mark: 'c',
                what: "a sweep by conjugate gradients",
                points: of_worlds(|one| one.gradients),
            },
            Series { mark: 'e', what: "an exact sweep", points: of_worlds(|one| one.exact) },
            Series { mark: 'm', what: "memory", points: of_worlds(|one| one.n_bytes) },
            Series {
                mark: 'q',
                what: "a query of any listener",
                points: audiences.iter().map(|one| (one.n_users, one.query)).collect(),
            },
        ],
    };
    println!(
        "\nAs multiples of the smallest; what is proportional lies on the dots, what does not grow at the bottom."
    );
    println!("Where some meet they stand side by side.\n\n```text\n{plot}```");
    Ok(())
}

/// What a world costs, in seconds and bytes.
struct WorldCost {
    n_pairs: f64,
    gradients: f64,
    exact: f64,
    n_bytes: f64,
}

impl WorldCost {
    /// Prints its row, too.
    fn measure((place, world): (usize, &World)) -> Result<Self, Failure> {
        let World { name, n_users, n_items, .. } = *world;
        let (n_pairs, took) = sweeps(world)?;
        // In a process of its own: what others have given back its allocator keeps.
        let child = Command::new(std::env::current_exe()?).env(CHILD, place.to_string()).output()?;
        if !child.status.success() {
            return Err(String::from_utf8_lossy(&child.stderr).into());
        }
        let n_bytes: f64 = String::from_utf8(child.stdout)?.trim().parse()?;
        let [gradients, exact] = took.map(|time| time.as_secs_f64());
        let size = f64::from(n_pairs);
        println!(
            "| {name} | {n_users} | {n_items} | {n_pairs} | {:.1} ms, {:.1} ns a pair | {:.1} ms, {:.1} ns | {:.0} MB, {:.0} bytes |",
            1e3 * gradients,
            1e9 * gradients / size,
            1e3 * exact,
            1e9 * exact / size,
            n_bytes / 1e6,
            n_bytes / size,
        );
        Ok(Self { n_pairs: size, gradients, exact, n_bytes })
    }
}

/// The number of pairs, and how long a sweep by conjugate gradients and an exact one take.
fn sweeps(world: &World) -> Result<(u32, [Duration; 2]), Failure> {
    let World { n_users, n_items, n_items_of_a_user, .. } = *world;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(N_THREADS).build()?;
    let pairs = pairs(n_users, n_items, n_items_of_a_user);
    let n_pairs = u32::try_from(pairs.len())?;
    let heard = Pair::new(1.0, 1.0)?;
    let pairs = pairs.into_iter().map(|(user, item)| (UserIdx::new(user), ItemIdx::new(item), heard));
    let (n_users, n_items) = (n_users as usize, n_items as usize);
    let input = TrainingInput::from_pairs(n_users, n_items, pairs)?;
    let mut took = [Duration::MAX; 2];
    for (least, solver) in took.iter_mut().zip([SweepSolver::APPROXIMATE, SweepSolver::Exact]) {
        let mut als = Als::new(params()?, n_users, n_items).solving_with(solver);
        for _ in 0..5 {
            als.sweep(&input, &pool)?;
        }
        for _ in 0..3 {
            let began = Instant::now();
            als.sweep(&input, &pool)?;
            *least = began.elapsed().min(*least);
        }
    }
    Ok((n_pairs, took))
}

/// Prints how many bytes the process of an engine has grown by; NaN where the system does not tell.
fn memory(world: &World) -> Result<(), Failure> {
    let before = resident();
    let _engine = engine(world)?;
    let grown = resident().zip(before).map(|(now, before)| now - before);
    println!("{}", grown.unwrap_or(f64::NAN));
    Ok(())
}

fn engine(world: &World) -> Result<Engine, Failure> {
    let World { n_users, n_items, n_items_of_a_user, .. } = *world;
    let engine = Engine::builder().als(params()?).sweep_policy(NeverSweep).sweeps(2, 1).open()?;
    let listens = pairs(n_users, n_items, n_items_of_a_user).into_iter();
    engine.import(listens.map(|(user, item)| Event::listen(u64::from(user), u64::from(item))))?;
    Ok(engine)
}

/// A regularization that does not grow with the catalogue: one that does suits one size and not the others.
fn params() -> Result<AlsParams, ParamError> {
    let params = AlsParams::builder().n_factors(N_FACTORS).unobserved_weight(0.25);
    params.frequency_exponent(0.0).regularization(0.5).build()
}

/// What asking an engine costs, in seconds.
struct AudienceCost {
    n_users: f64,
    query: f64,
}

impl AudienceCost {
    /// Prints its row, too.
    fn measure(n_users: u32) -> Result<Self, Failure> {
        let engine = engine(&world("", n_users, N_ITEMS_OF_AUDIENCES, 50))?;
        engine.sweep_now()?.wait()?;
        let view = engine.reader().view();
        let any = query(&view, n_users, 1)?;
        let regulars = query(&view, N_REGULARS, n_users / N_REGULARS)?;
        println!("| {n_users} | {any:.2?} | {regulars:.2?} |");
        Ok(Self { n_users: f64::from(n_users), query: any.as_secs_f64() })
    }
}

/// How long a query of one of `n` listeners takes, whose ids are multiples of `apart`.
fn query(view: &View, n: u32, apart: u32) -> Result<Duration, Failure> {
    const N_QUERIES: usize = 20_000;
    let mut draw = Draw(3);
    let mut took = Vec::with_capacity(2 * N_QUERIES);
    for _ in 0..2 * N_QUERIES {
        let user = u64::from(draw.below(n) * apart);
        let began = Instant::now();
        view.user(user).recommend().limit(10).run()?;
        took.push(began.elapsed());
    }
    // The first half has brought into the caches what stays there.
    let took = &mut took[N_QUERIES..];
    took.sort_unstable();
    Ok(took[N_QUERIES / 2])
}

/// Bytes that the process holds.
fn resident() -> Option<f64> {
    let said = said("/proc/self/status", "VmRSS")?;
    Some(said.strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1_024.0)
}

fn cpu() -> String {
    said("/proc/cpuinfo", "model name").unwrap_or_else(|| "a CPU that the system does not name".to_owned())
}

/// What Linux says of `what` in one of its files.
fn said(file: &str, what: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find_map(|(name, said)| (name.trim() == what).then(|| said.trim().to_owned()))
}
