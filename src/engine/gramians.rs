//! The Gramians of both sides as they move between sweeps.

use std::collections::HashMap;
use std::sync::Arc;

use crate::als::Gramian;
use crate::checkpoint::RunningGramians;
use crate::kernel::{AlignedVec, SimdPath};
use crate::model::{Generation, Shared, UserState};
use crate::types::UserIdx;

/// The running Gramian of the users, which item fold-ins are solved against, and that of the items, whose
/// movement a sweep policy is told.
#[derive(Debug)]
pub(super) struct Gramians {
    users: Gramian,
    items: Gramian,
    items_at_sweep: Gramian,
    items_moved: f64,
    /// Users changed since `users` was brought up to date, with the state it still has in it. Bringing it
    /// up to date once an item batch, rather than once an event, costs a user one pass however many
    /// events they had.
    stale: HashMap<UserIdx, Option<Arc<UserState>>, foldhash::fast::RandomState>,
}

impl Gramians {
    /// As a sweep left them.
    pub(super) fn new(users: Gramian, items: Gramian) -> Self {
        Self { users, items_at_sweep: items.clone(), items, items_moved: 0.0, stale: HashMap::default() }
    }

    /// A user's state is about to be replaced; `old` is the one before. Only the first call counts until
    /// the Gramian is brought up to date.
    pub(super) fn touch(&mut self, user: UserIdx, old: Option<&Arc<UserState>>) {
        self.stale.entry(user).or_insert_with(|| old.cloned());
    }

    /// The users' Gramian with all that is published.
    pub(super) fn users(&mut self, generation: &Generation, shared: &Shared, path: SimdPath) -> &Gramian {
        self.settle(generation, shared, path);
        &self.users
    }

    /// Brings the users' Gramian up to date. When this is called matters to its last bits.
    pub(super) fn settle(&mut self, generation: &Generation, shared: &Shared, path: SimdPath) {
        let mut stale: Vec<_> = self.stale.drain().collect();
        // Sums of floats depend on their order; the map's is random.
        stale.sort_unstable_by_key(|&(user, _)| user);
        let new: Vec<_> = stale.iter().map(|&(user, _)| (user, shared.user(user))).collect();
        let n_factors = self.users.n_factors();
        self.users.add(&Gramian::of_rows(path, n_factors, rows(generation, &new)));
        self.users.subtract(&Gramian::of_rows(path, n_factors, rows(generation, &stale)));
    }

    /// The sums as they are; everything was [settled](Self::settle) before.
    pub(super) fn to_parts(&self) -> RunningGramians {
        debug_assert!(self.stale.is_empty(), "a checkpoint settles what is stale");
        RunningGramians {
            users: self.users.clone(),
            items: self.items.clone(),
            items_at_sweep: self.items_at_sweep.clone(),
            items_moved: self.items_moved,
        }
    }

    /// From what [`to_parts`](Self::to_parts) gave.
    pub(super) fn from_parts(parts: RunningGramians) -> Self {
        let RunningGramians { users, items, items_at_sweep, items_moved } = parts;
        Self { users, items, items_at_sweep, items_moved, stale: HashMap::default() }
    }

    /// Item rows were replaced: `old` by `new`.
    pub(super) fn replace_items(&mut self, path: SimdPath, old: &[AlignedVec], new: &[AlignedVec]) {
        let n_factors = self.items.n_factors();
        let gramian_of =
            |rows: &[AlignedVec]| Gramian::of_rows(path, n_factors, rows.iter().map(|row| &**row));
        self.items.add(&gramian_of(new));
        self.items.subtract(&gramian_of(old));
        // Once a batch: a policy is asked far more often.
        self.items_moved =
            self.items.distance(&self.items_at_sweep) / self.items_at_sweep.norm().max(f64::MIN_POSITIVE);
    }

    /// How far the items' Gramian has moved since the sweep, relative to its size.
    pub(super) fn items_moved(&self) -> f64 {
        self.items_moved
    }
}

/// The vectors that `states` have in `generation`, as the Gramian counts them.
fn rows<'a>(
    generation: &'a Generation,
    states: &'a [(UserIdx, Option<Arc<UserState>>)],
) -> impl Iterator<Item = &'a [f32]> {
    // Without a state they are not there: they had not come yet, or were forgotten.
    states.iter().filter_map(|(user, state)| generation.vector_at_hand(*user, state.as_deref()?))
}
