//! A weigher is told how often the item, and anything in the same circumstances, was skipped before; the counts are those of
//! the events learned, whatever happened to the engine in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::common::{Random, now, small};
use segue::plugin::{EventFacts, MusicWeigher, Weigher};
use segue::{
    ActionKind, Context, Durability, EngineBuilder, Event, ItemId, ManualEngine, MemoryStorage, Signal,
};

const DEVICES: [Option<&str>; 4] = [None, Some("phone"), Some("car"), Some("tv")];

/// The default weigher, which notes the rates it was told.
#[derive(Debug, Clone, Default)]
struct Noting {
    rates: Arc<Mutex<Vec<(f32, f32)>>>,
}

impl Weigher for Noting {
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal {
        self.rates.lock().expect("nobody panics").push((facts.item_skip_rate, facts.context_skip_rate));
        MusicWeigher::default().weigh(facts)
    }
}

/// Listens and skips, counted by hand.
#[derive(Default)]
struct Naive {
    overall: (f64, f64),
    items: HashMap<ItemId, (f64, f64)>,
    /// All events are of one part of the day.
    devices: HashMap<Option<String>, (f64, f64)>,
}

impl Naive {
    fn device(event: &Event) -> Option<String> {
        let device = event.circumstances().and_then(|context| context.device.as_ref());
        device.map(|device| device.as_str().to_owned())
    }

    fn rates(&self, event: &Event) -> (f64, f64) {
        let (n, skips) = self.overall;
        let overall = skips / (n + 100.0);
        let rate = |counts: Option<&(f64, f64)>| {
            let (n, skips) = counts.copied().unwrap_or_default();
            (skips + 20.0 * overall) / (n + 20.0)
        };
        (rate(self.items.get(event.item())), rate(self.devices.get(&Self::device(event))))
    }

    fn learn(&mut self, event: &Event, times: f64) {
        let (segue::Action::Do(kind) | segue::Action::Undo(kind)) = event.action();
        let skips = if *kind == ActionKind::Skip { times } else { 0.0 };
        if !matches!(kind, ActionKind::Listen | ActionKind::Skip) {
            return;
        }
        for counts in [
            &mut self.overall,
            self.items.entry(event.item().clone()).or_default(),
            self.devices.entry(Self::device(event)).or_default(),
        ] {
            counts.0 += times;
            counts.1 += skips;
        }
    }
}

fn events(seed: u64, n: usize) -> Vec<Event> {
    let mut random = Random::new(seed);
    let mut one = || {
        let (user, item) = (random.below(40), random.below(12));
        let event = match random.below(10) {
            0..5 => Event::listen(user, item),
            5..9 if item < 6 => Event::skip(user, item).at_fraction(0.1),
            5..9 => Event::listen(user, item).fraction(0.9),
            _ => Event::like(user, item),
        };
        let event = event.at(now());
        match DEVICES[usize::try_from(random.below(4)).expect("few")] {
            Some(device) => event.context(Context::new().device(device)),
            None => event,
        }
    };
    (0..n).map(|_| one()).collect()
}

fn learn(engine: &mut ManualEngine, naive: &mut Naive, noting: &Noting, events: &[Event]) {
    for event in events {
        let expected = naive.rates(event);
        engine.apply(event.clone()).expect("well formed");
        naive.learn(event, 1.0);
        let told = noting.rates.lock().expect("nobody panics").last().copied().expect("it was weighed");
        for (told, expected) in [(told.0, expected.0), (told.1, expected.1)] {
            assert!((f64::from(told) - expected).abs() < 1e-6, "{told} for {expected}: {event:?}");
        }
    }
    engine.pump();
}

#[test]
fn the_rates_are_those_counted_by_hand_through_undoing_restarts_checkpoints_and_backups() {
    let (storage, noting, mut naive) = (MemoryStorage::new(), Noting::default(), Naive::default());
    let builder = || -> EngineBuilder {
        small().weigher(noting.clone()).store_in(storage.clone(), Durability::Immediate)
    };
    let open = |builder: EngineBuilder| builder.open_manual().expect("usable settings");
    let mut engine = open(builder());
    learn(&mut engine, &mut naive, &noting, &events(1, 400));
    for event in &events(1, 400)[390..] {
        engine.apply(Event::undo(event.clone())).expect("well formed");
        naive.learn(event, -1.0);
    }
    learn(&mut engine, &mut naive, &noting, &events(2, 100));

    let digest = engine.digest();
    drop(engine);
    let mut engine = open(builder());
    assert_eq!(engine.digest(), digest, "replayed");
    learn(&mut engine, &mut naive, &noting, &events(3, 100));

    engine.checkpoint().expect("memory takes everything");
    learn(&mut engine, &mut naive, &noting, &events(4, 100));
    let digest = engine.digest();
    drop(engine);
    let mut engine = open(builder());
    assert_eq!(engine.digest(), digest, "from a checkpoint, and replayed from there");
    learn(&mut engine, &mut naive, &noting, &events(5, 100));

    engine.forget_item(3_u64);
    naive.items.remove(&ItemId::from(3));
    learn(&mut engine, &mut naive, &noting, &events(6, 100));
}

#[test]
fn a_skip_of_what_everybody_skips_moves_a_history_less() {
    let mut engine = small().weigher(MusicWeigher::default()).open_manual().expect("usable settings");
    for user in 0..200_u64 {
        engine.apply(Event::skip(user, "intro")).expect("well formed");
        engine.apply(Event::listen(user, "hit")).expect("well formed");
    }
    for item in ["intro", "hit"] {
        engine.apply(Event::skip("ana", item)).expect("well formed");
    }
    engine.pump();
    let history = engine.reader().view().user("ana").history();
    let confidence =
        |item: &str| history.iter().find(|entry| entry.item == item.into()).expect("she did").confidence;
    // 200 of 200, and 0 of 200, beside 201 of 401 and 100 that say nothing; the time of day has about half.
    assert!(confidence("intro") < 0.75 * confidence("hit"), "{history:?}");
    assert!((0.125..0.25).contains(&confidence("intro")), "and never by more than half");
}
