//! The pairs that a sweep learns from, by user and by item.

use sprs::{CsMatI, CsMatViewI};
use thiserror::Error;

use super::Pair;
use crate::types::{ItemIdx, UserIdx};

/// Everything known, frozen for a training run: the pairs by user and, transposed, by item.
///
/// ```
/// use segue::{ItemIdx, Pair, TrainingInput, UserIdx};
///
/// let (ana, song) = (UserIdx::new(0), ItemIdx::new(2));
/// let heard = Pair::new(1.0, 1.0)?;
/// let input = TrainingInput::from_pairs(1, 3, [(ana, song, heard), (ana, song, heard)])?;
/// assert_eq!(input.n_pairs(), 1);
/// assert_eq!(input.by_item().get(2, 0), Some(&Pair::new(2.0, 2.0)?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrainingInput {
    // INVARIANT: both are CSR with ascending columns in every row, and transposes of each other.
    by_user: CsMatI<Pair, u32, usize>,
    by_item: CsMatI<Pair, u32, usize>,
}

/// Pairs that were taken out of a [`TrainingInput`] for a while.
#[derive(Debug)]
#[must_use]
pub(crate) struct Muted(Vec<(UserIdx, ItemIdx, Pair)>);

/// Why pairs are not a [`TrainingInput`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrainingInputError {
    /// A pair names a user beyond the last.
    #[error("user {got} of a pair is not below n_users, {n_users}")]
    UserOutOfRange {
        /// The row it names.
        got: u32,
        /// How many users there are.
        n_users: usize,
    },
    /// A pair names an item beyond the last.
    #[error("item {got} of a pair is not below n_items, {n_items}")]
    ItemOutOfRange {
        /// The row it names.
        got: u32,
        /// How many items there are.
        n_items: usize,
    },
}

impl TrainingInput {
    /// Sorts `pairs`, in any order; what is known of one user and item twice is added up, in the order given.
    ///
    /// # Errors
    /// [`TrainingInputError`] names a user or an item that is out of range.
    pub fn from_pairs(
        n_users: usize,
        n_items: usize,
        pairs: impl IntoIterator<Item = (UserIdx, ItemIdx, Pair)>,
    ) -> Result<Self, TrainingInputError> {
        let mut sorted: Vec<(UserIdx, ItemIdx, Pair)> = pairs.into_iter().collect();
        for (user, item, _) in &sorted {
            if user.index() >= n_users {
                return Err(TrainingInputError::UserOutOfRange { got: user.get(), n_users });
            }
            if item.index() >= n_items {
                return Err(TrainingInputError::ItemOutOfRange { got: item.get(), n_items });
            }
        }
        // Stable, so that equal pairs are added in the order they came.
        sorted.sort_by_key(|(user, item, _)| (*user, *item));
        let mut indptr = vec![0; n_users + 1];
        let mut items: Vec<u32> = Vec::with_capacity(sorted.len());
        let mut sums: Vec<Pair> = Vec::with_capacity(sorted.len());
        let mut latest = None;
        for (user, item, pair) in sorted {
            match sums.last_mut() {
                Some(sum) if latest == Some((user, item)) => *sum = *sum + pair,
                Some(_) | None => {
                    items.push(item.get());
                    sums.push(pair);
                    latest = Some((user, item));
                }
            }
            indptr[user.index() + 1] = sums.len();
        }
        // Users without a pair end where the user before them ends.
        for user in 0..n_users {
            indptr[user + 1] = indptr[user + 1].max(indptr[user]);
        }
        Ok(Self::from_sorted_rows(n_items, indptr, items, sums))
    }

    /// From rows by user with ascending `items`; transposes on the calling thread.
    ///
    /// `indptr` has one more element than there are users; user u's pairs are at `indptr[u]..indptr[u + 1]`.
    pub(crate) fn from_sorted_rows(
        n_items: usize,
        indptr: Vec<usize>,
        items: Vec<u32>,
        pairs: Vec<Pair>,
    ) -> Self {
        let n_users = indptr.len() - 1;
        let by_item = transposed(n_items, &indptr, &items, &pairs);
        let by_user = CsMatI::new((n_users, n_items), indptr, items, pairs);
        Self { by_user, by_item }
    }

    /// Takes pairs out until they are [given back](Self::unmute): they stay where they are and weigh nothing, so no solve
    /// feels them. Each of them is known.
    pub(crate) fn mute(&mut self, places: &[(UserIdx, ItemIdx)]) -> Muted {
        let taken = places.iter().map(|&(user, item)| (user, item, self.swap(user, item, Pair::default())));
        Muted(taken.collect())
    }

    /// Gives back what was taken, to the bit.
    pub(crate) fn unmute(&mut self, muted: Muted) {
        for (user, item, pair) in muted.0 {
            self.swap(user, item, pair);
        }
    }

    /// Puts `pair` in the place of what is known of `user` and `item`, and gives that.
    fn swap(&mut self, user: UserIdx, item: ItemIdx, pair: Pair) -> Pair {
        let (row, column) = (user.index(), item.index());
        let by_user = self.by_user.get_mut(row, column).expect("whoever takes a pair has found it");
        let before = std::mem::replace(by_user, pair);
        *self.by_item.get_mut(column, row).expect("they are transposes of each other") = pair;
        before
    }

    /// The items of a user, ascending, and what is known of each.
    pub(crate) fn of_user(&self, user: UserIdx) -> (&[u32], &[Pair]) {
        self.user_rows().row(user.index())
    }

    /// How many users are known to have had to do with an item.
    pub(crate) fn n_listeners(&self, item: ItemIdx) -> usize {
        self.item_rows().n_pairs_of(item.index())
    }

    /// How many users there are, with pairs or without.
    pub fn n_users(&self) -> usize {
        self.by_user.rows()
    }

    /// How many items there are, with pairs or without.
    pub fn n_items(&self) -> usize {
        self.by_user.cols()
    }

    /// How many pairs are known.
    pub fn n_pairs(&self) -> usize {
        self.by_user.nnz()
    }

    /// Memory held, in bytes.
    pub(crate) fn n_bytes(&self) -> usize {
        let of = |matrix: &CsMatI<Pair, u32, usize>| {
            let n_ends = matrix.outer_dims() + 1;
            matrix.nnz() * (size_of::<Pair>() + size_of::<u32>()) + n_ends * size_of::<usize>()
        };
        of(&self.by_user) + of(&self.by_item)
    }

    /// The pairs as a CSR matrix of shape (`n_users`, `n_items`).
    pub fn by_user(&self) -> CsMatViewI<'_, Pair, u32, usize> {
        self.by_user.view()
    }

    /// The pairs as a CSR matrix of shape (`n_items`, `n_users`).
    pub fn by_item(&self) -> CsMatViewI<'_, Pair, u32, usize> {
        self.by_item.view()
    }

    pub(super) fn user_rows(&self) -> PairRows<'_> {
        PairRows { matrix: &self.by_user }
    }

    pub(super) fn item_rows(&self) -> PairRows<'_> {
        PairRows { matrix: &self.by_item }
    }
}

/// Row access to one of the two matrices.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairRows<'a> {
    matrix: &'a CsMatI<Pair, u32, usize>,
}

impl<'a> PairRows<'a> {
    /// The columns of row `row`, ascending, and their pairs.
    pub(super) fn row(self, row: usize) -> (&'a [u32], &'a [Pair]) {
        let range = self.matrix.indptr().outer_inds_sz(row);
        (&self.matrix.indices()[range.clone()], &self.matrix.data()[range])
    }

    /// The indices of `row` and of all rows after it.
    pub(super) fn indices_from(self, row: usize) -> &'a [u32] {
        &self.matrix.indices()[self.matrix.indptr().outer_inds_sz(row).start..]
    }

    pub(super) fn n_pairs_of(self, row: usize) -> usize {
        self.matrix.indptr().nnz_in_outer_sz(row)
    }
}

/// The transpose by a counting sort: linear, and columns come out ascending.
fn transposed(n_items: usize, indptr: &[usize], items: &[u32], pairs: &[Pair]) -> CsMatI<Pair, u32, usize> {
    let n_users = indptr.len() - 1;
    let mut starts = vec![0; n_items + 1];
    for &item in items {
        starts[item as usize + 1] += 1;
    }
    for item in 0..n_items {
        starts[item + 1] += starts[item];
    }
    let mut next = starts.clone();
    let mut users = vec![0; items.len()];
    let mut turned = vec![Pair::default(); items.len()];
    for user in 0..n_users {
        let user_idx = u32::try_from(user).expect("users are numbered by u32");
        for at in indptr[user]..indptr[user + 1] {
            let place = &mut next[items[at] as usize];
            users[*place] = user_idx;
            turned[*place] = pairs[at];
            *place += 1;
        }
    }
    CsMatI::new((n_items, n_users), starts, users, turned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kernel::SplitMix64;

    #[test]
    fn both_sides_hold_the_sums_of_a_naive_map() {
        let mut random = SplitMix64::new(3);
        let (n_users, n_items) = (20, 13);
        let mut naive: BTreeMap<(u32, u32), Pair> = BTreeMap::new();
        let mut pairs = Vec::new();
        for _ in 0..150 {
            // User 19 and item 0 stay without pairs.
            let user = u32::try_from(random.below(n_users - 1)).expect("small");
            let item = 1 + u32::try_from(random.below(n_items - 1)).expect("small");
            let pair = Pair::new(1.0, 0.5).expect("usable");
            let sum = naive.entry((user, item)).or_default();
            *sum = *sum + pair;
            pairs.push((UserIdx::new(user), ItemIdx::new(item), pair));
        }
        let input = TrainingInput::from_pairs(n_users, n_items, pairs).expect("in range");
        assert_eq!(input.n_pairs(), naive.len());
        for (&(user, item), pair) in &naive {
            assert_eq!(input.by_user().get(user as usize, item as usize), Some(pair));
            assert_eq!(input.by_item().get(item as usize, user as usize), Some(pair));
        }
        assert_eq!(input.user_rows().n_pairs_of(19), 0);
        assert_eq!(input.item_rows().n_pairs_of(0), 0);
    }

    #[test]
    fn muted_pairs_weigh_nothing_on_either_side_until_they_are_given_back() {
        let pair = Pair::new(1.0, 0.5).expect("usable");
        let all = [(0, 1), (0, 2), (1, 1)].map(|(user, item)| (UserIdx::new(user), ItemIdx::new(item), pair));
        let mut input = TrainingInput::from_pairs(2, 3, all).expect("in range");
        let muted = input.mute(&[(UserIdx::new(0), ItemIdx::new(1))]);
        assert_eq!(input.by_user().get(0, 1), Some(&Pair::default()));
        assert_eq!(input.by_item().get(1, 0), Some(&Pair::default()));
        assert_eq!((input.by_user().get(0, 2), input.by_item().get(1, 1)), (Some(&pair), Some(&pair)));
        assert_eq!(input.n_listeners(ItemIdx::new(1)), 2, "it keeps its place");
        input.unmute(muted);
        assert_eq!((input.by_user().get(0, 1), input.by_item().get(1, 0)), (Some(&pair), Some(&pair)));
    }

    #[test]
    fn rows_out_of_range_are_named() {
        let pair = |user, item| [(UserIdx::new(user), ItemIdx::new(item), Pair::default())];
        let refused = TrainingInput::from_pairs(2, 3, pair(2, 0)).expect_err("two users");
        assert_eq!(refused, TrainingInputError::UserOutOfRange { got: 2, n_users: 2 });
        let refused = TrainingInput::from_pairs(2, 3, pair(0, 3)).expect_err("three items");
        assert_eq!(refused, TrainingInputError::ItemOutOfRange { got: 3, n_items: 3 });
    }

    #[test]
    fn there_may_be_nothing_at_all() {
        let input = TrainingInput::from_pairs(0, 0, []).expect("empty");
        assert_eq!((input.n_users(), input.n_items(), input.n_pairs()), (0, 0, 0));
    }
}
