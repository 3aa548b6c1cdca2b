//! Events, accepted or refused, and noted.

use std::time::Instant;

use super::builder::CatalogueMode;
use super::drafts::{CellChange, WritingRules};
use super::queue::RowsAtSending;
use super::writer::Writer;
use crate::ingest::{EventFacts, Interaction};
use crate::journal::Record;
use crate::kernel::stride_of;
use crate::model::{Fact, Outcome, RawEvent, Refusal, Solve, UserLimits, UserState};
use crate::types::{Action, ActionKind, Context, EventSeq, ItemId, ItemIdx, Signal, UserId, UserIdx};

/// Events noted at most before they are written into their histories: far more come only where nobody publishes.
const MAX_NOTED: usize = 1 << 18;

/// A key's row, or the promise of one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Row<I> {
    Known(I),
    /// Given out only once nothing can refuse the event any more.
    New,
}

/// An event that nothing refuses any more.
#[derive(Debug)]
pub(super) struct Accepted {
    user: Row<UserIdx>,
    item: Row<ItemIdx>,
    /// `None` for the taking back of an action: what is taken back is what the action was given.
    signal: Option<Signal>,
}

impl Writer {
    /// Notes one event, which the next [`publish`](Self::publish) writes into the history of its user.
    pub(super) fn apply(&mut self, interaction: &Interaction, rows: RowsAtSending, solve: Solve) -> Outcome {
        self.apply_step(interaction, rows, solve, None)
    }

    /// As [`apply`](Self::apply), for an event with which a source has been read up to an offset: that goes into the journal
    /// with the event, or neither does.
    pub(super) fn apply_step(
        &mut self,
        interaction: &Interaction,
        rows: RowsAtSending,
        solve: Solve,
        step: Option<(&str, u64)>,
    ) -> Outcome {
        if self.events_in_batch == 0 {
            self.lap = Instant::now();
        }
        if let Err(refusal) = self.check_writable() {
            return self.refuse(refusal);
        }
        let key = interaction.event().idempotency_key();
        if key.is_some_and(|key| self.dedupe.contains(key)) {
            self.meters.duplicates.add(1);
            return Outcome::Duplicate;
        }
        match self.accept(interaction, rows) {
            Ok(accepted) => {
                if let Some((source, offset)) = step {
                    self.log(|| Record::SourceStep { source: source.to_owned(), offset });
                }
                self.log_event(interaction, accepted.signal, solve);
                self.events_in_batch += 1;
                let seq = self.perform(interaction, &accepted, solve);
                if let Some((source, offset)) = step {
                    self.perform_step(source, offset);
                }
                Outcome::Applied(seq)
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> Outcome {
        self.meters.refuse(refusal);
        Outcome::Rejected(refusal)
    }

    /// Whether anything refuses the event; asks the weigher. Changes nothing that anybody sees.
    fn accept(&mut self, interaction: &Interaction, rows: RowsAtSending) -> Result<Accepted, Refusal> {
        let event = interaction.event();
        match event.action() {
            Action::Do(kind) => {
                let user = match rows.user.filter(|&row| self.shared.user_ids.has_key(row)) {
                    Some(row) => Row::Known(UserIdx::new(row)),
                    None => self.find_user(event.user())?,
                };
                let item = match rows.item.filter(|&row| self.shared.item_ids.has_key(row)) {
                    Some(row) => Row::Known(ItemIdx::new(row)),
                    None => self.find_item(event.item())?,
                };
                self.check_bytes(user, item)?;
                let signal = self.weigh(interaction, kind, item)?;
                self.check_action(kind)?;
                Ok(Accepted { user, item, signal: Some(signal) })
            }
            Action::Undo(kind) => self.accept_undo(event.user(), event.item(), kind),
        }
    }

    /// As [`accept`](Self::accept), for an event of the journal: it was accepted before, with `signal`, so no
    /// limit of today's and no weigher is asked. Refuses only what no journal of this crate's can hold.
    pub(super) fn accept_again(
        &mut self,
        interaction: &Interaction,
        signal: Option<Signal>,
    ) -> Result<Accepted, Refusal> {
        let event = interaction.event();
        match (event.action(), signal) {
            (Action::Do(kind), Some(signal)) => {
                self.check_action(kind)?;
                let user = match self.shared.user_ids.get(event.user()) {
                    Some(row) => Row::Known(UserIdx::new(row)),
                    None => self.room_for_user()?,
                };
                let item = match self.shared.item_ids.get(event.item()) {
                    Some(row) => Row::Known(ItemIdx::new(row)),
                    None => self.room_for_item()?,
                };
                Ok(Accepted { user, item, signal: Some(signal) })
            }
            (Action::Undo(kind), None) => self.accept_undo(event.user(), event.item(), kind),
            (Action::Do(_), None) | (Action::Undo(_), Some(_)) => Err(Refusal::NothingToUndo),
        }
    }

    fn accept_undo(&mut self, user: &UserId, item: &ItemId, kind: &ActionKind) -> Result<Accepted, Refusal> {
        let mut find = || {
            let user = UserIdx::new(self.shared.user_ids.get(user)?);
            let item = ItemIdx::new(self.shared.item_ids.get(item)?);
            let action = self.actions.known_code(kind)?;
            // Looked up before it is edited: publishing a draft solves the user anew.
            let has_it = self.look_at(user, |state| state.recent.holds(item, action));
            has_it.then_some(Accepted { user: Row::Known(user), item: Row::Known(item), signal: None })
        };
        find().ok_or(Refusal::NothingToUndo)
    }

    /// Whether `look` says so of the user's state as it is by now; false if there is none.
    fn look_at(&mut self, user: UserIdx, look: impl FnOnce(&UserState) -> bool) -> bool {
        if !self.drafts.contains(user) {
            return self.shared.user(user).is_some_and(|state| look(&state));
        }
        let (rules, mut changes) = (self.writing_rules(), Vec::new());
        let holds =
            self.drafts.written(user, &self.shared, rules, &mut changes).is_some_and(|state| look(state));
        self.index(&changes);
        holds
    }

    /// Does what was accepted: the same from a sender and from the journal.
    pub(super) fn perform(
        &mut self,
        interaction: &Interaction,
        accepted: &Accepted,
        solve: Solve,
    ) -> EventSeq {
        let event = interaction.event();
        let user = match accepted.user {
            Row::Known(user) => user,
            Row::New => self.add_user(event.user()),
        };
        let item = match accepted.item {
            Row::Known(item) => item,
            Row::New => self.add_item(event.item()),
        };
        if let Some(key) = event.idempotency_key() {
            self.dedupe.insert(key, user);
        }
        self.seq = self.seq.next();
        self.items_stale = true;
        match (event.action(), accepted.signal) {
            (Action::Do(kind), Some(signal)) => self.learn(interaction, (user, item), kind, signal, solve),
            (Action::Do(kind) | Action::Undo(kind), _) => {
                self.unlearn(interaction, (user, item), kind, solve);
            }
        }
        self.seq
    }

    fn learn(
        &mut self,
        interaction: &Interaction,
        (user, item): (UserIdx, ItemIdx),
        kind: &ActionKind,
        signal: Signal,
        solve: Solve,
    ) {
        let action = self.actions.code(kind).expect("an accepted event has a known action");
        let fact = Fact { item, at: interaction.at(), signal, day_part: interaction.day_part() };
        let raw = RawEvent::new(fact, action, kind.is_statement());
        self.drafts.note(user, raw, self.seq, solve);
        if self.drafts.n_noted() >= MAX_NOTED {
            self.write_drafts();
        }
        self.by_item.grow(item, signal.confidence());
        self.skips.add(item, kind, interaction.day_part(), event_context(interaction));
        self.stream_time = self.stream_time.max(interaction.at());
    }

    fn unlearn(
        &mut self,
        interaction: &Interaction,
        (user, item): (UserIdx, ItemIdx),
        kind: &ActionKind,
        solve: Solve,
    ) {
        let action = self.actions.known_code(kind).expect("an accepted undo has a known action");
        let undone = self.edit(user, solve, |state, rules| state.undo(item, action, rules.decay));
        let (fact, change) = undone.expect("an accepted undo has something to take back");
        self.index(&[CellChange { user, item, change }]);
        self.by_item.shrink(item, fact.signal.confidence());
        // The part of the day is that of the action; on which device it was, only the host remembers.
        self.skips.take_back(item, kind, fact.day_part, event_context(interaction));
    }

    /// Changes a user by something other than an event that adds to what is known of them; the event or change has its
    /// number already.
    pub(super) fn edit<R>(
        &mut self,
        user: UserIdx,
        solve: Solve,
        edit: impl FnOnce(&mut UserState, WritingRules) -> R,
    ) -> R {
        let (rules, mut changes) = (self.writing_rules(), Vec::new());
        let done = edit(self.drafts.edit(user, self.seq, solve, &self.shared, rules, &mut changes), rules);
        self.index(&changes);
        done
    }

    /// Brings every event that was noted into its history.
    fn write_drafts(&mut self) {
        let (rules, mut changes) = (self.writing_rules(), Vec::new());
        self.drafts.write_all(&self.shared, rules, &mut changes);
        self.index(&changes);
    }

    fn weigh(
        &self,
        interaction: &Interaction,
        kind: &ActionKind,
        item: Row<ItemIdx>,
    ) -> Result<Signal, Refusal> {
        let item = match item {
            Row::Known(item) => Some(item),
            Row::New => None,
        };
        let rates = self.skips.rates(item, interaction.day_part(), event_context(interaction));
        let facts = EventFacts::new(interaction.event(), kind, interaction.at(), rates);
        self.watches.weigher.call_often(|| self.weigher.weigh(&facts)).ok_or(Refusal::WeigherPanicked)
    }

    /// Keeps the index by item in step with histories.
    pub(super) fn index(&mut self, changes: &[CellChange]) {
        for &CellChange { user, item, change } in changes {
            if change.new_cell {
                self.by_item.add_listener(item, user);
            }
            if change.cell_gone {
                self.by_item.remove_listener(item, user);
            }
            if let Some(evicted) = change.evicted {
                self.by_item.remove_listener(evicted, user);
                self.meters.evicted_cells.add(1);
            }
        }
    }

    fn check_action(&self, kind: &ActionKind) -> Result<(), Refusal> {
        if self.actions.can_code(kind) { Ok(()) } else { Err(Refusal::TooManyActionNames) }
    }

    pub(super) fn find_user(&self, id: &UserId) -> Result<Row<UserIdx>, Refusal> {
        match self.shared.user_ids.get(id) {
            Some(row) => Ok(Row::Known(UserIdx::new(row))),
            None => self.room_for_user(),
        }
    }

    fn room_for_user<I>(&self) -> Result<Row<I>, Refusal> {
        let limit = self.settings.limits.max_users;
        if self.shared.user_ids.len() < limit { Ok(Row::New) } else { Err(Refusal::TooManyUsers { limit }) }
    }

    fn find_item(&self, id: &ItemId) -> Result<Row<ItemIdx>, Refusal> {
        match (self.shared.item_ids.get(id), self.settings.catalogue) {
            (Some(row), _) => Ok(Row::Known(ItemIdx::new(row))),
            (None, CatalogueMode::Closed) => Err(Refusal::UnknownItem),
            (None, CatalogueMode::Open) => self.room_for_item(),
        }
    }

    fn room_for_item<I>(&self) -> Result<Row<I>, Refusal> {
        self.check_room_for_item().map(|()| Row::New)
    }

    /// Whether there is a row left, whatever it weighs.
    pub(super) fn check_room_for_item(&self) -> Result<(), Refusal> {
        let limit = self.settings.limits.max_items;
        if self.shared.item_ids.len() < limit { Ok(()) } else { Err(Refusal::TooManyItems { limit }) }
    }

    /// Refuses what would grow an engine that is full; more plays of what is known are always taken.
    fn check_bytes(&mut self, user: Row<UserIdx>, item: Row<ItemIdx>) -> Result<(), Refusal> {
        let limit = self.settings.limits.max_bytes;
        if self.n_bytes_capped() < limit {
            return Ok(());
        }
        let has_cell = match (user, item) {
            (Row::Known(user), Row::Known(item)) => {
                self.look_at(user, |state| state.history.cell(item).is_some())
            }
            _ => false,
        };
        if has_cell { Ok(()) } else { Err(Refusal::TooManyBytes { limit }) }
    }

    pub(super) fn add_user(&mut self, id: &UserId) -> UserIdx {
        self.n_bytes += n_bytes_of_id(id.len_bytes());
        UserIdx::new(self.shared.user_ids.insert(id))
    }

    /// Gives an item its row. Readers see it with the next item batch.
    pub(super) fn add_item(&mut self, id: &ItemId) -> ItemIdx {
        self.n_bytes += n_bytes_of_id(id.len_bytes());
        let item = ItemIdx::new(self.shared.item_ids.insert(id));
        self.by_item.grow_to(self.shared.item_ids.len() as usize);
        self.items_stale = true;
        item
    }

    /// What the cap is held against.
    pub(super) fn n_bytes_capped(&self) -> u64 {
        self.n_bytes + self.n_bytes_of_item_rows()
    }

    /// Bytes of the items' vectors, which are as long as those of the model in use.
    pub(super) fn n_bytes_of_item_rows(&self) -> u64 {
        u64::from(self.shared.item_ids.len()) * self.n_bytes_of_item_row()
    }

    fn n_bytes_of_item_row(&self) -> u64 {
        n_bytes_of_row(self.generation.n_factors().unwrap_or(self.n_factors_to_come()))
    }

    /// What histories are written by.
    pub(super) fn writing_rules(&self) -> WritingRules {
        let learning = &self.settings.learning;
        WritingRules {
            limits: UserLimits { max_history: learning.max_history, recent_events: learning.recent_events },
            decay: learning.weighing.decay,
        }
    }
}

fn event_context(interaction: &Interaction) -> Option<&Context> {
    interaction.event().circumstances()
}

/// Bytes of a vector.
pub(super) fn n_bytes_of_row(n_factors: usize) -> u64 {
    (stride_of(n_factors) * size_of::<f32>()) as u64
}

/// Bytes an id takes: in the map, in the list of keys, and its text.
pub(super) fn n_bytes_of_id(len_bytes: usize) -> u64 {
    const FIXED: usize = 64;
    (FIXED + len_bytes) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::ManualEngine;
    use crate::ingest::Admission;
    use crate::types::Event;

    /// Applies `event` as if its ids had had `rows` when it was sent.
    fn apply_with(
        engine: &mut ManualEngine,
        admission: &Admission,
        event: Event,
        rows: RowsAtSending,
    ) -> Outcome {
        let interaction = admission.admit(event).expect("well formed");
        engine.writer.apply(&interaction, rows, Solve::Now)
    }

    #[test]
    fn ids_forgotten_on_the_way_through_the_queue_come_back_as_new_ones() {
        let mut engine = ManualEngine::builder().open_manual().expect("usable settings");
        let admission = engine.admission.clone();
        let play = || Event::listen("ana", "portishead");
        engine.apply(play()).expect("well formed");
        engine.apply(Event::listen("ben", "tricky")).expect("well formed");
        engine.pump();
        let shared = Arc::clone(&engine.writer.shared);
        let rows = RowsAtSending {
            user: shared.user_ids.get(&"ana".into()),
            item: shared.item_ids.get(&"portishead".into()),
        };
        assert_eq!((rows.user, rows.item), (Some(0), Some(0)));
        assert!(matches!(apply_with(&mut engine, &admission, play(), rows), Outcome::Applied(_)));
        engine.pump();
        assert_eq!(shared.user_ids.len(), 2, "the rows were right");

        engine.forget_user("ana");
        engine.forget_item("portishead");
        assert!(matches!(apply_with(&mut engine, &admission, play(), rows), Outcome::Applied(_)));
        engine.pump();
        assert_eq!(shared.user_ids.get(&"ana".into()), Some(2));
        assert_eq!(shared.item_ids.get(&"portishead".into()), Some(2));
        let history = engine.reader().view().user("ana").history();
        assert_eq!(history.iter().map(|entry| entry.events).collect::<Vec<_>>(), [1]);
    }
}
