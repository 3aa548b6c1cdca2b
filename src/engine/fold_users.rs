//! What was noted of users into what is published of them.

use std::sync::Arc;
use std::time::Instant;

use super::drafts::{Draft, NotedEvents};
use super::scribe::{Scribe, StateBytes, Written};
use super::writer::Writer;
use crate::guard::courtesy::{after_you, with_pauses};
use crate::kernel::AlignedVec;
use crate::model::{Solve, UserState};
use crate::storage::StorageFailure;
use crate::types::UserIdx;

/// From this many users on, the pool helps to solve them if the writer is not pausing. Fewer take some milliseconds, for which
/// no second core is taken from queries. Tests have fewer.
const MIN_USERS_TO_SHARE: usize = if cfg!(test) { 64 } else { 1_024 };
/// Users that one thread takes at a time, at least: enough to ask memory for one while another is at hand.
const MIN_USERS_OF_A_SHARE: usize = 16;
/// And at most: their histories should stay in a cache from being written to being solved.
const MAX_USERS_OF_A_SHARE: usize = 64;
/// Users of all shares together that are written before what they were and are is noted.
const USERS_OF_A_ROUND: usize = 16_384;
/// So many shares there should be, so that nobody waits for long for the last one.
const MIN_SHARES: usize = 64;
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
        let (drafts, events) = self.drafts.take();
        self.write_users(drafts, events);
    }

    /// Brings some of the users who changed during a sweep into its generation; says whether more remain.
    pub(super) fn refold_some(&mut self) -> bool {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before anything is solved anew");
        let first = self.to_refold.len().saturating_sub(REFOLDS_AT_ONCE);
        let users = self.to_refold.split_off(first);
        // Whoever did something since has been published with a vector of this generation, or was left to
        // the first who asks; so it does not matter to any byte when this is called.
        let (generation, published_at) = (self.generation.id, self.generation_published_at);
        self.refold_those(&users, |state| {
            state.seq <= published_at
                && state.folded.as_ref().is_none_or(|folded| folded.generation != generation)
        });
        !self.to_refold.is_empty()
    }

    /// Solves users anew against the present items, but for those whose rows no history gives.
    pub(super) fn refold(&mut self, users: &[UserIdx]) {
        self.refold_those(users, |_| true);
    }

    fn refold_those(&mut self, users: &[UserIdx], is_due: impl Fn(&UserState) -> bool) {
        let is_due = |user: UserIdx, state: &UserState| {
            is_due(state) && !self.generation.serves_foreign_row(user, state)
        };
        let due = self.shared.states(users, |_, _| {}).filter_map(|(user, state)| {
            after_you();
            state.is_some_and(|state| is_due(user, &state)).then(|| Draft::unchanged(user))
        });
        let due = due.collect();
        self.lap = Instant::now();
        self.write_users(due, NotedEvents::default());
    }

    /// Writes drafts, solves those that are to be solved now, and puts them where readers see them.
    fn write_users(&mut self, drafts: Vec<Draft>, events: NotedEvents) {
        if drafts.is_empty() {
            return;
        }
        if self.generation.users.is_some() {
            let n_solved = drafts.iter().filter(|draft| draft.solve == Solve::Now).count();
            self.meters.user_folds.add(n_solved as u64);
        }
        let scribe = Arc::new(Scribe {
            shared: Arc::clone(&self.shared),
            freeze: self.freeze.clone(),
            items: self.generation.items.load(),
            generation: Arc::clone(&self.generation),
            rules: self.writing_rules(),
            events,
        });
        // Their vectors are kept twice until they are noted, so not of all at once.
        let mut drafts = drafts.into_iter();
        while drafts.len() > 0 {
            let round: Vec<Draft> = drafts.by_ref().take(USERS_OF_A_ROUND).collect();
            let written = if round.len() < MIN_USERS_TO_SHARE {
                let shares = shares_of(round).into_iter();
                shares.map(|share| scribe.write_share(share, &mut self.scratch)).collect()
            } else {
                // Every user is written by themselves, so who writes them changes no byte.
                let scribe = Arc::clone(&scribe);
                self.crew.share(shares_of(round), move |scratch, drafts| scribe.write_share(drafts, scratch))
            };
            for part in with_pauses(&written, 1) {
                self.note_written(part);
            }
        }
        self.end_lap(|stages| &stages.fold_in);
    }

    /// Brings what is reckoned over all users in step with some who were written.
    fn note_written(&mut self, written: &Written) {
        self.index(&written.changes);
        self.note_bytes(written.was, written.is);
        if let Some(gramians) = &mut self.gramians {
            gramians.users_changed(&written.users, &written.before, &written.after);
        }
    }

    fn note_bytes(&mut self, was: StateBytes, is: StateBytes) {
        self.n_bytes = self.n_bytes + is.all - was.all;
        self.n_state_bytes = self.n_state_bytes + is.all - was.all;
        self.n_vector_bytes = self.n_vector_bytes + is.vectors - was.vectors;
    }

    /// Publishes a state without a vector, or takes the one there is away.
    pub(super) fn replace_state(&mut self, user: UserIdx, state: Option<UserState>) {
        let state = state.map(Arc::new);
        let is = state.as_deref().map(StateBytes::of).unwrap_or_default();
        let slot = self.shared.slot(user);
        let old = match &self.freeze {
            Some(freeze) => freeze.replace(user.get(), slot, state.clone()),
            None => slot.replace(state.clone()),
        };
        self.note_bytes(old.as_deref().map(StateBytes::of).unwrap_or_default(), is);
        if let Some(gramians) = &mut self.gramians {
            let zeros = AlignedVec::zeros(self.generation.items.load().rows.stride());
            // Without a state they are not in any sum: they had not come yet, or were forgotten.
            let at_hand = |state: Option<&Arc<UserState>>| {
                Some(AlignedVec::from(self.generation.vector_at_hand(user, state?)?))
            };
            let (had, has) = (at_hand(old.as_ref()), at_hand(state.as_ref()));
            gramians.users_changed(&[user], &had.unwrap_or_else(|| zeros.clone()), &has.unwrap_or(zeros));
        }
    }
}

/// What one thread takes at a time.
fn shares_of(drafts: Vec<Draft>) -> Vec<Vec<Draft>> {
    let size = (drafts.len() / MIN_SHARES).clamp(MIN_USERS_OF_A_SHARE, MAX_USERS_OF_A_SHARE);
    let mut drafts = drafts.into_iter();
    let take_share = || Some(drafts.by_ref().take(size).collect::<Vec<_>>());
    std::iter::from_fn(take_share).take_while(|share| !share.is_empty()).collect()
}
