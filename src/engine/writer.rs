//! The one who writes: everything that is not shared, in one place.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rayon::ThreadPool;

use super::builder::Settings;
use super::crew::Crew;
use super::drafts::Drafts;
use super::gramians::Gramians;
use super::meters::Meters;
use crate::guard::fenced;
use crate::ingest::Weigher;
use crate::model::{ActionNames, ByItem, DedupeWindow, FoldScratch, Generation, Shared, UserState};
use crate::publish::Freeze;
use crate::query::Reader;
use crate::training::SweepPolicy;
use crate::types::{EventSeq, ItemIdx, Timestamp, UserIdx};

/// The writer's own state. Whoever holds it is the only one who changes what readers see.
///
/// Its parts stand in files of their own: `apply` (events into histories), `fold_users` (histories into
/// published vectors), `fold_items` (due items), `sweep` (freeze and acceptance).
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) settings: Settings,
    pub(super) shared: Arc<Shared>,
    pub(super) meters: Arc<Meters>,
    pub(super) pool: Arc<ThreadPool>,
    pub(super) crew: Crew,
    pub(super) weigher: Box<dyn Weigher>,
    pub(super) policy: Box<dyn SweepPolicy>,
    /// What `shared.current` holds; only the writer replaces it.
    pub(super) generation: Arc<Generation>,
    /// Older generations that readers may still hold. The writer frees them, as freeing a large one takes
    /// milliseconds that no query should pay.
    pub(super) retired: Vec<Arc<Generation>>,
    pub(super) gramians: Option<Gramians>,

    pub(super) seq: EventSeq,
    /// The latest time stamp of any event: what decay is reckoned at, so that no clock is needed.
    pub(super) stream_time: Timestamp,
    /// What the clock showed last.
    pub(super) last_now: Timestamp,
    pub(super) n_bytes: u64,
    pub(super) dedupe: DedupeWindow,
    pub(super) actions: ActionNames,
    pub(super) by_item: ByItem,
    pub(super) drafts: Drafts,
    pub(super) scratch: FoldScratch,

    /// Users whose published vector is of an older generation; readers solve for themselves meanwhile.
    pub(super) to_refold: Vec<UserIdx>,
    /// Something happened since the last item batch.
    pub(super) items_stale: bool,
    pub(super) last_item_batch: Option<Timestamp>,
    /// Items of the present batch that are not solved yet.
    pub(super) items_to_fold: Vec<ItemIdx>,

    pub(super) training: Option<Training>,
    /// The event and the time at which the input of the last sweep was frozen.
    pub(super) last_freeze: Option<(EventSeq, Timestamp)>,
    pub(super) norm_of_model: Option<f64>,
}

/// A sweep under way.
#[derive(Debug)]
pub(super) struct Training {
    pub(super) freeze: Arc<Freeze<UserState>>,
    pub(super) cancel: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(
        settings: Settings,
        weigher: Box<dyn Weigher>,
        policy: Box<dyn SweepPolicy>,
        pool: Arc<ThreadPool>,
    ) -> Self {
        let shared = Arc::new(Shared::new(&settings.limits, settings.als.n_factors(), settings.weighing));
        Self {
            generation: shared.current.load(),
            dedupe: DedupeWindow::new(settings.limits.dedupe_window),
            meters: Arc::default(),
            retired: Vec::new(),
            gramians: None,
            seq: EventSeq::ZERO,
            stream_time: Timestamp::from_unix_ms(i64::MIN),
            last_now: Timestamp::default(),
            n_bytes: 0,
            actions: ActionNames::default(),
            by_item: ByItem::default(),
            drafts: Drafts::default(),
            scratch: FoldScratch::default(),
            to_refold: Vec::new(),
            items_stale: false,
            last_item_batch: None,
            items_to_fold: Vec::new(),
            training: None,
            last_freeze: None,
            norm_of_model: None,
            crew: Crew::new(Arc::clone(&pool)),
            settings,
            shared,
            pool,
            weigher,
            policy,
        }
    }

    /// Frees old generations that no reader holds any longer.
    pub(super) fn free_retired(&mut self) {
        self.retired.retain(|generation| Arc::strong_count(generation) > 1);
    }

    /// A handle to ask with.
    pub(super) fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared), Arc::clone(&self.pool), self.settings.path)
    }

    /// The time, or the last one there was if the clock panics.
    pub(super) fn now(&mut self) -> Timestamp {
        match fenced(|| self.settings.clock.now()) {
            Ok(now) => self.last_now = now,
            Err(message) => self.meters.plugin_panicked("clock", message),
        }
        self.last_now
    }

    /// Whether something has changed about the items and their last batch is done and long enough ago.
    pub(super) fn item_batch_is_due(&mut self) -> bool {
        if !self.items_stale || !self.items_to_fold.is_empty() {
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
}
