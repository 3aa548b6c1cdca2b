//! What an event means is for the host to say: a weigher of one's own.
//!
//! Run with `cargo run --example weigher`.
//!
//! This service sells records. Somebody who buys one means it; what plays in a shop means little; and a listener who
//! skips on a bus has perhaps only arrived. So a purchase counts as ten listens, a shop's listens a tenth, and a skip
//! counts only where there was time to listen. Everything else is left to the default.

use segue::plugin::{ActionKind, EventFacts, MusicWeigher, Signal, Weigher};
use segue::{AlsParams, Context, Engine, Event};

#[derive(Debug, Default)]
struct RecordShop {
    usual: MusicWeigher,
}

impl Weigher for RecordShop {
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal {
        let usual = self.usual.weigh(facts);
        let activity = facts.context.and_then(|context| context.activity.as_ref());
        let on_the_way = activity.is_some_and(|activity| activity.as_str() == "commuting");
        let times = if matches!(facts.action, ActionKind::Custom(name) if name.as_str() == "bought") {
            10.0
        } else if facts.user.to_string().starts_with("shop-") {
            0.1
        } else if on_the_way && *facts.action == ActionKind::Skip {
            0.0
        } else {
            1.0
        };
        Signal::new(usual.preference(), usual.confidence() * times).unwrap_or(usual)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let als = AlsParams::builder().regularization(0.1).unobserved_weight(0.05).build()?;
    let engine = Engine::builder().als(als).weigher(RecordShop::default()).open()?;
    let on_a_bus = Context::new().activity("commuting");
    engine.import([
        Event::listen("shop-7", "abba"),
        Event::listen("ana", "portishead"),
        Event::custom("ana", "portishead", "bought"),
        Event::skip("ana", "tricky").context(on_a_bus),
        Event::skip("ana", "slayer"),
    ])?;
    let view = engine.reader().view();
    println!("what Ana's history says, as this service weighs it:");
    for entry in view.user("ana").history() {
        println!(
            "  {:10}  preference {:5.2}, confidence {:5.2}",
            entry.item.to_string(),
            entry.preference,
            entry.confidence
        );
    }
    let shop = &view.user("shop-7").history()[0];
    println!("what the shop's says:\n  {:10}  confidence {:5.2}", shop.item.to_string(), shop.confidence);
    Ok(())
}
