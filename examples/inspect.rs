//! Looks into a store, and repairs one that is damaged: `cargo run --example inspect -- DIR [--verify] [--repair]`.
//!
//! No engine should have the store open. Copy the directory before you repair it, or better, restore a backup.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use segue::DirStorage;
use segue::maintenance::{Repair, inspect, verify};

#[derive(Parser)]
struct Arguments {
    /// The directory of the store.
    directory: PathBuf,
    /// Fail unless every byte is one that was written.
    #[arg(long)]
    verify: bool,
    /// Say what a repair would drop.
    #[arg(long)]
    repair: bool,
    /// Do it.
    #[arg(long, requires = "repair")]
    yes: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let storage = DirStorage::new(arguments.directory.canonicalize()?);
    println!("{}", inspect(storage.clone())?);
    if arguments.repair {
        let repair = Repair::plan(storage.clone())?;
        println!("\n{repair}");
        if arguments.yes {
            repair.apply()?;
            println!("done");
        } else if repair.is_needed() {
            println!("nothing was changed; add --yes to do it");
        }
    }
    if arguments.verify {
        verify(storage)?;
        println!("every byte is one that was written");
    }
    Ok(())
}
