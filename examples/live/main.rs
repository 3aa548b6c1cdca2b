//! Streams listens through an engine and tells how fast it takes them and how well it learns.
//!
//! ```text
//! cargo run --release --example live
//! cargo run --release --example live -- --data path/to/hetrec2011-lastfm-2k
//! ```
//!
//! Three things happen, one after the other, on one engine:
//!
//! 1. a **flood**: events as fast as the queue takes them, starting from an engine that knows nothing;
//! 2. a **steady pace** that leaves it time: how soon is each event visible, and would the next play have
//!    been among the ten we had shown? Each play is tested first and learned afterwards;
//! 3. one listener plays **five artists** of a genre that is new to them, and their list moves.
//!
//! A second thread asks for recommendations all the time, and sweeps run every two seconds. The options are
//! described by `--help`.

mod ask;
mod five;
mod flood;
mod latency;
mod report;
mod source;
mod steady;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use segue::{Engine, SweepEvery};

use ask::while_asking;
use report::Report;
use source::Source;

type Failure = Box<dyn Error>;

/// How long we are willing to wait for an event to be learned before we call it a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bounds how far the engine can be behind: at 100,000 events a second, a third of a second.
const QUEUE_CAPACITY: usize = 32_768;

/// Streams listens through an engine and tells how fast it takes them and how well it learns.
#[derive(Debug, Parser)]
struct Options {
    /// Folder of the HetRec 2011 Last.fm set; without it, the invented demo world
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What the world, or the draw of the listens, is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Events of the flood
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = at_least_one)]
    events: usize,
    /// Events a second in the flood; without it, as many as the engine takes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Everything in small, to see that it works: done in about three seconds
    #[arg(long)]
    smoke: bool,
}

impl Options {
    fn n_flood(&self) -> usize {
        if self.smoke { self.events.min(100_000) } else { self.events }
    }

    fn n_steady(&self) -> usize {
        if self.smoke { 2_000 } else { 12_000 }
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Failure> {
    let source = Source::open(options.data.as_deref(), options.seed)?;
    let engine = Engine::builder()
        .queue_capacity(QUEUE_CAPACITY)
        .sweep_policy(SweepEvery::time(Duration::from_secs(2)).first_after(20_000))
        .open()?;

    let (n_flood, n_steady) = (options.n_flood(), options.n_steady());
    let mut events = source.events(n_flood + n_steady);
    let bar = progress_bar(n_flood + n_steady);
    let (flood, asked_in_flood) = while_asking(&engine, source.listeners(), || {
        flood::run(&engine, events.by_ref().take(n_flood), options.rate, &bar)
    });
    let flood = flood?;
    // One sweep over all of the flood, so that the steady part does not begin with a model of half of it.
    engine.sweep_now()?.wait()?;
    let (steady, asked_in_steady) =
        while_asking(&engine, source.listeners(), || steady::run(&engine, events.take(n_steady), &bar));
    let steady = steady?;
    let five = five::run(&engine, &source)?;
    bar.finish_and_clear();

    let stats = engine.stats();
    println!("{}", Report { source: &source, stats, flood, asked_in_flood, steady, asked_in_steady, five });
    engine.shutdown(PATIENCE)?;
    Ok(())
}

/// Drawn on stderr, and not at all if that is no terminal.
fn progress_bar(n_events: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>8} {wide_bar} {human_pos} of {human_len} events")
        .expect("the template is well formed");
    ProgressBar::new(n_events as u64).with_style(style)
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("there must be at least one event".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("not a number of events: {error}")),
    }
}
