//! The listeners of the invented world.

use crate::kernel::{AliasTable, SplitMix64};
use crate::types::{UserId, UtcOffset};

use super::day::{HABITS, ROUTINES, Routine};
use super::genre::{MOODS, N_FAMILIES};

/// A listener of a [`DemoWorld`](super::DemoWorld).
///
/// ```
/// use segue::demo::DemoWorld;
///
/// let world = DemoWorld::builder().build()?;
/// let runner = world.listeners().iter().find(|listener| listener.activity() == Some("running"));
/// let loves = runner.and_then(|runner| world.true_genres(runner.id(), world.start()));
/// println!("a runner who loves {loves:?}");
/// # assert!(loves.is_some());
/// # Ok::<(), segue::demo::DemoWorldError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DemoListener {
    id: UserId,
    utc_offset: UtcOffset,
    routine: Option<u8>,
    sends_context: bool,
    pub(super) character: Character,
}

/// What stays the same about a listener while the tastes change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Character {
    /// Seeds everything about this listener alone.
    pub(super) seed: u64,
    /// The family of genres most tastes come from.
    pub(super) home_family: u8,
    /// Where in the life of a taste the listener begins, 0 to 1.
    pub(super) phase: f64,
    pub(super) moods: [u8; 2],
    /// A place in `HABITS`.
    pub(super) habit: usize,
    /// The mean time between sessions in the hour that suits best.
    pub(super) gap_hours: f64,
    /// The share of plays that are old favourites.
    pub(super) loyalty: f64,
    /// The share of plays that are just popular.
    pub(super) mainstream: f64,
}

/// Offsets from UTC in minutes and how many live there, so that the world never sleeps all at once.
const OFFSETS: [(i16, f64); 8] =
    [(0, 2.0), (60, 3.0), (120, 2.0), (-300, 2.0), (-360, 1.0), (-480, 1.5), (330, 1.0), (540, 1.0)];
const SHARE_WITH_ROUTINE: f64 = 0.4;

impl DemoListener {
    /// Its id: `listener-0001` and so on.
    pub fn id(&self) -> &UserId {
        &self.id
    }

    /// Where its clock stands.
    pub fn utc_offset(&self) -> UtcOffset {
        self.utc_offset
    }

    /// What it regularly does with music on, if anything: `"running"`.
    pub fn activity(&self) -> Option<&'static str> {
        self.routine().map(|routine| routine.activity)
    }

    /// Whether its player reports the circumstances: then each of its events carries the offset from UTC
    /// and the session, and during an activity that and the device; otherwise none does.
    pub fn sends_context(&self) -> bool {
        self.sends_context
    }

    pub(super) fn routine(&self) -> Option<&'static Routine> {
        self.routine.map(|routine| &ROUTINES[usize::from(routine)])
    }
}

/// `n_listeners` listeners; the first ones are the same however many there are.
pub(super) fn invent_listeners(n_listeners: u32, context_share: f64, seed: u64) -> Vec<DemoListener> {
    let weights: Vec<f64> = OFFSETS.iter().map(|(_, weight)| *weight).collect();
    let offsets = AliasTable::new(&weights).expect("offsets have weights above zero");
    (0..n_listeners)
        .map(|idx| {
            let mut random = SplitMix64::at(seed, u64::from(idx));
            let (offset, _) = OFFSETS[offsets.sample(&mut random)];
            let first_mood = below_u8(MOODS.len(), &mut random);
            // Some other mood, each as likely.
            let other = 1 + random.below(MOODS.len() - 1);
            let second_mood = (usize::from(first_mood) + other) % MOODS.len();
            let has_routine = random.uniform() < SHARE_WITH_ROUTINE;
            let routine = below_u8(ROUTINES.len(), &mut random);
            DemoListener {
                id: format!("listener-{:04}", idx + 1).into(),
                utc_offset: UtcOffset::from_minutes(offset).expect("the offsets above are within a day"),
                routine: has_routine.then_some(routine),
                sends_context: random.uniform() < context_share,
                character: Character {
                    home_family: below_u8(usize::from(N_FAMILIES), &mut random),
                    phase: random.uniform(),
                    moods: [first_mood, u8::try_from(second_mood).expect("there are few moods")],
                    habit: random.below(HABITS.len()),
                    // A few listen many times as much as most do.
                    gap_hours: (7.0 * libm::exp(0.8 * random.normal())).clamp(1.5, 96.0),
                    loyalty: 0.20 + 0.30 * random.uniform(),
                    mainstream: 0.04 + 0.22 * random.uniform() * random.uniform(),
                    seed: random.next_u64(),
                },
            }
        })
        .collect()
}

fn below_u8(bound: usize, random: &mut SplitMix64) -> u8 {
    u8::try_from(random.below(bound)).expect("the bounds used here are small")
}
