//! Artists to draw from: all, or those of a family, a genre or a scene.

use crate::kernel::{AliasTable, SplitMix64};

use super::DemoArtist;
use super::genre::{GENRES, N_FAMILIES, SCENES_PER_GENRE};

/// Every way artists are grouped; each group is drawn from in proportion to popularity.
#[derive(Debug)]
pub(super) struct Pools {
    world: Pool,
    families: Vec<Option<Pool>>,
    genres: Vec<Option<Pool>>,
    scenes: Vec<Option<Pool>>,
}

#[derive(Debug)]
struct Pool {
    artists: Vec<u32>,
    table: AliasTable,
}

impl Pools {
    /// Groups at least one artist.
    pub(super) fn of(artists: &[DemoArtist]) -> Self {
        Self {
            world: Pool::of(artists, |_| true).expect("a world has an artist"),
            families: (0..usize::from(N_FAMILIES))
                .map(|family| Pool::of(artists, |artist| usize::from(artist.family_idx()) == family))
                .collect(),
            genres: (0..GENRES.len())
                .map(|genre| Pool::of(artists, |artist| usize::from(artist.genre_idx()) == genre))
                .collect(),
            scenes: (0..GENRES.len() * usize::from(SCENES_PER_GENRE))
                .map(|scene| Pool::of(artists, |artist| usize::from(artist.scene_idx()) == scene))
                .collect(),
        }
    }

    /// Any artist.
    pub(super) fn draw(&self, random: &mut SplitMix64) -> u32 {
        self.world.draw(random)
    }

    /// An artist of a family of genres; any artist if it has none.
    pub(super) fn draw_family(&self, family: u8, random: &mut SplitMix64) -> u32 {
        self.families[usize::from(family)].as_ref().unwrap_or(&self.world).draw(random)
    }

    /// An artist of a genre; any artist if it has none.
    pub(super) fn draw_genre(&self, genre: u8, random: &mut SplitMix64) -> u32 {
        self.genres[usize::from(genre)].as_ref().unwrap_or(&self.world).draw(random)
    }

    /// An artist of a scene; any artist if it has none.
    pub(super) fn draw_scene(&self, scene: u8, random: &mut SplitMix64) -> u32 {
        self.scenes[usize::from(scene)].as_ref().unwrap_or(&self.world).draw(random)
    }
}

impl Pool {
    fn of(artists: &[DemoArtist], belongs: impl Fn(&DemoArtist) -> bool) -> Option<Self> {
        let (members, weights): (Vec<u32>, Vec<f64>) = (0_u32..)
            .zip(artists)
            .filter(|(_, artist)| belongs(artist))
            .map(|(idx, artist)| (idx, artist.popularity()))
            .unzip();
        AliasTable::new(&weights).map(|table| Self { artists: members, table })
    }

    fn draw(&self, random: &mut SplitMix64) -> u32 {
        self.artists[self.table.sample(random)]
    }
}
