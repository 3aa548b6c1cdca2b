//! Counts, latencies and sizes.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::health::Degradation;
use super::memory::MemoryStats;
use super::stages::StageLatencies;
use crate::checkpoint::CheckpointReport;
use crate::engine::sources::SourceStats;
use crate::guard::{LatencySummary, PluginStats};
use crate::model::Refusal;
use crate::training::SweepReport;
use crate::types::{EventSeq, GenerationId};

/// Counts since the engine was opened, and sizes as they are.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Events learned.
    pub applied: u64,
    /// Events dropped because their idempotency key was seen before.
    pub duplicates: u64,
    /// Events refused by the writer, by reason.
    pub refused: HashMap<Refusal, u64>,
    /// Events handed back to whoever sent them: by [`EventError::name`](crate::EventError::name) those that were not well
    /// formed, whichever way they came, and `queue_full`, `stopped` and `read_only`. All reasons are there, whether they
    /// occurred or not.
    pub handed_back: BTreeMap<&'static str, u64>,
    /// Events whose batch the store failed to take: whether they will be there when it is opened again is not known.
    pub store_failed: u64,
    /// History cells dropped because a user's history was full.
    pub evicted_cells: u64,
    /// User vectors solved by the writer.
    pub user_folds: u64,
    /// Item vectors solved between sweeps.
    pub item_folds: u64,
    /// Of those, vectors that were not finite or absurdly large, so that the one before was kept: look for a regularization
    /// next to nothing or for confidences of extreme size.
    pub unusable_item_folds: u64,
    /// Batches they were solved in.
    pub item_batches: u64,
    /// The generation in use; zero before the first.
    pub generation: GenerationId,
    /// How long ago the input of the generation in use was frozen; `None` before the first. Users and items that came or
    /// changed since are folded in.
    pub generation_age: Option<Duration>,
    /// How far the sweep under way has come, if there is one.
    pub sweep: Option<SweepProgress>,
    /// Models published: of sweeps, taken in, or brought back.
    pub sweeps: u64,
    /// Sweeps that gave no model.
    pub failed_sweeps: u64,
    /// Checkpoints written to the engine's own store; backups are not counted.
    pub checkpoints: u64,
    /// Checkpoints of the engine's own store that were not written.
    pub failed_checkpoints: u64,
    /// What the last one is.
    pub last_checkpoint: Option<CheckpointReport>,
    /// What has become of watched files since the engine was opened; nothing without the feature `reload`.
    pub reloads: ReloadStats,
    /// What the last published sweep did, and what the gate has found out about it.
    pub last_sweep: Option<SweepReport>,
    /// All that is wrong at the moment, the gravest first, as `health` tells of one.
    pub degradations: Vec<Degradation>,
    /// Panics caught in plug-ins.
    pub plugin_panics: u64,
    /// What the plug-ins have done, seam by seam.
    pub plugins: Vec<PluginStats>,
    /// What the sources of events have given, in the order they were added.
    pub sources: Vec<SourceStats>,
    /// From `send` to visible, for events that came through the queue one by one.
    pub event_to_visible: LatencySummary,
    /// How long each stage takes.
    pub stages: StageLatencies,
    /// Users known.
    pub n_users: usize,
    /// Items known.
    pub n_items: usize,
    /// Bytes of histories, vectors and ids, near enough, which [`Limits::max_bytes`](crate::Limits::max_bytes) is held
    /// against; without the rows that a sweep has published for the users.
    pub n_bytes: u64,
    /// All memory, part by part.
    pub memory: MemoryStats,
    /// Events waiting in the queue; 0 for a manual engine.
    pub queue_len: usize,
    /// Events the queue holds; 0 for a manual engine.
    pub queue_capacity: usize,
    /// The age of the oldest event that was sent and is not visible yet, near enough; zero if there is none.
    pub lag: Duration,
    /// The last event whose effect is visible.
    pub visible: EventSeq,
}

/// What has become of the files that an engine watches: settings, lists, catalogues and models.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReloadStats {
    /// Files whose change was taken in.
    pub taken: u64,
    /// Files that were refused; nothing has changed then.
    pub refused: u64,
    /// The file that was refused last, and why; also if it has been taken since.
    pub latest_refusal: Option<String>,
}

/// How far a sweep has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepProgress {
    /// Passes over both sides that are done. What comes after the last is the judging of what came out.
    pub done: usize,
    /// Passes there will be.
    pub of: usize,
    /// Time since its input was frozen.
    pub elapsed: Duration,
}
