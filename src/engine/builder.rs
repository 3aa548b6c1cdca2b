//! From settings to an engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;

use super::build_error::BuildError;
#[cfg(feature = "reload")]
use super::files::{Files, FilesRead};
use super::handle::Engine;
use super::manual::ManualEngine;
use super::meters::Watches;
use super::observer::WatchedObserver;
use super::open::{self, Opening};
use super::past::{self, Past};
use super::pools::own_pools;
use super::sources::{NamedSource, SourceMeters};
use super::store::{CheckpointEvery, StoreSettings};
use super::writer::Writer;
use crate::als::AlsParams;
use crate::guard::fenced;
use crate::ingest::{Admission, EventSource, MusicWeigher, Weigher};
use crate::journal::{Durability, JournalOptions, SyncOn};
use crate::kernel::SimdPath;
use crate::model::{Decay, LearningSettings, Limits, Saturation, WatchedClock, Weighing};
use crate::query::QueryPolicies;
use crate::storage::{DirStorage, Storage};
use crate::training::{SweepEvery, SweepPolicy, SweepPools, WatchedGate};
use crate::types::{MAX_ID_BYTES, Timestamp};

/// Whether items the engine has never heard of may come in with events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatalogueMode {
    /// An event of an unknown item adds it: the default.
    #[default]
    Open,
    /// An event of an unknown item is refused; items come in by `add_items`.
    Closed,
}

/// Checked settings.
#[derive(Debug)]
pub(super) struct Settings {
    /// What a store keeps, as the same events must always give the same state.
    pub(super) learning: LearningSettings,
    pub(super) limits: Limits,
    pub(super) catalogue: CatalogueMode,
    pub(super) clock: WatchedClock,
    pub(super) path: SimdPath,
    pub(super) first_sweeps: usize,
    pub(super) warm_sweeps: usize,
    pub(super) item_batch_every: Duration,
}

/// What a writer is given that is no setting.
#[derive(Debug)]
pub(super) struct Policies {
    pub(super) weigher: Arc<dyn Weigher>,
    pub(super) sweep_policy: Box<dyn SweepPolicy>,
    pub(super) gate: Arc<WatchedGate>,
    pub(super) observer: Arc<WatchedObserver>,
    pub(super) sweep_pools: SweepPools,
    /// For what somebody waits for: batches of queries, and a hand with batches of fold-ins.
    pub(super) helpers: Arc<ThreadPool>,
    pub(super) queries: Arc<QueryPolicies>,
    pub(super) watches: Watches,
}

/// Collects the settings of an engine; [`open`](Self::open) checks them.
#[derive(Debug)]
pub struct EngineBuilder {
    als: AlsParams,
    pub(super) weigher: Arc<dyn Weigher>,
    pub(super) policy: Box<dyn SweepPolicy>,
    pub(super) gate: WatchedGate,
    pub(super) observer: WatchedObserver,
    #[cfg(feature = "reload")]
    pub(super) files: Files,
    pub(super) queries: QueryPolicies,
    pub(super) sources: Vec<Box<dyn EventSource>>,
    pub(super) watches: Watches,
    limits: Limits,
    catalogue: CatalogueMode,
    saturation: Saturation,
    half_life: Option<Duration>,
    queue_capacity: usize,
    max_ahead: Duration,
    item_batch_every: Duration,
    sweeps: (usize, usize),
    pool: Option<Arc<ThreadPool>>,
    threads: Option<usize>,
    path: SimdPath,
    store: Option<StoreSettings>,
    checkpoint_every: CheckpointEvery,
    keep_journal: bool,
    segment_bytes: u64,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        let watches = Watches::default();
        Self {
            als: AlsParams::default(),
            weigher: Arc::new(MusicWeigher::default()),
            policy: Box::new(SweepEvery::default()),
            gate: WatchedGate::default(),
            observer: WatchedObserver::default(),
            #[cfg(feature = "reload")]
            files: Files::default(),
            queries: QueryPolicies::watched_by(watches.queries.clone()),
            watches,
            sources: Vec::new(),
            limits: Limits::default(),
            catalogue: CatalogueMode::Open,
            saturation: Saturation::Log,
            half_life: None,
            queue_capacity: 65_536,
            max_ahead: Duration::from_secs(24 * 3_600),
            item_batch_every: Duration::from_millis(100),
            sweeps: (8, 2),
            pool: None,
            threads: None,
            path: SimdPath::detect(),
            store: None,
            checkpoint_every: CheckpointEvery::default(),
            keep_journal: false,
            segment_bytes: JournalOptions::DEFAULT_SEGMENT_BYTES,
        }
    }
}

impl EngineBuilder {
    /// The largest queue: about half a gigabyte of events.
    pub const MAX_QUEUE_CAPACITY: usize = 1 << 22;

    /// The model's parameters; default [`AlsParams::default`].
    #[must_use]
    pub fn als(self, als: AlsParams) -> Self {
        Self { als, ..self }
    }

    /// How much the engine holds; default [`Limits::default`].
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Whether events may bring in unknown items; default [`CatalogueMode::Open`].
    #[must_use]
    pub fn catalogue(self, catalogue: CatalogueMode) -> Self {
        Self { catalogue, ..self }
    }

    /// How the confidence of repeated events adds up; default [`Saturation::Log`].
    #[must_use]
    pub fn saturation(self, saturation: Saturation) -> Self {
        Self { saturation, ..self }
    }

    /// The time in which an event comes to count half; default never. Reckoned at each sweep, from the
    /// events' own time stamps.
    #[must_use]
    pub fn half_life(self, half_life: Duration) -> Self {
        Self { half_life: Some(half_life), ..self }
    }

    /// Events the queue holds before [`send`](crate::EventSender::send) waits; default 65,536.
    #[must_use]
    pub fn queue_capacity(self, events: usize) -> Self {
        Self { queue_capacity: events, ..self }
    }

    /// How far in the future an event's time stamp may be; default a day.
    #[must_use]
    pub fn max_ahead(self, ahead: Duration) -> Self {
        Self { max_ahead: ahead, ..self }
    }

    /// How long after one batch of new and grown items the next may begin; default 100 ms. A large batch is
    /// solved in parts between batches of events, the new items first: while events come faster than they are
    /// learned, items wait longer, those that have merely grown for as long as that lasts, so that events need not.
    #[must_use]
    pub fn item_batch_every(self, interval: Duration) -> Self {
        Self { item_batch_every: interval, ..self }
    }

    /// Sweeps of the first training run, which starts at random, and of the later ones, which start from
    /// the model in use; default 8 and 2.
    #[must_use]
    pub fn sweeps(self, first: usize, later: usize) -> Self {
        Self { sweeps: (first, later), ..self }
    }

    /// A pool of the host's to run sweeps and batches on, instead of the engine's own. Its threads keep their priority, where
    /// those of the engine's own for sweeps stand behind others on Linux, be they of this process or another: queries wait the
    /// least beside them.
    #[must_use]
    pub fn shared_pool(self, pool: Arc<ThreadPool>) -> Self {
        Self { pool: Some(pool), ..self }
    }

    /// Threads of each of the engine's own pools; default one fewer than there are cores, and at least one.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// The instructions the arithmetic uses; default [`SimdPath::detect`]. All give the same bytes.
    #[must_use]
    pub fn simd_path(self, path: SimdPath) -> Self {
        Self { path, ..self }
    }

    /// Keeps everything learned in `directory`, which is made if it is not there. Opening it again goes on where
    /// it ended, however it ended; [`Durability`] says what survives what. Default: memory alone.
    ///
    /// ```
    /// use segue::{Durability, Engine, Event};
    /// # let directory = std::env::temp_dir().join(format!("segue-doc-{}", std::process::id()));
    ///
    /// let engine = Engine::builder().store(&directory, Durability::Immediate).open()?;
    /// let receipt = engine.sender().send_tracked(Event::listen("ana", "portishead"))?;
    /// receipt.wait_durable(std::time::Duration::from_secs(5))?; // now it survives a power cut
    /// drop(engine);
    ///
    /// let engine = Engine::builder().store(&directory, Durability::Immediate).open()?;
    /// assert!(engine.reader().view().user("ana").is_known());
    /// # drop(engine);
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn store(self, directory: impl Into<PathBuf>, durability: Durability) -> Self {
        self.store_in(DirStorage::new(directory), durability)
    }

    /// As [`store`](Self::store), in a storage of the host's.
    #[must_use]
    pub fn store_in(self, storage: impl Storage, durability: Durability) -> Self {
        Self { store: Some(StoreSettings { storage: Arc::new(storage), durability }), ..self }
    }

    /// When checkpoints are written; default [`CheckpointEvery::default`]. A
    /// [`ManualEngine`] writes them only when it is told to.
    #[must_use]
    pub fn checkpoint_every(self, every: CheckpointEvery) -> Self {
        Self { checkpoint_every: every, ..self }
    }

    /// Keeps the whole journal, instead of removing what no checkpoint needs any more: for replays of the past
    /// and for a store that is to be rebuilt with another weigher. Forgetting somebody removes it all the same.
    #[must_use]
    pub fn keep_journal(self) -> Self {
        Self { keep_journal: true, ..self }
    }

    /// Bytes after which the journal goes on in another file; default 64 MiB. Reading one takes as much memory.
    #[must_use]
    pub fn journal_segment_bytes(self, bytes: u64) -> Self {
        Self { segment_bytes: bytes, ..self }
    }

    /// Opens an engine with a writer thread, and pools of its own unless one is [shared](Self::shared_pool). With a
    /// store it reads that first, which blocks for seconds if it is large.
    ///
    /// # Errors
    /// [`BuildError`] if a setting is unusable or the system gives no threads.
    pub fn open(mut self) -> Result<Engine, BuildError> {
        let sources = self.take_sources()?;
        let admission = self.admission();
        let capacity = self.queue_capacity;
        if !(1..=Self::MAX_QUEUE_CAPACITY).contains(&capacity) {
            return Err(BuildError::QueueCapacity { got: capacity });
        }
        #[cfg(feature = "reload")]
        {
            let (writer, files) = self.writer_and_files(SyncOn::OwnThread)?;
            Engine::start(writer, admission, capacity, sources)?.watching(files)
        }
        #[cfg(not(feature = "reload"))]
        Engine::start(self.writer(SyncOn::OwnThread)?, admission, capacity, sources)
    }

    /// Opens an engine without a writer thread and without a queue: the host calls for every step. Deterministic,
    /// and the same code; for tests, replays and hosts that have no thread to spare but the pools'.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_manual(mut self) -> Result<ManualEngine, BuildError> {
        let sources = self.take_sources()?;
        let admission = self.admission();
        #[cfg(feature = "reload")]
        let (writer, _) = self.writer_and_files(SyncOn::CallingThread)?;
        #[cfg(not(feature = "reload"))]
        let writer = self.writer(SyncOn::CallingThread)?;
        Ok(ManualEngine::new(writer, admission, sources))
    }

    /// Brings back what an engine with this [`store`](Self::store) knew at `time`: for asking what somebody was
    /// recommended then, and why.
    ///
    /// Begins with the newest checkpoint from before `time`, or with the journal, and trains the sweeps since then
    /// once more. [`keep_journal`](Self::keep_journal) keeps every moment within reach; else it is those since
    /// the last checkpoint but one. What is learned by comes from the store: of this builder only the store, the
    /// [`limits`](Self::limits), the pool and the [`simd_path`](Self::simd_path) count. See [`Past`]. Should the clock
    /// once have shown a time far ahead, moments after that can no more be told from it.
    ///
    /// # Errors
    /// [`BuildError::NoStore`] without a store or if it is empty, [`BuildError::TooLongAgo`] if it does not reach
    /// back so far, [`BuildError::Store`] if it cannot be read.
    pub fn replay_until(mut self, time: Timestamp) -> Result<Past, BuildError> {
        let StoreSettings { storage, .. } = self.store.take().ok_or(BuildError::NoStore)?;
        let (settings, policies) = self.checked()?;
        let storage = policies.watches.storage.over(storage);
        past::replay_until(settings, policies, storage, time)
    }

    /// The sources, each with a name that can be kept and is its own.
    fn take_sources(&mut self) -> Result<Vec<NamedSource>, BuildError> {
        let mut named: Vec<NamedSource> = Vec::new();
        for source in std::mem::take(&mut self.sources) {
            let meters = fenced(|| SourceMeters::new(source.name()));
            let meters = Arc::new(meters.map_err(|message| BuildError::SourcePanicked { message })?);
            let name = meters.name();
            if !(1..=MAX_ID_BYTES).contains(&name.len()) {
                return Err(BuildError::SourceName { got: name.len() });
            }
            if named.iter().any(|other| other.meters.name() == name) {
                return Err(BuildError::SameSource { name: name.to_owned() });
            }
            named.push(NamedSource { source, meters });
        }
        Ok(named)
    }

    fn admission(&self) -> Admission {
        Admission::new(self.queries.clock.clone(), self.max_ahead, Arc::clone(&self.watches.invalid))
    }

    #[cfg(not(feature = "reload"))]
    fn writer(mut self, sync_on: SyncOn) -> Result<Writer, BuildError> {
        let opening = self.opening(sync_on);
        let (settings, policies) = self.checked()?;
        open::writer(settings, policies, opening)
    }

    /// The settings of a file go before the builder's from the first moment on: a store would keep both, one after the other.
    #[cfg(feature = "reload")]
    fn writer_and_files(mut self, sync_on: SyncOn) -> Result<(Writer, FilesRead), BuildError> {
        let files = std::mem::take(&mut self.files);
        let opening = self.opening(sync_on);
        let (mut settings, mut policies) = self.checked()?;
        let mut files = files.begin(&mut settings, &mut policies)?;
        let writer = open::writer(settings, policies, opening)?;
        files.fill_lists()?;
        #[cfg(feature = "npz")]
        files.note_model_of(&writer);
        Ok((writer, files))
    }

    /// The store, if there is to be one.
    fn opening(&mut self, sync_on: SyncOn) -> Option<Opening> {
        let StoreSettings { storage, durability } = self.store.take()?;
        let storage = self.watches.storage.over(storage);
        Some(Opening {
            store: StoreSettings { storage, durability },
            every: self.checkpoint_every,
            keep_journal: self.keep_journal,
            segment_bytes: self.segment_bytes,
            sync_on,
        })
    }

    fn checked(self) -> Result<(Settings, Policies), BuildError> {
        if self.half_life.is_some_and(|half_life| half_life.is_zero()) {
            return Err(BuildError::HalfLife);
        }
        let (first_sweeps, warm_sweeps) = self.sweeps;
        if first_sweeps == 0 || warm_sweeps == 0 {
            return Err(BuildError::Sweeps { first: first_sweeps, later: warm_sweeps });
        }
        for (name, is_zero) in [
            ("max_users", self.limits.max_users == 0),
            ("max_items", self.limits.max_items == 0),
            ("max_history", self.limits.max_history == 0),
        ] {
            if is_zero {
                return Err(BuildError::Limit { name });
            }
        }
        let (sweep_pools, helpers) = match self.pool {
            Some(pool) => (SweepPools::shared(Arc::clone(&pool)), pool),
            None => own_pools(self.threads)?,
        };
        let settings = Settings {
            learning: LearningSettings {
                als: self.als,
                weighing: Weighing { decay: Decay::new(self.half_life), saturation: self.saturation },
                max_history: self.limits.max_history,
                recent_events: self.limits.recent_events,
                dedupe_window: self.limits.dedupe_window,
            },
            limits: self.limits,
            catalogue: self.catalogue,
            clock: self.queries.clock.clone(),
            path: self.path,
            first_sweeps,
            warm_sweeps,
            item_batch_every: self.item_batch_every,
        };
        let watches = Watches {
            gate: Some(Arc::clone(&self.gate.watch)),
            observer: Some(Arc::clone(&self.observer.watch)),
            ..self.watches
        };
        let policies = Policies {
            weigher: self.weigher,
            sweep_policy: self.policy,
            gate: Arc::new(self.gate),
            observer: Arc::new(self.observer),
            sweep_pools,
            helpers,
            queries: Arc::new(self.queries),
            watches,
        };
        Ok((settings, policies))
    }
}
