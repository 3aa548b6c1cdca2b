//! Users changed since the last publication.
//!
//! An event is only noted here, for it may come in the midst of a hundred thousand others; whoever solves its user learns it
//! just before, when the history is at hand.

use std::collections::HashMap;

use crate::model::{Change, Decay, RawEvent, Shared, Solve, UserLimits, UserState};
use crate::types::{EventSeq, ItemIdx, UserIdx};

/// What histories are written by.
#[derive(Debug, Clone, Copy)]
pub(super) struct WritingRules {
    pub(super) limits: UserLimits,
    pub(super) decay: Decay,
}

/// What became of a user's cell of an item, for the index by item.
#[derive(Debug, Clone, Copy)]
pub(super) struct CellChange {
    pub(super) user: UserIdx,
    pub(super) item: ItemIdx,
    pub(super) change: Change,
}

/// A user who has changed.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) user: UserIdx,
    /// What the latest change asked for.
    pub(super) solve: Solve,
    /// The latest change.
    seq: EventSeq,
    /// The state but for the events noted; `None` if that is what is published.
    state: Option<Box<UserState>>,
    /// The first and the last event noted.
    noted: Option<(u32, u32)>,
    n_noted: u32,
}

/// The events of all drafts, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct NotedEvents(Vec<Noted>);

#[derive(Debug)]
struct Noted {
    event: RawEvent,
    /// The next event of the same user, if this is not the last.
    next: u32,
}

/// The users being written, in order of first change.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    users: Vec<Draft>,
    position: HashMap<UserIdx, u32, foldhash::fast::RandomState>,
    events: NotedEvents,
}

impl Draft {
    /// Of a user of whom nothing but the vector is to change.
    pub(super) fn unchanged(user: UserIdx) -> Self {
        Self { user, solve: Solve::Now, seq: EventSeq::ZERO, state: None, noted: None, n_noted: 0 }
    }

    /// Whether more than events has changed.
    pub(super) fn is_in_writing(&self) -> bool {
        self.state.is_some()
    }

    /// Whether anything but the vector is to change.
    pub(super) fn has_changed(&self) -> bool {
        self.is_in_writing() || self.noted.is_some()
    }

    /// How many events are noted.
    pub(super) fn n_noted(&self) -> usize {
        self.n_noted as usize
    }

    /// Writes the noted events into `state`, which is what it begins from; what that does to cells is added to `changes`.
    pub(super) fn learn(
        &mut self,
        events: &NotedEvents,
        state: &mut UserState,
        rules: WritingRules,
        changes: &mut Vec<CellChange>,
    ) {
        self.n_noted = 0;
        for event in events.of(self.noted.take()) {
            let change = state.add(event, rules.limits, rules.decay);
            if change != Change::default() {
                changes.push(CellChange { user: self.user, item: event.item(), change });
            }
        }
        state.seq = state.seq.max(self.seq);
    }

    /// Writes the noted events into a state of its own, begun, if it was not, from what is `published`.
    pub(super) fn write(
        &mut self,
        events: &NotedEvents,
        published: Option<&UserState>,
        rules: WritingRules,
        changes: &mut Vec<CellChange>,
    ) -> &mut UserState {
        let begin = || Box::new(published.map(UserState::draft).unwrap_or_default());
        let mut state = self.state.take().unwrap_or_else(begin);
        self.learn(events, &mut state, rules, changes);
        self.state.insert(state)
    }

    /// The state with every event in it, as [`write`](Self::write).
    pub(super) fn into_state(
        mut self,
        events: &NotedEvents,
        published: Option<&UserState>,
        rules: WritingRules,
        changes: &mut Vec<CellChange>,
    ) -> UserState {
        self.write(events, published, rules, changes);
        self.state.map(|state| *state).unwrap_or_default()
    }
}

impl NotedEvents {
    /// Those of one user, from the first to the last.
    fn of(&self, ends: Option<(u32, u32)>) -> impl Iterator<Item = RawEvent> {
        let mut next = ends.map(|(first, _)| first);
        std::iter::from_fn(move || {
            let at = next?;
            let noted = &self.0[at as usize];
            next = ends.filter(|&(_, last)| at != last).map(|_| noted.next);
            Some(noted.event)
        })
    }
}

impl Drafts {
    /// How many users are being written.
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// How many events were noted since the last publication.
    pub(super) fn n_noted(&self) -> usize {
        self.events.0.len()
    }

    /// Whether `user` is being written.
    pub(super) fn contains(&self, user: UserIdx) -> bool {
        self.position.contains_key(&user)
    }

    /// Notes an event, number `seq`, of `user`.
    pub(super) fn note(&mut self, user: UserIdx, event: RawEvent, seq: EventSeq, solve: Solve) {
        let place = u32::try_from(self.events.0.len()).expect("far fewer are noted before they are written");
        self.events.0.push(Noted { event, next: place });
        let draft = self.of(user, seq, solve);
        let before = draft.noted.map(|(_, last)| last);
        draft.n_noted += 1;
        draft.noted = Some((draft.noted.map_or(place, |(first, _)| first), place));
        if let Some(last) = before {
            self.events.0[last as usize].next = place;
        }
    }

    /// The state of `user` with every event in it, to be changed by number `seq`.
    pub(super) fn edit(
        &mut self,
        user: UserIdx,
        seq: EventSeq,
        solve: Solve,
        shared: &Shared,
        rules: WritingRules,
        changes: &mut Vec<CellChange>,
    ) -> &mut UserState {
        self.of(user, seq, solve);
        self.written(user, shared, rules, changes).expect("it was begun just now")
    }

    /// The state of `user` with every event in it, if they are being written.
    pub(super) fn written(
        &mut self,
        user: UserIdx,
        shared: &Shared,
        rules: WritingRules,
        changes: &mut Vec<CellChange>,
    ) -> Option<&mut UserState> {
        let at = *self.position.get(&user)?;
        let draft = &mut self.users[at as usize];
        let published = if draft.is_in_writing() { None } else { shared.user(user) };
        Some(draft.write(&self.events, published.as_deref(), rules, changes))
    }

    /// Writes every event that was noted, so that nothing but the states takes memory.
    pub(super) fn write_all(&mut self, shared: &Shared, rules: WritingRules, changes: &mut Vec<CellChange>) {
        for at in 0..self.users.len() {
            let user = self.users[at].user;
            self.written(user, shared, rules, changes);
        }
        self.events = NotedEvents::default();
    }

    /// All drafts, and the events that are to be [written](Draft::write) into them.
    pub(super) fn take(&mut self) -> (Vec<Draft>, NotedEvents) {
        if self.users.is_empty() {
            return (Vec::new(), NotedEvents::default());
        }
        if self.position.capacity() > 8 * self.users.len().max(1_024) {
            // Clearing it takes as long as it is large, which the next may not need.
            self.position = HashMap::default();
        }
        self.position.clear();
        // The next batch is likely to be like this one.
        let users = Vec::with_capacity(self.users.len());
        let events = NotedEvents(Vec::with_capacity(self.events.0.len()));
        (std::mem::replace(&mut self.users, users), std::mem::replace(&mut self.events, events))
    }

    /// The draft of `user`, changed by number `seq`.
    fn of(&mut self, user: UserIdx, seq: EventSeq, solve: Solve) -> &mut Draft {
        let at = *self.position.entry(user).or_insert_with(|| {
            self.users.push(Draft { user, solve, seq, state: None, noted: None, n_noted: 0 });
            u32::try_from(self.users.len() - 1).expect("users are capped at u32")
        });
        let draft = &mut self.users[at as usize];
        (draft.solve, draft.seq) = (solve, seq);
        draft
    }
}
