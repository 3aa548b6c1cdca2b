//! A world for tests of lists: sixty listeners, two hundred songs of twenty artists, and a clock that stands still.

use std::time::Duration;

use segue::{
    AlsParams, Engine, EngineBuilder, Event, ItemId, ManualClock, ManualEngine, NeverSweep, Recommendations,
};

pub(crate) use super::{hours_ago, now};

pub(crate) const N_USERS: u64 = 60;
pub(crate) const N_ITEMS: u64 = 200;
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn builder() -> EngineBuilder {
    let als = AlsParams::builder().n_factors(16).build().expect("usable settings");
    Engine::builder().als(als).sweep_policy(NeverSweep).clock(ManualClock::at(now())).threads(1)
}

/// Everybody plays a dozen songs, one an hour; user 0 has played songs 0 to 11, the latest first. Every song was played by
/// somebody else some time.
pub(crate) fn events() -> impl Iterator<Item = Event> {
    let dozens = (0..N_USERS).flat_map(|user| {
        (0..12).map(move |place| {
            let item = (user * 5 + place * (1 + user % 7)) % N_ITEMS;
            Event::listen(user, item).at(hours_ago(i64::try_from(place).expect("few")))
        })
    });
    let others = |item: u64| Event::listen(1 + item % (N_USERS - 1), item).at(hours_ago(20));
    dozens.chain((0..N_ITEMS).map(others))
}

pub(crate) fn open(builder: EngineBuilder) -> ManualEngine {
    let mut engine = builder.open_manual().expect("usable settings");
    engine.import(events());
    engine.sweep().expect("there is something to learn");
    engine.pump();
    engine
}

/// Ten songs each.
pub(crate) fn artist_of(item: &ItemId) -> Option<u64> {
    item.as_u64().map(|item| item / 10)
}

pub(crate) fn numbers(list: &Recommendations) -> Vec<u64> {
    list.ids().map(|id| id.as_u64().expect("numbers are ids here")).collect()
}

/// The list as the model has it, all of it, known songs as well.
pub(crate) fn all(engine: &ManualEngine, user: u64) -> Vec<(u64, f32)> {
    let view = engine.reader().view();
    let query = view.user(user).recommend().allow_known().limit(usize::MAX).plain();
    let list = query.run().expect("no item is asked about");
    list.iter().map(|pick| (pick.item.as_u64().expect("a number"), pick.score)).collect()
}
