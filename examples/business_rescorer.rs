//! What the house wants heard, without burying what the listener wants: a rescorer with typed circumstances.
//!
//! Run with `cargo run --release --example business_rescorer`.
//!
//! This service has artists of its own label, which earn it more, and a campaign for some of them at a time. A rescorer
//! gives those a little, never more than a bound; whoever pays for a subscription is left alone. Requests say which campaign
//! runs and what the listener pays, as types of the service's own.

use std::collections::HashSet;

use segue::demo::DemoWorld;
use segue::plugin::{Candidate, ItemRescorer, Request, Rescorer};
use segue::{AlsParams, Engine, ItemId, Recommendations};

/// What a listener pays.
#[derive(PartialEq)]
enum Plan {
    Free,
    Paid,
}

/// Who is to be heard more just now, and how much.
struct Campaign {
    artists: HashSet<ItemId>,
    boost: f32,
}

#[derive(Debug)]
struct HouseLabel {
    most: f32,
}

impl Rescorer for HouseLabel {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        let campaign = request.get::<Campaign>().filter(|_| request.get() != Some(&Plan::Paid));
        Box::new(move |candidates: &[Candidate], scores: &mut [f32]| {
            let Some(Campaign { artists, boost }) = campaign else { return };
            for (score, candidate) in scores.iter_mut().zip(candidates) {
                if artists.contains(&candidate.item) {
                    *score += boost.min(self.most);
                }
            }
        })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let world = DemoWorld::builder().n_listeners(400).n_artists(300).build()?;
    let als = AlsParams::builder().n_factors(32).build()?;
    let engine = Engine::builder().als(als).rescorer(HouseLabel { most: 0.2 }).open()?;
    engine.import(world.events().take(40_000))?;
    engine.sweep_now()?.wait()?;

    let listener = world.events().next().map(|event| event.user().clone()).ok_or("the world has events")?;
    let view = engine.reader().view();
    let user = view.user(listener);
    // Every fifth of those she might hear anyway.
    let pool = user.recommend().limit(60).run()?;
    let label: HashSet<ItemId> = pool.ids().skip(4).step_by(5).cloned().collect();
    for plan in [Plan::Paid, Plan::Free] {
        println!("{}", if plan == Plan::Paid { "who pays" } else { "who does not pay" });
        let campaign = Campaign { artists: label.clone(), boost: 5.0 };
        let picks = user.recommend().limit(8).with(plan).with(campaign).run()?;
        show(&world, &label, &picks);
    }
    Ok(())
}

fn show(world: &DemoWorld, label: &HashSet<ItemId>, picks: &Recommendations) {
    for pick in picks {
        let name = world.catalogue().name_of(&pick.item).unwrap_or("?");
        let ours = if label.contains(&pick.item) { "our label" } else { "" };
        println!("  {:6.3}  {name:24} {ours}", pick.score);
    }
}
