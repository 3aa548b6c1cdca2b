//! What a policy is told of a request, and of the items that may be shown.

use super::answer::Source;
use crate::model::Cell;
use crate::types::{Context, ItemId, Timestamp, UserId};

/// What a policy is told of a request: who asks, when, in which circumstances, and for what.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Request<'r> {
    /// Who asks; `None` where no user is meant, as for what is similar to an item.
    pub user: Option<&'r UserId>,
    /// When, by the engine's clock, or as the host said with [`ItemQuery::at`](crate::ItemQuery::at).
    pub at: Timestamp,
    /// In which circumstances, if the host said so with [`ItemQuery::context`](crate::ItemQuery::context).
    pub context: Option<&'r Context>,
    /// How many items are to be shown.
    pub limit: usize,
    /// What the scores are.
    pub source: Source,
}

/// An item that may be shown.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// The item.
    pub item: ItemId,
    /// Its score, as the model gives it or, further on, as rescorers left it.
    pub score: f32,
    /// How many listeners it has.
    pub listeners: f32,
    /// What the user has done with it; `None` if nothing, or if no user is meant.
    pub heard: Option<Heard>,
}

/// What a user has done with an item.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Heard {
    /// Events, undone ones not counted.
    pub events: u32,
    /// The latest of them.
    pub last_seen: Timestamp,
}

impl From<&Cell> for Heard {
    fn from(cell: &Cell) -> Self {
        Self { events: cell.events(), last_seen: cell.last_seen() }
    }
}
