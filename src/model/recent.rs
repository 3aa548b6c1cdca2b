//! A user's latest events as they came: what undo takes back and sessions are made of.

use std::collections::VecDeque;

use super::history::Fact;
use crate::kernel::prefetch;
use crate::types::{ActionKind, ActionName, DayPart, ItemIdx, Signal, Timestamp};

/// How many action names of the host's own an engine tells apart.
const MAX_ACTION_NAMES: usize = 1_024;

/// Events that there may be room for beyond a quarter more than there are, so that few of them move the others.
const SPARE_EVENTS: usize = 4;

/// A kind of action as a small number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActionCode(u16);

impl ActionCode {
    /// The number.
    pub(crate) fn get(self) -> u16 {
        self.0
    }
}

/// Numbers for the kinds of actions, the host's own included.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActionNames {
    custom: Vec<ActionName>,
}

impl ActionNames {
    /// Codes of the kinds that every engine knows.
    const BUILT_IN: usize = 5;

    /// The code of `kind`, given to it if it has none; `None` if it is one more name than an engine tells
    /// apart.
    pub(crate) fn code(&mut self, kind: &ActionKind) -> Option<ActionCode> {
        if let ActionKind::Custom(name) = kind
            && !self.custom.contains(name)
            && self.custom.len() < MAX_ACTION_NAMES
        {
            self.custom.push(name.clone());
        }
        self.known_code(kind)
    }

    /// Whether `kind` has a code or can be given one.
    pub(crate) fn can_code(&self, kind: &ActionKind) -> bool {
        self.custom.len() < MAX_ACTION_NAMES || self.known_code(kind).is_some()
    }

    /// The code of `kind`, if it has one.
    pub(crate) fn known_code(&self, kind: &ActionKind) -> Option<ActionCode> {
        let code = match kind {
            ActionKind::Listen => 0,
            ActionKind::Skip => 1,
            ActionKind::Like => 2,
            ActionKind::Dislike => 3,
            ActionKind::Save => 4,
            ActionKind::Custom(name) => {
                Self::BUILT_IN + self.custom.iter().position(|other| other == name)?
            }
        };
        Some(ActionCode(u16::try_from(code).expect("a thousand names fit")))
    }

    /// The names of the host's own, in the order of their codes.
    pub(crate) fn custom(&self) -> &[ActionName] {
        &self.custom
    }

    /// The names that a store has kept; `None` if one is there twice or they are too many.
    pub(crate) fn from_custom(names: impl IntoIterator<Item = ActionName>) -> Option<Self> {
        let mut custom = Vec::new();
        for name in names {
            if custom.contains(&name) || custom.len() == MAX_ACTION_NAMES {
                return None;
            }
            custom.push(name);
        }
        Some(Self { custom })
    }

    /// The code of number `code`, if it has been given to a kind.
    pub(crate) fn code_of_number(&self, code: u16) -> Option<ActionCode> {
        (usize::from(code) < Self::BUILT_IN + self.custom.len()).then_some(ActionCode(code))
    }
}

/// One event of a user as it was learned. Flat, as a [`Fact`] inside would bring its padding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RawEvent {
    item: ItemIdx,
    at: Timestamp,
    signal: Signal,
    day_part: DayPart,
    action: ActionCode,
    is_statement: bool,
}

impl RawEvent {
    /// `is_statement` says that it stands until it is taken back (a like), rather than happening (a listen).
    pub(crate) fn new(fact: Fact, action: ActionCode, is_statement: bool) -> Self {
        let Fact { item, at, signal, day_part } = fact;
        Self { item, at, signal, day_part, action, is_statement }
    }

    /// The event as a history sees it.
    pub(crate) fn fact(&self) -> Fact {
        Fact { item: self.item, at: self.at, signal: self.signal, day_part: self.day_part }
    }

    pub(crate) fn item(&self) -> ItemIdx {
        self.item
    }

    pub(crate) fn action(&self) -> ActionCode {
        self.action
    }

    /// Whether it stands until it is taken back.
    pub(crate) fn is_statement(&self) -> bool {
        self.is_statement
    }
}

/// The latest events, and the older ones that still stand.
///
/// Whoever takes back a like may do so long after the like has left the ring, so statements move to a
/// list of their own instead of being forgotten; that list is as long as a history may be.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Recent {
    ring: VecDeque<RawEvent>,
    standing: VecDeque<RawEvent>,
}

impl Recent {
    /// Adds the newest event. The oldest beyond `ring_limit` is forgotten, or moved to the standing ones,
    /// of which the oldest beyond `standing_limit` is forgotten.
    pub(super) fn push(&mut self, event: RawEvent, ring_limit: usize, standing_limit: usize) {
        push(&mut self.ring, event);
        self.forget_beyond(ring_limit, standing_limit);
    }

    /// Adds what another user did, in order of time.
    pub(super) fn absorb(&mut self, other: &Self, ring_limit: usize, standing_limit: usize) {
        for (own, others) in [(&mut self.ring, &other.ring), (&mut self.standing, &other.standing)] {
            own.extend(others);
            // Stable: where times are equal, one's own come first.
            own.make_contiguous().sort_by_key(|event| event.at);
        }
        self.forget_beyond(ring_limit, standing_limit);
    }

    /// Asks memory for the place behind the latest event, where the next one goes.
    pub(super) fn prefetch_last(&self) {
        let (front, back) = self.ring.as_slices();
        let latest = if back.is_empty() { front } else { back };
        prefetch(&latest[latest.len().saturating_sub(1)..]);
    }

    /// Gives memory back before the events are published, if much is left over.
    pub(super) fn shrink(&mut self) {
        for events in [&mut self.ring, &mut self.standing] {
            if events.capacity() > events.len() + events.len() / 2 + 2 * SPARE_EVENTS {
                events.shrink_to(events.len() + SPARE_EVENTS);
            }
        }
    }

    fn forget_beyond(&mut self, ring_limit: usize, standing_limit: usize) {
        while self.ring.len() > ring_limit {
            if let Some(oldest) = self.ring.pop_front().filter(|oldest| oldest.is_statement) {
                push(&mut self.standing, oldest);
            }
        }
        while self.standing.len() > standing_limit {
            self.standing.pop_front();
        }
    }

    /// Whether there is an event of this action on this item to take back.
    pub(crate) fn holds(&self, item: ItemIdx, action: ActionCode) -> bool {
        let mut all = self.ring.iter().chain(&self.standing);
        all.any(|event| event.item == item && event.action == action)
    }

    /// Takes out the newest event of this action on this item.
    pub(super) fn take_newest(&mut self, item: ItemIdx, action: ActionCode) -> Option<RawEvent> {
        [&mut self.ring, &mut self.standing].into_iter().find_map(|events| {
            let at = events.iter().rposition(|event| event.item == item && event.action == action)?;
            events.remove(at)
        })
    }

    /// Forgets what was done with an item whose cell was evicted: it can no longer be taken back.
    pub(super) fn forget_item(&mut self, item: ItemIdx) {
        self.ring.retain(|event| event.item != item);
        self.standing.retain(|event| event.item != item);
    }

    /// What was done with `item`, oldest first, as far as it is still at hand.
    pub(super) fn of_item(&self, item: ItemIdx) -> impl Iterator<Item = Fact> + Clone + '_ {
        let all = self.standing.iter().chain(&self.ring);
        all.map(RawEvent::fact).filter(move |fact| fact.item == item)
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len() + self.standing.len()
    }

    /// The latest events, oldest first.
    pub(crate) fn ring(&self) -> &VecDeque<RawEvent> {
        &self.ring
    }

    /// The older events that still stand, oldest first.
    pub(crate) fn standing(&self) -> &VecDeque<RawEvent> {
        &self.standing
    }

    /// What a store has kept.
    pub(crate) fn from_parts(ring: Vec<RawEvent>, standing: Vec<RawEvent>) -> Self {
        Self { ring: ring.into(), standing: standing.into() }
    }
}

/// Adds an event behind the others. Not what `push_back` does, which doubles the memory.
fn push(events: &mut VecDeque<RawEvent>, event: RawEvent) {
    if events.len() == events.capacity() {
        events.reserve_exact(events.len() / 4 + SPARE_EVENTS);
    }
    events.push_back(event);
}
