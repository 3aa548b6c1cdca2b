//! Invented plays, the same for the same seed.

use std::collections::BTreeSet;

use segue::{Event, ItemId, UserId};

/// Users, items that few of which are popular, and random plays.
pub(crate) struct Plays {
    users: Vec<UserId>,
    items: Vec<ItemId>,
    random: u64,
}

impl Plays {
    pub(crate) fn with_texts(n_users: usize, n_items: usize, seed: u64) -> Self {
        Self {
            users: (0..n_users).map(|user| format!("listener-{user:06}").into()).collect(),
            items: (0..n_items).map(|item| format!("an-artist-{item:06}").into()).collect(),
            random: seed,
        }
    }

    pub(crate) fn with_numbers(n_users: u64, n_items: u64, seed: u64) -> Self {
        Self {
            users: (0..n_users).map(|user| UserId::from(1_000_000 + user)).collect(),
            items: (0..n_items).map(|item| ItemId::from(1_000_000 + item)).collect(),
            random: seed,
        }
    }

    /// `n_pairs` plays, all of different pairs, as many for each user as for any other.
    pub(crate) fn histories(&mut self, n_pairs: usize) -> impl Iterator<Item = Event> {
        let n_users = self.users.len();
        (0..n_users).flat_map(move |user| {
            let n_items = n_pairs * (user + 1) / n_users - n_pairs * user / n_users;
            let mut items = BTreeSet::new();
            while items.len() < n_items {
                items.insert(self.item());
            }
            let user = &self.users[user];
            items.iter().map(|&item| Event::listen(user, &self.items[item])).collect::<Vec<_>>()
        })
    }

    /// Somebody plays something, often something new to them.
    pub(crate) fn next_event(&mut self) -> Event {
        let (user, item) = (self.below(self.users.len()), self.item());
        Event::listen(&self.users[user], &self.items[item])
    }

    pub(crate) fn user(&mut self) -> UserId {
        let user = self.below(self.users.len());
        self.users[user].clone()
    }

    /// Smaller numbers are more likely: of 160,000 items a tenth gets about 40 % of the plays, the first 0.8 %.
    fn item(&mut self) -> usize {
        const POWER: f64 = 2.5;
        /// Finer than any number of items here.
        const STEPS: u32 = 1 << 30;
        let step = self.below(STEPS as usize);
        let share = f64::from(u32::try_from(step).expect("below a u32")) / f64::from(STEPS);
        scaled(share.powf(POWER), self.items.len())
    }

    /// Steele, Lea & Flood's `SplitMix64`, brought below a bound.
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let wide = u128::from(z ^ (z >> 31)) * bound as u128;
        usize::try_from(wide >> 64).expect("below a usize")
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a few hundred thousand"
)]
fn scaled(share: f64, n: usize) -> usize {
    (share * n as f64) as usize
}
