//! A list is more than its items: a slate policy of one's own, and those that are there to go with it.
//!
//! Run with `cargo run --release --example slate`.
//!
//! A radio hour opens with something the listener loves, goes on with half of what they know and half of what they do not,
//! never plays a genre twice in a row, and closes as it opened. The middle is the work of two policies that come with the crate;
//! opening and closing is our own.

use segue::demo::DemoWorld;
use segue::plugin::{Candidate, Familiarity, Request, SlatePolicy, SpacedBy};
use segue::{AlsParams, Catalogue, Engine, ItemId};

/// The best known item first, the next best known last.
#[derive(Debug)]
struct OpenAndClose;

impl SlatePolicy for OpenAndClose {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        let mut list: Vec<usize> = (0..ranked.len().min(request.limit)).collect();
        let loved = |place: &usize| ranked[*place].heard.map(|heard| heard.events);
        let mut known: Vec<usize> = list.iter().copied().filter(|place| loved(place).is_some()).collect();
        known.sort_by_key(|place| std::cmp::Reverse(loved(place)));
        if let [first, last, ..] = known[..] {
            list.retain(|place| ![first, last].contains(place));
            list.insert(0, first);
            list.push(last);
        }
        list
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let world = DemoWorld::builder().n_listeners(400).n_artists(300).build()?;
    let genre_of = |catalogue: Catalogue| {
        move |item: &ItemId| catalogue.tags_of(item).first().map(|tag| tag.name().to_owned())
    };
    let engine = Engine::builder()
        .als(AlsParams::builder().n_factors(32).build()?)
        .slate(Familiarity::new(0.5)?)
        .slate(SpacedBy::new(1, genre_of(world.catalogue().clone())))
        .slate(OpenAndClose)
        .open()?;
    engine.import(world.events().take(40_000))?;
    engine.sweep_now()?.wait()?;

    let listener = world.events().next().map(|event| event.user().clone()).ok_or("the world has events")?;
    let view = engine.reader().view();
    let user = view.user(listener);
    let known: Vec<ItemId> = user.history().into_iter().map(|entry| entry.item).collect();
    println!("an hour of radio");
    for pick in &user.recommend().allow_known().limit(10).run()? {
        let catalogue = world.catalogue();
        let genre = catalogue.tags_of(&pick.item).first().map_or("", |tag| tag.name());
        let is_known = if known.contains(&pick.item) { "known" } else { "new" };
        println!("  {:24} {genre:16} {is_known}", catalogue.name_of(&pick.item).unwrap_or("?"));
    }
    Ok(())
}
