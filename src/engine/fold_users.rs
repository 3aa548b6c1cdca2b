//! Histories into published vectors.

use std::sync::Arc;
use std::time::Instant;

use super::drafts::Draft;
use super::writer::Writer;
use crate::model::{FoldScratch, Folded, Generation, History, ItemSide, Solve, UserState};
use crate::storage::StorageFailure;
use crate::types::UserIdx;

/// From this many users on, the pool helps to solve them; below, waking it would take longer.
const MIN_USERS_TO_SHARE: usize = 64;
/// Users that one thread takes at a time.
const USERS_OF_A_SHARE: usize = 16;
/// How many users before their turn one is looked at, for each of three steps from the row to what freeing the old state
/// needs.
const AHEAD: usize = 8;
/// Users brought into a new generation between two batches of events: a few milliseconds' work.
const REFOLDS_AT_ONCE: usize = 512;

impl Writer {
    /// Brings every draft into the journal, publishes it, and moves the watermark. If the journal fails the
    /// engine is read-only from then on, and nothing of the drafts is published.
    pub(super) fn publish(&mut self) -> Result<(), StorageFailure> {
        // INVARIANT: in the journal first. What nobody can see yet may still be lost.
        let n_events = std::mem::take(&mut self.events_in_batch);
        let _entered = tracing::trace_span!(target: "segue::publish", "publish", n_events).entered();
        if n_events > 0 {
            self.end_lap(|stages| &stages.apply);
        }
        self.commit()?;
        if n_events > 0 && self.journal.is_some() {
            self.end_lap(|stages| &stages.journal);
        }
        self.meters.applied.add(n_events);
        self.show();
        if n_events > 0 {
            self.end_lap(|stages| &stages.publish);
        }
        Ok(())
    }

    /// Publishes what the journal has.
    pub(super) fn show(&mut self) {
        self.publish_drafts();
        self.publish_offsets();
        self.shared.applied.advance(self.seq);
    }

    /// Publishes every draft: those that are to be solved now, with a vector.
    pub(super) fn publish_drafts(&mut self) {
        let (solved, unsolved): (Vec<_>, Vec<_>) =
            self.drafts.take().into_iter().partition(|draft| draft.solve == Solve::Now);
        for Draft { user, state, .. } in unsolved {
            self.store(user, state);
        }
        self.fold_and_store(solved.into_iter().map(|Draft { user, state, .. }| (user, state)).collect());
    }

    /// Brings some of the users who changed during a sweep into its generation; says whether more remain.
    pub(super) fn refold_some(&mut self) -> bool {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before anything is solved anew");
        let first = self.to_refold.len().saturating_sub(REFOLDS_AT_ONCE);
        let users = self.to_refold.split_off(first);
        // Whoever did something since has been published with a vector of this generation, or was left to
        // the first who asks; so it does not matter to any byte when this is called.
        let (generation, published_at) = (self.generation.id, self.generation_published_at);
        let is_stale = |user: UserIdx, state: &UserState| {
            state.seq <= published_at
                && state.folded.as_ref().is_none_or(|folded| folded.generation != generation)
                && !self.generation.serves_foreign_row(user, state)
        };
        let stale: Vec<_> = users
            .into_iter()
            .filter_map(|user| Some((user, self.shared.user(user).filter(|state| is_stale(user, state))?)))
            .map(|(user, state)| (user, state.without_vector()))
            .collect();
        self.lap = Instant::now();
        self.fold_and_store(stale);
        !self.to_refold.is_empty()
    }

    /// Solves users anew against the present items, but for those whose rows no history gives.
    pub(super) fn refold(&mut self, users: &[UserIdx]) {
        let states = users
            .iter()
            .filter_map(|&user| Some((user, self.shared.user(user)?)))
            .filter(|(user, state)| !self.generation.serves_foreign_row(*user, state))
            .map(|(user, state)| (user, state.without_vector()))
            .collect();
        self.lap = Instant::now();
        self.fold_and_store(states);
    }

    fn fold_and_store(&mut self, mut states: Vec<(UserIdx, UserState)>) {
        if states.is_empty() {
            return;
        }
        let items = self.generation.items.load();
        if self.generation.users.is_some() {
            self.meters.user_folds.add(states.len() as u64);
            if states.len() < MIN_USERS_TO_SHARE {
                for (_, state) in &mut states {
                    fold(&self.generation, &items, state, None, &mut self.scratch);
                }
            } else {
                states = self.fold_with_crew(states, items);
            }
            self.end_lap(|stages| &stages.fold_in);
        }
        let users: Vec<UserIdx> = states.iter().map(|&(user, _)| user).collect();
        for (at, (user, state)) in states.into_iter().enumerate() {
            if let Some(&user) = users.get(at + 3 * AHEAD) {
                self.shared.ask_for_slot(user);
            }
            if let Some(&user) = users.get(at + 2 * AHEAD) {
                self.shared.ask_for_state(user);
            }
            if let Some(&user) = users.get(at + AHEAD) {
                self.shared.look(user, UserState::prefetch_to_replace);
            }
            self.store(user, state);
        }
    }

    /// Every user is solved by themselves, so who solves them changes no byte.
    fn fold_with_crew(
        &self,
        states: Vec<(UserIdx, UserState)>,
        items: Arc<ItemSide>,
    ) -> Vec<(UserIdx, UserState)> {
        let mut states = states.into_iter();
        let take_share = || Some(states.by_ref().take(USERS_OF_A_SHARE).collect::<Vec<_>>());
        let shares = std::iter::from_fn(take_share).take_while(|share| !share.is_empty()).collect();
        let generation = Arc::clone(&self.generation);
        let folded = self.crew.share(shares, move |scratch, mut share| {
            for at in 0..share.len() {
                if let Some((_, later)) = share.get(at + 2) {
                    later.history.prefetch();
                }
                let (now, later) = share[at..].split_at_mut(1);
                let next = later.first().map(|(_, state)| &state.history);
                fold(&generation, &items, &mut now[0].1, next, scratch);
            }
            share
        });
        folded.into_iter().flatten().collect()
    }

    /// Replaces a user's published state.
    pub(super) fn store(&mut self, user: UserIdx, mut state: UserState) {
        state.shrink();
        self.n_bytes += state.n_bytes() as u64;
        self.n_state_bytes += state.n_bytes() as u64;
        self.n_vector_bytes += state.n_vector_bytes() as u64;
        self.replace_state(user, Some(Arc::new(state)));
    }

    /// Puts `state` where readers see it, or nothing.
    pub(super) fn replace_state(&mut self, user: UserIdx, state: Option<Arc<UserState>>) {
        // Without a state they are not in any sum: they had not come yet, or were forgotten.
        let after = state.as_deref().and_then(|state| self.generation.vector_at_hand(user, state));
        let is_first = self.gramians.as_mut().is_some_and(|gramians| gramians.user_gets(user, after));
        let slot = self.shared.slot(user);
        let old = match &self.freeze {
            Some(freeze) => freeze.replace(user.get(), slot, state),
            None => slot.replace(state),
        };
        if let Some(old) = &old {
            self.n_bytes -= old.n_bytes() as u64;
            self.n_state_bytes -= old.n_bytes() as u64;
            self.n_vector_bytes -= old.n_vector_bytes() as u64;
        }
        if is_first
            && let (Some(gramians), Some(old)) = (&mut self.gramians, &old)
            && let Some(before) = self.generation.vector_at_hand(user, old)
        {
            gramians.user_had(before);
        }
        // After unlocking, and unless a reader holds it.
        if let Some(old) = old {
            self.drafts.recycle(old);
        }
    }
}

/// Solves `state`, by somebody who is going to solve `next` after it.
fn fold(
    generation: &Generation,
    items: &ItemSide,
    state: &mut UserState,
    next: Option<&History>,
    scratch: &mut FoldScratch,
) {
    let Some(side) = &generation.users else { return };
    let vector = side.fold_in_before(&state.history, next, generation.as_of, &items.rows, scratch);
    state.folded = Some(Folded { generation: generation.id, vector });
}
