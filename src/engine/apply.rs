//! Events into histories.

use super::writer::Writer;
use crate::guard::fenced;
use crate::ingest::{EventFacts, Interaction};
use crate::model::{Change, Fact, Outcome, RawEvent, Refusal, UserLimits, UserState};
use crate::types::{Action, ActionKind, EventSeq, ItemId, ItemIdx, Signal, UserId, UserIdx};

use super::builder::CatalogueMode;

/// A key's row, or the promise of one.
enum Row<I> {
    Known(I),
    /// Given out only once nothing can refuse the event any more.
    New,
}

impl Writer {
    /// Learns one event into a draft. Its effect is published by the next
    /// [`publish`](Self::publish).
    pub(super) fn apply(&mut self, interaction: &Interaction) -> Outcome {
        let key = interaction.event().idempotency_key();
        if key.is_some_and(|key| self.dedupe.contains(key)) {
            self.meters.duplicates.add(1);
            return Outcome::Duplicate;
        }
        let learned = match interaction.event().action() {
            Action::Do(kind) => self.learn(interaction, kind),
            Action::Undo(kind) => self.unlearn(interaction, kind),
        };
        match learned {
            Ok((user, seq)) => {
                if let Some(key) = key {
                    self.dedupe.insert(key, user);
                }
                self.meters.applied.add(1);
                Outcome::Applied(seq)
            }
            Err(refusal) => {
                self.meters.refuse(refusal);
                Outcome::Rejected(refusal)
            }
        }
    }

    fn learn(
        &mut self,
        interaction: &Interaction,
        kind: &ActionKind,
    ) -> Result<(UserIdx, EventSeq), Refusal> {
        let event = interaction.event();
        let user = self.find_user(event.user())?;
        let item = self.find_item(event.item())?;
        self.check_bytes(&user, &item)?;
        let signal = self.weigh(interaction, kind)?;
        let action = self.actions.code(kind).ok_or(Refusal::TooManyActionNames)?;

        // Nothing refuses the event from here on.
        let user = match user {
            Row::Known(user) => user,
            Row::New => self.add_user(event.user()),
        };
        let item = match item {
            Row::Known(item) => item,
            Row::New => self.add_item(event.item()),
        };
        let fact = Fact { item, at: interaction.at(), signal, day_part: interaction.day_part() };
        let raw = RawEvent { fact, action, is_statement: kind.is_statement() };
        let decay = self.settings.weighing.decay;
        let limits = self.user_limits();
        let change = self.drafts.edit(user, &self.shared).add(raw, limits, decay);
        self.index(user, item, change);
        self.by_item.grow(item, signal.confidence());
        self.stream_time = self.stream_time.max(interaction.at());
        Ok((user, self.stamp(user)))
    }

    fn unlearn(
        &mut self,
        interaction: &Interaction,
        kind: &ActionKind,
    ) -> Result<(UserIdx, EventSeq), Refusal> {
        let event = interaction.event();
        let user = self.shared.user_ids.get(event.user()).map(UserIdx::new).ok_or(Refusal::NothingToUndo)?;
        let item = self.shared.item_ids.get(event.item()).map(ItemIdx::new).ok_or(Refusal::NothingToUndo)?;
        let action = self.actions.known_code(kind).ok_or(Refusal::NothingToUndo)?;
        // Looked up before a draft is begun: publishing one solves the user anew.
        let can_undo = |state: &UserState| state.recent.holds(item, action);
        let has_it = match self.drafts.get(user) {
            Some(draft) => can_undo(draft),
            None => self.shared.user(user).is_some_and(|state| can_undo(&state)),
        };
        if !has_it {
            return Err(Refusal::NothingToUndo);
        }
        let decay = self.settings.weighing.decay;
        let draft = self.drafts.edit(user, &self.shared);
        let (fact, change) = draft.undo(item, action, decay).ok_or(Refusal::NothingToUndo)?;
        self.index(user, item, change);
        self.by_item.shrink(item, fact.signal.confidence());
        Ok((user, self.stamp(user)))
    }

    /// Gives the event its number and the user's draft the number of its last event.
    fn stamp(&mut self, user: UserIdx) -> EventSeq {
        self.seq = self.seq.next();
        self.items_stale = true;
        self.drafts.edit(user, &self.shared).seq = self.seq;
        self.seq
    }

    fn weigh(&self, interaction: &Interaction, kind: &ActionKind) -> Result<Signal, Refusal> {
        let facts = EventFacts::new(interaction.event(), kind, interaction.at());
        fenced(|| self.weigher.weigh(&facts)).map_err(|message| {
            self.meters.plugin_panicked("weigher", message);
            Refusal::WeigherPanicked
        })
    }

    /// Keeps the by-item index in step with a history.
    fn index(&mut self, user: UserIdx, item: ItemIdx, change: Change) {
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

    fn find_user(&self, id: &UserId) -> Result<Row<UserIdx>, Refusal> {
        let limit = self.settings.limits.max_users;
        match self.shared.user_ids.get(id) {
            Some(row) => Ok(Row::Known(UserIdx::new(row))),
            None if self.shared.user_ids.len() < limit => Ok(Row::New),
            None => Err(Refusal::TooManyUsers { limit }),
        }
    }

    fn find_item(&self, id: &ItemId) -> Result<Row<ItemIdx>, Refusal> {
        let limit = self.settings.limits.max_items;
        match (self.shared.item_ids.get(id), self.settings.catalogue) {
            (Some(row), _) => Ok(Row::Known(ItemIdx::new(row))),
            (None, CatalogueMode::Closed) => Err(Refusal::UnknownItem),
            (None, CatalogueMode::Open) if self.shared.item_ids.len() < limit => Ok(Row::New),
            (None, CatalogueMode::Open) => Err(Refusal::TooManyItems { limit }),
        }
    }

    /// Refuses what would grow an engine that is full; more plays of what is known are always taken.
    fn check_bytes(&self, user: &Row<UserIdx>, item: &Row<ItemIdx>) -> Result<(), Refusal> {
        let limit = self.settings.limits.max_bytes;
        if self.n_bytes < limit {
            return Ok(());
        }
        let has_cell = match (user, item) {
            (&Row::Known(user), &Row::Known(item)) => match self.drafts.get(user) {
                Some(draft) => draft.history.cell(item).is_some(),
                None => self.shared.user(user).is_some_and(|state| state.history.cell(item).is_some()),
            },
            _ => false,
        };
        if has_cell { Ok(()) } else { Err(Refusal::TooManyBytes { limit }) }
    }

    fn add_user(&mut self, id: &UserId) -> UserIdx {
        self.n_bytes += n_bytes_of_id(id.len_bytes());
        UserIdx::new(self.shared.user_ids.insert(id))
    }

    /// Gives an item its row. Readers see it with the next item batch.
    pub(super) fn add_item(&mut self, id: &ItemId) -> ItemIdx {
        let row_bytes = self.generation.items.load().rows.stride() * size_of::<f32>();
        self.n_bytes += n_bytes_of_id(id.len_bytes()) + row_bytes as u64;
        let item = ItemIdx::new(self.shared.item_ids.insert(id));
        self.by_item.grow_to(self.shared.item_ids.len() as usize);
        self.items_stale = true;
        item
    }

    /// Gives rows to items nobody has listened to yet; says how many are new.
    pub(super) fn add_items(&mut self, ids: &[ItemId]) -> Result<usize, Refusal> {
        let limit = self.settings.limits.max_items;
        let mut added = 0;
        for id in ids {
            if self.shared.item_ids.get(id).is_none() {
                if self.shared.item_ids.len() >= limit {
                    return Err(Refusal::TooManyItems { limit });
                }
                let limit = self.settings.limits.max_bytes;
                if self.n_bytes >= limit {
                    return Err(Refusal::TooManyBytes { limit });
                }
                self.add_item(id);
                added += 1;
            }
        }
        Ok(added)
    }

    pub(super) fn user_limits(&self) -> UserLimits {
        let limits = &self.settings.limits;
        UserLimits { max_history: limits.max_history, recent_events: limits.recent_events }
    }
}

/// Bytes an id takes: in the map, in the list of keys, and its text.
fn n_bytes_of_id(len_bytes: usize) -> u64 {
    const FIXED: usize = 64;
    (FIXED + len_bytes) as u64
}
