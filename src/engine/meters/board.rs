//! Where the writer counts and everybody reads.

use std::collections::{BTreeMap, HashMap};
#[cfg(feature = "reload")]
use std::path::Path;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::health::{Degradation, Health};
use super::memory::WriterBytes;
use super::stages::{StageLatencies, Stages};
use super::stats::{ReloadStats, Stats, SweepProgress};
use super::waiting::Waiting;
use super::watches::Watches;
use crate::checkpoint::{CheckpointError, CheckpointReport};
use crate::engine::open::RecoveryReport;
use crate::engine::sources::SourceMeters;
use crate::guard::{Counter, Standing, Watch, with_causes};
use crate::model::{Refusal, Shared};
use crate::storage::StorageFailure;
use crate::training::{Progress, SweepReport, TrainingError};
use crate::types::GenerationId;

/// Where the writer counts and everybody reads.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) applied: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) evicted_cells: Counter,
    pub(crate) user_folds: Counter,
    pub(crate) item_folds: Counter,
    pub(crate) unusable_item_folds: Counter,
    pub(crate) item_batches: Counter,
    pub(crate) store_failed: Counter,
    pub(crate) stages: Stages,
    waiting: Waiting,
    watches: Watches,
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
    failed_checkpoints: u64,
    last_checkpoint: Option<CheckpointReport>,
    /// What opening the store has found, and the generation that came out of it.
    recovered: Option<(Arc<RecoveryReport>, GenerationId)>,
    /// When the input of the generation in use was frozen: so long before that moment.
    frozen: Option<(Instant, Duration)>,
    sweep: Option<UnderWay>,
    sweep_failure: Option<TrainingError>,
    reloads: ReloadStats,
    /// Watched files that are not in force as they are, and why.
    refused_files: BTreeMap<PathBuf, String>,
    checkpoint_failure: Option<String>,
    bytes: WriterBytes,
    read_only: Option<StorageFailure>,
    end: Option<End>,
}

/// A sweep under way.
#[derive(Debug)]
struct UnderWay {
    progress: Arc<Progress>,
    of: usize,
    began: Instant,
}

#[derive(Debug)]
enum End {
    Stopped,
    Failed(String),
}

/// The queue as it is for somebody who asks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct QueueState {
    pub(crate) len: usize,
    pub(crate) capacity: usize,
    pub(crate) n_bytes: u64,
}

impl Meters {
    /// Those of a new engine.
    pub(crate) fn watching(watches: Watches) -> Self {
        Self { watches, ..Self::default() }
    }

    /// Those of an engine that was opened from a store, which was at `generation` by then, whose input is of such an age.
    pub(crate) fn after(
        report: RecoveryReport,
        generation: GenerationId,
        age: Option<Duration>,
        watches: Watches,
    ) -> Self {
        tracing::info!(target: "segue::recovery", ?report, "a store was opened");
        let meters = Self::watching(watches);
        let mut rare = meters.rare.lock();
        rare.recovered = Some((Arc::new(report), generation));
        rare.frozen = age.filter(|_| generation > GenerationId::ZERO).map(|age| (Instant::now(), age));
        drop(rare);
        meters
    }

    /// Has the sources of events counted in.
    pub(crate) fn count_sources(&self, sources: Vec<Arc<SourceMeters>>) {
        // An engine is given its sources once.
        let _ = self.sources.set(sources);
    }

    fn sources(&self) -> impl Iterator<Item = &SourceMeters> {
        self.sources.get().into_iter().flatten().map(|meters| &**meters)
    }

    pub(crate) fn checkpoint_written(&self, report: &CheckpointReport) {
        tracing::info!(target: "segue::checkpoint", ?report, "a checkpoint was written");
        self.stages.checkpoint.record(report.duration);
        let mut rare = self.rare.lock();
        rare.checkpoints += 1;
        rare.last_checkpoint = Some(report.clone());
        rare.checkpoint_failure = None;
    }

    pub(crate) fn checkpoint_failed(&self, error: &CheckpointError) {
        if matches!(error, CheckpointError::Cancelled | CheckpointError::NoStore) {
            return;
        }
        let message = with_causes(error);
        tracing::warn!(target: "segue::checkpoint", error = message, "a checkpoint was not written");
        let mut rare = self.rare.lock();
        rare.failed_checkpoints += 1;
        rare.checkpoint_failure = Some(message);
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        *self.rare.lock().refused.entry(refusal).or_default() += 1;
    }

    /// A batch begins with an event that was sent at `sent_at`.
    pub(crate) fn batch_began(&self, began: Instant, sent_at: Instant) {
        self.stages.queue_wait.record(began.saturating_duration_since(sent_at));
        self.waiting.taken(sent_at);
    }

    /// It is visible, or lost; the last of its events was sent at `sent_at`.
    pub(crate) fn batch_ended(&self, sent_at: Instant) {
        self.waiting.published(sent_at);
    }

    /// At `moment` there was nothing in the queue and nothing in hand.
    pub(crate) fn was_idle(&self, moment: Instant) {
        self.waiting.nothing_before(moment);
    }

    pub(crate) fn visible_after(&self, duration: Duration) {
        self.stages.event_to_visible.record(duration);
    }

    /// A sweep of so many passes begins.
    pub(crate) fn sweep_began(&self, progress: Arc<Progress>, of: usize) {
        tracing::debug!(target: "segue::sweep", n_sweeps = of, "a sweep began");
        self.rare.lock().sweep = Some(UnderWay { progress, of, began: Instant::now() });
    }

    /// It has ended, however it did.
    pub(crate) fn sweep_ended(&self) {
        self.rare.lock().sweep = None;
    }

    pub(crate) fn set_bytes(&self, bytes: WriterBytes) {
        self.rare.lock().bytes = bytes;
    }

    pub(crate) fn sweep_published(&self, report: &SweepReport) {
        tracing::info!(target: "segue::sweep", ?report, "a generation was published");
        self.stages.sweep.record(report.duration);
        let mut rare = self.rare.lock();
        rare.sweeps += 1;
        rare.last_sweep = Some(*report);
        rare.frozen = Some((Instant::now(), report.duration));
        rare.sweep_failure = None;
        self.watches.forgive();
        self.sources().for_each(SourceMeters::forgive);
    }

    pub(crate) fn sweep_failed(&self, error: &TrainingError) {
        // Nothing to learn from is no failure: the next events mend it.
        if matches!(
            error,
            TrainingError::Cancelled | TrainingError::Superseded | TrainingError::NothingToLearn
        ) {
            return;
        }
        tracing::warn!(target: "segue::sweep", error = with_causes(error), "a sweep gave no model");
        let mut rare = self.rare.lock();
        rare.failed_sweeps += 1;
        rare.sweep_failure = Some(error.clone());
    }

    /// What a watched file says is in force; `is_new` if it was not before.
    #[cfg(feature = "reload")]
    pub(crate) fn file_taken(&self, file: &Path, is_new: bool) {
        let mut rare = self.rare.lock();
        rare.reloads.taken += u64::from(is_new);
        rare.refused_files.remove(file);
    }

    /// A watched file is refused.
    #[cfg(feature = "reload")]
    pub(crate) fn file_refused(&self, file: &Path, error: &dyn std::error::Error) {
        let message = with_causes(error);
        tracing::warn!(target: "segue::settings", file = %file.display(), error = message, "a watched file was refused");
        let mut rare = self.rare.lock();
        rare.reloads.refused += 1;
        rare.reloads.latest_refusal = Some(format!("{}: {message}", file.display()));
        rare.refused_files.insert(file.to_owned(), message);
    }

    pub(crate) fn read_only(&self, why: StorageFailure) {
        tracing::error!(target: "segue::journal", %why, "the journal failed; the engine is read-only");
        self.rare.lock().read_only = Some(why);
    }

    pub(crate) fn stopped(&self) {
        tracing::info!(target: "segue::engine", "the engine has stopped");
        self.rare.lock().end.get_or_insert(End::Stopped);
    }

    pub(crate) fn failed(&self, message: String) {
        tracing::error!(target: "segue::engine", message, "the writer thread panicked");
        self.rare.lock().end = Some(End::Failed(message));
    }

    pub(crate) fn health(&self) -> Health {
        let rare = self.rare.lock();
        let sweeping = rare.sweep.is_some();
        let recovery = rare.recovered.as_ref().map(|(report, _)| Arc::clone(report));
        match (&rare.end, &rare.read_only, self.degradations(&rare).into_iter().next()) {
            (Some(End::Failed(message)), _, _) => Health::Failed { message: message.clone() },
            (Some(End::Stopped), _, _) => Health::Stopped,
            (None, Some(why), _) => Health::ReadOnly { why: why.clone() },
            (None, None, Some(why)) => Health::Degraded { why },
            (None, None, None) => match rare.generation() {
                GenerationId::ZERO => Health::Warming { events: self.applied.get(), sweeping, recovery },
                generation => Health::Serving { generation, sweeping, recovery },
            },
        }
    }

    /// What is wrong, the gravest first.
    fn degradations(&self, rare: &Rare) -> Vec<Degradation> {
        let sweep = rare.sweep_failure.clone().map(Degradation::SweepFailed);
        let checkpoint =
            rare.checkpoint_failure.clone().map(|message| Degradation::CheckpointFailed { message });
        let files = rare
            .refused_files
            .iter()
            .map(|(file, message)| Degradation::File { file: file.clone(), message: message.clone() });
        let plugins = self
            .watches
            .iter()
            .flat_map(Watch::standing)
            .map(|Standing { seam, plug_in, incident }| Degradation::Plugin { seam, plug_in, incident });
        let sources = self.sources().flat_map(SourceMeters::trouble);
        sweep.into_iter().chain(checkpoint).chain(files).chain(sources).chain(plugins).collect()
    }

    /// Everything, with the sizes that others know.
    pub(crate) fn stats_with(&self, shared: &Shared, queue: QueueState) -> Stats {
        let plugins: Vec<_> = self.watches.iter().map(Watch::stats).collect();
        let handed_back = self.watches.invalid.iter().chain(self.watches.handed_back.iter()).collect();
        let sources: Vec<_> = self.sources().map(SourceMeters::stats).collect();
        let stages = self.stage_latencies();
        let generation = shared.current.load();
        let rare = self.rare.lock();
        Stats {
            applied: self.applied.get(),
            duplicates: self.duplicates.get(),
            refused: rare.refused.clone(),
            handed_back,
            store_failed: self.store_failed.get(),
            evicted_cells: self.evicted_cells.get(),
            user_folds: self.user_folds.get(),
            item_folds: self.item_folds.get(),
            unusable_item_folds: self.unusable_item_folds.get(),
            item_batches: self.item_batches.get(),
            generation: rare.generation(),
            generation_age: rare.frozen.map(|(at, age)| at.elapsed().saturating_add(age)),
            sweep: rare.sweep.as_ref().map(UnderWay::progress),
            sweeps: rare.sweeps,
            failed_sweeps: rare.failed_sweeps,
            checkpoints: rare.checkpoints,
            failed_checkpoints: rare.failed_checkpoints,
            last_checkpoint: rare.last_checkpoint.clone(),
            last_sweep: rare.last_sweep,
            reloads: rare.reloads.clone(),
            degradations: self.degradations(&rare),
            plugin_panics: plugins
                .iter()
                .chain(sources.iter().map(|one| &one.plugin))
                .map(|one| one.panics)
                .sum(),
            plugins,
            sources,
            event_to_visible: stages.event_to_visible,
            stages,
            n_users: shared.user_ids.len() as usize,
            n_items: shared.item_ids.len() as usize,
            n_bytes: rare.bytes.capped,
            memory: rare.bytes.with(
                &generation,
                queue.n_bytes,
                rare.sweep.as_ref().map_or(0, |sweep| sweep.progress.n_bytes()),
            ),
            queue_len: queue.len,
            queue_capacity: queue.capacity,
            lag: self.waiting.age(queue.len),
            visible: shared.applied.reached(),
        }
    }

    fn stage_latencies(&self) -> StageLatencies {
        let Self { stages, watches, .. } = self;
        StageLatencies {
            queue_wait: stages.queue_wait.summary(),
            weigh: watches.weigher.latency().summary(),
            apply: stages.apply.summary(),
            journal: stages.journal.summary(),
            fold_in: stages.fold_in.summary(),
            publish: stages.publish.summary(),
            item_fold: stages.item_fold.summary(),
            freeze: stages.freeze.summary(),
            sweep: stages.sweep.summary(),
            swap: stages.swap.summary(),
            checkpoint: stages.checkpoint.summary(),
            sync: watches.storage.syncs.summary(),
            query: watches.queries.lists.summary(),
            event_to_visible: stages.event_to_visible.summary(),
        }
    }
}

impl Rare {
    /// The generation in use.
    fn generation(&self) -> GenerationId {
        let recovered = self.recovered.as_ref().map_or(GenerationId::ZERO, |(_, generation)| *generation);
        self.last_sweep.map_or(recovered, |report| report.generation)
    }
}

impl UnderWay {
    fn progress(&self) -> SweepProgress {
        SweepProgress { done: self.progress.n_done(), of: self.of, elapsed: self.began.elapsed() }
    }
}
