//! Looks into a store, and repairs one that is damaged: `cargo run --example inspect -- DIR [--verify] [--repair]`.
//!
//! No engine should have the store open. Copy the directory before you repair it, or better, restore a backup.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use segue::DirStorage;
use segue::maintenance::{Repair, inspect, verify};

#[derive(Parser)]
struct Arguments {
    /// The directory of the store.
    directory: PathBuf,
    /// Fail unless everything that had been durable is as it was written.
    #[arg(long)]
    verify: bool,
    /// Say what a repair would drop.
    #[arg(long)]
    repair: bool,
    /// Do it.
    #[arg(long, requires = "repair")]
    yes: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let storage = DirStorage::new(&arguments.directory);
    let report = inspect(storage.clone())?;
    if report.is_empty() {
        return Err(format!("there is no store in {}", arguments.directory.display()).into());
    }
    println!("{report}");
    if arguments.repair {
        let repair = Repair::plan(storage.clone())?;
        println!("\n{repair}");
        if repair.is_needed() && arguments.yes {
            repair.apply()?;
            println!("done");
        } else if repair.is_needed() {
            println!("nothing was changed; add --yes to do it");
        }
    }
    if arguments.verify {
        verify(storage.clone())?;
        match inspect(storage)?.opening?.torn {
            None => println!("\nevery byte is as it was written"),
            Some(_) => {
                println!("\nall that was known to be durable is as it was written; the end after it is torn");
            }
        }
    }
    Ok(())
}
