//! What goes into a checkpoint, and what comes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::als::Gramian;
use crate::model::{
    ActionNames, ByItem, DedupeWindow, Generation, ItemRecord, ItemSide, LearningSettings, Shared,
    SkipCounts, UserState,
};
use crate::publish::Freeze;
use crate::types::{EventSeq, ItemIdx, Timestamp};

/// Where in the journal a checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Of which store.
    pub(crate) store_id: u64,
    /// The last record whose effect is in the checkpoint.
    pub(crate) record: u64,
    /// The segment that begins with the record after it.
    pub(crate) segment: u64,
    /// Whether that segment must be there; a backup stands alone.
    pub(crate) continues: bool,
}

impl Position {
    /// What a backup says its last record is. It has no journal; but as that which goes on from it then begins with record
    /// 2, it is seen to have no beginning should the backup be lost. No other checkpoint stands so early: the first
    /// two records of a store are a time and the settings.
    pub(crate) const RECORD_OF_BACKUP: u64 = 1;

    /// That of a backup, which begins store `store_id`.
    pub(crate) fn alone(store_id: u64) -> Self {
        Self { store_id, record: Self::RECORD_OF_BACKUP, segment: 1, continues: false }
    }
}

/// The sums that item fold-ins are solved with, as they move between sweeps.
#[derive(Debug, Clone)]
pub(crate) struct RunningGramians {
    pub(crate) users: Gramian,
    pub(crate) items: Gramian,
    pub(crate) items_at_sweep: Gramian,
    pub(crate) items_moved: f64,
}

/// All that an engine knows, frozen: what is small is copied, what is large is read through `freeze` while
/// the writer goes on.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) position: Position,
    /// Whether everything older in the store holds somebody who was forgotten, and must go.
    pub(crate) erases: bool,
    pub(crate) settings: LearningSettings,
    pub(crate) seq: EventSeq,
    pub(crate) stream_time: Timestamp,
    /// When it was taken: the latest that the clock had shown by then.
    pub(crate) taken_at: Timestamp,
    pub(crate) last_freeze: Option<(EventSeq, Timestamp)>,
    pub(crate) norm_of_model: Option<f64>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) freeze: Arc<Freeze<UserState>>,
    /// Rows of users, forgotten ones included. Their ids: `shared.user_ids.frozen_key`.
    pub(crate) n_users: u32,
    /// Rows of items, forgotten ones included.
    pub(crate) n_items: u32,
    pub(crate) generation: Arc<Generation>,
    pub(crate) items: Arc<ItemSide>,
    pub(crate) running: Option<RunningGramians>,
    /// One a row of the items.
    pub(crate) item_records: Vec<ItemRecord>,
    pub(crate) skips: SkipCounts,
    pub(crate) items_to_fold: Vec<ItemIdx>,
    pub(crate) dedupe: DedupeWindow,
    pub(crate) actions: ActionNames,
    pub(crate) source_offsets: BTreeMap<String, u64>,
}

/// What a checkpoint gives back, for an engine to go on from.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) position: Position,
    pub(crate) erases: bool,
    pub(crate) settings: LearningSettings,
    pub(crate) seq: EventSeq,
    pub(crate) stream_time: Timestamp,
    pub(crate) taken_at: Timestamp,
    pub(crate) last_freeze: Option<(EventSeq, Timestamp)>,
    pub(crate) norm_of_model: Option<f64>,
    /// With all users' states and the generation published; its watermark stands at zero.
    pub(crate) shared: Shared,
    pub(crate) by_item: ByItem,
    pub(crate) skips: SkipCounts,
    pub(crate) running: Option<RunningGramians>,
    pub(crate) items_to_fold: Vec<ItemIdx>,
    pub(crate) dedupe: DedupeWindow,
    pub(crate) actions: ActionNames,
    pub(crate) source_offsets: BTreeMap<String, u64>,
    /// Σ of [`UserState::n_bytes`].
    pub(crate) n_state_bytes: u64,
    /// Those of them that vectors take.
    pub(crate) n_vector_bytes: u64,
}
