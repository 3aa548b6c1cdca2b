//! The Gramians of both sides as they move between sweeps.

use std::collections::HashMap;

use crate::als::Gramian;
use crate::checkpoint::RunningGramians;
use crate::guard::courtesy::with_pauses;
use crate::kernel::{AlignedVec, SimdPath, prefetch, stride_of};
use crate::types::UserIdx;

/// Changed users of whom the vectors lie together.
const BLOCK_USERS: usize = 256;
/// Blocks whose memory is kept for the next changes: 2 MB with 64 factors.
const BLOCKS_KEPT: usize = 16;
/// Rows between two looks at the clock.
const ROWS_A_LOOK: usize = 128;

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
    /// By place, in blocks of so many that none has to move when there are more. There may be more blocks than needed.
    blocks: Vec<Block>,
}

/// The vectors of [`BLOCK_USERS`] users, one after the other.
#[derive(Debug)]
struct Block {
    /// Those that the Gramian has in it; zeros for none.
    before: AlignedVec,
    /// The present ones.
    after: AlignedVec,
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
        let ChangedUsers { places, users: changed, blocks } = &mut self.changed;
        let vectors = had.chunks_exact(stride).zip(have.chunks_exact(stride));
        for (&user, (had, has)) in users.iter().zip(vectors) {
            let place = *places.entry(user).or_insert(changed.len());
            if place / BLOCK_USERS == blocks.len() {
                let zeros = || AlignedVec::zeros(BLOCK_USERS * stride);
                blocks.push(Block { before: zeros(), after: zeros() });
            }
            let block = &mut blocks[place / BLOCK_USERS];
            let row = place % BLOCK_USERS * stride..(place % BLOCK_USERS + 1) * stride;
            if place == changed.len() {
                changed.push(user);
                block.before[row.clone()].copy_from_slice(had);
            }
            block.after[row].copy_from_slice(has);
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
        let ChangedUsers { places, users, blocks } = &mut self.changed;
        places.clear();
        // Sums of floats depend on their order; that of publication is not the replay's. One word a user sorts faster than two.
        let mut order: Vec<u64> = users.drain(..).zip(0..).map(|(user, place)| key_of(user, place)).collect();
        order.sort_unstable();
        let n_factors = self.users.n_factors();
        let gramian_of = |vectors: fn(&Block) -> &AlignedVec| {
            Gramian::of_rows(path, n_factors, in_order(&order, blocks, vectors))
        };
        self.users.add(&gramian_of(|block| &block.after));
        self.users.subtract(&gramian_of(|block| &block.before));
        blocks.truncate(BLOCKS_KEPT);
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
        let gramian_of = |rows: &[AlignedVec]| {
            Gramian::of_rows(path, n_factors, with_pauses(rows.iter().map(|row| &**row), ROWS_A_LOOK))
        };
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

/// A user and the place of their vectors in one word, which sorts by user.
fn key_of(user: UserIdx, place: u32) -> u64 {
    u64::from(user.get()) << 32 | u64::from(place)
}

/// The place in a [key](key_of).
#[expect(clippy::cast_possible_truncation, reason = "the lower half of the word is the place")]
fn place_of(key: u64) -> usize {
    key as u32 as usize
}

/// Some `vectors` at the places in `order`, in that order.
fn in_order<'a>(
    order: &'a [u64],
    blocks: &'a [Block],
    vectors: fn(&Block) -> &AlignedVec,
) -> impl Iterator<Item = &'a [f32]> {
    /// How many rows before its turn a row is asked of memory.
    const AHEAD: usize = 8;
    let row = move |key: u64| {
        let place = place_of(key);
        let rows = vectors(&blocks[place / BLOCK_USERS]);
        let stride = rows.len() / BLOCK_USERS;
        &rows[place % BLOCK_USERS * stride..(place % BLOCK_USERS + 1) * stride]
    };
    let rows = order.iter().enumerate().map(move |(at, &key)| {
        if let Some(&later) = order.get(at + AHEAD) {
            prefetch(row(later));
        }
        row(key)
    });
    with_pauses(rows, ROWS_A_LOOK)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kernel::SplitMix64;

    #[test]
    fn users_who_change_again_and_again_count_as_they_are_now() {
        const N_FACTORS: usize = 3;
        const N_USERS: usize = BLOCK_USERS * BLOCKS_KEPT + 700;
        let (path, stride) = (SimdPath::detect(), stride_of(N_FACTORS));
        let mut random = SplitMix64::new(5);
        let mut gramians = Gramians::new(Gramian::zeros(N_FACTORS), Gramian::zeros(N_FACTORS));
        let mut naive: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
        // Many, few, then many again, some of them twice.
        for n_changes in [2 * N_USERS, 10, 2 * N_USERS] {
            for _ in 0..n_changes {
                let user = u32::try_from(random.below(N_USERS)).expect("few");
                let mut vector = vec![0.0; stride];
                vector[..N_FACTORS].fill_with(|| crate::kernel::rounded(random.normal()));
                let had = naive.insert(user, vector.clone()).unwrap_or_else(|| vec![0.0; stride]);
                gramians.users_changed(&[UserIdx::new(user)], &had, &vector);
            }
            let expected = Gramian::of_rows(path, N_FACTORS, naive.values().map(|vector| &**vector));
            let distance = gramians.users(path).distance(&expected);
            assert!(distance < 1e-4 * expected.norm(), "{distance} of {}", expected.norm());
            assert_eq!(gramians.n_changed(), 0);
        }
    }
}
