//! Where the listens come from: the invented world, or the play counts of real people.

use std::path::Path;

use segue::demo::DemoWorld;
use segue::import::LastFm2k;
use segue::{Catalogue, Event, ItemId, UserId};

use crate::Failure;

/// Listeners, artists, and what the ones do with the others.
pub(crate) struct Source {
    listens: Listens,
    seed: u64,
    listeners: Vec<UserId>,
}

enum Listens {
    Demo(DemoWorld),
    LastFm(LastFm2k),
}

impl Source {
    pub(crate) fn open(data: Option<&Path>, seed: u64) -> Result<Self, Failure> {
        match data {
            None => {
                let world = DemoWorld::builder().seed(seed).build()?;
                let listeners = world.listeners().iter().map(|listener| listener.id().clone()).collect();
                Ok(Self { listens: Listens::Demo(world), seed, listeners })
            }
            Some(folder) => {
                let lastfm = LastFm2k::open(folder)?;
                let mut listeners: Vec<_> = lastfm.plays().iter().map(|plays| plays.user.clone()).collect();
                listeners.sort_unstable();
                listeners.dedup();
                Ok(Self { listens: Listens::LastFm(lastfm), seed, listeners })
            }
        }
    }

    /// The first `n` events. The demo world's are in the order in which they happen there; the play counts
    /// of Last.fm have no order, so its listens are drawn in proportion to them.
    pub(crate) fn events(&self, n: usize) -> Box<dyn Iterator<Item = Event> + '_> {
        match &self.listens {
            Listens::Demo(world) => Box::new(world.events().take(n)),
            Listens::LastFm(lastfm) => Box::new(lastfm.listens(self.seed, n)),
        }
    }

    pub(crate) fn listeners(&self) -> &[UserId] {
        &self.listeners
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.listens {
            Listens::Demo(_) => "the demo world",
            Listens::LastFm(_) => "HetRec 2011 Last.fm",
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        match &self.listens {
            Listens::Demo(world) => world.catalogue(),
            Listens::LastFm(lastfm) => lastfm.catalogue(),
        }
    }

    /// An artist's name, or its id if the catalogue has none.
    pub(crate) fn name_of(&self, artist: &ItemId) -> String {
        self.catalogue().name_of(artist).map_or_else(|| artist.to_string(), str::to_owned)
    }

    /// What an artist is first of all: the first of its tags.
    pub(crate) fn genre_of(&self, artist: &ItemId) -> Option<&str> {
        self.catalogue().tags_of(artist).first().map(segue::Tag::name)
    }
}
