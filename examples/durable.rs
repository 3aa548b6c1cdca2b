//! Shows that what was learned outlives a kill.
//!
//! ```text
//! cargo run --release --example durable
//! ```
//!
//! A second process opens a store, learns from the demo world, sweeps, and says what it recommends to one listener.
//! Then it goes on sending, and says of each hundred events that they were acknowledged. In the midst of that it is
//! killed: no farewell, no flush. We open the store, look what is there, and hold it against an engine that lives
//! in memory and was never killed.
//!
//! `--smoke` does it in small. Ends with an error if anything is not as promised; removes what it has written.

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::Parser;
use segue::demo::DemoWorld;
use segue::{
    Action, CheckpointEvery, Durability, Engine, EngineBuilder, Event, EventSender, Health, NeverSweep,
    Outcome, Reader, Receipt, Recommendation, RecoveryReport, UserId,
};

type Failure = Box<dyn Error>;

const SEED: u64 = 1;
/// How long we wait for anything before we call it a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// Events between two words of the child.
const AT_ONCE: usize = 100;
const SHOWN: usize = 5;

/// Shows that what was learned outlives a kill.
#[derive(Debug, Clone, Copy, Parser)]
struct Options {
    /// Everything in small, to see that it works: done in a few seconds
    #[arg(long)]
    smoke: bool,
}

impl Options {
    /// Events before the sweep, after the sweep and before the checkpoint, and after that before the kill.
    fn n_events(self) -> [u64; 3] {
        if self.smoke { [20_000, 2_000, 2_000] } else { [300_000, 20_000, 50_000] }
    }
}

/// Where the child has its store: says that a process is the child.
const CHILD: &str = "SEGUE_DURABLE_CHILD";

fn main() -> ExitCode {
    // The child is this program once more, told by the environment where its store is.
    let result = match std::env::var_os(CHILD) {
        Some(store) => learn_until_killed(Path::new(&store), Options::parse()),
        None => run(Options::parse()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let directory = TempDir::new()?;
    let store = directory.0.join("state");
    println!("segue, durable: a store in {}\n", store.display());

    let mut learner = Learner::start(&store, options)?;
    let Before { n_events, listener, picks: before } = learner.before()?;
    println!("another process has learned {n_events} events, swept, and written a checkpoint;");
    println!("it recommends to {listener}:");
    for pick in before {
        println!("  {pick}");
    }
    let [.., n_more] = options.n_events();
    let acknowledged = learner.kill_after(n_events + n_more)?;
    println!("\nit went on and was killed in the midst of sending (SIGKILL); by then");
    println!("{acknowledged} events had been acknowledged\n");

    // By hand, so that nothing happens to what was recovered before we have looked at it.
    let engine = settings().store(&store, DURABILITY).open_manual()?;
    let (Health::Warming { recovery, .. } | Health::Serving { recovery, .. }) = engine.health() else {
        return Err(format!("the engine is {:?}", engine.health()).into());
    };
    tell(&*recovery.ok_or("the engine does not tell of its recovery")?);
    let recovered = engine.stats().visible.get();
    println!("\n{recovered} events are there; the first {acknowledged} of them were acknowledged");
    if recovered < acknowledged {
        return Err(format!("{} acknowledged events are lost", acknowledged - recovered).into());
    }

    let twin = settings().open()?;
    learn(&twin, &mut learnable(&world(options)?), options, recovered)?;
    let (ours, theirs) = (picks(&engine.reader(), &listener)?, picks(&twin.reader(), &listener)?);
    println!("{listener} is recommended now:");
    for pick in &ours {
        println!("  {}", shown(pick));
    }
    if ours != theirs {
        return Err(format!("an engine that was never killed recommends {theirs:?}").into());
    }
    println!("an engine that was never killed, given the same {recovered} events, has");
    println!("the same list with the same scores, to the last bit\n");
    println!("nothing that was acknowledged is lost");
    Ok(())
}

/// How engines are set up here, whichever process has them.
fn settings() -> EngineBuilder {
    // Between sweeps it is the clock that says when items are solved: another moment in each engine, so that
    // two of them could not be held against each other to the last bit. Here only sweeps solve them.
    const NEVER: Duration = Duration::from_secs(24 * 3_600);
    Engine::builder()
        .sweep_policy(NeverSweep)
        .item_batch_every(NEVER)
        .checkpoint_every(CheckpointEvery::call())
}

const DURABILITY: Durability = Durability::Interval(Duration::from_millis(50));

fn world(options: Options) -> Result<DemoWorld, Failure> {
    let (n_listeners, n_artists) = if options.smoke { (500, 300) } else { (5_000, 2_000) };
    Ok(DemoWorld::builder().seed(SEED).n_listeners(n_listeners).n_artists(n_artists).build()?)
}

/// The events of the world, without the few that take something back: one that finds nothing to take back is
/// refused, and we want as many learned as sent.
fn learnable(world: &DemoWorld) -> impl Iterator<Item = Event> {
    world.events().filter(|event| matches!(event.action(), Action::Do(_)))
}

/// What the child does. It never ends by itself, unless nobody listens any more.
fn learn_until_killed(store: &Path, options: Options) -> Result<(), Failure> {
    let world = world(options)?;
    let mut events = learnable(&world);
    let engine = settings().store(store, DURABILITY).open()?;
    let [n_before, n_after, _] = options.n_events();
    learn(&engine, &mut events, options, n_before + n_after)?;
    engine.checkpoint()?.wait()?;

    // Somebody whose list will change: theirs is the next event.
    let mut events = events.peekable();
    let listener = events.peek().ok_or("the world has ended")?.user().clone();
    let mut said = std::io::stdout().lock();
    writeln!(said, "{} {listener}", n_before + n_after)?;
    for pick in picks(&engine.reader(), &listener)? {
        writeln!(said, "{}", shown(&pick))?;
    }
    let sender = engine.sender();
    let mut under_way = send(&sender, events.by_ref().take(AT_ONCE))?;
    loop {
        // Some are always sent and not acknowledged: those are what a kill may take.
        let next = send(&sender, events.by_ref().take(AT_ONCE))?;
        let last = std::mem::replace(&mut under_way, next).ok_or("the world has ended")?;
        match last.wait(PATIENCE) {
            // Who has an outcome has that of everything sent before.
            Some(Outcome::Applied(seq)) => writeln!(said, "{}", seq.get())?,
            other => return Err(format!("an event was not learned: {other:?}").into()),
        }
        said.flush()?;
    }
}

/// Learns the first `n` events of the world, with a sweep in the midst of them.
fn learn(
    engine: &Engine,
    events: &mut impl Iterator<Item = Event>,
    options: Options,
    n: u64,
) -> Result<(), Failure> {
    let [n_before, ..] = options.n_events();
    engine.import(events.by_ref().take(usize::try_from(n_before)?))?;
    engine.sweep_now()?.wait()?;
    let n_left = n.checked_sub(n_before).ok_or("there are fewer events than before the sweep")?;
    if let Some(last) = send(&engine.sender(), events.by_ref().take(usize::try_from(n_left)?))? {
        engine.reader().view_after(&last, PATIENCE)?;
    }
    let learned = engine.stats().visible.get();
    if learned == n { Ok(()) } else { Err(format!("{learned} events were learned of {n}").into()) }
}

/// Sends events; gives the receipt of the last.
fn send(sender: &EventSender, events: impl Iterator<Item = Event>) -> Result<Option<Receipt>, Failure> {
    let mut last = None;
    for event in events {
        last = Some(sender.send_tracked(event)?);
    }
    Ok(last)
}

/// The best of a listener's recommendations.
fn picks(reader: &Reader, listener: &UserId) -> Result<Vec<Recommendation>, Failure> {
    Ok(reader.view().user(listener).recommend().limit(SHOWN).run()?.items().to_vec())
}

/// As a person reads it.
fn shown(pick: &Recommendation) -> String {
    format!("{:6.3}  {}", pick.score, pick.item)
}

/// The process that learns. Killed when it is dropped.
struct Learner {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What it says once it has learned and before it goes on.
struct Before {
    n_events: u64,
    listener: UserId,
    picks: Vec<String>,
}

impl Learner {
    fn start(store: &Path, options: Options) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env(CHILD, store).stdout(Stdio::piped());
        if options.smoke {
            command.arg("--smoke");
        }
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or("the child has no output")?;
        Ok(Self { process, lines: BufReader::new(stdout).lines() })
    }

    fn line(&mut self) -> Result<String, Failure> {
        Ok(self.lines.next().ok_or("the child ended by itself")??)
    }

    fn before(&mut self) -> Result<Before, Failure> {
        let first = self.line()?;
        let (n_events, listener) = first.split_once(' ').ok_or("the child speaks in riddles")?;
        let picks = (0..SHOWN).map(|_| self.line()).collect::<Result<_, _>>()?;
        Ok(Before { n_events: n_events.parse()?, listener: listener.into(), picks })
    }

    /// Listens until `n` events were acknowledged, then kills it. Gives how many had been when it died.
    fn kill_after(mut self, n: u64) -> Result<u64, Failure> {
        let mut acknowledged = 0;
        while acknowledged < n {
            acknowledged = self.line()?.parse()?;
        }
        self.process.kill()?;
        self.process.wait()?;
        // What it had said by then is still in the pipe; of a number that was cut short a smaller one is left.
        while let Some(Ok(line)) = self.lines.next() {
            acknowledged = acknowledged.max(line.parse().unwrap_or(0));
        }
        Ok(acknowledged)
    }
}

impl Drop for Learner {
    fn drop(&mut self) {
        // It may be dead already, which is what we want.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn tell(recovery: &RecoveryReport) {
    println!("the store was opened in {:.0?}:", recovery.duration);
    match &recovery.checkpoint {
        Some(file) => println!("  began with {file}"),
        None => println!("  found no checkpoint"),
    }
    println!("  replayed {} records of the journal, {} events of them", recovery.records, recovery.events);
    match &recovery.torn {
        Some(torn) => println!("  cut off {} bytes that the kill had left unfinished", torn.n_bytes),
        None => println!("  found nothing unfinished at its end"),
    }
}

/// A directory that goes with the value.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Result<Self, Failure> {
        let directory = std::env::temp_dir().join(format!("segue-durable-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left: {error}", self.0.display());
        }
    }
}
