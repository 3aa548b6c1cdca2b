//! Events into histories and histories into vectors, where readers see them: a share of the users at a time, on any thread.

use std::sync::Arc;

use super::drafts::{CellChange, Draft, NotedEvents, WritingRules};
use crate::kernel::AlignedVec;
use crate::model::{FoldScratch, Folded, Generation, ItemSide, Shared, Solve, UserState};
use crate::publish::Freeze;
use crate::types::UserIdx;

/// How many users before their turn the parts of one are asked of memory: of a hundred thousand few are in a cache.
const AHEAD: usize = 8;
/// A user of more events is written in a copy: readers wait while one is written where it lies.
const MAX_IN_PLACE: u32 = 64;

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
    pub(super) fn write(&self, drafts: Vec<Draft>, scratch: &mut WritingScratch) -> Written {
        let mut written =
            Written { users: drafts.iter().map(|draft| draft.user).collect(), ..Written::default() };
        let solves: Vec<Solve> = drafts.iter().map(|draft| draft.solve).collect();
        // Each step needs what the step before has asked for.
        written.users.iter().for_each(|&user| self.shared.ask_for_slot(user));
        written.users.iter().for_each(|&user| self.shared.ask_for_state(user));
        let vectors: Vec<AlignedVec> = drafts
            .into_iter()
            .enumerate()
            .map(|(at, draft)| {
                if let Some(&later) = written.users.get(at + AHEAD) {
                    self.shared.look(later, UserState::prefetch);
                }
                self.learn(draft, &mut written)
            })
            .collect();
        for ((at, vector), solve) in vectors.into_iter().enumerate().zip(solves) {
            let (user, next) = (written.users[at], written.users.get(at + 1));
            match solve {
                Solve::Now => self.solve(user, next.copied(), vector, scratch, &mut written),
                Solve::OnRead => written.has(self.generation.swept_row(user), self.stride()),
            }
        }
        written
    }

    /// Learns the events of a user; gives the vector that they had, for its memory.
    fn learn(&self, mut draft: Draft, written: &mut Written) -> AlignedVec {
        let (user, stride) = (draft.user, self.stride());
        let slot = self.shared.slot(user);
        if draft.is_in_writing() || draft.n_noted() > MAX_IN_PLACE || slot.is_empty() {
            let old = slot.load();
            draft.write(&self.events, old.as_deref(), self.rules, &mut written.changes);
            let mut state = draft.into_state();
            state.shrink();
            written.is.add(&state);
            self.put(user, Arc::new(state));
            let before = old.as_deref().and_then(|old| self.generation.vector_at_hand(user, old));
            written.had(before, stride);
            if let Some(old) = &old {
                written.was.add(old);
            }
            return AlignedVec::default();
        }
        self.change(user, |state| {
            written.was.add(state);
            written.had(self.generation.vector_at_hand(user, state), stride);
            let old = state.folded.take();
            draft.learn(&self.events, state, self.rules, &mut written.changes);
            state.shrink();
            written.is.add(state);
            old.map_or_else(AlignedVec::default, |folded| folded.vector)
        })
    }

    /// Solves `user`, whose vector goes into the memory of `vector`; `next` is solved after them.
    fn solve(
        &self,
        user: UserIdx,
        next: Option<UserIdx>,
        mut vector: AlignedVec,
        scratch: &mut WritingScratch,
        written: &mut Written,
    ) {
        let Some(side) = &self.generation.users else { return };
        let WritingScratch { fold, vector: solution } = scratch;
        // A copy of the pointer would keep the state from being changed where it lies; a look does not.
        self.shared.look(user, |state| {
            let mut solve = |next: Option<&UserState>| {
                let (history, next) = (&state.history, next.map(|next| &next.history));
                side.fold_in_to(history, next, self.generation.as_of, &self.items.rows, fold, solution);
            };
            match next {
                Some(next) => self.shared.look(next, |next| solve(Some(next))),
                None => solve(None),
            }
        });
        written.has(Some(solution), self.stride());
        if vector.len() != solution.len() {
            vector = AlignedVec::zeros(solution.len());
        }
        vector.copy_from_slice(solution);
        let n_bytes = size_of_val::<[f32]>(&vector) as u64;
        written.is.all += n_bytes;
        written.is.vectors += n_bytes;
        self.change(user, |state| state.folded = Some(Folded { generation: self.generation.id, vector }));
    }

    /// Changes the published state of a user who has one.
    fn change<R>(&self, user: UserIdx, change: impl FnOnce(&mut UserState) -> R) -> R {
        let slot = self.shared.slot(user);
        let changed = match &self.freeze {
            Some(freeze) => freeze.change(user.get(), slot, UserState::draft, change),
            None => slot.change(UserState::draft, change),
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
    fn had(&mut self, vector: Option<&[f32]>, stride: usize) {
        push(&mut self.before, vector, stride);
    }

    fn has(&mut self, vector: Option<&[f32]>, stride: usize) {
        push(&mut self.after, vector, stride);
    }
}

/// Adds `vector`, or zeros, to others.
fn push(vectors: &mut Vec<f32>, vector: Option<&[f32]>, stride: usize) {
    match vector {
        Some(vector) => vectors.extend_from_slice(vector),
        None => vectors.resize(vectors.len() + stride, 0.0),
    }
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
}
