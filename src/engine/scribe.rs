//! Events into histories and histories into vectors, where readers see them: a share of the users at a time, on any thread.

use std::sync::Arc;

use super::drafts::{CellChange, Draft, NotedEvents, WritingRules};
use crate::guard::courtesy::with_pauses;
use crate::kernel::AlignedVec;
use crate::model::{FoldScratch, Folded, Generation, ItemSide, Shared, Solve, UserSide, UserState};
use crate::publish::Freeze;
use crate::types::UserIdx;

/// How many users before their turn the parts of one are asked of memory: of a hundred thousand few are in a cache.
const AHEAD: usize = 8;
/// Cells times events that are worked off where a state lies, as readers of it wait meanwhile: some ten microseconds. What is
/// more is written in a copy.
const MAX_IN_PLACE: usize = 8_192;

/// Writes users. The threads that do so together never write the same one.
#[derive(Debug)]
pub(super) struct Scribe {
    pub(super) shared: Arc<Shared>,
    pub(super) freeze: Option<Arc<Freeze<UserState>>>,
    pub(super) generation: Arc<Generation>,
    pub(super) items: Arc<ItemSide>,
    pub(super) events: NotedEvents,
    pub(super) rules: WritingRules,
}

/// What has become of a share of users.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) users: Vec<UserIdx>,
    /// Floats of a vector.
    stride: usize,
    /// The vectors that they had, one after the other; zeros for none.
    pub(super) before: Vec<f32>,
    /// Those that they have.
    pub(super) after: Vec<f32>,
    pub(super) changes: Vec<CellChange>,
    /// Memory that their states took, and that they take.
    pub(super) was: StateBytes,
    pub(super) is: StateBytes,
}

/// Memory of states, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StateBytes {
    pub(super) all: u64,
    /// Those of `all` that vectors take.
    pub(super) vectors: u64,
}

/// What one thread needs to write users one after the other.
#[derive(Debug, Default)]
pub(super) struct WritingScratch {
    fold: FoldScratch,
    vector: AlignedVec,
}

impl Scribe {
    /// Writes a share of users: learns their events, then solves them. In between, whoever asks for one of them solves for
    /// themselves, as a vector beside a history always knows all of it.
    pub(super) fn write_share(&self, drafts: Vec<Draft>, scratch: &mut WritingScratch) -> Written {
        let mut written = Written::of(drafts.iter().map(|draft| draft.user).collect(), self.stride());
        let solves: Vec<Solve> = drafts.iter().map(|draft| draft.solve).collect();
        // Each step needs what the step before has asked for.
        written.users.iter().for_each(|&user| self.shared.ask_for_slot(user));
        written.users.iter().for_each(|&user| self.shared.ask_for_state(user));
        for &first in written.users.iter().take(AHEAD) {
            self.shared.look(first, UserState::prefetch);
        }
        let mut learned = Vec::with_capacity(drafts.len());
        for (place, draft) in with_pauses(drafts.into_iter().enumerate(), 1) {
            if let Some(&later) = written.users.get(place + AHEAD) {
                self.shared.look(later, UserState::prefetch);
            }
            learned.push(draft.has_changed().then(|| self.learn(place, draft, &mut written)));
        }
        for ((place, learned), solve) in with_pauses(learned.into_iter().enumerate().zip(solves), 1) {
            match (solve, &self.generation.users) {
                (Solve::Now, Some(side)) => self.solve(place, side, learned, scratch, &mut written),
                (Solve::OnRead, _) | (_, None) => {
                    let user = written.users[place];
                    written.has(place, self.generation.swept_row(user));
                }
            }
        }
        written
    }

    /// Learns the events of a user; gives the vector that they had, for its memory.
    fn learn(&self, place: usize, mut draft: Draft, written: &mut Written) -> AlignedVec {
        let user = draft.user;
        if !draft.is_in_writing() && self.may_write_in_place(&draft) {
            return self.change(user, |state| {
                written.was.add(state);
                written.had(place, self.generation.vector_at_hand(user, state));
                let vector = state.folded.take();
                draft.learn(&self.events, state, self.rules, &mut written.changes);
                state.shrink();
                written.is.add(state);
                vector.map_or_else(AlignedVec::default, |folded| folded.vector)
            });
        }
        let old = self.shared.user(user);
        let mut state = draft.into_state(&self.events, old.as_deref(), self.rules, &mut written.changes);
        state.shrink();
        written.is.add(&state);
        self.put(user, Arc::new(state));
        if let Some(old) = &old {
            written.was.add(old);
            written.had(place, self.generation.vector_at_hand(user, old));
        }
        AlignedVec::default()
    }

    /// Whether there is a state, and no reader of it would wait for long.
    fn may_write_in_place(&self, draft: &Draft) -> bool {
        let mut is_short = false;
        self.shared.look(draft.user, |state| {
            is_short = state.history.cells().len() * draft.n_noted() <= MAX_IN_PLACE;
        });
        is_short
    }

    /// Solves a user, who has `learned` something and had this vector before, or nothing and still has it.
    fn solve(
        &self,
        place: usize,
        side: &UserSide,
        learned: Option<AlignedVec>,
        scratch: &mut WritingScratch,
        written: &mut Written,
    ) {
        let WritingScratch { fold, vector: solution } = scratch;
        let user = written.users[place];
        // Not under a lock. Whoever holds them keeps them from being changed where they lie, so not for longer than needed.
        let state = self.shared.user(user).expect("nobody else takes a state away");
        let next = written.users.get(place + 1).and_then(|&next| self.shared.user(next));
        let next = next.as_ref().map(|next| &next.history);
        side.fold_in_to(&state.history, next, self.generation.as_of, &self.items.rows, fold, solution);
        drop(state);
        written.has(place, Some(solution));
        self.change(user, |state| {
            let has_learned = learned.is_some();
            if !has_learned {
                written.was.add(state);
                written.had(place, self.generation.vector_at_hand(user, state));
            }
            let without = StateBytes::of(state);
            let vector = learned.or_else(|| state.folded.take().map(|folded| folded.vector));
            let vector = filled(vector.unwrap_or_default(), solution);
            state.folded = Some(Folded { generation: self.generation.id, vector });
            written.is.add(state);
            if has_learned {
                written.is.subtract(without);
            }
        });
    }

    /// Changes the published state of a user who has one.
    fn change<R>(&self, user: UserIdx, change: impl FnOnce(&mut UserState) -> R) -> R {
        let slot = self.shared.slot(user);
        let changed = match &self.freeze {
            Some(freeze) => freeze.change(user.get(), slot, change),
            None => slot.change(change),
        };
        changed.expect("nobody else takes a state away")
    }

    /// Puts `state` in the place of whatever there is.
    fn put(&self, user: UserIdx, state: Arc<UserState>) {
        let slot = self.shared.slot(user);
        drop(match &self.freeze {
            Some(freeze) => freeze.replace(user.get(), slot, state),
            None => slot.replace(state),
        });
    }

    /// Floats of a vector; 0 as long as nobody has one.
    fn stride(&self) -> usize {
        self.generation.users.as_ref().map_or(0, |_| self.items.rows.stride())
    }
}

impl Written {
    /// Nothing yet of these users.
    fn of(users: Vec<UserIdx>, stride: usize) -> Self {
        let zeros = vec![0.0; users.len() * stride];
        Self { users, stride, before: zeros.clone(), after: zeros, ..Self::default() }
    }

    fn had(&mut self, place: usize, vector: Option<&[f32]>) {
        put_row(&mut self.before, place, self.stride, vector);
    }

    fn has(&mut self, place: usize, vector: Option<&[f32]>) {
        put_row(&mut self.after, place, self.stride, vector);
    }
}

/// Puts `vector`, if there is one, among zeros.
fn put_row(rows: &mut [f32], place: usize, stride: usize, vector: Option<&[f32]>) {
    if let Some(vector) = vector {
        rows[place * stride..(place + 1) * stride].copy_from_slice(vector);
    }
}

/// `values` in the memory of `vector`.
fn filled(mut vector: AlignedVec, values: &[f32]) -> AlignedVec {
    if vector.len() != values.len() {
        vector = AlignedVec::zeros(values.len());
    }
    vector.copy_from_slice(values);
    vector
}

impl StateBytes {
    pub(super) fn of(state: &UserState) -> Self {
        Self { all: state.n_bytes() as u64, vectors: state.n_vector_bytes() as u64 }
    }

    fn add(&mut self, state: &UserState) {
        let Self { all, vectors } = Self::of(state);
        self.all += all;
        self.vectors += vectors;
    }

    fn subtract(&mut self, part: Self) {
        self.all -= part.all;
        self.vectors -= part.vectors;
    }
}
