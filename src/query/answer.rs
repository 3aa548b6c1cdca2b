//! What a query gives.

use thiserror::Error;

use crate::types::{EventSeq, GenerationId, ItemId, ItemVersion, Timestamp, UserId};

/// One recommended item.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Recommendation {
    /// The item.
    pub item: ItemId,
    /// How it compares with the other items of the same list; see [`Source`] for its scale.
    pub score: f32,
}

/// A list of items, best first, and where it comes from.
///
/// ```
/// # use segue::Recommendations;
/// fn show(list: &Recommendations) {
///     for pick in list {
///         println!("{:>6.3}  {}", pick.score, pick.item);
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendations {
    items: Vec<Recommendation>,
    provenance: Provenance,
}

impl Recommendations {
    pub(super) fn new(items: Vec<Recommendation>, provenance: Provenance) -> Self {
        Self { items, provenance }
    }

    /// The items, best first.
    pub fn items(&self) -> &[Recommendation] {
        &self.items
    }

    /// The items, best first.
    pub fn iter(&self) -> std::slice::Iter<'_, Recommendation> {
        self.items.iter()
    }

    /// The ids alone, best first.
    pub fn ids(&self) -> impl Iterator<Item = &ItemId> {
        self.items.iter().map(|pick| &pick.item)
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where the list comes from.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }
}

impl<'a> IntoIterator for &'a Recommendations {
    type Item = &'a Recommendation;
    type IntoIter = std::slice::Iter<'a, Recommendation>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl IntoIterator for Recommendations {
    type Item = Recommendation;
    type IntoIter = std::vec::IntoIter<Recommendation>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// Where a list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// What the scores are.
    pub source: Source,
    /// The model it was made with.
    pub generation: GenerationId,
    /// The version of the items within that model.
    pub items: ItemVersion,
    /// The last event of this user that the list knows of; zero where no user is meant.
    pub user_seq: EventSeq,
}

/// What the scores of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Inner products of the user's vector with the items'. An item that was liked aims at 1, one that was
    /// skipped below 0, the average item at 0; what was not heard yet scores lower than what was, and far
    /// lower in a small or weakly regularised world. Not bounded: compare within a list, not between
    /// generations.
    Personal,
    /// As [`Personal`](Self::Personal), for a taste without a listener.
    Taste,
    /// Cosines, −1 to 1.
    Similarity,
    /// Numbers of listeners.
    Popularity,
    /// Numbers of listeners, because there was nothing personal to go on.
    Cold(ColdCause),
}

/// Why an answer is not personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColdCause {
    /// The engine has never heard of the user.
    UnknownUser,
    /// The user's history or the taste is empty, or says nothing about any item the model knows.
    NothingKnown,
    /// No sweep has been published yet.
    NoModel,
}

/// A user who listens to what another listens to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SimilarUser {
    /// The user.
    pub user: UserId,
    /// The cosine of the two vectors, −1 to 1.
    pub score: f32,
}

/// What a user did with one item, all events together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The item.
    pub item: ItemId,
    /// Events, undone ones not counted.
    pub events: u32,
    /// Their preference, on average by confidence.
    pub preference: f32,
    /// Their confidence, before saturation: decayed to the time of the latest event that the model has seen, or
    /// of the user's own latest event before there is a model.
    pub confidence: f32,
    /// The latest of them.
    pub last_seen: Timestamp,
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The item that others are to be similar to is not known.
    #[error("item {item} is not known; nobody has listened to it yet")]
    UnknownItem {
        /// The item.
        item: ItemId,
    },
    /// The item that others are to be similar to has no vector yet.
    #[error(
        "item {item} has no vector yet; it gets one within moments of its first listen, or at the first sweep"
    )]
    NoItemVector {
        /// The item.
        item: ItemId,
    },
    /// The user that others are to be similar to has no vector.
    #[error("user {user} has no vector; they are not known, have no history, or there is no model yet")]
    NoUserVector {
        /// The user.
        user: UserId,
    },
}
