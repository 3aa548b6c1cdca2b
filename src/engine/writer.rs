//! The one who writes: everything that is not shared, in one place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use rayon::ThreadPool;

use super::apply::n_bytes_of_id;
use super::builder::{Policies, Settings};
use super::checkpoints::Checkpointing;
use super::crew::Crew;
use super::drafts::Drafts;
use super::gramians::Gramians;
use super::meters::{Meters, Stages, Watches};
use super::observer::WatchedObserver;
use super::open::RecoveryReport;
use super::queue::JournalState;
use super::rollback::ModelBefore;
use super::scribe::WritingScratch;
use super::session::{SessionMaker, SessionRules};
use super::settings::LiveSettings;
use super::store::Store;
use crate::checkpoint::Restored;
use crate::guard::LatencyHistogram;
use crate::ingest::{Admission, Weigher};
use crate::journal::Journal;
use crate::model::{
    ActionNames, ByItem, DedupeWindow, Generation, ItemRows, ItemSide, LearningSettings, Shared, SkipCounts,
    UserState,
};
use crate::publish::{Freeze, Published, Watermark};
use crate::query::{QueryPolicies, Reader};
use crate::storage::StorageFailure;
use crate::training::{Forgotten, SweepPolicy, SweepPools, WatchedGate};
use crate::types::{EventSeq, ItemIdx, Timestamp, UserIdx};

/// The writer's own state. Whoever holds it is the only one who changes what readers see.
///
/// Its parts stand in files of their own: `apply` (events accepted and noted), `drafts` (what was noted), `change`
/// (forgetting and the like), `fold_users` (what was noted into what is published), `scribe` (the same of some users, on any
/// thread), `fold_items` (due items), `sweep` (freeze and acceptance), `adopt` and `rollback` (models that come otherwise),
/// `log` (the way to the journal), `replay` (the way back).
///
/// INVARIANT: whatever changes here that a later answer depends on is a pure function of what was logged. A
/// function called `perform_…` does what was logged, the same when it happens and when it is replayed; it asks
/// no plug-in and no clock.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) meters: Arc<Meters>,
    pub(super) watches: Watches,
    pub(super) sweep_pools: SweepPools,
    pub(super) helpers: Arc<ThreadPool>,
    pub(super) crew: Crew,
    pub(super) weigher: Arc<dyn Weigher>,
    /// What private sessions go by.
    pub(super) session_rules: Arc<Published<SessionRules>>,
    pub(super) policy: Box<dyn SweepPolicy>,
    pub(super) gate: Arc<WatchedGate>,
    pub(super) observer: Arc<WatchedObserver>,
    /// The numbers in force: what the host is told.
    pub(super) live: Arc<Published<LiveSettings>>,
    /// For readers; the writer itself asks none of them.
    pub(super) query_policies: Arc<QueryPolicies>,
    /// What `shared.current` holds; only the writer replaces it.
    pub(super) generation: Arc<Generation>,
    /// Older generations that readers may still hold. They are kept until none does, as freeing a large one takes
    /// milliseconds that no query should pay.
    pub(super) retired: Vec<Arc<Generation>>,
    pub(super) gramians: Option<Gramians>,

    pub(super) seq: EventSeq,
    /// The latest time stamp of any event: what decay is reckoned at, so that no clock is needed.
    pub(super) stream_time: Timestamp,
    /// What the cap is held against, without the items' vectors.
    pub(super) n_bytes: u64,
    /// The bytes of published states among them, and those of the vectors among these.
    pub(super) n_state_bytes: u64,
    pub(super) n_vector_bytes: u64,
    /// When the stage began that is under way.
    pub(super) lap: Instant,
    pub(super) dedupe: DedupeWindow,
    pub(super) actions: ActionNames,
    pub(super) by_item: ByItem,
    /// What the weigher is told of skips.
    pub(super) skips: SkipCounts,
    pub(super) drafts: Drafts,
    pub(super) scratch: WritingScratch,

    /// Users whose published vector is of an older generation; readers solve for themselves meanwhile.
    pub(super) to_refold: Vec<UserIdx>,
    /// Something happened since the last item batch.
    pub(super) items_stale: bool,
    pub(super) last_item_batch: Option<Timestamp>,
    /// Items of the present batch that are not solved yet.
    pub(super) items_to_fold: Vec<ItemIdx>,

    /// What reads all users as they were at one moment: a sweep or a checkpoint, never both.
    pub(super) freeze: Option<Arc<Freeze<UserState>>>,
    pub(super) training: Option<Training>,
    /// Who was forgotten since the input of the sweep under way was frozen.
    pub(super) forgotten: Forgotten,
    /// The event and the time at which the input of the last sweep was frozen.
    pub(super) last_freeze: Option<(EventSeq, Timestamp)>,
    /// The time of the freeze that the model in use came of.
    pub(super) model_begun_at: Option<Timestamp>,
    /// The event up to which there was nothing to learn from: as before the first, so after a sweep that found nothing.
    pub(super) nothing_to_learn_at: EventSeq,
    /// The model that was in use before the latest.
    pub(super) model_before: Option<Arc<ModelBefore>>,
    /// When a user was forgotten last, since the engine was opened.
    pub(super) last_user_forgotten: Option<EventSeq>,
    /// The last event before the generation in use was published.
    pub(super) generation_published_at: EventSeq,
    pub(super) norm_of_model: Option<f64>,

    /// How far the sources of events say they have been read.
    pub(super) source_offsets: BTreeMap<String, u64>,
    /// As far as they are in the journal: what the host is told.
    pub(super) published_offsets: Arc<Published<BTreeMap<String, u64>>>,
    pub(super) offsets_changed: bool,
    /// `None` in an engine that lives in memory alone.
    pub(super) journal: Option<Journal>,
    pub(super) journal_failure: Option<StorageFailure>,
    pub(super) store: Option<Store>,
    pub(super) checkpointing: Option<Checkpointing>,
    /// The last event by which somebody was forgotten who is not yet gone from the storage.
    pub(super) to_erase: Option<EventSeq>,
    /// Who was forgotten up to this event is gone from the storage.
    pub(super) erased: Arc<Watermark>,
    pub(super) erasure_failed_at: Option<Timestamp>,
    pub(super) last_logged_time: Option<Timestamp>,
    /// The latest that the clock has shown, whatever it shows now.
    pub(super) latest_time: Option<Timestamp>,
    /// Whether an event was logged since the last commit.
    pub(super) batch_has_event: bool,
    /// Events learned since the last commit.
    pub(super) events_in_batch: u64,
}

/// A sweep under way.
#[derive(Debug)]
pub(super) struct Training {
    pub(super) cancel: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(settings: Settings, policies: Policies) -> Self {
        let Policies { weigher, sweep_policy, gate, observer, sweep_pools, helpers, queries, watches } =
            policies;
        let live = LiveSettings::of(&settings, &*weigher, &*sweep_policy, &gate);
        let rules =
            SessionRules { weigher: Arc::clone(&weigher), max_history: settings.learning.max_history };
        let shared = Arc::new(Shared::new(
            &settings.limits,
            settings.learning.als.n_factors(),
            settings.learning.weighing.decay,
        ));
        Self {
            generation: shared.current.load(),
            dedupe: DedupeWindow::new(settings.learning.dedupe_window),
            meters: Arc::new(Meters::watching(watches.clone())),
            watches,
            retired: Vec::new(),
            gramians: None,
            seq: EventSeq::ZERO,
            stream_time: Timestamp::from_unix_ms(i64::MIN),
            n_bytes: 0,
            n_state_bytes: 0,
            n_vector_bytes: 0,
            lap: Instant::now(),
            actions: ActionNames::default(),
            by_item: ByItem::default(),
            skips: SkipCounts::default(),
            drafts: Drafts::default(),
            scratch: WritingScratch::default(),
            to_refold: Vec::new(),
            items_stale: false,
            last_item_batch: None,
            items_to_fold: Vec::new(),
            freeze: None,
            training: None,
            forgotten: Forgotten::default(),
            last_freeze: None,
            model_begun_at: None,
            nothing_to_learn_at: EventSeq::ZERO,
            model_before: None,
            last_user_forgotten: None,
            generation_published_at: EventSeq::ZERO,
            norm_of_model: None,
            source_offsets: BTreeMap::new(),
            published_offsets: Arc::new(Published::new(Arc::default())),
            offsets_changed: false,
            journal: None,
            store: None,
            checkpointing: None,
            to_erase: None,
            erased: Arc::default(),
            erasure_failed_at: None,
            journal_failure: None,
            last_logged_time: None,
            latest_time: None,
            batch_has_event: false,
            events_in_batch: 0,
            crew: Crew::new(Arc::clone(&helpers)),
            helpers,
            settings,
            shared,
            sweep_pools,
            session_rules: Arc::new(Published::new(Arc::new(rules))),
            weigher,
            policy: sweep_policy,
            gate,
            observer,
            live: Arc::new(Published::new(Arc::new(live))),
            query_policies: queries,
        }
    }

    /// One that goes on from a checkpoint.
    pub(super) fn restored(settings: Settings, policies: Policies, restored: Restored) -> Self {
        let mut writer = Self::new(settings, policies);
        let Restored { shared, by_item, running, .. } = restored;
        writer.generation = shared.current.load();
        writer.shared = Arc::new(shared);
        writer.seq = restored.seq;
        // Whoever was in the generation when the checkpoint was taken is in it.
        writer.generation_published_at = restored.seq;
        writer.stream_time = restored.stream_time;
        writer.latest_time = Some(restored.taken_at);
        writer.last_freeze = restored.last_freeze;
        // Perhaps of a later one that gave no model: a checkpoint does not tell.
        writer.model_begun_at = restored.last_freeze.map(|(_, at)| at);
        // Who has been forgotten since that, it does not say.
        writer.last_user_forgotten = Some(restored.seq);
        writer.norm_of_model = restored.norm_of_model;
        writer.by_item = by_item;
        writer.skips = restored.skips;
        writer.gramians = running.map(Gramians::from_parts);
        writer.items_to_fold = restored.items_to_fold;
        writer.dedupe = restored.dedupe;
        writer.actions = restored.actions;
        writer.source_offsets = restored.source_offsets;
        writer.offsets_changed = true;
        writer.settings.learning = restored.settings;
        writer.items_stale = true;
        writer.n_bytes = restored.n_state_bytes + writer.n_bytes_of_ids();
        writer.n_state_bytes = restored.n_state_bytes;
        writer.n_vector_bytes = restored.n_vector_bytes;
        writer
    }

    /// Ends the opening of a store: what was replayed does not count.
    pub(super) fn recovered(&mut self, report: RecoveryReport) {
        self.show_settings();
        drop(self.session_rules.replace(Arc::new(self.rules_of_sessions())));
        let now = self.now();
        let age = self.last_freeze.map(|(_, at)| now.saturating_since(at));
        self.meters = Arc::new(Meters::after(report, self.generation.id, age, self.watches.clone()));
    }

    fn n_bytes_of_ids(&self) -> u64 {
        let users = (0..self.shared.user_ids.len()).filter_map(|row| self.shared.user_ids.key(row));
        let items = (0..self.shared.item_ids.len()).filter_map(|row| self.shared.item_ids.key(row));
        users.map(|id| n_bytes_of_id(id.len_bytes())).sum::<u64>()
            + items.map(|id| n_bytes_of_id(id.len_bytes())).sum::<u64>()
    }

    /// Frees old generations that no reader holds any longer.
    pub(super) fn free_retired(&mut self) {
        let is_free = |generation: &mut Arc<Generation>| Arc::strong_count(generation) == 1;
        self.sweep_pools.free(self.retired.extract_if(.., is_free).collect::<Vec<_>>());
    }

    /// A handle to ask with.
    pub(super) fn reader(&self) -> Reader {
        Reader::new(
            Arc::clone(&self.shared),
            Arc::clone(&self.helpers),
            self.settings.path,
            Arc::clone(&self.query_policies),
        )
    }

    /// The time, or the last one there was if the clock panics.
    pub(super) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// The stage under way has ended, and the next begins.
    pub(super) fn end_lap(&mut self, stage: impl FnOnce(&Stages) -> &LatencyHistogram) {
        let now = Instant::now();
        stage(&self.meters.stages).record(now.saturating_duration_since(self.lap));
        self.lap = now;
    }

    /// Whether something has changed about the items and their last batch is done and long enough ago.
    pub(super) fn item_batch_is_due(&mut self) -> bool {
        if !self.items_stale || !self.may_fold_items() || !self.items_to_fold.is_empty() {
            return false;
        }
        let now = self.now();
        let due = self
            .last_item_batch
            .is_none_or(|last| now < last || now.saturating_since(last) >= self.settings.item_batch_every);
        if due {
            self.last_item_batch = Some(now);
        }
        due
    }

    /// Items are solved against users of one generation, so first everybody is brought into it.
    pub(super) fn may_fold_items(&self) -> bool {
        self.to_refold.is_empty() && self.check_writable().is_ok()
    }

    /// What senders know of the journal.
    pub(super) fn journal_state(&self) -> JournalState {
        self.journal.as_ref().map_or_else(JournalState::default, |journal| JournalState {
            durable: Some(Arc::clone(journal.durable())),
            failed: Arc::clone(journal.has_failed()),
        })
    }

    /// What private sessions are made of.
    pub(super) fn session_maker(&self, admission: Admission) -> SessionMaker {
        SessionMaker {
            admission,
            rules: Arc::clone(&self.session_rules),
            watch: Arc::clone(&self.watches.weigher),
        }
    }

    /// What private sessions go by as things are.
    pub(super) fn rules_of_sessions(&self) -> SessionRules {
        SessionRules { weigher: Arc::clone(&self.weigher), max_history: self.settings.learning.max_history }
    }

    /// Tells the host of offsets that are in the journal.
    pub(super) fn publish_offsets(&mut self) {
        if std::mem::take(&mut self.offsets_changed) {
            drop(self.published_offsets.replace(Arc::new(self.source_offsets.clone())));
        }
    }

    /// Learns by other settings from now on.
    pub(super) fn perform_settings(&mut self, learning: LearningSettings) {
        self.dedupe.set_capacity(learning.dedupe_window);
        let n_factors = learning.als.n_factors();
        let is_other = n_factors != self.settings.learning.als.n_factors();
        self.settings.learning = learning;
        if is_other && self.generation.users.is_none() {
            // Rows without anything in them are as long as those that will be.
            let items = self.generation.items.load();
            let mut rows = ItemRows::empty(n_factors);
            rows.grow_to(items.n_items());
            let popularity = Arc::clone(&items.popularity);
            drop(self.generation.items.replace(Arc::new(ItemSide {
                version: items.version,
                rows,
                popularity,
            })));
        }
    }

    /// Whether the settings ask for a model of another length than the one in use.
    pub(super) fn wants_other_factors(&self) -> bool {
        self.generation.n_factors().is_some_and(|n_factors| n_factors != self.n_factors_to_come())
    }

    /// k of the models to come.
    pub(super) fn n_factors_to_come(&self) -> usize {
        self.settings.learning.als.n_factors()
    }

    /// Brings every sum that has fallen behind up to date. When this is done matters to its last bits, so it
    /// is logged.
    pub(super) fn settle(&mut self) {
        if let Some(gramians) = &mut self.gramians {
            gramians.settle(self.settings.path);
        }
    }
}
