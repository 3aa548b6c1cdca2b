//! Trains on one file, ranks for the users of another, and says how good the lists are.
//!
//! ```sh
//! cargo run --release --example evaluate -- --train train.tsv --test test.tsv \
//!     --factors 64 --regularization 0.007 --unobserved-weight 0.3 --sweeps 12 --seed 1 --at 10,20
//! ```
//!
//! The work is done by `segue::eval`; its page says what the files look like, what each protocol does, and what
//! becomes of users and items that training has not seen.

use std::error::Error;
use std::iter::successors;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser, ValueEnum};
use rayon::ThreadPoolBuilder;
use segue::eval::{
    Confidence, Evaluation, FileFormat, GivenNegatives, Ids, Interaction, RankingReport, SeenNegatives,
    Trained, check_negatives, read_ncf_negatives, save_model, train, training_input,
};
use segue::metrics::RankingMetrics;
use segue::{AlsParams, SweepSolver, TrainingInput};
use serde_json::{Map, Value, json};

/// Trains by alternating least squares and measures how well held-out items are ranked.
#[derive(Debug, Parser)]
#[command(allow_negative_numbers = true)]
struct Args {
    /// The interactions to train on
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// The interactions to find again
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    /// The shape of the training, test and history files
    #[arg(long, value_enum, default_value_t = Format::Pairs)]
    format: Format,
    /// What is ranked for a test user
    #[arg(long, value_enum, default_value_t = Protocol::AllRank)]
    protocol: Protocol,
    /// The given negatives: `(user,item) TAB negative TAB …` a line
    #[arg(long, value_name = "FILE", required_if_eq("protocol", "ncf"))]
    negatives: Option<PathBuf>,
    /// Histories of test users who are not in training; they are folded in
    #[arg(long, value_name = "FILE")]
    fold_in_history: Option<PathBuf>,
    /// The length of a factor vector
    #[arg(long, value_name = "K")]
    factors: usize,
    /// The L2 weight
    #[arg(long, value_name = "L")]
    regularization: f32,
    /// The weight of unobserved pairs
    #[arg(long, value_name = "A")]
    unobserved_weight: f32,
    /// How the regularization grows with what is known of a row
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    nu: f32,
    /// How the value of a pair becomes its confidence
    #[arg(long, value_enum, default_value_t = Rule::Ones)]
    confidence: Rule,
    /// The slope of `log` and `linear` confidence
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    alpha: f32,
    /// How a sweep solves its rows
    #[arg(long, value_enum, default_value_t = Solver::Exact)]
    solver: Solver,
    /// How often both sides are solved
    #[arg(long, value_name = "S")]
    sweeps: usize,
    /// Where the first factors are drawn from
    #[arg(long, value_name = "N")]
    seed: u64,
    /// Threads to work on; all of the machine's by default
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// The places that count, separated by commas
    #[arg(long, value_name = "K", value_delimiter = ',', required = true)]
    at: Vec<NonZeroUsize>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Write the factors (.npy) and the ids of their rows into this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Rank given negatives that the user has in training too; published results do
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_value_t = true, default_missing_value = "true")]
    keep_seen_negatives: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// `user TAB item [TAB value]` a line
    Pairs,
    /// `user item item …` a line
    Lists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// Every item the user does not have
    AllRank,
    /// One positive among given negatives
    Ncf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rule {
    /// 1 a pair
    Ones,
    /// alpha · ln(1 + value)
    Log,
    /// alpha · value
    Linear,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Solver {
    /// Each to its minimum
    Exact,
    /// Some steps towards it, as an engine does
    Approximate,
}

impl From<Solver> for SweepSolver {
    fn from(solver: Solver) -> Self {
        match solver {
            Solver::Exact => Self::Exact,
            Solver::Approximate => Self::APPROXIMATE,
        }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in successors(error.source(), |&cause| cause.source()) {
                eprintln!("  because {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let params = AlsParams::builder()
        .n_factors(args.factors)
        .regularization(args.regularization)
        .unobserved_weight(args.unobserved_weight)
        .frequency_exponent(args.nu)
        .seed(args.seed)
        .build()?;
    let threads = args.threads.map_or(0, NonZeroUsize::get);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;

    // The training part first: what only later files name gets rows that the model does not have.
    let mut ids = Ids::default();
    let heard = args.format().read(&args.train, &mut ids)?;
    let input = training_input(ids.n_users(), ids.n_items(), &heard, args.confidence())?;
    let questions = Questions::read(args, &mut ids)?;
    let trained = train(params, args.solver.into(), &input, args.sweeps, &pool, |sweep| {
        let seconds = sweep.duration.as_secs_f64();
        eprintln!("sweep {:>3}: {seconds:.3} s, objective {:.6e}", sweep.number, sweep.objective);
    })?;
    if let Some(dir) = &args.save {
        save_model(dir, &trained.model, &ids)?;
    }

    let evaluation =
        Evaluation::new(&trained.model, &input)?.with_histories(&questions.history, args.confidence())?;
    let report = match &questions.cases {
        Some(cases) => evaluation.rank_given(cases, args.seen_negatives(), &args.at, &pool)?,
        None => evaluation.rank_all(&questions.test, &args.at, &pool)?,
    };
    if report.n_unknown_users > 0 {
        eprintln!("{} test users skipped: neither in training nor in a history", report.n_unknown_users);
    }
    if report.n_unknown_items > 0 {
        eprintln!("{} test items are not in training and count as misses", report.n_unknown_items);
    }
    if report.mean.n_users() == 0 {
        return Err("no list could be made; see that test users are in training or have a history".into());
    }
    if args.json {
        println!("{}", as_json(&report, &trained, &input));
    } else {
        print_table(&report, &trained, &input);
    }
    Ok(())
}

/// What the model is asked, read before it is trained: a bad line should not cost a training.
struct Questions {
    history: Vec<Interaction>,
    test: Vec<Interaction>,
    /// The given negatives, if the protocol is the one with them.
    cases: Option<Vec<GivenNegatives>>,
}

impl Questions {
    fn read(args: &Args, ids: &mut Ids) -> Result<Self, Box<dyn Error>> {
        let history = match &args.fold_in_history {
            Some(path) => args.format().read(path, ids)?,
            None => Vec::new(),
        };
        let test = args.format().read(&args.test, ids)?;
        let negatives = args.negatives.as_ref().filter(|_| args.protocol == Protocol::Ncf);
        let cases = negatives.map(|path| read_ncf_negatives(path, ids)).transpose()?;
        if let Some(cases) = &cases {
            check_negatives(&test, cases)?;
        }
        Ok(Self { history, test, cases })
    }
}

impl Args {
    fn format(&self) -> FileFormat {
        match self.format {
            Format::Pairs => FileFormat::Pairs,
            Format::Lists => FileFormat::Lists,
        }
    }

    fn confidence(&self) -> Confidence {
        match self.confidence {
            Rule::Ones => Confidence::Ones,
            Rule::Log => Confidence::Log { alpha: self.alpha },
            Rule::Linear => Confidence::Linear { alpha: self.alpha },
        }
    }

    fn seen_negatives(&self) -> SeenNegatives {
        if self.keep_seen_negatives { SeenNegatives::Keep } else { SeenNegatives::Drop }
    }
}

/// The metrics by their short names.
fn named(metrics: &RankingMetrics) -> [(&'static str, f64); 7] {
    [
        ("recall", metrics.recall),
        ("truncated_recall", metrics.truncated_recall),
        ("precision", metrics.precision),
        ("ndcg", metrics.ndcg),
        ("hr", metrics.hit_rate),
        ("map", metrics.average_precision),
        ("mrr", metrics.reciprocal_rank),
    ]
}

/// What happened to test data that was not as it seems.
fn counts(report: &RankingReport) -> [(&'static str, usize); 8] {
    [
        ("lists", report.mean.n_users()),
        ("lists_folded_in", report.n_folded_in),
        ("skipped_unknown_users", report.n_unknown_users),
        ("skipped_users_without_relevant", report.mean.n_without_relevant()),
        ("unknown_test_items", report.n_unknown_items),
        ("repeated_test_pairs", report.n_repeats),
        ("seen_negatives", report.n_seen_negatives),
        ("repeated_negatives", report.n_repeated_negatives),
    ]
}

fn as_json(report: &RankingReport, trained: &Trained, input: &TrainingInput) -> Value {
    let mut object = Map::new();
    for (k, metrics) in report.mean.iter() {
        object.extend(named(&metrics).map(|(name, value)| (format!("{name}@{k}"), json!(value))));
    }
    let objective: Vec<f64> = trained.sweeps.iter().map(|sweep| sweep.objective).collect();
    object.insert("users".into(), json!(input.n_users()));
    object.insert("items".into(), json!(input.n_items()));
    object.insert("pairs".into(), json!(input.n_pairs()));
    object.insert("seconds_per_sweep".into(), json!(trained.seconds_per_sweep()));
    object.insert("objective".into(), json!(objective));
    object.extend(counts(report).map(|(name, count)| (name.to_owned(), json!(count))));
    object.into()
}

fn print_table(report: &RankingReport, trained: &Trained, input: &TrainingInput) {
    println!("{} users, {} items, {} pairs", input.n_users(), input.n_items(), input.n_pairs());
    if let Some(seconds) = trained.seconds_per_sweep() {
        println!("{seconds:.3} s a sweep in the mean");
    }
    for (name, count) in counts(report) {
        println!("{count:>8} {}", name.replace('_', " "));
    }
    for (row, (k, metrics)) in report.mean.iter().enumerate() {
        let columns = named(&metrics);
        if row == 0 {
            println!("\n{:>6}{}", "at", columns.map(|(name, _)| format!(" {name:>16}")).concat());
        }
        println!("{k:>6}{}", columns.map(|(_, value)| format!(" {value:>16.4}")).concat());
    }
}
