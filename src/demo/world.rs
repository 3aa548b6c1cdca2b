//! The invented world: who lives in it, and what is true of them.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;

use crate::kernel::SplitMix64;
use crate::types::{Catalogue, ItemId, Timestamp, UserId};

use super::artist::invent_artists;
use super::genre::GENRES;
use super::listener::invent_listeners;
use super::pools::Pools;
use super::taste::Tastes;
use super::{DemoArtist, DemoEvents, DemoListener, DemoWorldBuilder};

/// An invented music world. See the [module](super) for how it works.
///
/// A clone is cheap and shares everything; a world never changes.
///
/// ```
/// use segue::demo::DemoWorld;
///
/// let world = DemoWorld::builder().seed(7).n_artists(300).n_listeners(50).build()?;
/// for event in world.events().take(1_000) {
///     let name = world.catalogue().name_of(event.item()).expect("every artist has a name");
///     println!("{} {:?} {name}", event.user(), event.action());
/// }
///
/// // What a recommender can only guess:
/// let (listener, artist) = (world.listeners()[0].id(), world.artists()[0].id());
/// let affinity = world.true_affinity(listener, artist, world.start()).expect("both live here");
/// assert!((0.0..=1.0).contains(&affinity));
/// # Ok::<(), segue::demo::DemoWorldError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DemoWorld(Arc<World>);

#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) start: Timestamp,
    taste_life: Duration,
    pub(super) artists: Vec<DemoArtist>,
    pub(super) pools: Pools,
    pub(super) listeners: Vec<DemoListener>,
    catalogue: Catalogue,
    artist_places: HashMap<ItemId, u32>,
    listener_places: HashMap<UserId, u32>,
}

/// Parts of a world draw from streams of their own, so that more artists do not mean other listeners.
const ARTIST_STREAM: u64 = 1;
const LISTENER_STREAM: u64 = 2;

impl DemoWorld {
    /// Settings to change.
    pub fn builder() -> DemoWorldBuilder {
        DemoWorldBuilder::default()
    }

    pub(super) fn invent(settings: &DemoWorldBuilder) -> Self {
        let mut random = SplitMix64::at(settings.seed, ARTIST_STREAM);
        let artists = invent_artists(settings.n_artists, &mut random);
        let listener_seed = SplitMix64::at(settings.seed, LISTENER_STREAM).next_u64();
        let listeners = invent_listeners(settings.n_listeners, settings.context_share, listener_seed);
        Self(Arc::new(World {
            seed: settings.seed,
            start: settings.start,
            taste_life: settings.taste_life,
            pools: Pools::of(&artists),
            catalogue: artists.iter().map(|artist| (artist.id().clone(), artist.entry())).collect(),
            artist_places: (0..).zip(&artists).map(|(place, artist)| (artist.id().clone(), place)).collect(),
            listener_places: (0..)
                .zip(&listeners)
                .map(|(place, listener)| (listener.id().clone(), place))
                .collect(),
            artists,
            listeners,
        }))
    }

    /// Name, genres and moods of every artist, in order of popularity.
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    /// The artists, in order of popularity.
    pub fn artists(&self) -> &[DemoArtist] {
        &self.0.artists
    }

    /// The listeners.
    pub fn listeners(&self) -> &[DemoListener] {
        &self.0.listeners
    }

    /// When the events begin.
    pub fn start(&self) -> Timestamp {
        self.0.start
    }

    /// What everybody does from the world's start on, in order of time, without end: the same events on
    /// each call. The iterator is independent of this handle and can move to another thread.
    pub fn events(&self) -> DemoEvents {
        DemoEvents::new(Arc::clone(&self.0))
    }

    /// How much `listener` truly enjoys `artist` at a moment, 0 to 1, the hour of the day aside; `None`
    /// if one of them does not live here. It is what decides how likely a play is to be skipped, liked or
    /// come back to.
    pub fn true_affinity(&self, listener: &UserId, artist: &ItemId, at: Timestamp) -> Option<f64> {
        let listener = self.listener(listener)?;
        let artist_idx = *self.0.artist_places.get(artist)?;
        let artist = &self.0.artists[artist_idx as usize];
        Some(self.0.tastes(listener, at).affinity(&listener.character, artist_idx, artist))
    }

    /// The genres `listener` truly loves at a moment with the strength of each, above 0 to 1, strongest
    /// first; `None` if the listener does not live here.
    pub fn true_genres(&self, listener: &UserId, at: Timestamp) -> Option<Vec<(&'static str, f64)>> {
        let listener = self.listener(listener)?;
        let mut genres: Vec<(&'static str, f64)> = Vec::new();
        for taste in self.0.tastes(listener, at).tastes.into_iter().filter(|taste| taste.strength > 0.0) {
            let name = GENRES[usize::from(taste.genre())].name;
            match genres.iter_mut().find(|(known, _)| *known == name) {
                Some((_, strength)) => *strength = strength.max(taste.strength),
                None => genres.push((name, taste.strength)),
            }
        }
        genres.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Some(genres)
    }

    fn listener(&self, id: &UserId) -> Option<&DemoListener> {
        self.0.listener_places.get(id).map(|&place| &self.0.listeners[place as usize])
    }
}

impl World {
    pub(super) fn tastes(&self, listener: &DemoListener, at: Timestamp) -> Tastes {
        let since_start_ms = at.unix_ms().saturating_sub(self.start.unix_ms());
        Tastes::of(&listener.character, since_start_ms, self.taste_life, &self.artists, &self.pools)
    }
}
