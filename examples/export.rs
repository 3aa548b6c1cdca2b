//! Takes a model to Python: the factors in the layout of the library `implicit`, the ids of their rows, the histories.
//!
//! ```text
//! cargo run --example export -- DIRECTORY [ARRAYS]
//! ```
//!
//! Learns from the demo world, sweeps, and learns some more, so that not everybody has the vector of the sweep. Then it
//! writes the directory (and another with plain `.npy` arrays, if it is told where), and prints what is recommended to each of two hundred listeners, a line an item with tabs between
//! listener, item and score. `tests/models_from_python/` holds that against what `implicit` makes of the directory.

use std::error::Error;

use segue::demo::{DemoListener, DemoWorld};
use segue::export::Export;
use segue::{AlsParams, Engine, Source};

const N_LISTENS: usize = 20_000;
const N_AFTER_THE_SWEEP: usize = 1_000;
const N_SHOWN: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let directory = arguments.next().ok_or("say where to: export DIRECTORY [ARRAYS]")?;
    let world = DemoWorld::builder().n_artists(500).n_listeners(300).seed(7).build()?;
    let mut events = world.events();
    let als = AlsParams::builder().n_factors(20).build()?;
    // By hand, so that nobody is solved anew between the export and the lists.
    let mut engine = Engine::builder().als(als).open_manual()?;
    engine.import(events.by_ref().take(N_LISTENS));
    engine.sweep()?;
    engine.import(events.take(N_AFTER_THE_SWEEP));
    engine.pump();

    let view = engine.reader().view();
    let export = Export::of(&view);
    export.save_npz(&directory)?;
    if let Some(arrays) = arguments.next() {
        export.save(arrays)?;
    }
    for listener in world.listeners().iter().map(DemoListener::id).take(N_SHOWN) {
        let picks = view.user(listener).recommend().limit(10).run()?;
        // What is popular has no scores of rows.
        for pick in picks.iter().filter(|_| picks.provenance().source == Source::Personal) {
            println!("{listener}\t{}\t{}", pick.item, pick.score);
        }
    }
    Ok(())
}
