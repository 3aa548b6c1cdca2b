//! What a host asks for that is no event: new items, forgetting, merging, noting how far a source was read.

use std::sync::Arc;

use super::drafts::WritingRules;
use super::handle::EngineError;
use super::writer::Writer;
use crate::journal::Record;
use crate::model::{Outcome, Refusal, Solve, UserState};
use crate::types::{EventSeq, ItemId, ItemIdx, MAX_ID_BYTES, UserId, UserIdx};

/// A change of what is known that takes its place among the events.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HostChange {
    ForgetUser(UserId),
    ForgetItem(ItemId),
    MergeUsers { from: UserId, into: UserId },
    SourceOffset { source: String, offset: u64 },
}

impl HostChange {
    /// That `source` was read up to `offset`; refused if the name is empty or too long to be journalled.
    pub(super) fn source_offset(source: String, offset: u64) -> Result<Self, EngineError> {
        match source.len() {
            1..=MAX_ID_BYTES => Ok(Self::SourceOffset { source, offset }),
            got => Err(EngineError::SourceName { got }),
        }
    }
}

impl Writer {
    /// Makes a change and publishes it; no draft may be open.
    pub(super) fn change(&mut self, change: HostChange) -> Outcome {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before anything else is changed");
        if let Err(refusal) = self.check_writable().and_then(|()| self.check_change(&change)) {
            return self.refuse(refusal);
        }
        self.log(|| Record::from(change.clone()));
        // Readers see it at once, so it is in the journal before.
        if self.commit_through(self.seq.next()).is_err() {
            return Outcome::StoreFailed;
        }
        let seq = self.perform_change(&change);
        self.show();
        if self.journal.is_none() && self.to_erase.take().is_some() {
            // There is nothing but memory to erase it from.
            self.erased.advance(seq);
        }
        Outcome::Applied(seq)
    }

    /// Whether anything refuses the change.
    pub(super) fn check_change(&self, change: &HostChange) -> Result<(), Refusal> {
        match change {
            HostChange::ForgetUser(user) => self.known_user(user).map(drop),
            HostChange::ForgetItem(item) => self.known_item(item).map(drop),
            HostChange::MergeUsers { from, into } if from == into => Err(Refusal::SameUser),
            // No journal could be read back that names them.
            HostChange::MergeUsers { into, .. } if !(1..=MAX_ID_BYTES).contains(&into.len_bytes()) => {
                Err(Refusal::UnusableUser)
            }
            HostChange::MergeUsers { from, into } => {
                self.known_user(from)?;
                self.find_user(into).map(drop)
            }
            HostChange::SourceOffset { .. } => Ok(()),
        }
    }

    /// Does what was checked: the same from a host and from the journal.
    pub(super) fn perform_change(&mut self, change: &HostChange) -> EventSeq {
        self.seq = self.seq.next();
        match change {
            HostChange::ForgetUser(user) => self.forget_user(user),
            HostChange::ForgetItem(item) => self.forget_item(item),
            HostChange::MergeUsers { from, into } => self.merge_users(from, into),
            HostChange::SourceOffset { source, offset } => self.perform_step(source, *offset),
        }
        self.seq
    }

    /// `source` has been read up to `offset`.
    pub(super) fn perform_step(&mut self, source: &str, offset: u64) {
        match self.source_offsets.get_mut(source) {
            Some(known) => *known = offset,
            None => drop(self.source_offsets.insert(source.to_owned(), offset)),
        }
        self.offsets_changed = true;
    }

    fn forget_user(&mut self, id: &UserId) {
        let Some(user) = self.remove_user(id) else { return };
        self.dedupe.forget_user(user);
        self.to_erase = Some(self.seq);
        self.last_user_forgotten = Some(self.seq);
        // It may have learned of them.
        self.model_before = None;
    }

    fn forget_item(&mut self, id: &ItemId) {
        let Some(item) = self.shared.item_ids.remove(id).map(ItemIdx::new) else { return };
        self.n_bytes -= id.len_bytes() as u64;
        for user in self.by_item.forget_item(item) {
            // Whoever asks solves for themselves: an item may have very many listeners.
            self.edit(user, Solve::OnRead, |state, _| state.forget_item(item));
        }
        self.skips.forget_item(item);
        self.items_to_fold.retain(|due| *due != item);
        self.unpublish_item(item);
        if self.training.is_some() {
            self.forgotten.items.push(item);
        }
        self.items_stale = true;
        self.to_erase = Some(self.seq);
    }

    fn merge_users(&mut self, from: &UserId, into: &UserId) {
        let Some((from_idx, theirs)) = self.known_user(from).ok() else { return };
        let into = match self.shared.user_ids.get(into) {
            Some(row) => UserIdx::new(row),
            None => self.add_user(into),
        };
        let absorb =
            |state: &mut UserState, rules: WritingRules| state.absorb(&theirs, rules.limits, rules.decay);
        let absorbed = self.edit(into, Solve::Now, absorb);
        for item in absorbed.new {
            self.by_item.add_listener(item, into);
        }
        for item in absorbed.evicted {
            self.by_item.remove_listener(item, into);
            self.meters.evicted_cells.add(1);
        }
        self.dedupe.give_to(from_idx, into);
        self.remove_user(from);
    }

    /// Takes a user out of everything but what a sweep has made of them.
    fn remove_user(&mut self, id: &UserId) -> Option<UserIdx> {
        let (user, state) = self.known_user(id).ok()?;
        for cell in state.history.cells() {
            self.by_item.remove_listener(cell.item(), user);
        }
        self.shared.user_ids.remove(id);
        self.replace_state(user, None);
        self.n_bytes -= id.len_bytes() as u64;
        if self.training.is_some() {
            self.forgotten.users.push(user);
        }
        self.items_stale = true;
        Some(user)
    }

    /// A user who has a published state.
    fn known_user(&self, id: &UserId) -> Result<(UserIdx, Arc<UserState>), Refusal> {
        let find = || {
            let user = UserIdx::new(self.shared.user_ids.get(id)?);
            Some((user, self.shared.user(user)?))
        };
        find().ok_or(Refusal::UnknownUser)
    }

    fn known_item(&self, id: &ItemId) -> Result<ItemIdx, Refusal> {
        self.shared.item_ids.get(id).map(ItemIdx::new).ok_or(Refusal::UnknownItem)
    }

    /// Gives rows to items nobody has listened to yet; says how many are new.
    pub(super) fn add_items(&mut self, ids: &[ItemId]) -> Result<usize, Refusal> {
        self.check_writable()?;
        let mut added = Vec::new();
        let mut outcome = Ok(());
        for id in ids {
            if self.shared.item_ids.get(id).is_none() {
                outcome = self.check_room_for_another_item();
                if outcome.is_err() {
                    break;
                }
                self.add_item(id);
                added.push(id.clone());
            }
        }
        let n_added = added.len();
        if n_added > 0 {
            self.log(|| Record::AddItems(added));
        }
        outcome.map(|()| n_added)
    }

    fn check_room_for_another_item(&self) -> Result<(), Refusal> {
        self.check_room_for_item()?;
        let max_bytes = self.settings.limits.max_bytes;
        if self.n_bytes_capped() >= max_bytes {
            Err(Refusal::TooManyBytes { limit: max_bytes })
        } else {
            Ok(())
        }
    }
}

impl From<HostChange> for Record {
    fn from(change: HostChange) -> Self {
        match change {
            HostChange::ForgetUser(user) => Self::ForgetUser(user),
            HostChange::ForgetItem(item) => Self::ForgetItem(item),
            HostChange::MergeUsers { from, into } => Self::MergeUsers { from, into },
            HostChange::SourceOffset { source, offset } => Self::SourceOffset { source, offset },
        }
    }
}
