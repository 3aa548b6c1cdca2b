//! Serves a model that was trained elsewhere, as soon as it is put into a watched directory.
//!
//! ```text
//! cargo run --release --example adopt -- FACTORS ARCHIVE [USER ITEM]
//! ```
//!
//! `FACTORS` is how long the rows of the model are. Waits for `ARCHIVE`, an `.npz` of the Python library `implicit` with
//! `users.txt` and `items.txt` beside it, then prints the ten best items of every user, a line an item with tabs between user,
//! item and score. With a `USER` and an `ITEM` it lets them listen to it and tells on the error stream how their list changes.

use std::error::Error;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use segue::{AlsParams, Engine, Event, NeverSweep, Notice, View};

/// What the observer passes on to the main thread.
enum Told {
    Read(usize, usize),
    Published,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let usage = "say which: adopt FACTORS ARCHIVE [USER ITEM]";
    let n_factors: usize = arguments.next().and_then(|text| text.into_string().ok()).ok_or(usage)?.parse()?;
    let archive = PathBuf::from(arguments.next().ok_or(usage)?);
    let mut text = || arguments.next().and_then(|text| text.into_string().ok());
    let listen = text().zip(text());

    let (tell, told) = channel();
    let engine = Engine::builder()
        .als(AlsParams::builder().n_factors(n_factors).build()?)
        .sweep_policy(NeverSweep)
        .observe_with(move |notice| {
            let told = if let Notice::ModelRead { n_users, n_items, .. } = notice {
                Told::Read(*n_users, *n_items)
            } else if let Notice::Published(_) = notice {
                Told::Published
            } else if let Notice::ModelRefused { error, .. } = notice {
                return eprintln!("not yet: {error:?}");
            } else {
                return;
            };
            // Nobody asks any more once the lists are printed.
            let _ = tell.send(told);
        })
        .model_file(&archive)
        .open()?;
    eprintln!("waiting for {}", archive.display());
    let mut ids = (0, 0);
    while let Told::Read(n_users, n_items) = told.recv()? {
        ids = (n_users, n_items);
    }
    let since = SystemTime::now().duration_since(std::fs::metadata(&archive)?.modified()?)?;
    eprintln!(
        "{} users and {} items are served {} ms after the archive was written",
        ids.0,
        ids.1,
        since.as_millis()
    );

    let view = engine.reader().view();
    let users = std::fs::read_to_string(archive.with_file_name("users.txt"))?;
    for user in users.lines() {
        for pick in view.user(user).recommend().limit(10).run()? {
            println!("{user}\t{}\t{}", pick.item, pick.score);
        }
    }
    if let Some((user, item)) = listen {
        let before = list(&view, &user)?;
        let began = Instant::now();
        let receipt = engine.sender().send_tracked(Event::listen(&*user, &*item))?;
        let view = engine.reader().view_after(&receipt, Duration::from_secs(5))?;
        eprintln!("{user} listens to {item}, which is seen after {:?}", began.elapsed());
        eprintln!("  before: {}\n  after:  {}", before, list(&view, &user)?);
    }
    Ok(())
}

/// The best ten of a user, in a line.
fn list(view: &View, user: &str) -> Result<String, Box<dyn Error>> {
    let list = view.user(user).recommend().limit(10).run()?;
    Ok(list.ids().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}
