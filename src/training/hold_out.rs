//! What a training is not shown, so that its outcome can be judged by it.

use crate::als::TrainingInput;
use crate::types::{ItemIdx, Timestamp, UserIdx};

/// One pair of so many is held back at most.
const PAIRS_PER_TRIAL: usize = 100;
/// Fewer tell nothing, and of a small world no pair can be spared.
pub(super) const MIN_TRIALS: usize = 100;
/// More tell little more.
const MAX_TRIALS: usize = 2_000;
/// Of the listeners of an item one of so many at most is held back from it: that moves it by less than what makes it due
/// between sweeps.
const LISTENERS_PER_TRIAL: usize = 20;
/// What else a history must hold: nobody can be recommended anything on the strength of less.
const MIN_HISTORY: usize = 4;

/// All that was known at a freeze.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) input: TrainingInput,
    pub(crate) discoveries: Vec<Discovery>,
}

/// An item that came into a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Discovery {
    pub(crate) user: UserIdx,
    pub(crate) item: ItemIdx,
    pub(crate) at: Timestamp,
}

/// The latest discoveries that a training can do without: at most one of a user, a hundredth of all pairs, and a twentieth of
/// the listeners of an item. None at all if they would be fewer than [`MIN_TRIALS`].
///
/// A pure function of the histories: a replay, which asks no gate, holds back the same.
pub(super) fn hold_out(input: &TrainingInput, mut discoveries: Vec<Discovery>) -> Vec<(UserIdx, ItemIdx)> {
    let n_wanted = (input.n_pairs() / PAIRS_PER_TRIAL).min(MAX_TRIALS);
    if n_wanted.min(discoveries.len()) < MIN_TRIALS {
        return Vec::new();
    }
    discoveries.sort_unstable_by_key(|discovery| (std::cmp::Reverse(discovery.at), discovery.user));
    let mut n_taken = vec![0_u32; input.n_items()];
    let spares = |discovery: &Discovery| {
        let n_taken = &mut n_taken[discovery.item.index()];
        let may = input.of_user(discovery.user).0.len() > MIN_HISTORY
            && (*n_taken as usize + 1) * LISTENERS_PER_TRIAL <= input.n_listeners(discovery.item);
        *n_taken += u32::from(may);
        may
    };
    let places = |discovery: Discovery| (discovery.user, discovery.item);
    let held: Vec<_> = discoveries.into_iter().filter(spares).take(n_wanted).map(places).collect();
    if held.len() < MIN_TRIALS { Vec::new() } else { held }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::als::Pair;

    /// `n_users` who share `n_shared` items, and of whom each has discovered item 0 or 1 last.
    fn world(n_users: u32, n_shared: u32) -> (TrainingInput, Vec<Discovery>) {
        let pair = Pair::new(1.0, 1.0).expect("usable");
        let pairs = (0..n_users).flat_map(|user| {
            let items = std::iter::once(user % 2).chain(2..2 + n_shared);
            items.map(move |item| (UserIdx::new(user), ItemIdx::new(item), pair))
        });
        let input = TrainingInput::from_pairs(n_users as usize, 2 + n_shared as usize, pairs);
        let discoveries = (0..n_users).map(|user| Discovery {
            user: UserIdx::new(user),
            item: ItemIdx::new(user % 2),
            at: Timestamp::from_unix_ms(i64::from(user)),
        });
        (input.expect("in range"), discoveries.collect())
    }

    #[test]
    fn the_latest_are_held_back_and_of_nothing_too_many() {
        let (input, discoveries) = world(4_000, 9);
        let held = hold_out(&input, discoveries);
        // Two items with 2,000 listeners each can spare 100.
        assert_eq!(held.len(), 200);
        assert_eq!(held[0], (UserIdx::new(3_999), ItemIdx::new(1)));
        assert!(held.iter().all(|(user, _)| user.get() >= 3_800), "the latest");
    }

    #[test]
    fn a_world_that_can_spare_too_few_spares_none() {
        let (input, discoveries) = world(900, 9);
        assert_eq!(input.n_pairs() / PAIRS_PER_TRIAL, 90);
        assert_eq!(hold_out(&input, discoveries), []);
        let (input, discoveries) = world(4_000, 3);
        assert_eq!(hold_out(&input, discoveries), [], "short histories");
        let (input, discoveries) = world(1_990, 9);
        assert_eq!(hold_out(&input, discoveries), [], "two items that can spare 49 each");
    }
}
