//! An engine that learns the demo world as it happens shows what is played next far more often than a list
//! of what is popular does.

use std::collections::HashSet;
use std::time::Duration;

use segue::demo::DemoWorld;
use segue::{
    Action, ActionKind, AlsParams, Event, ItemId, ManualClock, ManualEngine, NeverSweep, Played, View,
};

const N_BEFORE: usize = 60_000;
const N_TESTED: usize = 20_000;
const EVENTS_A_SWEEP: usize = 10_000;

/// Each play is tested first and learned afterwards. This test on seeds 11 to 15 gave factors of 3.60 to 4.31
/// for all plays and 2.75 to 2.99 for discoveries; on its own seed, 3.63 and 2.55. The bounds leave room for
/// changes of the world and of the defaults, not for a model that has stopped learning.
#[test]
fn what_is_played_next_is_shown_far_more_often_than_by_popularity() {
    let world = DemoWorld::builder().seed(4).n_artists(800).n_listeners(1_200).build().expect("in range");
    let mut events = world.events();
    // Item batches come by the clock. One that follows the events makes every run the same.
    let clock = ManualClock::at(world.start());
    let mut engine = ManualEngine::builder()
        .als(AlsParams::builder().n_factors(32).build().expect("in range"))
        .sweep_policy(NeverSweep)
        .clock(clock.clone())
        .max_ahead(Duration::MAX)
        .item_batch_every(Duration::from_secs(60))
        .open_manual()
        .expect("the settings are usable");
    engine.import(events.by_ref().take(N_BEFORE));
    engine.sweep().expect("there is something to learn");
    let reader = engine.reader();

    let (mut plays, mut discoveries) = (Hits::default(), Hits::default());
    for (place, event) in events.take(N_TESTED).enumerate() {
        if is_enjoyed(&event) {
            test(&reader.view(), &event, &mut plays, &mut discoveries);
        }
        clock.set(event.timestamp().expect("every event has a time"));
        engine.apply(event).expect("well formed");
        engine.pump();
        if (place + 1) % EVENTS_A_SWEEP == 0 {
            engine.sweep().expect("there is something to learn");
        }
    }

    println!("all plays {plays:?}, discoveries {discoveries:?}");
    assert!(plays.factor() > 2.5, "all plays: {plays:?}");
    assert!(discoveries.factor() > 2.0, "discoveries: {discoveries:?}");
}

fn test(view: &View, play: &Event, plays: &mut Hits, discoveries: &mut Hits) {
    let listener = view.user(play.user());
    let has = |query: segue::ItemQuery<'_>| {
        query.limit(10).run().expect("these questions have an answer").ids().any(|id| id == play.item())
    };
    plays.count(has(listener.recommend().allow_known()), has(view.popular()));
    let known: HashSet<ItemId> = listener.history().into_iter().map(|entry| entry.item).collect();
    if !known.contains(play.item()) {
        let popular = view.popular().filter(|artist| !known.contains(artist));
        discoveries.count(has(listener.recommend()), has(popular));
    }
}

#[derive(Debug, Default)]
struct Hits {
    tested: u32,
    engine: u32,
    popularity: u32,
}

impl Hits {
    fn count(&mut self, engine: bool, popularity: bool) {
        self.tested += 1;
        self.engine += u32::from(engine);
        self.popularity += u32::from(popularity);
    }

    fn factor(&self) -> f64 {
        assert!(self.popularity > 50, "too few for a comparison: {self:?}");
        f64::from(self.engine) / f64::from(self.popularity)
    }
}

fn is_enjoyed(event: &Event) -> bool {
    let heard_enough = matches!(event.how_far(), Played::Fraction(fraction) if fraction >= 0.5);
    heard_enough && matches!(event.action(), Action::Do(ActionKind::Listen))
}
