//! The shortest useful program: a few listens in, recommendations out.
//!
//! Run with `cargo run --example quickstart`.

use std::time::Duration;

use segue::{AlsParams, Engine, Event};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A handful of listens wants strong regularization; the defaults suit thousands of listeners.
    let als = AlsParams::builder().regularization(0.1).unobserved_weight(0.05).build()?;
    let engine = Engine::builder().als(als).open()?;
    let events = engine.sender();
    for (listener, artists) in [
        ("ben", ["portishead", "massive-attack", "tricky"]),
        ("cleo", ["massive-attack", "tricky", "morcheeba"]),
        ("dan", ["slayer", "metallica", "pantera"]),
    ] {
        for artist in artists {
            events.send(Event::listen(listener, artist).fraction(0.97))?;
        }
    }
    engine.sweep_now()?.wait()?;

    let receipt = events.send_tracked(Event::listen("ana", "portishead"))?;
    let view = engine.reader().view_after(&receipt, Duration::from_secs(1))?;
    for pick in &view.user("ana").recommend().limit(2).run()? {
        println!("{:6.3}  {}", pick.score, pick.item);
    }
    Ok(())
}
