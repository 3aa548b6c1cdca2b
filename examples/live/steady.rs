//! Events at a pace that the engine easily holds, each play tested before it is learned.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use segue::{Action, ActionKind, Engine, Event, ItemId, Played, QueryError, View};

use crate::latency::Latencies;
use crate::{Failure, PATIENCE};

/// Events a second.
pub(crate) const RATE: u32 = 2_000;
/// Artists that would have been shown.
pub(crate) const SHOWN: usize = 10;

/// How it went.
#[derive(Default)]
pub(crate) struct Steady {
    pub(crate) n_events: usize,
    pub(crate) visible: Latencies,
    /// Every play: artists the listener knows may be shown.
    pub(crate) plays: HitRate,
    /// Plays of artists new to the listener: only such are shown.
    pub(crate) discoveries: HitRate,
}

/// How often the artist played next was among those that would have been shown.
#[derive(Default)]
pub(crate) struct HitRate {
    pub(crate) tested: u32,
    pub(crate) personal: u32,
    pub(crate) popular: u32,
}

/// Sends `events` at [`RATE`], each when the one before it is visible.
///
/// So when a play is tested the engine has learned everything before it, and nothing of it. An event that
/// had to wait for its predecessor is timed from the moment it was due, not from when it was sent: a slow
/// engine cannot hide behind a sender that waits for it.
pub(crate) fn run(
    engine: &Engine,
    events: impl Iterator<Item = Event>,
    bar: &ProgressBar,
) -> Result<Steady, Failure> {
    bar.set_message("steady");
    let (sender, reader) = (engine.sender(), engine.reader());
    let mut steady = Steady::default();
    let mut pace = Pace::new(RATE);
    for event in events {
        if is_enjoyed(&event) {
            steady.test(&reader.view(), &event)?;
        }
        let due = pace.wait();
        sender.send_tracked(event)?.wait(PATIENCE).ok_or("an event was not learned in time")?;
        steady.visible.push(due.elapsed());
        steady.n_events += 1;
        bar.inc(1);
    }
    Ok(steady)
}

impl Steady {
    /// Would the artist of `play` have been among the ten shown? The list of what is popular is held to
    /// the same rules: the same view, and the same artists left out.
    fn test(&mut self, view: &View, play: &Event) -> Result<(), QueryError> {
        let listener = view.user(play.user());
        let has = |list: segue::Recommendations| list.ids().any(|artist| artist == play.item());
        self.plays.count(
            has(listener.recommend().allow_known().limit(SHOWN).run()?),
            has(view.popular().limit(SHOWN).run()?),
        );
        let known: HashSet<ItemId> = listener.history().into_iter().map(|entry| entry.item).collect();
        if !known.contains(play.item()) {
            let unknown = |artist: &ItemId| !known.contains(artist);
            self.discoveries.count(
                has(listener.recommend().limit(SHOWN).run()?),
                has(view.popular().filter(unknown).limit(SHOWN).run()?),
            );
        }
        Ok(())
    }
}

impl HitRate {
    fn count(&mut self, personal: bool, popular: bool) {
        self.tested += 1;
        self.personal += u32::from(personal);
        self.popular += u32::from(popular);
    }
}

/// Whether somebody listened, and to at least half of it.
fn is_enjoyed(event: &Event) -> bool {
    let heard_enough = match event.how_far() {
        Played::Fraction(fraction) => fraction >= 0.5,
        Played::Unknown | Played::Time(_) => true,
    };
    heard_enough && matches!(event.action(), Action::Do(ActionKind::Listen))
}

/// Tells when the next of many evenly spaced moments has come.
pub(crate) struct Pace {
    began: Instant,
    rate: u32,
    n_passed: u64,
}

impl Pace {
    pub(crate) fn new(rate: u32) -> Self {
        Self { began: Instant::now(), rate, n_passed: 0 }
    }

    /// Sleeps until the next moment and returns it; if it has passed already, returns it at once. Sleeping
    /// too long is the operating system's doing, so after a sleep the moment is now.
    pub(crate) fn wait(&mut self) -> Instant {
        let nanos = self.n_passed * 1_000_000_000 / u64::from(self.rate);
        let due = self.began + Duration::from_nanos(nanos);
        self.n_passed += 1;
        let ahead = due.saturating_duration_since(Instant::now());
        if ahead.is_zero() {
            return due;
        }
        thread::sleep(ahead);
        Instant::now()
    }
}
