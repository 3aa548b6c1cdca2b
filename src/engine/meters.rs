//! What an engine tells of itself.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::open::RecoveryReport;
use super::sources::{SourceMeters, SourceStats};
use crate::checkpoint::{CheckpointError, CheckpointReport};
use crate::guard::{Counter, Incident, LatencyHistogram, LatencySummary, PluginStats, Watch};
use crate::model::{Refusal, Shared};
use crate::query::QueryWatches;
use crate::storage::StorageFailure;
use crate::training::{SweepReport, TrainingError};
use crate::types::{EventSeq, GenerationId};

/// How an engine is, and why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Health {
    /// No sweep has been published yet, so every answer is cold. The policy begins the first one, or
    /// `sweep_now` does.
    Warming {
        /// Events learned so far.
        events: u64,
        /// Whether the first sweep is under way.
        sweeping: bool,
        /// What opening the store has found; `None` without a store.
        recovery: Option<Arc<RecoveryReport>>,
    },
    /// Answers are personal.
    Serving {
        /// The generation in use.
        generation: GenerationId,
        /// Whether the next one is under way.
        sweeping: bool,
        /// What opening the store has found; `None` without a store.
        recovery: Option<Arc<RecoveryReport>>,
    },
    /// Answers go on, but something failed; the cause says what.
    Degraded {
        /// The latest failure.
        why: Degradation,
    },
    /// The journal failed: answers go on from what was published before, nothing is learned any more. Mend the
    /// cause and open the engine again.
    ReadOnly {
        /// What the storage could not do.
        why: StorageFailure,
    },
    /// The engine was shut down; readers go on answering from the last model.
    Stopped,
    /// The writer thread panicked: a bug of this crate. Readers go on answering from the last model.
    Failed {
        /// What it said.
        message: String,
    },
}

/// What failed, while answers go on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Degradation {
    /// The latest sweep gave no model; the one in use stays in use.
    SweepFailed(TrainingError),
    /// The latest checkpoint of the engine's own store was not written. The ones before it and the journal are
    /// whole; the next is tried when it is due.
    CheckpointFailed {
        /// Why, with its causes.
        message: String,
    },
    /// A source of events did something wrong, or gave what is no event. If it failed, it is tried again after a pause.
    Source {
        /// Which one.
        name: String,
        /// What it did.
        incident: Incident,
    },
    /// A plug-in did something wrong since the last sweep was published; it was done without, or waited for.
    Plugin {
        /// Which seam.
        seam: &'static str,
        /// What it did.
        incident: Incident,
    },
}

/// Counts since the engine was opened, and sizes as they are.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Events learned.
    pub applied: u64,
    /// Events dropped because their idempotency key was seen before.
    pub duplicates: u64,
    /// Events refused, by reason.
    pub refused: HashMap<Refusal, u64>,
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
    /// Sweeps published.
    pub sweeps: u64,
    /// Sweeps that gave no model.
    pub failed_sweeps: u64,
    /// Checkpoints written to the engine's own store; backups are not counted.
    pub checkpoints: u64,
    /// What the last one is.
    pub last_checkpoint: Option<CheckpointReport>,
    /// What the last published sweep did.
    pub last_sweep: Option<SweepReport>,
    /// Panics caught in plug-ins.
    pub plugin_panics: u64,
    /// What the plug-ins that queries ask have done, seam by seam.
    pub query_plugins: Vec<PluginStats>,
    /// What the sweep gate has done.
    pub gate: PluginStats,
    /// What the sources of events have given, in the order they were added.
    pub sources: Vec<SourceStats>,
    /// From `send` to visible, for events that came through the queue one by one.
    pub event_to_visible: LatencySummary,
    /// Users known.
    pub n_users: usize,
    /// Items known.
    pub n_items: usize,
    /// Bytes of histories, vectors and ids, near enough; without the rows that a sweep has published for the users.
    pub n_bytes: u64,
    /// Events waiting in the queue; 0 for a manual engine.
    pub queue_len: usize,
    /// The last event whose effect is visible.
    pub visible: EventSeq,
}

/// Where the writer counts and everybody reads.
#[derive(Debug, Default)]
pub(super) struct Meters {
    pub(super) applied: Counter,
    pub(super) duplicates: Counter,
    pub(super) evicted_cells: Counter,
    pub(super) user_folds: Counter,
    pub(super) item_folds: Counter,
    pub(super) unusable_item_folds: Counter,
    pub(super) item_batches: Counter,
    event_to_visible: LatencyHistogram,
    /// Over the plug-ins that readers ask.
    queries: QueryWatches,
    gate: Option<Arc<Watch>>,
    /// Set once, before they are begun.
    sources: OnceLock<Vec<Arc<SourceMeters>>>,
    rare: Mutex<Rare>,
}

/// What changes seldom.
#[derive(Debug, Default)]
struct Rare {
    refused: HashMap<Refusal, u64>,
    sweeps: u64,
    failed_sweeps: u64,
    last_sweep: Option<SweepReport>,
    checkpoints: u64,
    last_checkpoint: Option<CheckpointReport>,
    /// What opening the store has found, and the generation that came out of it.
    recovered: Option<(Arc<RecoveryReport>, GenerationId)>,
    plugin_panics: u64,
    sweeping: bool,
    trouble: Option<Degradation>,
    n_bytes: u64,
    read_only: Option<StorageFailure>,
    end: Option<End>,
}

#[derive(Debug)]
enum End {
    Stopped,
    Failed(String),
}

impl Meters {
    /// Those of a new engine.
    pub(super) fn watching(queries: QueryWatches, gate: Arc<Watch>) -> Self {
        Self { queries, gate: Some(gate), ..Self::default() }
    }

    /// Those of an engine that was opened from a store, which was at `generation` by then.
    pub(super) fn after(
        report: RecoveryReport,
        generation: GenerationId,
        queries: QueryWatches,
        gate: Arc<Watch>,
    ) -> Self {
        tracing::info!(?report, "a store was opened");
        let meters = Self::watching(queries, gate);
        meters.rare.lock().recovered = Some((Arc::new(report), generation));
        meters
    }

    /// Has the sources of events counted in.
    pub(super) fn count_sources(&self, sources: Vec<Arc<SourceMeters>>) {
        // An engine is given its sources once.
        let _ = self.sources.set(sources);
    }

    fn sources(&self) -> impl Iterator<Item = &SourceMeters> {
        self.sources.get().into_iter().flatten().map(|meters| &**meters)
    }

    pub(super) fn checkpoint_written(&self, report: &CheckpointReport) {
        tracing::info!(?report, "a checkpoint was written");
        let mut rare = self.rare.lock();
        rare.checkpoints += 1;
        rare.last_checkpoint = Some(report.clone());
        if matches!(rare.trouble, Some(Degradation::CheckpointFailed { .. })) {
            rare.trouble = None;
        }
    }

    pub(super) fn checkpoint_failed(&self, error: &CheckpointError) {
        if matches!(error, CheckpointError::Cancelled | CheckpointError::NoStore) {
            return;
        }
        tracing::warn!(%error, "a checkpoint was not written");
        let message = with_causes(error);
        self.rare.lock().trouble = Some(Degradation::CheckpointFailed { message });
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        *self.rare.lock().refused.entry(refusal).or_default() += 1;
    }

    pub(super) fn plugin_panicked(&self, seam: &'static str, message: String) {
        tracing::error!(seam, message, "a plug-in panicked");
        let mut rare = self.rare.lock();
        rare.plugin_panics += 1;
        rare.trouble = Some(Degradation::Plugin { seam, incident: Incident::Panicked { message } });
    }

    pub(super) fn visible_after(&self, duration: Duration) {
        self.event_to_visible.record(duration);
    }

    pub(super) fn set_sweeping(&self, sweeping: bool) {
        self.rare.lock().sweeping = sweeping;
    }

    pub(super) fn set_bytes(&self, n_bytes: u64) {
        self.rare.lock().n_bytes = n_bytes;
    }

    pub(super) fn sweep_published(&self, report: &SweepReport) {
        tracing::info!(?report, "a sweep was published");
        let mut rare = self.rare.lock();
        rare.sweeps += 1;
        rare.last_sweep = Some(*report);
        rare.trouble = None;
        self.queries.iter().for_each(Watch::forgive);
        self.sources().for_each(SourceMeters::forgive);
    }

    pub(super) fn sweep_failed(&self, error: &TrainingError) {
        // Nothing to learn from is no failure: the next events mend it.
        if matches!(error, TrainingError::Cancelled | TrainingError::NothingToLearn) {
            return;
        }
        tracing::warn!(%error, "a sweep gave no model");
        let mut rare = self.rare.lock();
        rare.failed_sweeps += 1;
        rare.trouble = Some(Degradation::SweepFailed(error.clone()));
    }

    pub(super) fn read_only(&self, why: StorageFailure) {
        tracing::error!(?why, "the journal failed; the engine is read-only");
        self.rare.lock().read_only = Some(why);
    }

    pub(super) fn stopped(&self) {
        self.rare.lock().end.get_or_insert(End::Stopped);
    }

    pub(super) fn failed(&self, message: String) {
        tracing::error!(message, "the writer thread panicked");
        self.rare.lock().end = Some(End::Failed(message));
    }

    pub(super) fn health(&self) -> Health {
        let rare = self.rare.lock();
        let (recovery, recovered) = match &rare.recovered {
            Some((report, generation)) => (Some(Arc::clone(report)), *generation),
            None => (None, GenerationId::ZERO),
        };
        let generation = rare.last_sweep.map_or(recovered, |report| report.generation);
        let sweeping = rare.sweeping;
        let of_queries = || {
            let (seam, incident) = self.watches().find_map(Watch::latest)?;
            Some(Degradation::Plugin { seam, incident })
        };
        let of_sources = || self.sources().find_map(SourceMeters::trouble);
        let trouble = rare.trouble.clone().or_else(of_sources).or_else(of_queries);
        match (&rare.end, &rare.read_only, trouble) {
            (Some(End::Failed(message)), _, _) => Health::Failed { message: message.clone() },
            (Some(End::Stopped), _, _) => Health::Stopped,
            (None, Some(why), _) => Health::ReadOnly { why: why.clone() },
            (None, None, Some(why)) => Health::Degraded { why },
            (None, None, None) if generation > GenerationId::ZERO => {
                Health::Serving { generation, sweeping, recovery }
            }
            (None, None, None) => Health::Warming { events: self.applied.get(), sweeping, recovery },
        }
    }

    fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.queries.iter().chain(self.gate.as_deref())
    }

    /// Everything, with the sizes that others know.
    pub(super) fn stats_with(&self, shared: &Shared, queue_len: usize) -> Stats {
        let rare = self.rare.lock();
        Stats {
            applied: self.applied.get(),
            duplicates: self.duplicates.get(),
            refused: rare.refused.clone(),
            evicted_cells: self.evicted_cells.get(),
            user_folds: self.user_folds.get(),
            item_folds: self.item_folds.get(),
            unusable_item_folds: self.unusable_item_folds.get(),
            item_batches: self.item_batches.get(),
            sweeps: rare.sweeps,
            failed_sweeps: rare.failed_sweeps,
            checkpoints: rare.checkpoints,
            last_checkpoint: rare.last_checkpoint.clone(),
            last_sweep: rare.last_sweep,
            plugin_panics: rare.plugin_panics
                + self.sources().map(|meters| meters.stats().plugin.panics).sum::<u64>()
                + self.watches().map(|watch| watch.stats().panics).sum::<u64>(),
            query_plugins: self.queries.iter().map(Watch::stats).collect(),
            gate: self.gate.as_deref().map(Watch::stats).unwrap_or_default(),
            sources: self.sources().map(SourceMeters::stats).collect(),
            event_to_visible: self.event_to_visible.summary(),
            n_bytes: rare.n_bytes,
            n_users: shared.user_ids.len() as usize,
            n_items: shared.item_ids.len() as usize,
            queue_len,
            visible: shared.applied.reached(),
        }
    }
}

/// What an error says, and what each of its causes says.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
