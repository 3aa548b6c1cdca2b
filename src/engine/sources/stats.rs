//! What is counted of a source.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::engine::meters::Degradation;
use crate::guard::{Counter, PluginStats, Standing, Watch};
use crate::ingest::EventSource;
use crate::model::Outcome;

/// A source that takes longer in one call keeps the engine from stopping.
pub(crate) const BUDGET: Duration = Duration::from_millis(150);

/// What a source has given since the engine was opened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceStats {
    /// Its name.
    pub name: String,
    /// Events of it that were learned.
    pub applied: u64,
    /// Events dropped because their idempotency key was seen before.
    pub duplicates: u64,
    /// Events that the engine refused; [`Stats::refused`](crate::Stats::refused) says why.
    pub refused: u64,
    /// What was no well formed event.
    pub malformed: u64,
    /// The latest of those, where it was and what is wrong with it.
    pub last_malformed: Option<String>,
    /// Up to where it is safe, as the source was told.
    pub kept: Option<u64>,
    /// How it behaves.
    pub plugin: PluginStats,
}

/// Where a source's thread and the writer count, and everybody reads.
#[derive(Debug)]
pub(in crate::engine) struct SourceMeters {
    pub(super) name: Arc<str>,
    pub(super) watch: Watch,
    applied: Counter,
    duplicates: Counter,
    refused: Counter,
    malformed: Counter,
    rare: Mutex<Rare>,
}

#[derive(Debug, Default)]
struct Rare {
    last_malformed: Option<String>,
    kept: Option<u64>,
}

/// A source under a name of its own.
#[derive(Debug)]
pub(in crate::engine) struct NamedSource {
    pub(in crate::engine) source: Box<dyn EventSource>,
    pub(in crate::engine) meters: Arc<SourceMeters>,
}

impl SourceMeters {
    pub(in crate::engine) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            watch: Watch::new("event source", BUDGET),
            applied: Counter::default(),
            duplicates: Counter::default(),
            refused: Counter::default(),
            malformed: Counter::default(),
            rare: Mutex::default(),
        }
    }

    pub(in crate::engine) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn count(&self, outcome: Outcome) {
        match outcome {
            Outcome::Applied(_) => self.applied.add(1),
            Outcome::Duplicate => self.duplicates.add(1),
            Outcome::Rejected(_) => self.refused.add(1),
            Outcome::Stopped | Outcome::StoreFailed => {}
        }
    }

    pub(super) fn malformed(&self, what: String) {
        self.malformed.add(1);
        self.watch.nonsense(format!("with what is no event: {what}"));
        self.rare.lock().last_malformed = Some(what);
    }

    pub(super) fn kept(&self, offset: u64) {
        self.rare.lock().kept = Some(offset);
    }

    pub(in crate::engine) fn forgive(&self) {
        self.watch.forgive();
    }

    /// What is wrong with it.
    pub(in crate::engine) fn trouble(&self) -> impl Iterator<Item = Degradation> {
        let of_source =
            |Standing { incident, .. }| Degradation::Source { name: self.name.to_string(), incident };
        self.watch.standing().into_iter().map(of_source)
    }

    pub(in crate::engine) fn stats(&self) -> SourceStats {
        let rare = self.rare.lock();
        SourceStats {
            name: self.name.to_string(),
            applied: self.applied.get(),
            duplicates: self.duplicates.get(),
            refused: self.refused.get(),
            malformed: self.malformed.get(),
            last_malformed: rare.last_malformed.clone(),
            kept: rare.kept,
            plugin: self.watch.stats(),
        }
    }
}
