//! The artists of the invented world.

use std::sync::Arc;

use crate::kernel::{AliasTable, SplitMix64};
use crate::types::{CatalogueEntry, ItemId, Tag};

use super::genre::{GENRES, MOODS, SCENES_PER_GENRE};
use super::names::Names;

/// An artist of a [`DemoWorld`](super::DemoWorld).
///
/// ```
/// use segue::demo::DemoWorld;
///
/// let world = DemoWorld::builder().build()?;
/// let star = &world.artists()[0];
/// let genres: Vec<&str> = star.genres().collect();
/// println!("{}: {} at {:.0} bpm, {}", star.name(), genres.join(", "), star.tempo_bpm(), star.moods()[0]);
/// assert!(star.popularity() > world.artists()[1].popularity());
/// # Ok::<(), segue::demo::DemoWorldError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DemoArtist {
    id: ItemId,
    name: Arc<str>,
    genre: u8,
    second_genre: Option<u8>,
    scene: u8,
    moods: [u8; 2],
    tempo_bpm: f64,
    energy: f64,
    popularity: f64,
}

/// Popularity falls with this power of the rank. Listening data has exponents from 0.7 to 1.1.
const POPULARITY_EXPONENT: f64 = 0.9;
/// Added to the rank, as the very top of real charts is flatter than a power law.
const POPULARITY_FLATTENING: f64 = 5.0;
/// The share of artists with a second genre.
const SHARE_WITH_SECOND_GENRE: f64 = 0.3;

impl DemoArtist {
    /// Its id, the slug of its name.
    pub fn id(&self) -> &ItemId {
        &self.id
    }

    /// Its invented name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One or two genres, the main one first.
    pub fn genres(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.genre), self.second_genre]
            .into_iter()
            .flatten()
            .map(|genre| GENRES[usize::from(genre)].name)
    }

    /// Two moods, the stronger first.
    pub fn moods(&self) -> [&'static str; 2] {
        self.moods.map(|mood| MOODS[usize::from(mood)])
    }

    /// The typical tempo of its music in beats per minute, 50 to 200.
    pub fn tempo_bpm(&self) -> f64 {
        self.tempo_bpm
    }

    /// How lively its music is, 0 to 1.
    pub fn energy(&self) -> f64 {
        self.energy
    }

    /// The share of all listening it would have if nobody had a taste of their own. All shares add up to 1.
    pub fn popularity(&self) -> f64 {
        self.popularity
    }

    pub(super) fn genre_idx(&self) -> u8 {
        self.genre
    }

    pub(super) fn second_genre_idx(&self) -> Option<u8> {
        self.second_genre
    }

    pub(super) fn family_idx(&self) -> u8 {
        GENRES[usize::from(self.genre)].family
    }

    /// The scene's number among all scenes of all genres.
    pub(super) fn scene_idx(&self) -> u8 {
        self.genre * SCENES_PER_GENRE + self.scene
    }

    pub(super) fn mood_idxs(&self) -> [u8; 2] {
        self.moods
    }

    /// What a catalogue tells of it: name, genres and moods. Not the scene: that is for listening to
    /// reveal.
    pub(super) fn entry(&self) -> CatalogueEntry {
        let tag = |name, weight| Tag::new(name, weight).expect("the weights below are finite and above 0");
        let genres = self.genres().zip([1.0, 0.5]).map(|(name, weight)| tag(name, weight));
        let moods = self.moods().into_iter().zip([0.6, 0.4]).map(|(name, weight)| tag(name, weight));
        genres.chain(moods).fold(CatalogueEntry::new(Arc::clone(&self.name)), CatalogueEntry::tag)
    }
}

/// `n_artists` artists in order of popularity.
pub(super) fn invent_artists(n_artists: u32, random: &mut SplitMix64) -> Vec<DemoArtist> {
    let genre_weights: Vec<f64> = GENRES.iter().map(|genre| genre.weight).collect();
    let genres = AliasTable::new(&genre_weights).expect("genres have weights above zero");
    let unscaled: Vec<f64> = (0..n_artists)
        .map(|rank| libm::pow(f64::from(rank) + POPULARITY_FLATTENING, -POPULARITY_EXPONENT))
        .collect();
    let total: f64 = unscaled.iter().sum();
    let mut names = Names::new();
    unscaled
        .into_iter()
        .map(|popularity| {
            let genre = genres.sample(random);
            invent_artist(small_idx(genre), popularity / total, &mut names, random)
        })
        .collect()
}

fn invent_artist(genre: u8, popularity: f64, names: &mut Names, random: &mut SplitMix64) -> DemoArtist {
    let typical = &GENRES[usize::from(genre)];
    let energy = (typical.energy + 0.10 * random.normal()).clamp(0.0, 1.0);
    let tempo_bpm = (typical.tempo_bpm * (1.0 + 0.10 * random.normal())).clamp(50.0, 200.0);
    let first_mood = typical.moods[random.below(typical.moods.len())];
    // Any other mood, now and then one the genre is not known for.
    let second_mood = loop {
        let mood = if random.uniform() < 0.7 {
            typical.moods[random.below(typical.moods.len())]
        } else {
            small_idx(random.below(MOODS.len()))
        };
        if mood != first_mood {
            break mood;
        }
    };
    let second_genre = (random.uniform() < SHARE_WITH_SECOND_GENRE).then(|| {
        loop {
            let other = random.below(GENRES.len());
            if other != usize::from(genre) && GENRES[other].family == typical.family {
                break small_idx(other);
            }
        }
    });
    let scene = small_idx(random.below(usize::from(SCENES_PER_GENRE)));
    let (name, slug) = names.invent(energy, random);
    DemoArtist {
        id: slug.into(),
        name: name.into(),
        genre,
        second_genre,
        scene,
        moods: [first_mood, second_mood],
        tempo_bpm,
        energy,
        popularity,
    }
}

fn small_idx(idx: usize) -> u8 {
    u8::try_from(idx).expect("there are fewer than 256 genres, scenes and moods")
}
