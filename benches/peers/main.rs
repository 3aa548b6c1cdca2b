//! The worker of the comparison with other libraries: does what it is told on standard input, a JSON object a
//! line, and says how long it took. `benches/peers/run` drives it; see `benches/peers/README.md`.

mod arrays;
mod search;
mod sweeps;

use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

use search::Searches;
use sweeps::Sweeps;

/// What a command can go wrong with.
type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    if !std::env::args().any(|argument| argument == "--serve") {
        println!("the comparison with other libraries is run by benches/peers/run");
        return Ok(());
    }
    let (mut sweeps, mut searches) = (Sweeps::default(), Searches::default());
    for line in io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        let answer = match command["do"].as_str() {
            Some("about") => Ok(json!({ "path": segue::SimdPath::detect().name() })),
            Some(name @ ("index" | "top" | "similar")) => searches.answer(name, &command),
            Some(name) => sweeps.answer(name, &command),
            None => Err("a command is an object with `do`".into()),
        };
        let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        println!("{answer}");
        io::stdout().flush()?;
    }
    Ok(())
}
