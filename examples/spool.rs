//! Events that come as files: a directory that an engine reads.
//!
//! Run with `cargo run --example spool --features spool`.
//!
//! A player writes what was heard into files, one JSON object a line, and puts each whole file into a spool. The engine learns
//! it within milliseconds, and each line once, however either of the two ends: how far it has read goes into its journal
//! with each event.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use segue::plugin::SpoolDir;
use segue::{Durability, Engine};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::temp_dir().join(format!("segue-example-spool-{}", std::process::id()));
    let (spool, state) = (directory.join("spool"), directory.join("state"));
    fs::create_dir_all(&spool)?;

    // What is there before the engine is opened is read first.
    let friends = [
        ("ben", ["portishead", "massive-attack", "tricky"]),
        ("cleo", ["massive-attack", "tricky", "björk"]),
    ];
    let heard = friends.into_iter().flat_map(|(user, artists)| artists.map(|artist| (user, artist)));
    put(&spool, "1-friends", heard)?;
    put(&spool, "2-metal", [("dan", "slayer"), ("dan", "metallica"), ("eve", "slayer")])?;

    let engine =
        Engine::builder().store(&state, Durability::Immediate).source(SpoolDir::new(&spool)).open()?;
    wait_until(|| engine.stats().applied == 9)?;
    engine.sweep_now()?.wait()?;
    show(&engine, "before Ana has heard anything")?;

    put(&spool, "3-ana", [("ana", "massive-attack")])?;
    wait_until(|| engine.stats().applied == 10)?;
    show(&engine, "after a file says that she heard Massive Attack")?;

    // A line that is no event is noted and passed over.
    fs::write(spool.join("4-odd.tmp"), "{\"user\":\"ana\",\"item\":\"slayer\",\"action\":\"loathe\"}\n")?;
    fs::rename(spool.join("4-odd.tmp"), spool.join("4-odd.jsonl"))?;
    wait_until(|| engine.stats().sources[0].malformed == 1)?;
    println!("what is wrong: {}", engine.stats().sources[0].last_malformed.as_deref().unwrap_or_default());

    engine.shutdown(Duration::from_secs(5))?;
    for place in ["done", "bad"] {
        let mut names: Vec<_> = fs::read_dir(spool.join(place))?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<Result<_, std::io::Error>>()?;
        names.sort();
        println!("{place}: {names:?}");
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// A file is written under another name and renamed once it is whole.
fn put<'a>(
    spool: &Path,
    name: &str,
    heard: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> std::io::Result<()> {
    let line = |(user, item)| {
        format!("{{\"user\":\"{user}\",\"item\":\"{item}\",\"action\":\"listen\",\"fraction\":0.97}}\n")
    };
    let text: String = heard.into_iter().map(line).collect();
    let unfinished = spool.join(name).with_extension("tmp");
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, spool.join(name).with_extension("jsonl"))
}

fn show(engine: &Engine, when: &str) -> Result<(), Box<dyn Error>> {
    let view = engine.reader().view();
    let picks = view.user("ana").recommend().limit(3).run()?;
    let names: Vec<String> = picks.ids().map(ToString::to_string).collect();
    println!("{when}: {}", names.join(", "));
    Ok(())
}

/// Looks again and again, as a host need not: it asks when somebody wants a list.
fn wait_until(is_so: impl Fn() -> bool) -> Result<(), Box<dyn Error>> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        if Instant::now() > deadline {
            return Err("the files were not read within 30 seconds".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
