//! How an engine is, and why.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::open::RecoveryReport;
use crate::guard::{Incident, with_causes};
use crate::storage::StorageFailure;
use crate::training::TrainingError;
use crate::types::GenerationId;

/// How an engine is, and why. Prints as one sentence.
///
/// A sweep is no state of its own, as answers go on as before: `sweeping` tells of it, and
/// [`Stats::sweep`](crate::Stats::sweep) how far it has come, whatever the state.
///
/// ```
/// use segue::Engine;
///
/// let engine = Engine::builder().open()?;
/// let health = engine.health();
/// assert_eq!(health.name(), "warming"); // for logs and metrics
/// assert_eq!(health.to_string(), "warming: 0 events learned, no sweep published yet");
/// # Ok::<(), segue::BuildError>(())
/// ```
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
        /// The gravest cause; [`Stats::degradations`](crate::Stats::degradations) has all of them.
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
    /// A watched file is not in force as it is; what it said before is.
    File {
        /// Which one.
        file: PathBuf,
        /// What is wrong with it.
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
        /// Which one of several, by the name of its type, or of the function that a closure stands in; `None` where an
        /// engine has but one.
        plug_in: Option<&'static str>,
        /// What it did.
        incident: Incident,
    },
}

impl Health {
    /// The names of all states.
    #[cfg(feature = "metrics")]
    pub(crate) const NAMES: [&str; 6] = ["warming", "serving", "degraded", "read_only", "stopped", "failed"];

    /// A short name of the state that stays the same: for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Warming { .. } => "warming",
            Self::Serving { .. } => "serving",
            Self::Degraded { .. } => "degraded",
            Self::ReadOnly { .. } => "read_only",
            Self::Stopped => "stopped",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Degradation {
    /// The names of all causes.
    #[cfg(feature = "metrics")]
    pub(crate) const NAMES: [&str; 5] = ["sweep_failed", "checkpoint_failed", "file", "source", "plugin"];

    /// A short name of the cause that stays the same: for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SweepFailed(_) => "sweep_failed",
            Self::CheckpointFailed { .. } => "checkpoint_failed",
            Self::File { .. } => "file",
            Self::Source { .. } => "source",
            Self::Plugin { .. } => "plugin",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warming { events, sweeping, .. } => {
                let sweep = if *sweeping { "the first sweep is under way" } else { "no sweep published yet" };
                write!(f, "warming: {events} events learned, {sweep}")
            }
            Self::Serving { generation, sweeping, .. } => {
                write!(f, "serving generation {}", generation.get())?;
                if *sweeping { write!(f, ", the next sweep is under way") } else { Ok(()) }
            }
            Self::Degraded { why } => write!(f, "degraded: {why}"),
            Self::ReadOnly { why } => {
                write!(f, "read-only: {why}; mend the cause, then open the engine again")
            }
            Self::Stopped => write!(f, "stopped: readers answer from the last model"),
            Self::Failed { message } => {
                write!(f, "failed: the writer thread panicked: {message}; please report it")
            }
        }
    }
}

impl fmt::Display for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SweepFailed(error) => write!(f, "the latest sweep gave no model: {}", with_causes(error)),
            Self::CheckpointFailed { message } => {
                write!(f, "the latest checkpoint was not written: {message}")
            }
            Self::File { file, message } => {
                write!(f, "the watched file {} is not in force: {message}", file.display())
            }
            Self::Source { name, incident } => {
                write!(f, "the source of events {name:?} misbehaved: {incident}")
            }
            Self::Plugin { seam, plug_in, incident } => {
                let name = plug_in.map(|name| format!(" {name}")).unwrap_or_default();
                write!(f, "the plug-in {seam}{name} misbehaved: {incident}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::training::GateRefusal;

    #[test]
    fn a_state_reads_as_a_sentence_with_its_cause() {
        let degraded = |why| Health::Degraded { why }.to_string();
        let refused = TrainingError::Refused(GateRefusal::NotFinite);
        assert_eq!(
            degraded(Degradation::SweepFailed(refused)),
            "degraded: the latest sweep gave no model: the candidate was not published: an item's vector is not \
             finite; raise `regularization` or lower the weigher's confidences"
        );
        let (took, budget) = (Duration::from_millis(200), Duration::from_millis(1));
        assert_eq!(
            degraded(Degradation::Plugin {
                seam: "weigher",
                plug_in: None,
                incident: Incident::Slow { took, budget }
            }),
            "degraded: the plug-in weigher misbehaved: it took 200ms, and may take 1ms"
        );
        let incident = Incident::Panicked { message: "out of tune".to_owned() };
        assert_eq!(
            degraded(Degradation::Plugin { seam: "filter", plug_in: Some("app::NoSwearing"), incident }),
            "degraded: the plug-in filter app::NoSwearing misbehaved: it panicked: out of tune"
        );
        let serving =
            |sweeping| Health::Serving { generation: GenerationId::ZERO.next(), sweeping, recovery: None };
        assert_eq!(serving(false).to_string(), "serving generation 1");
        assert_eq!(serving(true).to_string(), "serving generation 1, the next sweep is under way");
    }

    #[test]
    #[cfg(feature = "metrics")]
    fn every_state_has_its_name_in_the_list() {
        let failure = Health::Failed { message: String::new() };
        for health in
            [Health::Stopped, failure, Health::Warming { events: 0, sweeping: true, recovery: None }]
        {
            assert!(Health::NAMES.contains(&health.name()));
        }
        let cause = Degradation::CheckpointFailed { message: String::new() };
        assert!(Degradation::NAMES.contains(&cause.name()));
    }
}
