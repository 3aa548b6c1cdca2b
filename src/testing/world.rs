//! The world that plug-ins of lists are put to the test in.

use std::fmt;

use super::complaints::Complaints;
use super::lists::{FilterProbe, RescorerProbe, SlateProbe};
use crate::als::AlsParams;
use crate::engine::{EngineBuilder, ManualEngine};
use crate::query::{Filter, ItemQuery, Rescorer, SlatePolicy};
use crate::training::NeverSweep;
use crate::types::{Context, Event, ItemId, ManualClock, Timestamp, UserId};

/// Events to learn from and requests to make, for plug-ins that go by either.
///
/// ```
/// use segue::plugin::Markets;
/// use segue::testing::World;
///
/// let markets = Markets::new();
/// markets.set((0..100_u64).map(|item| (item, ["DE"])));
/// World::default().requests(|query| query.in_market("DE")).check_filter(markets);
/// ```
pub struct World {
    events: Vec<Event>,
    with: With,
}

type With = Box<dyn for<'q> Fn(ItemQuery<'q>) -> ItemQuery<'q> + Sync>;

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("n_events", &self.events.len()).finish_non_exhaustive()
    }
}

impl Default for World {
    /// Forty listeners, numbered from 0 on, who have heard, liked and skipped some of two hundred items, numbered likewise.
    fn default() -> Self {
        let one = |user: u64, nth: u64| {
            let item = (user * 11 + nth * nth * (1 + user % 5)) % 200;
            let event = match (user + nth) % 9 {
                0 => Event::skip(user, item).at_fraction(0.1),
                1 => Event::like(user, item),
                _ => Event::listen(user, item).fraction(0.9),
            };
            let hours = i64::try_from(nth * nth).unwrap_or_default();
            event.at(Timestamp::from_unix_seconds(NOON - hours * 3_600))
        };
        Self::of((0..40).flat_map(|user| (0..25).map(move |nth| one(user, nth))))
    }
}

/// When requests are made.
const NOON: i64 = 1_700_000_000;

impl World {
    /// Of these events. A hundred and more, of several users, make the best test.
    pub fn of(events: impl IntoIterator<Item = Event>) -> Self {
        Self { events: events.into_iter().collect(), with: Box::new(|query| query) }
    }

    /// Every request is made as `with` says: for a market, with a profile.
    #[must_use]
    pub fn requests(self, with: impl for<'q> Fn(ItemQuery<'q>) -> ItemQuery<'q> + Sync + 'static) -> Self {
        Self { with: Box::new(with), ..self }
    }

    /// Puts a filter to the test: see [`check_filter`](super::check_filter).
    ///
    /// # Panics
    /// With what it did wrong.
    #[track_caller]
    pub fn check_filter(&self, filter: impl Filter) {
        let complaints = Complaints::default();
        let probe = FilterProbe { inner: filter, complaints: complaints.clone() };
        self.ask(EngineBuilder::default().filter(probe));
        complaints.raise("filter");
    }

    /// Puts a rescorer to the test: see [`check_rescorer`](super::check_rescorer).
    ///
    /// # Panics
    /// With what it did wrong.
    #[track_caller]
    pub fn check_rescorer(&self, rescorer: impl Rescorer) {
        let complaints = Complaints::default();
        let probe = RescorerProbe { inner: rescorer, complaints: complaints.clone() };
        self.ask(EngineBuilder::default().rescorer(probe));
        complaints.raise("rescorer");
    }

    /// Puts a slate policy to the test: see [`check_slate`](super::check_slate).
    ///
    /// # Panics
    /// With what it did wrong.
    #[track_caller]
    pub fn check_slate(&self, slate: impl SlatePolicy) {
        let complaints = Complaints::default();
        let probe = SlateProbe { inner: slate, complaints: complaints.clone() };
        self.ask(EngineBuilder::default().slate(probe));
        complaints.raise("slate policy");
    }

    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// Asks an engine for lists of every kind, before there is a model and after.
    fn ask(&self, builder: EngineBuilder) {
        let als = AlsParams::builder().n_factors(8).build().expect("usable settings");
        let clock = ManualClock::at(Timestamp::from_unix_seconds(NOON));
        let builder = builder.als(als).sweep_policy(NeverSweep).clock(clock).threads(1);
        let mut engine = builder.open_manual().expect("usable settings");
        self.ask_for_lists(&engine);
        engine.import(self.events.iter().cloned());
        self.ask_for_lists(&engine);
        // There may be nothing to learn.
        drop(engine.sweep());
        engine.pump();
        self.ask_for_lists(&engine);
    }

    fn ask_for_lists(&self, engine: &ManualEngine) {
        /// Users and items that are asked about.
        const SOME: usize = 5;
        let view = engine.reader().view();
        let users: Vec<UserId> =
            self.events.iter().step_by(31).take(SOME).map(|event| event.user().clone()).collect();
        let items: Vec<ItemId> =
            self.events.iter().step_by(17).take(SOME).map(|event| event.item().clone()).collect();
        let run = |query: ItemQuery<'_>| drop((self.with)(query).run());
        for limit in [0, 1, 10, 1_000] {
            for user in users.iter().cloned().chain(["nobody".into()]) {
                let user = view.user(user);
                run(user.recommend().limit(limit));
                run(user.recommend().limit(limit).allow_known().context(Context::new().device("car")));
                run(view.popular().limit(limit).for_listener(&user));
            }
            for item in &items {
                run(view.similar(item.clone()).limit(limit));
            }
            let taste = items.iter().map(|item| (item.clone(), 1.0));
            run(view.taste(taste).expect("a number").limit(limit));
            drop(view.recommend_batch_with(&users, |query| (self.with)(query.limit(limit).allow_known())));
        }
    }
}
