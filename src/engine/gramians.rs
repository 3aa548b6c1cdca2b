//! The Gramians of both sides as they move between sweeps.

use std::collections::HashMap;

use crate::als::Gramian;
use crate::checkpoint::RunningGramians;
use crate::kernel::{AlignedVec, SimdPath, prefetch, stride_of};
use crate::types::UserIdx;

/// The running Gramian of the users, which item fold-ins are solved against, and that of the items, whose
/// movement a sweep policy is told.
#[derive(Debug)]
pub(super) struct Gramians {
    users: Gramian,
    items: Gramian,
    items_at_sweep: Gramian,
    items_moved: f64,
    /// Users changed since `users` was brought up to date. Doing that once an item batch, rather than once an event,
    /// costs a user one pass however many events they had.
    changed: ChangedUsers,
}

/// The vectors of users who have changed, before and after, side by side: the states they were in lie anywhere in memory.
#[derive(Debug, Default)]
struct ChangedUsers {
    places: HashMap<UserIdx, usize, foldhash::fast::RandomState>,
    users: Vec<UserIdx>,
    /// The vector of each that the Gramian has in it; zeros for none.
    before: Vec<f32>,
    /// The present one.
    after: Vec<f32>,
}

impl Gramians {
    /// As a sweep left them.
    pub(super) fn new(users: Gramian, items: Gramian) -> Self {
        let changed = ChangedUsers::default();
        Self { users, items_at_sweep: items.clone(), items, items_moved: 0.0, changed }
    }

    /// `users` have other vectors than they had: one after the other, zeros for none.
    pub(super) fn users_changed(&mut self, users: &[UserIdx], had: &[f32], have: &[f32]) {
        let stride = stride_of(self.users.n_factors());
        let ChangedUsers { places, users: changed, before, after } = &mut self.changed;
        let vectors = had.chunks_exact(stride).zip(have.chunks_exact(stride));
        for (&user, (had, has)) in users.iter().zip(vectors) {
            let place = *places.entry(user).or_insert(changed.len());
            if place == changed.len() {
                changed.push(user);
                before.extend_from_slice(had);
                after.extend_from_slice(has);
            } else {
                after[place * stride..(place + 1) * stride].copy_from_slice(has);
            }
        }
    }

    /// Users whose vectors have changed since the Gramian was brought up to date.
    pub(super) fn n_changed(&self) -> usize {
        self.changed.users.len()
    }

    /// The users' Gramian with all that is published.
    pub(super) fn users(&mut self, path: SimdPath) -> &Gramian {
        self.settle(path);
        &self.users
    }

    /// Brings the users' Gramian up to date. When this is called matters to its last bits.
    pub(super) fn settle(&mut self, path: SimdPath) {
        if self.changed.users.is_empty() {
            return;
        }
        let changed = std::mem::take(&mut self.changed);
        // Sums of floats depend on their order; that of publication is not the replay's.
        let mut order: Vec<(UserIdx, usize)> = changed.users.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let n_factors = self.users.n_factors();
        self.users.add(&Gramian::of_rows(path, n_factors, in_order(&order, &changed.after)));
        self.users.subtract(&Gramian::of_rows(path, n_factors, in_order(&order, &changed.before)));
    }

    /// The sums as they are; everything was [settled](Self::settle) before.
    pub(super) fn to_parts(&self) -> RunningGramians {
        debug_assert!(self.changed.users.is_empty(), "a checkpoint settles what is stale");
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
        Self { users, items, items_at_sweep, items_moved, changed: ChangedUsers::default() }
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

/// The rows of `rows` at the places in `order`, in that order.
fn in_order<'a>(order: &'a [(UserIdx, usize)], rows: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
    /// How many rows before its turn a row is asked of memory.
    const AHEAD: usize = 8;
    let stride = rows.len() / order.len();
    let row = move |place: usize| &rows[place * stride..(place + 1) * stride];
    order.iter().enumerate().map(move |(at, &(_, place))| {
        if let Some(&(_, later)) = order.get(at + AHEAD) {
            prefetch(row(later));
        }
        row(place)
    })
}
