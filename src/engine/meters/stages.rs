//! How long each stage takes.

use crate::guard::{LatencyHistogram, LatencySummary};

/// How long the stages took since the engine was opened.
///
/// The writer reads the clock at the ends of a stage of a batch, whatever the size of that, once in 64 events, and for one in
/// 16 calls of the weigher; a reader twice a list. Of each event alone the moment is noted at which it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StageLatencies {
    /// How long the first event of a batch had waited in the queue; no other of the batch has waited longer.
    pub queue_wait: LatencySummary,
    /// A call of the weigher; one in 16 is timed.
    pub weigh: LatencySummary,
    /// Taking a batch from the queue, weighing included.
    pub apply: LatencySummary,
    /// Handing a batch to the storage; with its sync under [`Durability::Immediate`](crate::Durability::Immediate).
    pub journal: LatencySummary,
    /// Writing a batch into the histories of its users and solving them, where readers see both.
    pub fold_in: LatencySummary,
    /// What is reckoned over all users, and saying that a batch is visible.
    pub publish: LatencySummary,
    /// Solving and publishing some of the items that are due, with their new listeners.
    pub item_fold: LatencySummary,
    /// Taking the input of a sweep or of a checkpoint; the writer does nothing else meanwhile.
    pub freeze: LatencySummary,
    /// A sweep that was published, from its freeze to the verdict of the gate.
    pub sweep: LatencySummary,
    /// Putting a new generation in the place of the one before.
    pub swap: LatencySummary,
    /// Writing a checkpoint.
    pub checkpoint: LatencySummary,
    /// A sync of a file or of the directory, on whatever thread.
    pub sync: LatencySummary,
    /// A list, on the thread that asks; those of a batch of lists are not timed.
    pub query: LatencySummary,
    /// From `send` to visible, for events that came through the queue one by one.
    pub event_to_visible: LatencySummary,
}

impl StageLatencies {
    /// Each stage by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, LatencySummary)> + use<> {
        [
            ("queue_wait", self.queue_wait),
            ("weigh", self.weigh),
            ("apply", self.apply),
            ("journal", self.journal),
            ("fold_in", self.fold_in),
            ("publish", self.publish),
            ("item_fold", self.item_fold),
            ("freeze", self.freeze),
            ("sweep", self.sweep),
            ("swap", self.swap),
            ("checkpoint", self.checkpoint),
            ("sync", self.sync),
            ("query", self.query),
            ("event_to_visible", self.event_to_visible),
        ]
        .into_iter()
    }
}

/// The stages that the engine itself times.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    pub(crate) queue_wait: LatencyHistogram,
    pub(crate) apply: LatencyHistogram,
    pub(crate) journal: LatencyHistogram,
    pub(crate) fold_in: LatencyHistogram,
    pub(crate) publish: LatencyHistogram,
    pub(crate) item_fold: LatencyHistogram,
    pub(crate) freeze: LatencyHistogram,
    pub(crate) sweep: LatencyHistogram,
    pub(crate) swap: LatencyHistogram,
    pub(crate) checkpoint: LatencyHistogram,
    pub(crate) event_to_visible: LatencyHistogram,
}
