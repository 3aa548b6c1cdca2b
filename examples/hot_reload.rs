//! Settings that change while the engine runs: this edits its own settings file and shows what comes of it.
//!
//! Run with `cargo run --example hot_reload`.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use segue::{Engine, Event, Notice};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("segue-hot-reload-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let file = directory.join("settings.toml");

    // What is told to the operator; here it is what the example waits for, too.
    let (tell, told) = mpsc::channel();
    let engine = Engine::builder()
        .settings_file(&file)
        .observe_with(move |notice| {
            let line = if let Notice::SettingsRead { changes, .. } = notice {
                format!("read, {} will change", changes.len())
            } else if let Notice::SettingsInForce { changes, .. } = notice {
                let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
                format!("in force: {}", changes.join(", "))
            } else if let Notice::SettingsRefused { error, .. } = notice {
                format!("refused: {error}")
            } else {
                return;
            };
            // Whoever listens may have gone home.
            let _ = tell.send(line);
        })
        .open()?;
    println!("{}\n", effect(&engine, "ana")?);

    for (listener, text) in [
        ("ben", "[weigher]\nlike = 9\n\n[sweeps]\nlater = 4\n"),
        ("cleo", "[weigher]\nlike = 1\n\n[sweeps]\nlatter = 4\n"),
        ("dan", "[sweeps]\nlater = 4\n"),
    ] {
        println!("--- the file now says\n{text}---");
        fs::write(&file, text)?;
        loop {
            let line = told.recv_timeout(Duration::from_secs(30))?;
            println!("{line}");
            if !line.starts_with("read") {
                break;
            }
        }
        println!("{}\n", effect(&engine, listener)?);
    }
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// What the like of a new listener counts for, and how often the next training sweeps.
fn effect(engine: &Engine, listener: &str) -> Result<String, Box<dyn std::error::Error>> {
    engine.import([Event::like(listener, "portishead")])?;
    let view = engine.reader().view();
    let like = view.user(listener).history()[0].confidence;
    Ok(format!("a like counts {like}, the next training sweeps {} times", engine.settings().later_sweeps))
}
