//! How much an engine takes in, and what it says when that is reached.

use thiserror::Error;

use crate::types::MAX_ID_BYTES;

/// Caps on what an engine holds in memory. Reaching one refuses what is new and keeps what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Users; default 10 million.
    pub max_users: u32,
    /// Items; default 2 million.
    pub max_items: u32,
    /// Bytes of histories, the vectors beside them, and ids, near enough; default no limit. The matrices of
    /// the model and the index by item come on top: `4 × n_factors` bytes a user and item, twice while a sweep
    /// runs, and 4 bytes a pair.
    pub max_bytes: u64,
    /// Items in one user's history; default 4,096. One more drops the one with the least confidence.
    pub max_history: usize,
    /// Latest events kept of each user as they came; default 64. A listen or a skip can be taken back
    /// while it is among them, a like, a dislike or a save at any time.
    pub recent_events: usize,
    /// Idempotency keys remembered; default 65,536.
    pub dedupe_window: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_users: 10_000_000,
            max_items: 2_000_000,
            max_bytes: u64::MAX,
            max_history: 4_096,
            recent_events: 64,
            dedupe_window: 65_536,
        }
    }
}

/// Why an event that was well formed was not learned. Nothing that was there before has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// One more user than [`Limits::max_users`].
    #[error("the engine holds {limit} users already; raise `max_users`")]
    TooManyUsers {
        /// The limit in force.
        limit: u32,
    },
    /// One more item than [`Limits::max_items`].
    #[error("the engine holds {limit} items already; raise `max_items`")]
    TooManyItems {
        /// The limit in force.
        limit: u32,
    },
    /// More memory than [`Limits::max_bytes`].
    #[error("the engine holds {limit} bytes already; raise `max_bytes`")]
    TooManyBytes {
        /// The limit in force.
        limit: u64,
    },
    /// The catalogue is closed and does not have the item.
    #[error("the catalogue is closed and does not have the item; add it with `add_items`")]
    UnknownItem,
    /// Nothing is known of the user that should be forgotten or merged.
    #[error("the engine does not know the user")]
    UnknownUser,
    /// Two users should be merged that are one.
    #[error("a user cannot be merged with themselves")]
    SameUser,
    /// The id of the user to merge into is empty or too long.
    #[error("no event can name the user to merge into: an id has 1 to {MAX_ID_BYTES} bytes")]
    UnusableUser,
    /// The store failed, so nothing is learned any more.
    #[error("the store has failed and the engine is read-only; see `health()`, then open it again")]
    ReadOnly,
    /// There is no such action to take back, or it is too long ago.
    #[error("there is no such action to take back")]
    NothingToUndo,
    /// One more name for an action of the host's own than an engine tells apart (1,024).
    #[error("the engine knows 1024 names of custom actions already; use fewer")]
    TooManyActionNames,
    /// The weigher panicked on the event.
    #[error("the weigher panicked on the event; see `stats().plugin_panics`")]
    WeigherPanicked,
}

impl Refusal {
    /// The names of all reasons.
    #[cfg(feature = "metrics")]
    pub(crate) const NAMES: [&str; 11] = [
        "too_many_users",
        "too_many_items",
        "too_many_bytes",
        "unknown_item",
        "unknown_user",
        "same_user",
        "unusable_user",
        "read_only",
        "nothing_to_undo",
        "too_many_action_names",
        "weigher_panicked",
    ];

    /// A short name of the reason that stays the same: for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooManyUsers { .. } => "too_many_users",
            Self::TooManyItems { .. } => "too_many_items",
            Self::TooManyBytes { .. } => "too_many_bytes",
            Self::UnknownItem => "unknown_item",
            Self::UnknownUser => "unknown_user",
            Self::SameUser => "same_user",
            Self::UnusableUser => "unusable_user",
            Self::ReadOnly => "read_only",
            Self::NothingToUndo => "nothing_to_undo",
            Self::TooManyActionNames => "too_many_action_names",
            Self::WeigherPanicked => "weigher_panicked",
        }
    }
}
