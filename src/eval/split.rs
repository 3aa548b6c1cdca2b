//! Splits into a part to train on and a part to test with.

use std::collections::HashMap;

use super::Interaction;
use crate::kernel::SplitMix64;
use crate::types::UserIdx;

/// Interactions in two parts, each in the order they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Split {
    /// To train on.
    pub train: Vec<Interaction>,
    /// To test with.
    pub test: Vec<Interaction>,
}

impl Split {
    /// Holds out each user's last interaction, in the order given, unless it is the only one.
    ///
    /// Where that pair occurs before, it stays in training, and ranking all items cannot ask for it.
    pub fn leave_last_out(interactions: &[Interaction]) -> Self {
        let mut rest: HashMap<UserIdx, (usize, usize)> = HashMap::new();
        for (index, one) in interactions.iter().enumerate() {
            let (last, count) = rest.entry(one.user).or_default();
            (*last, *count) = (index, *count + 1);
        }
        let mut indices = 0..;
        Self::by(interactions, |one| {
            let (last, count) = rest[&one.user];
            indices.next() == Some(last) && count > 1
        })
    }

    /// Holds out a share of the pairs, each by a draw of its own.
    ///
    /// A draw is a function of seed, user and item alone, so repeated lines of a pair stay together, whatever
    /// their order. A share of 0 or less tests with nothing, one of 1 or more with everything.
    pub fn at_random(interactions: &[Interaction], test_share: f64, seed: u64) -> Self {
        Self::by(interactions, |one| {
            let pair = (u64::from(one.user.get()) << 32) | u64::from(one.item.get());
            SplitMix64::at(seed, pair).uniform() < test_share
        })
    }

    fn by(interactions: &[Interaction], is_test: impl FnMut(&&Interaction) -> bool) -> Self {
        let (test, train) = interactions.iter().partition(is_test);
        Self { train, test }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ItemIdx;

    fn line(user: u32, item: u32) -> Interaction {
        Interaction { user: UserIdx::new(user), item: ItemIdx::new(item), value: 1.0 }
    }

    #[test]
    fn the_last_of_each_user_is_held_out_unless_it_is_the_only_one() {
        let lines = [line(0, 5), line(1, 6), line(0, 7), line(2, 8), line(1, 9), line(0, 4)];
        let split = Split::leave_last_out(&lines);
        assert_eq!(split.test, [line(1, 9), line(0, 4)]);
        assert_eq!(split.train, [line(0, 5), line(1, 6), line(0, 7), line(2, 8)]);
    }

    #[test]
    fn a_random_split_holds_out_its_share_of_pairs_and_keeps_repeats_together() {
        let pairs: Vec<_> = (0..10_000).map(|index| line(index / 100, index % 100)).collect();
        let split = Split::at_random(&pairs, 0.2, 7);
        // Ten standard deviations, √(10,000 · 0.2 · 0.8) = 40.
        assert!(split.test.len().abs_diff(2_000) < 400, "{}", split.test.len());
        assert_eq!(split.train.len() + split.test.len(), pairs.len());
        assert_ne!(split, Split::at_random(&pairs, 0.2, 8));

        let mut twice = pairs.clone();
        twice.extend(pairs.iter().rev());
        let again = Split::at_random(&twice, 0.2, 7);
        assert_eq!(again.test[..split.test.len()], split.test);
        assert_eq!(again.test.len(), 2 * split.test.len());
    }

    #[test]
    fn the_ends_of_the_share_are_nothing_and_everything() {
        let pairs: Vec<_> = (0..100).map(|index| line(index, index)).collect();
        assert_eq!(Split::at_random(&pairs, 0.0, 1).test, []);
        assert_eq!(Split::at_random(&pairs, 1.0, 1).train, []);
    }
}
