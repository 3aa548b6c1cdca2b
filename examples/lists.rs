//! What may be shown, in which order, and how a list is put together: a filter, a rescorer and a slate policy.
//!
//! Run with `cargo run --release --example lists`.
//!
//! Four times the same listener of the demo world, by the same model: as the model has it; without what must not be shown; with
//! what the house wants to be heard; and with no two artists of one genre side by side.

use segue::demo::DemoWorld;
use segue::plugin::{Candidate, Request, SpacedBy};
use segue::{AlsParams, Catalogue, EngineBuilder, ItemId, ManualEngine};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let world = DemoWorld::builder().n_listeners(400).n_artists(300).build()?;
    let catalogue = world.catalogue().clone();
    let genre_of = |catalogue: Catalogue| {
        move |item: &ItemId| catalogue.tags_of(item).first().map(|tag| tag.name().to_owned())
    };

    show(&world, "as the model has it", |builder| builder)?;

    let genre = genre_of(catalogue.clone());
    show(&world, "no downtempo tonight", move |builder| {
        builder.filter_with(move |_: &Request<'_>, candidate: &Candidate| {
            genre(&candidate.item).is_none_or(|genre| genre != "downtempo")
        })
    })?;

    show(&world, "few listeners yet, so give them a hand", |builder| {
        builder.rescore_with(|_: &Request<'_>, candidate: &Candidate| {
            candidate.score + if candidate.listeners < 40.0 { 0.3 } else { 0.0 }
        })
    })?;

    show(&world, "no genre twice within three", move |builder| {
        builder.slate(SpacedBy::new(2, genre_of(catalogue)))
    })
}

/// Trains an engine with the policies of `with`, and shows what they make of one list.
fn show(
    world: &DemoWorld,
    what: &str,
    with: impl FnOnce(EngineBuilder) -> EngineBuilder,
) -> Result<(), Box<dyn std::error::Error>> {
    let als = AlsParams::builder().n_factors(32).build()?;
    // Driven by hand, so that the model is the same each time.
    let mut engine = with(ManualEngine::builder().als(als)).open_manual()?;
    engine.import(world.events().take(40_000));
    engine.sweep()?;
    let listener = world.events().next().map(|event| event.user().clone()).ok_or("the world has events")?;
    println!("{what}");
    for pick in &engine.reader().view().user(listener).recommend().limit(6).run()? {
        let catalogue = world.catalogue();
        let genre = catalogue.tags_of(&pick.item).first().map_or("", |tag| tag.name());
        let name = catalogue.name_of(&pick.item).unwrap_or("?");
        println!("  {:6.3}  {name:24} {genre}", pick.score);
    }
    println!();
    Ok(())
}
