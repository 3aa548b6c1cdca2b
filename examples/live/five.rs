//! One listener plays five artists of a genre that is new to them.

use std::collections::{BTreeMap, HashSet};

use segue::{Engine, Event, ItemId, UserId, UserView, View};

use crate::source::Source;
use crate::{Failure, PATIENCE};

const PLAYS: usize = 5;
const SHOWN: usize = 5;
/// A history that is real, and not so long that five plays say nothing beside it.
const HISTORY: std::ops::RangeInclusive<usize> = 10..=20;
/// Artists a genre needs to be worth exploring.
const GENRE_SIZE: usize = 20;

/// What was played, and what it changed.
pub(crate) struct Five {
    pub(crate) listener: UserId,
    pub(crate) n_known: usize,
    pub(crate) genre: String,
    pub(crate) played: Vec<ItemId>,
    pub(crate) before: Vec<ItemId>,
    pub(crate) after: Vec<ItemId>,
}

/// `None` if nobody has a history of the right length and a genre left to explore.
pub(crate) fn run(engine: &Engine, source: &Source) -> Result<Option<Five>, Failure> {
    let (sender, reader) = (engine.sender(), engine.reader());
    let view = reader.view();
    let Some((listener, genre, played)) = find(&view, source)? else { return Ok(None) };
    let (n_known, before) = (listener.history().len(), top(&listener)?);

    let mut last = None;
    for artist in &played {
        last = Some(sender.send_tracked(Event::listen(listener.id(), artist).fraction(1.0))?);
    }
    let view = match last {
        Some(receipt) => reader.view_after(&receipt, PATIENCE)?,
        None => reader.view(),
    };
    let after = top(&view.user(listener.id()))?;
    Ok(Some(Five { listener: listener.id().clone(), n_known, genre, played, before, after }))
}

/// The first listener who has a history of the right length and lacks a genre, the largest genre they lack,
/// and five of its artists.
fn find<'v>(view: &'v View, source: &Source) -> Result<Option<(UserView<'v>, String, Vec<ItemId>)>, Failure> {
    let mut genres: BTreeMap<&str, Vec<&ItemId>> = BTreeMap::new();
    for (artist, _) in source.catalogue().iter() {
        if let Some(genre) = source.genre_of(artist) {
            genres.entry(genre).or_default().push(artist);
        }
    }
    genres.retain(|_, artists| artists.len() >= GENRE_SIZE);
    for id in source.listeners() {
        let listener = view.user(id);
        let history = listener.history();
        if !HISTORY.contains(&history.len()) {
            continue;
        }
        let touched: HashSet<&str> =
            history.iter().flat_map(|entry| genres_of(source, &entry.item)).collect();
        let untouched = genres.iter().filter(|(genre, _)| !touched.contains(*genre));
        let Some((&genre, artists)) = untouched.max_by_key(|(_, artists)| artists.len()) else { continue };
        return Ok(Some((listener, genre.to_owned(), way_in(view, artists)?)));
    }
    Ok(None)
}

/// Where somebody would begin with a genre: its most popular artist, and those who are most like them.
fn way_in(view: &View, artists: &[&ItemId]) -> Result<Vec<ItemId>, Failure> {
    let genre = || artists.iter().copied();
    let mut played: Vec<_> = view.popular().only(genre()).limit(1).run()?.ids().cloned().collect();
    if let Some(first) = played.first() {
        let like_it = view.similar(first).only(genre()).limit(PLAYS - 1).run()?;
        played.extend(like_it.ids().cloned());
    }
    Ok(played)
}

/// Everything an artist can be filed under: its three strongest tags.
fn genres_of<'s>(source: &'s Source, artist: &ItemId) -> impl Iterator<Item = &'s str> + use<'s> {
    source.catalogue().tags_of(artist).iter().take(3).map(segue::Tag::name)
}

fn top(listener: &UserView<'_>) -> Result<Vec<ItemId>, Failure> {
    Ok(listener.recommend().limit(SHOWN).run()?.ids().cloned().collect())
}
