//! What a listener enjoys at a moment, as a pure function of both.

use std::time::Duration;

use crate::kernel::SplitMix64;

use super::DemoArtist;
use super::genre::{GENRES, SCENES_PER_GENRE};
use super::listener::Character;
use super::pools::Pools;

/// The tastes a listener has at a time.
pub(super) const N_TASTES: u32 = 4;
/// How strong each is in its prime.
const STRENGTHS: [f64; N_TASTES as usize] = [1.0, 0.8, 0.6, 0.45];
/// The share of its life a taste takes to rise, and to fade.
const RISE: f64 = 0.15;
/// The share of tastes that come from the home family of genres.
const SHARE_OF_HOME: f64 = 0.65;

/// What an artist of the loved scene, of its genre, with it as a second genre, and of its family gets of
/// a taste.
const MATCH_SCENE: f64 = 1.0;
const MATCH_GENRE: f64 = 0.55;
const MATCH_SECOND_GENRE: f64 = 0.35;
const MATCH_FAMILY: f64 = 0.15;

/// Streams of a listener's seed from here on are whims; far from those that tastes use.
const WHIM_STREAMS: u64 = 1 << 62;

/// A listener's tastes at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tastes {
    pub(super) tastes: [Taste; N_TASTES as usize],
}

/// A love for one scene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Taste {
    pub(super) scene: u8,
    /// 0 to 1.
    pub(super) strength: f64,
}

impl Tastes {
    /// The tastes of a listener `since_start` milliseconds after the world's start, of which each lives
    /// for `life`.
    ///
    /// Taste number `t` of a listener changes at its own times. What it is in its n-th life depends on
    /// listener, `t` and n alone, so any moment can be asked for in any order.
    pub(super) fn of(
        listener: &Character,
        since_start_ms: i64,
        life: Duration,
        artists: &[DemoArtist],
        pools: &Pools,
    ) -> Self {
        let life_ms = i64::try_from(life.as_millis()).unwrap_or(i64::MAX).max(1);
        let mut tastes = [Taste { scene: 0, strength: 0.0 }; N_TASTES as usize];
        for ((taste, number), strength) in tastes.iter_mut().zip(0_u32..).zip(STRENGTHS) {
            let shift = (life * number + life.mul_f64(listener.phase)) / N_TASTES;
            let lived = since_start_ms.saturating_add(i64::try_from(shift.as_millis()).unwrap_or(i64::MAX));
            let nth_life = lived.div_euclid(life_ms).cast_unsigned();
            let age = Duration::from_millis(lived.rem_euclid(life_ms).unsigned_abs()).div_duration_f64(life);
            let stream = nth_life.wrapping_mul(u64::from(N_TASTES)).wrapping_add(u64::from(number));
            let mut random = SplitMix64::at(listener.seed, stream);
            // One falls for a scene through one of its artists.
            let first_love = if random.uniform() < SHARE_OF_HOME {
                pools.draw_family(listener.home_family, &mut random)
            } else {
                pools.draw(&mut random)
            };
            let vigour = (age / RISE).min((1.0 - age) / RISE).clamp(0.0, 1.0);
            *taste = Taste { scene: artists[first_love as usize].scene_idx(), strength: strength * vigour };
        }
        Self { tastes }
    }

    /// How much the listener enjoys artist number `idx`, 0 to 1.
    pub(super) fn affinity(&self, listener: &Character, idx: u32, artist: &DemoArtist) -> f64 {
        // As probabilities of independent reasons to like it: several tastes never add up to more than 1.
        let indifference: f64 = self.tastes.iter().map(|taste| 1.0 - taste.of(artist)).product();
        let mood: f64 =
            artist.mood_idxs().iter().filter(|mood| listener.moods.contains(mood)).map(|_| 0.5).sum();
        // Nobody likes all artists of a scene alike, and no model of the world can know why.
        let whim = SplitMix64::at(listener.seed, WHIM_STREAMS + u64::from(idx)).uniform();
        (1.0 - indifference) * (0.6 + 0.15 * mood + 0.25 * whim) + indifference * 0.1 * mood
    }

    /// A taste drawn in proportion to strength, `suits(taste)` times.
    pub(super) fn draw(&self, suits: impl Fn(Taste) -> f64, random: &mut SplitMix64) -> Taste {
        let weights = self.tastes.map(|taste| taste.strength * suits(taste));
        let mut left = random.uniform() * weights.iter().sum::<f64>();
        for (taste, weight) in self.tastes.into_iter().zip(weights) {
            left -= weight;
            if left < 0.0 {
                return taste;
            }
        }
        self.tastes[0]
    }
}

impl Taste {
    pub(super) fn genre(self) -> u8 {
        self.scene / SCENES_PER_GENRE
    }

    pub(super) fn family(self) -> u8 {
        GENRES[usize::from(self.genre())].family
    }

    fn of(self, artist: &DemoArtist) -> f64 {
        let matched = if artist.scene_idx() == self.scene {
            MATCH_SCENE
        } else if artist.genre_idx() == self.genre() {
            MATCH_GENRE
        } else if artist.second_genre_idx() == Some(self.genre()) {
            MATCH_SECOND_GENRE
        } else if artist.family_idx() == self.family() {
            MATCH_FAMILY
        } else {
            0.0
        };
        matched * self.strength
    }
}
