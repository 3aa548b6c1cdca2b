//! What is watched from before an engine is open.

use std::sync::Arc;
use std::time::Duration;

use crate::guard::{Counter, Watch};
use crate::ingest::InvalidCounts;
use crate::query::QueryWatches;
use crate::storage::StorageWatch;

/// One for each seam, and what those count who put events in. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Watches {
    pub(crate) weigher: Arc<Watch>,
    pub(crate) sweep_policy: Arc<Watch>,
    pub(crate) storage: Arc<StorageWatch>,
    /// These two come with their plug-ins.
    pub(crate) gate: Option<Arc<Watch>>,
    pub(crate) observer: Option<Arc<Watch>>,
    /// That of the clock included.
    pub(crate) queries: QueryWatches,
    pub(crate) invalid: Arc<InvalidCounts>,
    pub(crate) handed_back: Arc<HandedBack>,
}

impl Default for Watches {
    fn default() -> Self {
        // Both hold up every event behind them, and should take less than a microsecond.
        let (budget, patience) = (Duration::from_millis(1), Duration::from_millis(50));
        let watch = |seam| Arc::new(Watch::patient(seam, budget, patience));
        Self {
            weigher: watch("weigher"),
            sweep_policy: watch("sweep policy"),
            storage: Arc::default(),
            gate: None,
            observer: None,
            queries: QueryWatches::default(),
            invalid: Arc::default(),
            handed_back: Arc::default(),
        }
    }
}

impl Watches {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Watch> {
        self.but_the_gate().chain(self.gate.as_deref())
    }

    /// A sweep was published, so what was before it is told of no more; but what the gate did was done for this one.
    pub(super) fn forgive(&self) {
        self.but_the_gate().for_each(Watch::forgive);
    }

    fn but_the_gate(&self) -> impl Iterator<Item = &Watch> {
        let of_writer = [&*self.weigher, &*self.sweep_policy, &self.storage.watch];
        of_writer.into_iter().chain(self.queries.iter()).chain(self.observer.as_deref())
    }
}

/// Events that were well formed and did not get into the queue.
#[derive(Debug, Default)]
pub(crate) struct HandedBack {
    pub(crate) queue_full: Counter,
    pub(crate) stopped: Counter,
    pub(crate) read_only: Counter,
}

impl HandedBack {
    /// Each reason by its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self { queue_full, stopped, read_only } = self;
        [("queue_full", queue_full.get()), ("stopped", stopped.get()), ("read_only", read_only.get())]
            .into_iter()
    }
}
