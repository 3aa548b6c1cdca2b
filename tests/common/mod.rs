//! What several tests share: a random stream, a clock that stands still, and an engine on it; a naive model of
//! what it learns, a disk whose power can be cut, and processes to kill.

#![allow(dead_code, unused_imports, reason = "each test uses the parts it needs")]

pub(crate) mod files;
pub(crate) mod kill;
pub(crate) mod lists;
pub(crate) mod log_source;
pub(crate) mod naive;
pub(crate) mod power;
pub(crate) mod temp;

use std::time::Duration;

use segue::{
    AlsParams, Engine, EngineBuilder, Event, ItemId, ManualClock, MusicSettings, MusicWeigher, NeverSweep,
    Timestamp, View,
};

/// Long enough for any machine; nothing waits for it to pass.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Steele, Lea & Flood's generator: every seed gives an independent stream.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from 0 to 1, in steps of 1/1024 so that sums of a few are exact.
    pub(crate) fn share(&mut self) -> f32 {
        f32::from(u16::try_from(self.below(1_025)).expect("small")) / 1_024.0
    }
}

/// The moment at which the clocks of tests stand.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000)
}

/// `hours` before [`now`].
pub(crate) fn hours_ago(hours: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 - hours * 3_600)
}

/// An engine of 8 factors that sweeps when it is told to, on a clock that stands still.
pub(crate) fn small() -> EngineBuilder {
    // Spelled out: what these tests expect of small worlds should not hang on the defaults.
    let als = AlsParams::builder().n_factors(8).regularization(0.01).unobserved_weight(0.05);
    let als = als.build().expect("usable settings");
    Engine::builder()
        .als(als)
        .weigher(plain_music())
        .sweep_policy(NeverSweep)
        .clock(ManualClock::at(now()))
        .threads(1)
}

/// The default weigher, but a skip says as much wherever it comes: what an event means then depends on nothing but itself.
pub(crate) fn plain_music() -> MusicWeigher {
    let mut settings = MusicSettings::default();
    settings.skip_discount = 0.0;
    MusicWeigher::new(settings).expect("in range")
}

/// Random events: mostly listens, some skips, likes, and likes taken back.
pub(crate) fn random_events(seed: u64, n: usize, users: u64, items: u64) -> Vec<Event> {
    let mut random = Random::new(seed);
    (0..n)
        .map(|_| {
            let (user, item) = (random.below(users), random.below(items));
            let event = match random.below(10) {
                0 => Event::like(user, item),
                1 => Event::undo(Event::like(user, item)),
                2 | 3 => Event::skip(user, item).at_fraction(random.share()),
                _ => Event::listen(user, item).fraction(random.share()),
            };
            event.at(hours_ago(i64::try_from(random.below(500)).expect("small")))
        })
        .collect()
}

/// What a view tells a user, as bits: an estimate of every item, and the whole list.
pub(crate) type Answer = (Vec<Option<u32>>, Vec<(ItemId, u32)>);

/// What a view tells each of `users`.
pub(crate) fn answers(view: &View, users: u64, items: u64) -> Vec<Answer> {
    (0..users)
        .map(|user| {
            let user = view.user(user);
            let estimates = user.estimate(0..items).into_iter().map(|score| score.map(f32::to_bits));
            let list = user.recommend().limit(usize::MAX).run().expect("always an answer");
            let list = list.into_iter().map(|pick| (pick.item, pick.score.to_bits()));
            (estimates.collect(), list.collect())
        })
        .collect()
}
