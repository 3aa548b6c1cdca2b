//! The Gramians of both sides as they move between sweeps.

use std::collections::HashMap;
use std::sync::Arc;

use crate::als::Gramian;
use crate::kernel::SimdPath;
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
        let mut stale: Vec<_> = self.stale.drain().collect();
        // Sums of floats depend on their order; the map's is random.
        stale.sort_unstable_by_key(|&(user, _)| user);
        let new: Vec<_> = stale.iter().map(|&(user, _)| (user, shared.user(user))).collect();
        let n_factors = self.users.n_factors();
        self.users.add(&Gramian::of_rows(path, n_factors, rows(generation, &new)));
        self.users.subtract(&Gramian::of_rows(path, n_factors, rows(generation, &stale)));
        &self.users
    }

    /// Item rows were replaced: `old` by `new`.
    pub(super) fn replace_items<'a>(
        &mut self,
        path: SimdPath,
        old: impl Iterator<Item = &'a [f32]>,
        new: impl Iterator<Item = &'a [f32]>,
    ) {
        let n_factors = self.items.n_factors();
        self.items.add(&Gramian::of_rows(path, n_factors, new));
        self.items.subtract(&Gramian::of_rows(path, n_factors, old));
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
    states.iter().filter_map(|(user, state)| match state {
        Some(state) => generation.vector_at_hand(*user, state),
        None => generation.swept_row(*user),
    })
}
