//! What must not be shown, and what alone may be, changed while the engine runs.

use std::sync::Arc;

use super::super::filter::{Filter, ItemFilter, OnPanic};
use super::super::request::{Candidate, Request};
use super::live_set::{KeyOf, LiveSet};
use crate::types::ItemId;

/// Items, or groups of them, that no list shows: for what is delisted and must be gone at once.
///
/// A handle: clone it, give one to the engine and keep another. Every list asked for after [`block`](Self::block) has
/// returned is without the item, whichever view it is asked of; ids may be blocked before the engine has heard of them.
/// It holds in lists of every kind, similar and popular items too, but not in [`plain`](crate::ItemQuery::plain) ones,
/// and what a listener has done with the item still counts.
///
/// A change copies the list, on the calling thread, and lists that are being made wait for none of it: block many
/// together.
///
/// ```
/// use segue::plugin::BlockList;
/// use segue::{Engine, Event, ItemId};
///
/// let delisted = BlockList::new();
/// // Tracks are called "artist/title".
/// let banned = BlockList::of_groups(|track| track.as_str()?.split_once('/').map(|(artist, _)| artist.into()));
/// let engine = Engine::builder().filter(delisted.clone()).filter(banned.clone()).open()?;
/// engine.import(["muse/uprising", "muse/hysteria", "air/la femme"].map(|track| Event::listen("ana", track)))?;
///
/// let view = engine.reader().view();
/// delisted.block("muse/uprising");
/// assert_eq!(view.popular().run()?.len(), 2);
/// banned.block("muse");
/// assert_eq!(view.popular().run()?.ids().next(), Some(&ItemId::from("air/la femme")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct BlockList {
    set: Arc<LiveSet>,
    key_of: KeyOf,
}

impl BlockList {
    /// An empty list of items.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list of groups (artists, labels), which `group_of` tells of an item: blocking one blocks all that is of it.
    /// Items without a group are not blocked.
    pub fn of_groups(group_of: impl Fn(&ItemId) -> Option<ItemId> + Send + Sync + 'static) -> Self {
        Self { set: Arc::default(), key_of: KeyOf::Group(Arc::new(group_of)) }
    }

    /// Shows it no more.
    pub fn block(&self, key: impl Into<ItemId>) {
        self.block_all([key]);
    }

    /// Shows none of them any more.
    pub fn block_all<I: Into<ItemId>>(&self, keys: impl IntoIterator<Item = I>) {
        self.set.add(keys.into_iter().map(Into::into).collect());
    }

    /// Shows it again.
    pub fn unblock(&self, key: impl Into<ItemId>) {
        self.set.remove(&[key.into()]);
    }

    /// Blocks these and nothing else, in one step: a list made meanwhile goes by the old or by the new one, not by a mixture.
    pub fn replace<I: Into<ItemId>>(&self, keys: impl IntoIterator<Item = I>) {
        self.set.replace(keys.into_iter().map(Into::into).collect());
    }

    /// Whether an item, or a group, is on the list.
    pub fn contains(&self, key: impl Into<ItemId>) -> bool {
        self.set.load().contains(&key.into())
    }

    /// How many there are on it.
    pub fn len(&self) -> usize {
        self.set.load().len()
    }

    /// What is on it, for whoever fills it.
    #[cfg(feature = "reload")]
    pub(crate) fn set(&self) -> &Arc<LiveSet> {
        &self.set
    }

    /// Whether nothing is blocked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Filter for BlockList {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        let blocked = self.set.load();
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            if blocked.is_empty() {
                return;
            }
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = !self.key_of.is_in(&candidate.item, &blocked).unwrap_or(false);
            }
        })
    }

    fn on_panic(&self) -> OnPanic {
        OnPanic::Hide
    }
}

/// Items, or groups of them, that lists are made of, and of nothing else: what is licensed, what an editor has chosen.
///
/// A handle as [`BlockList`] is. An empty one allows nothing. For one request alone there is
/// [`ItemQuery::only`](crate::ItemQuery::only), which is quicker where few items are allowed.
///
/// ```
/// use segue::plugin::AllowList;
/// use segue::{Engine, Event};
///
/// let licensed = AllowList::new();
/// let engine = Engine::builder().filter(licensed.clone()).open()?;
/// engine.import(["air", "muse"].map(|artist| Event::listen("ana", artist)))?;
/// assert!(engine.reader().view().popular().run()?.is_empty());
/// licensed.allow("air");
/// assert_eq!(engine.reader().view().popular().run()?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    set: Arc<LiveSet>,
    key_of: KeyOf,
}

impl AllowList {
    /// An empty list of items.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty list of groups (artists, labels), which `group_of` tells of an item: allowing one allows all that is of it.
    /// Items without a group are not allowed.
    pub fn of_groups(group_of: impl Fn(&ItemId) -> Option<ItemId> + Send + Sync + 'static) -> Self {
        Self { set: Arc::default(), key_of: KeyOf::Group(Arc::new(group_of)) }
    }

    /// Allows it.
    pub fn allow(&self, key: impl Into<ItemId>) {
        self.allow_all([key]);
    }

    /// Allows all of them.
    pub fn allow_all<I: Into<ItemId>>(&self, keys: impl IntoIterator<Item = I>) {
        self.set.add(keys.into_iter().map(Into::into).collect());
    }

    /// Allows it no more.
    pub fn disallow(&self, key: impl Into<ItemId>) {
        self.set.remove(&[key.into()]);
    }

    /// Allows these and nothing else, in one step.
    pub fn replace<I: Into<ItemId>>(&self, keys: impl IntoIterator<Item = I>) {
        self.set.replace(keys.into_iter().map(Into::into).collect());
    }

    /// Whether an item, or a group, is on the list.
    pub fn contains(&self, key: impl Into<ItemId>) -> bool {
        self.set.load().contains(&key.into())
    }

    /// How many there are on it.
    pub fn len(&self) -> usize {
        self.set.load().len()
    }

    /// What is on it, for whoever fills it.
    #[cfg(feature = "reload")]
    pub(crate) fn set(&self) -> &Arc<LiveSet> {
        &self.set
    }

    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Filter for AllowList {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        let allowed = self.set.load();
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = self.key_of.is_in(&candidate.item, &allowed).unwrap_or(false);
            }
        })
    }

    fn on_panic(&self) -> OnPanic {
        OnPanic::Hide
    }
}
