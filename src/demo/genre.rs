//! The genres and moods of the invented world.

/// A genre and what its artists tend to be like.
#[derive(Debug)]
pub(super) struct Genre {
    pub(super) name: &'static str,
    /// Genres of one family share listeners.
    pub(super) family: u8,
    /// How common it is among artists, in any unit.
    pub(super) weight: f64,
    /// The energy its artists scatter around, 0 to 1.
    pub(super) energy: f64,
    /// The tempo they scatter around, in beats per minute.
    pub(super) tempo_bpm: f64,
    /// Typical moods, as places in [`MOODS`].
    pub(super) moods: [u8; 3],
}

pub(super) const MOODS: [&str; 12] = [
    "calm",
    "melancholic",
    "dreamy",
    "warm",
    "dark",
    "romantic",
    "nostalgic",
    "playful",
    "uplifting",
    "groovy",
    "fierce",
    "euphoric",
];

/// A scene is a place among these per genre.
pub(super) const SCENES_PER_GENRE: u8 = 4;

pub(super) const N_FAMILIES: u8 = 10;

pub(super) static GENRES: [Genre; 30] = [
    genre("ambient", 0, 1.0, 0.10, 72.0, [0, 2, 3]),
    genre("downtempo", 0, 1.1, 0.28, 90.0, [0, 3, 9]),
    genre("trip-hop", 0, 1.2, 0.35, 88.0, [4, 1, 2]),
    genre("house", 1, 1.6, 0.78, 124.0, [9, 8, 11]),
    genre("techno", 1, 1.4, 0.86, 132.0, [4, 11, 10]),
    genre("drum-and-bass", 1, 0.9, 0.92, 174.0, [11, 10, 4]),
    genre("indie-rock", 2, 2.2, 0.62, 122.0, [6, 8, 1]),
    genre("post-punk", 2, 1.2, 0.68, 138.0, [4, 1, 10]),
    genre("shoegaze", 2, 0.9, 0.52, 110.0, [2, 1, 6]),
    genre("metal", 3, 1.5, 0.95, 144.0, [10, 4, 1]),
    genre("hardcore", 3, 0.9, 0.97, 178.0, [10, 11, 4]),
    genre("sludge", 3, 0.6, 0.80, 76.0, [4, 10, 1]),
    genre("folk", 4, 1.5, 0.25, 98.0, [3, 6, 0]),
    genre("singer-songwriter", 4, 1.6, 0.28, 94.0, [1, 5, 3]),
    genre("americana", 4, 1.0, 0.40, 106.0, [6, 3, 8]),
    genre("jazz", 5, 1.3, 0.38, 112.0, [3, 9, 0]),
    genre("soul", 5, 1.3, 0.48, 96.0, [5, 3, 9]),
    genre("funk", 5, 0.9, 0.74, 108.0, [9, 7, 8]),
    genre("boom-bap", 6, 1.4, 0.56, 92.0, [9, 6, 4]),
    genre("trap", 6, 1.5, 0.70, 140.0, [4, 10, 9]),
    genre("lo-fi-beats", 6, 1.1, 0.20, 80.0, [0, 6, 2]),
    genre("modern-classical", 7, 1.0, 0.12, 70.0, [0, 1, 5]),
    genre("chamber", 7, 0.7, 0.20, 84.0, [5, 1, 0]),
    genre("choral", 7, 0.5, 0.15, 66.0, [0, 8, 1]),
    genre("bossa-nova", 8, 0.8, 0.30, 118.0, [5, 3, 0]),
    genre("cumbia", 8, 0.8, 0.72, 100.0, [7, 9, 11]),
    genre("afrobeat", 8, 0.9, 0.76, 114.0, [9, 8, 11]),
    genre("synth-pop", 9, 1.8, 0.66, 120.0, [6, 11, 8]),
    genre("dream-pop", 9, 1.2, 0.40, 102.0, [2, 5, 6]),
    genre("art-pop", 9, 1.2, 0.54, 112.0, [7, 2, 8]),
];

const fn genre(
    name: &'static str,
    family: u8,
    weight: f64,
    energy: f64,
    tempo_bpm: f64,
    moods: [u8; 3],
) -> Genre {
    Genre { name, family, weight, energy, tempo_bpm, moods }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_genre_names_a_family_and_moods_there_are() {
        for genre in &GENRES {
            assert!(genre.family < N_FAMILIES, "{}", genre.name);
            assert!(genre.moods.iter().all(|mood| usize::from(*mood) < MOODS.len()), "{}", genre.name);
        }
    }
}
