//! What an engine should remember, worked out in the simplest way there is: a list of events for every user,
//! added up anew, in `f64`, whenever somebody asks.
//!
//! It shares no code with the crate and knows it by its public types alone. It knows the limits on what can be
//! taken back, but not those that make an engine forget or refuse: tests stay below them
//! ([`Limits`](segue::Limits): 4,096 items a user, 65,536 idempotency keys, all events well formed). Without
//! decay: an engine that it is held against has no half-life.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use segue::{
    Action, ActionKind, Event, HistoryEntry, IdempotencyKey, ItemId, Played, Timestamp, UserId, View,
};

/// Events of a user among which a listen or a skip can be taken back: the default of
/// [`Limits::recent_events`](segue::Limits).
const RECENT_EVENTS: usize = 64;

/// The time that a share of an item of unknown length is reckoned against, in seconds.
const TYPICAL_SECONDS: f32 = 180.0;

/// One thing that an engine is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Event(Event),
    ForgetUser(UserId),
    ForgetItem(ItemId),
    MergeUsers { from: UserId, into: UserId },
}

impl From<Event> for Step {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

/// What should become of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Learned,
    Duplicate,
    NothingToUndo,
}

/// An event that stands.
#[derive(Debug, Clone, PartialEq)]
struct Done {
    item: ItemId,
    kind: ActionKind,
    at: Timestamp,
    preference: f64,
    confidence: f64,
    /// It is among its user's latest.
    is_recent: bool,
    /// It can still be taken back.
    is_at_hand: bool,
}

/// What a user did with one item, all standing events together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sums {
    pub(crate) events: u32,
    /// Σ c.
    pub(crate) confidence: f64,
    /// Σ c·p.
    pub(crate) weighted_preference: f64,
    /// The earliest and the latest that the engine may say. They differ where an event was taken back and
    /// others of the item were too long ago to know which is now the last.
    pub(crate) last_seen: (Timestamp, Timestamp),
    /// How far the sums of an engine, which are `f32`, may be from these.
    pub(crate) tolerance: f64,
}

/// What was ever done with an item since it came into a history: what rounding and last times hang on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ever {
    events: u32,
    /// Σ c·max(1, |p|).
    weight: f64,
    latest: Timestamp,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct User {
    /// In order of arrival.
    done: Vec<Done>,
    ever: BTreeMap<ItemId, Ever>,
}

/// The state of an engine after some steps.
#[derive(Debug, Clone)]
pub(crate) struct Naive {
    weigh: fn(&Event) -> (f64, f64),
    now: Timestamp,
    users: BTreeMap<UserId, User>,
    keys: BTreeMap<IdempotencyKey, UserId>,
}

impl Naive {
    /// Before the first step. `now` is the time of events that do not say theirs; `weigh` gives an event's
    /// preference and confidence, in that order ([`music`] is the crate's default).
    pub(crate) fn new(now: Timestamp, weigh: fn(&Event) -> (f64, f64)) -> Self {
        Self { weigh, now, users: BTreeMap::new(), keys: BTreeMap::new() }
    }

    /// After all of `steps`.
    pub(crate) fn after(self, steps: &[Step]) -> Self {
        let mut state = self;
        for step in steps {
            state.take(step);
        }
        state
    }

    /// Takes one step.
    pub(crate) fn take(&mut self, step: &Step) -> Verdict {
        match step {
            Step::Event(event) => return self.learn(event),
            Step::ForgetUser(user) => {
                self.users.remove(user);
                self.keys.retain(|_, whose| whose != user);
            }
            Step::ForgetItem(item) => {
                for user in self.users.values_mut() {
                    user.done.retain(|done| done.item != *item);
                    user.ever.remove(item);
                }
            }
            Step::MergeUsers { from, into } if from != into => self.merge(from, into),
            Step::MergeUsers { .. } => {}
        }
        Verdict::Learned
    }

    fn learn(&mut self, event: &Event) -> Verdict {
        let key = event.idempotency_key();
        if key.is_some_and(|key| self.keys.contains_key(key)) {
            return Verdict::Duplicate;
        }
        match event.action() {
            Action::Do(kind) => self.add(event, kind),
            Action::Undo(kind) => {
                let user = self.users.get_mut(event.user());
                if !user.is_some_and(|user| user.undo(event.item(), kind)) {
                    return Verdict::NothingToUndo;
                }
            }
        }
        if let Some(key) = key {
            self.keys.insert(key.clone(), event.user().clone());
        }
        Verdict::Learned
    }

    fn add(&mut self, event: &Event, kind: &ActionKind) {
        let (preference, confidence) = (self.weigh)(event);
        let done = Done {
            item: event.item().clone(),
            kind: kind.clone(),
            at: event.timestamp().unwrap_or(self.now),
            preference,
            confidence,
            is_recent: true,
            is_at_hand: true,
        };
        let user = self.users.entry(event.user().clone()).or_default();
        let new = Ever { events: 1, weight: done.weight(), latest: done.at };
        user.ever.entry(done.item.clone()).and_modify(|ever| ever.join(new)).or_insert(new);
        user.done.push(done);
        user.age();
    }

    fn merge(&mut self, from: &UserId, into: &UserId) {
        let Some(gone) = self.users.remove(from) else { return };
        let user = self.users.entry(into.clone()).or_default();
        user.done.extend(gone.done);
        // From here on the newest is the one with the latest time stamp; stable, so one's own come first.
        user.done.sort_by_key(|done| done.at);
        user.age();
        for (item, ever) in gone.ever {
            user.ever.entry(item).and_modify(|mine| mine.join(ever)).or_insert(ever);
        }
        for whose in self.keys.values_mut().filter(|whose| *whose == from) {
            *whose = into.clone();
        }
    }

    /// What is known of a user: nothing for one who was never heard of, or forgotten.
    pub(crate) fn history(&self, user: &UserId) -> BTreeMap<ItemId, Sums> {
        let Some(user) = self.users.get(user) else { return BTreeMap::new() };
        let items: BTreeSet<_> = user.done.iter().map(|done| done.item.clone()).collect();
        items.into_iter().map(|item| (item.clone(), user.sums(&item))).collect()
    }

    /// Whether a view knows of `users` what this does, and nothing else.
    ///
    /// # Errors
    /// The first difference, for a person to read.
    pub(crate) fn compare<'a>(
        &self,
        view: &View,
        users: impl IntoIterator<Item = &'a UserId>,
    ) -> Result<(), String> {
        for user in users {
            let (found, expected) = (view.user(user).history(), self.history(user));
            let items: BTreeSet<_> = found.iter().map(|entry| &entry.item).collect();
            if items.len() != found.len() || items != expected.keys().collect() {
                return Err(format!("user {user}: {items:?} instead of {:?}", expected.keys()));
            }
            for entry in &found {
                let sums = expected[&entry.item];
                sums.check(entry)
                    .map_err(|why| format!("user {user}: {why}: {entry:?} instead of {sums:?}"))?;
            }
        }
        Ok(())
    }

    /// Whether a view is what the first `m` of `steps` give, for every user of any of them.
    ///
    /// # Errors
    /// The first difference.
    pub(crate) fn matches_prefix(self, view: &View, steps: &[Step], m: usize) -> Result<(), String> {
        self.after(&steps[..m]).compare(view, &users_of(steps))
    }

    /// The number of first `steps` that give what a view knows, if it is in `range`; the largest, as some
    /// steps change nothing. Every state costs a comparison: keep the range short where the steps are many.
    pub(crate) fn matching_prefix(
        self,
        view: &View,
        steps: &[Step],
        range: RangeInclusive<usize>,
    ) -> Option<usize> {
        let users = users_of(steps);
        let mut state = self.after(&steps[..*range.start()]);
        let mut found = None;
        for m in range {
            if state.compare(view, &users).is_ok() {
                found = Some(m);
            }
            if let Some(step) = steps.get(m) {
                state.take(step);
            }
        }
        found
    }
}

/// Everybody who is named in any of `steps`.
pub(crate) fn users_of(steps: &[Step]) -> BTreeSet<UserId> {
    let of = |step: &Step| match step {
        Step::Event(event) => vec![event.user().clone()],
        Step::ForgetUser(user) => vec![user.clone()],
        Step::ForgetItem(_) => vec![],
        Step::MergeUsers { from, into } => vec![from.clone(), into.clone()],
    };
    steps.iter().flat_map(of).collect()
}

/// The default weigher's table, as its documentation has it, where no skip is [discounted](super::plain_music): preference and
/// confidence.
pub(crate) fn music(event: &Event) -> (f64, f64) {
    let fraction = match event.how_far() {
        Played::Fraction(fraction) => Some(fraction),
        // Rounded to the number that a host might have sent, so that both fall on one side of a bound.
        Played::Time(time) => Some(time.as_secs_f32() / TYPICAL_SECONDS),
        Played::Unknown => None,
    };
    let fraction = fraction.map(|fraction| f64::from(fraction.min(1.0)));
    let moved_on = |fraction: f64| (-0.5, 0.25 * (1.0 - fraction));
    let (Action::Do(kind) | Action::Undo(kind)) = event.action();
    match (kind, fraction) {
        (ActionKind::Listen, None) | (ActionKind::Custom(_), _) => (1.0, 1.0),
        (ActionKind::Listen, Some(fraction)) if fraction >= 0.5 => (1.0, fraction),
        // The bound is rounded like the fractions.
        (ActionKind::Listen, Some(fraction)) if fraction >= f64::from(0.3_f32) => (1.0, fraction / 2.0),
        (ActionKind::Skip, Some(fraction)) if fraction >= 0.5 => (1.0, fraction / 4.0),
        (ActionKind::Listen | ActionKind::Skip, fraction) => moved_on(fraction.unwrap_or(0.0)),
        (ActionKind::Like, _) => (1.0, 3.0),
        (ActionKind::Save, _) => (1.0, 4.0),
        (ActionKind::Dislike, _) => (-1.0, 2.0),
        (other, _) => panic!("a new kind of action: {other:?}"),
    }
}

impl Done {
    fn weight(&self) -> f64 {
        self.confidence * self.preference.abs().max(1.0)
    }

    /// Whether it can be taken back at any time.
    fn is_statement(&self) -> bool {
        matches!(self.kind, ActionKind::Like | ActionKind::Dislike | ActionKind::Save)
    }
}

impl Ever {
    fn join(&mut self, other: Self) {
        self.events += other.events;
        self.weight += other.weight;
        self.latest = self.latest.max(other.latest);
    }
}

impl User {
    /// The oldest recent events beyond the limit are recent no longer.
    fn age(&mut self) {
        let n_recent = self.done.iter().filter(|done| done.is_recent).count();
        let recent = self.done.iter_mut().filter(|done| done.is_recent);
        for done in recent.take(n_recent.saturating_sub(RECENT_EVENTS)) {
            done.is_recent = false;
            done.is_at_hand = done.is_statement();
        }
    }

    /// Takes back the newest such action; says whether there was one.
    fn undo(&mut self, item: &ItemId, kind: &ActionKind) -> bool {
        let is_it = |done: &Done| done.is_at_hand && done.item == *item && done.kind == *kind;
        let Some(at) = self.done.iter().rposition(is_it) else { return false };
        self.done.remove(at);
        if !self.done.iter().any(|done| done.item == *item) {
            self.ever.remove(item);
        }
        true
    }

    fn sums(&self, item: &ItemId) -> Sums {
        let ever = self.ever[item];
        let of_item: Vec<&Done> = self.done.iter().filter(|done| done.item == *item).collect();
        Sums {
            events: u32::try_from(of_item.len()).expect("few"),
            confidence: of_item.iter().map(|done| done.confidence).sum(),
            weighted_preference: of_item.iter().map(|done| done.confidence * done.preference).sum(),
            last_seen: (of_item.iter().map(|done| done.at).max().expect("it is in the history"), ever.latest),
            // Every addition rounds by at most half a step of the largest sum there was, and so does every
            // taking back; beside that the signals are f32, and the mean of the preferences is a quotient.
            tolerance: f64::from(2 * ever.events + 4) * f64::from(f32::EPSILON) * ever.weight,
        }
    }
}

impl Sums {
    fn check(self, entry: &HistoryEntry) -> Result<(), &'static str> {
        let near = |found: f64, expected: f64| (found - expected).abs() <= self.tolerance;
        let confidence = f64::from(entry.confidence);
        let (earliest, latest) = self.last_seen;
        match () {
            () if entry.events != self.events => Err("the number of events"),
            () if !near(confidence, self.confidence) => Err("the confidence"),
            () if !near(f64::from(entry.preference) * confidence, self.weighted_preference) => {
                Err("the preference")
            }
            () if !(earliest..=latest).contains(&entry.last_seen) => Err("when it was last seen"),
            () => Ok(()),
        }
    }
}
