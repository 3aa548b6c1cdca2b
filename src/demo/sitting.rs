//! One listener in front of the player: what happens next, and when.

use std::time::Duration;

use crate::kernel::SplitMix64;
use crate::types::{Activity, Context, Device, Event, Timestamp};

use super::day::{HABITS, between_seconds, energy_at, local_hour};
use super::genre::GENRES;
use super::taste::{Taste, Tastes};
use super::world::World;
use super::{DemoArtist, DemoListener};

/// The state of one listener's stream of events. It always holds the next event, planned but not yet due.
#[derive(Debug, Clone)]
pub(super) struct Sitting {
    random: SplitMix64,
    planned: Planned,
    plays_left: usize,
    n_sessions: u64,
    tastes: Tastes,
    /// What this session is mostly about.
    theme: Taste,
    /// The energy that suits this session, 0 to 1.
    energy: f64,
    context: Option<Context>,
    favourites: Ring<24>,
    /// Artists of the latest likes, saves and dislikes: one does not say it again at every play.
    stated: Ring<8>,
}

/// An event without its time.
#[derive(Debug, Clone, Copy)]
struct Planned {
    artist: u32,
    affinity: f64,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Listen { fraction: f64 },
    Skip { fraction: f64 },
    State(Statement),
    Regret(Statement),
}

#[derive(Debug, Clone, Copy)]
enum Statement {
    Like,
    Save,
    Dislike,
}

/// The latest few artists, oldest out.
#[derive(Debug, Clone, Copy)]
struct Ring<const N: usize> {
    artists: [u32; N],
    len: usize,
    next: usize,
}

/// Plays a session has on average.
const MEAN_PLAYS: f64 = 9.0;
/// Given that one was heard to the end and enjoyed, the share of plays that go on with the same artist.
const SHARE_OF_RUNS: f64 = 0.15;
/// The share of taste-driven plays that follow the session's theme.
const SHARE_OF_THEME: f64 = 0.75;
/// Of those, the shares within the scene, and within scene or genre; the rest is of the family.
const SHARE_OF_SCENE: f64 = 0.70;
const SHARE_OF_SCENE_OR_GENRE: f64 = 0.93;
/// Proposals looked at for one that suits the hour; the last is taken as it is.
const PROPOSALS: u32 = 3;
/// The share of statements taken back soon after.
const SHARE_REGRETTED: f64 = 0.025;

impl Sitting {
    /// Before the first event of `listener`, and when that will be.
    pub(super) fn begin(world: &World, listener: &DemoListener) -> (Self, Timestamp) {
        let tastes = world.tastes(listener, world.start);
        let mut sitting = Self {
            random: SplitMix64::at(world.seed, listener.character.seed),
            planned: Planned { artist: 0, affinity: 0.0, what: What::Listen { fraction: 1.0 } },
            plays_left: 0,
            n_sessions: 0,
            tastes,
            theme: tastes.tastes[0],
            energy: 0.5,
            context: None,
            favourites: Ring::new(),
            stated: Ring::new(),
        };
        let at = sitting.open_session(world, listener, world.start);
        let at = at.saturating_add(sitting.plan_play(world, listener, None));
        (sitting, at)
    }

    /// The planned event, but for its time.
    pub(super) fn event(&self, world: &World, listener: &DemoListener) -> Event {
        let Planned { artist, what, .. } = self.planned;
        let (user, item) = (listener.id(), world.artists[artist as usize].id());
        let event = match what {
            What::Listen { fraction } => Event::listen(user, item).fraction(as_f32(fraction)),
            What::Skip { fraction } => Event::skip(user, item).at_fraction(as_f32(fraction)),
            What::State(Statement::Like) => Event::like(user, item),
            What::State(Statement::Save) => Event::save(user, item),
            What::State(Statement::Dislike) => Event::dislike(user, item),
            What::Regret(Statement::Like) => Event::undo(Event::like(user, item)),
            What::Regret(Statement::Save) => Event::undo(Event::save(user, item)),
            What::Regret(Statement::Dislike) => Event::undo(Event::dislike(user, item)),
        };
        match &self.context {
            Some(context) => event.context(context.clone()),
            None => event,
        }
    }

    /// Plans what follows the planned event, which happened at `now`; returns when that will be.
    pub(super) fn plan(&mut self, world: &World, listener: &DemoListener, now: Timestamp) -> Timestamp {
        let before = self.planned;
        if let What::Listen { .. } = before.what
            && before.affinity > 0.45
            && self.random.uniform() < 0.3
            && !self.favourites.contains(before.artist)
        {
            self.favourites.push(before.artist);
        }
        if let What::State(statement) = before.what
            && self.random.uniform() < SHARE_REGRETTED
        {
            self.planned.what = What::Regret(statement);
            return now.saturating_add(between_seconds(3, 60, &mut self.random));
        }
        if let Some(statement) = self.statement_after(before) {
            self.stated.push(before.artist);
            self.planned.what = What::State(statement);
            return now.saturating_add(between_seconds(1, 15, &mut self.random));
        }
        if self.plays_left > 0 {
            let run = matches!(before.what, What::Listen { fraction } if fraction > 0.85)
                && self.random.uniform() < SHARE_OF_RUNS * 2.0 * before.affinity;
            now.saturating_add(self.plan_play(world, listener, run.then_some(before.artist)))
        } else {
            let begins = self.open_session(world, listener, now);
            begins.saturating_add(self.plan_play(world, listener, None))
        }
    }

    /// What the listener says of the artist just played, if anything.
    fn statement_after(&mut self, played: Planned) -> Option<Statement> {
        let chance = self.random.uniform();
        let statement = match played.what {
            What::Listen { .. } if chance < 0.06 * played.affinity => Statement::Like,
            What::Listen { .. } if chance < 0.09 * played.affinity => Statement::Save,
            What::Skip { .. } if chance < 0.05 * (1.0 - played.affinity) => Statement::Dislike,
            What::Listen { .. } | What::Skip { .. } | What::State(_) | What::Regret(_) => return None,
        };
        (!self.stated.contains(played.artist)).then_some(statement)
    }

    /// Chooses the next session's time, length, theme and mood; returns when it begins.
    fn open_session(&mut self, world: &World, listener: &DemoListener, now: Timestamp) -> Timestamp {
        let begins = self.next_session(listener, now);
        let hour = local_hour(begins, listener.utc_offset());
        let routine =
            listener.routine().filter(|routine| routine.hours.contains(&hour) && self.random.uniform() < 0.6);
        let energy = routine.map_or(energy_at(hour), |routine| routine.energy);
        self.energy = energy;
        self.n_sessions += 1;
        self.plays_left = 1 + self.geometric(MEAN_PLAYS - 1.0);
        self.tastes = world.tastes(listener, begins);
        self.theme = self
            .tastes
            .draw(|taste| fit(GENRES[usize::from(taste.genre())].energy, energy), &mut self.random);
        self.context = listener.sends_context().then(|| {
            let session = format!("{}/{}", listener.id(), self.n_sessions);
            let context = Context::new().utc_offset(listener.utc_offset()).session(session);
            match routine {
                Some(routine) => {
                    context.activity(Activity::from(routine.activity)).device(Device::from(routine.device))
                }
                None => context,
            }
        });
        begins
    }

    /// When the next session begins: a Poisson process whose rate follows the listener's habit, by thinning
    /// (Lewis & Shedler 1979).
    fn next_session(&mut self, listener: &DemoListener, now: Timestamp) -> Timestamp {
        let habit = &HABITS[listener.character.habit];
        let mut at = now;
        loop {
            let gap_hours = -libm::log(1.0 - self.random.uniform()) * listener.character.gap_hours;
            // Two sessions are at least a few minutes apart, or they would be one.
            at = at.saturating_add(Duration::from_secs_f64(300.0 + gap_hours * 3_600.0));
            if self.random.uniform() < habit[local_hour(at, listener.utc_offset())] {
                return at;
            }
        }
    }

    /// Plans a play, of `again` if given; returns how long it takes.
    fn plan_play(&mut self, world: &World, listener: &DemoListener, again: Option<u32>) -> Duration {
        self.plays_left -= 1;
        let artist = again.unwrap_or_else(|| self.choose(world, listener));
        let chosen: &DemoArtist = &world.artists[artist as usize];
        let affinity = self.tastes.affinity(&listener.character, artist, chosen);
        let unsuited = 1.0 - fit(chosen.energy(), self.energy);
        let skips = self.random.uniform() < 0.02 + 0.45 * (1.0 - affinity).powi(2) + 0.10 * unsuited;
        let spread = self.random.uniform();
        let fraction = if skips {
            // Mostly within the first bars.
            0.01 + 0.60 * spread * spread
        } else if self.random.uniform() < 0.8 {
            1.0
        } else {
            0.5 + 0.5 * spread
        };
        self.planned = Planned {
            artist,
            affinity,
            what: if skips { What::Skip { fraction } } else { What::Listen { fraction } },
        };
        between_seconds(140, 320, &mut self.random).mul_f64(fraction)
    }

    /// An artist to play: one of a few proposals that suits the energy of the session.
    fn choose(&mut self, world: &World, listener: &DemoListener) -> u32 {
        let mut proposal = self.propose(world, listener);
        for _ in 1..PROPOSALS {
            if self.random.uniform() < fit(world.artists[proposal as usize].energy(), self.energy) {
                break;
            }
            proposal = self.propose(world, listener);
        }
        proposal
    }

    fn propose(&mut self, world: &World, listener: &DemoListener) -> u32 {
        let character = &listener.character;
        let random = &mut self.random;
        let source = random.uniform();
        if source < character.mainstream {
            return world.pools.draw(random);
        }
        if source < character.mainstream + character.loyalty
            && let Some(favourite) = self.favourites.draw(random)
        {
            return favourite;
        }
        let taste =
            if random.uniform() < SHARE_OF_THEME { self.theme } else { self.tastes.draw(|_| 1.0, random) };
        match random.uniform() {
            scene if scene < SHARE_OF_SCENE => world.pools.draw_scene(taste.scene, random),
            genre if genre < SHARE_OF_SCENE_OR_GENRE => world.pools.draw_genre(taste.genre(), random),
            _ => world.pools.draw_family(taste.family(), random),
        }
    }

    /// A whole number with the geometric distribution of `mean`.
    fn geometric(&mut self, mean: f64) -> usize {
        let goes_on = mean / (1.0 + mean);
        let mut n = 0;
        while self.random.uniform() < goes_on {
            n += 1;
        }
        n
    }
}

impl<const N: usize> Ring<N> {
    fn new() -> Self {
        Self { artists: [0; N], len: 0, next: 0 }
    }

    fn push(&mut self, artist: u32) {
        self.artists[self.next] = artist;
        self.next = (self.next + 1) % N;
        self.len = N.min(self.len + 1);
    }

    fn contains(&self, artist: u32) -> bool {
        self.artists[..self.len].contains(&artist)
    }

    fn draw(&self, random: &mut SplitMix64) -> Option<u32> {
        (self.len > 0).then(|| self.artists[random.below(self.len)])
    }
}

/// How well an energy suits where another is asked for: 1 if equal, one half at a distance of a quarter.
fn fit(energy: f64, asked_for: f64) -> f64 {
    let distance = (energy - asked_for) / 0.25;
    1.0 / (1.0 + distance * distance)
}

#[expect(clippy::cast_possible_truncation, reason = "a share keeps 24 bits, plenty")]
fn as_f32(share: f64) -> f32 {
    share as f32
}
