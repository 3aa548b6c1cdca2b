//! The settings themselves.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::keys::{KEYS, Key};
use crate::ingest::{MusicSettings, MusicSettingsError, MusicWeigher};
use crate::training::{QualityGate, SweepEvery};

/// Everything of an engine that is a number and may change while it runs.
///
/// [`Engine::settings`](crate::Engine::settings) gives those in force, [`Engine::retune`](crate::Engine::retune) others,
/// all in one step. Each has a key, a unit and a range: `docs::settings` lists them.
///
/// ```
/// use segue::Engine;
///
/// let engine = Engine::builder().open()?;
/// let mut settings = engine.settings();
/// settings.regularization = 0.01;
/// settings.later_sweeps = 3;
/// let changes = engine.retune(settings)?;
/// assert_eq!(changes[0].to_string(), "als.regularization: 0.003 → 0.01");
/// assert_eq!(changes.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LiveSettings {
    /// As [`AlsParams::n_factors`](crate::AlsParams::n_factors). With another number than the model in use has, an
    /// [`Engine`](crate::Engine) trains one as soon as nothing else is under way, whatever its policy, and from nothing; the
    /// model in use is served until that is published. A [`ManualEngine`](crate::ManualEngine) does so when it sweeps next.
    pub n_factors: usize,
    /// As [`AlsParams::regularization`](crate::AlsParams::regularization); from the next sweep on.
    pub regularization: f32,
    /// As [`AlsParams::unobserved_weight`](crate::AlsParams::unobserved_weight); from the next sweep on.
    pub unobserved_weight: f32,
    /// As [`AlsParams::frequency_exponent`](crate::AlsParams::frequency_exponent); from the next sweep on.
    pub frequency_exponent: f32,
    /// As [`Limits::max_history`](crate::Limits::max_history); a longer history is cut when its user does something.
    pub max_history: usize,
    /// As [`Limits::recent_events`](crate::Limits::recent_events).
    pub recent_events: usize,
    /// As [`Limits::dedupe_window`](crate::Limits::dedupe_window).
    pub dedupe_window: usize,
    /// Sweeps of a training that begins from nothing; see [`EngineBuilder::sweeps`](crate::EngineBuilder::sweeps).
    pub first_sweeps: usize,
    /// Sweeps of the others.
    pub later_sweeps: usize,
    /// As [`EngineBuilder::item_batch_every`](crate::EngineBuilder::item_batch_every).
    pub item_batch_every: Duration,
    /// The sweep policy; `None` if it is not a [`SweepEvery`]. What is `None` stays what it is.
    pub sweep_every: Option<SweepEvery>,
    /// The numbers of the weigher; `None` if it is not a [`MusicWeigher`].
    pub weigher: Option<MusicSettings>,
    /// The sweep gate; `None` if it is not a [`QualityGate`].
    pub gate: Option<QualityGate>,
}

/// A setting that has changed, or would.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SettingChange {
    /// Its key, as in a file.
    pub key: &'static str,
    /// What it was.
    pub before: f64,
    /// What it is.
    pub after: f64,
}

/// Why settings are refused, all of them.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SettingError {
    /// A value is out of its range, or no number.
    #[error("{key} must be between {least} and {most}{}, got {got}", if *whole { " and whole" } else { "" })]
    OutOfRange {
        /// Of which setting.
        key: &'static str,
        /// The refused value.
        got: f64,
        /// The least it may be.
        least: f64,
        /// The most it may be.
        most: f64,
        /// Whether it must be a whole number.
        whole: bool,
    },
    /// The engine has a plug-in of the host's own in that place, which has no such setting.
    #[error("{key} cannot be set: the engine has a {seam} of the host's own; leave it out")]
    OwnPlugin {
        /// Of which setting.
        key: &'static str,
        /// In which place.
        seam: &'static str,
    },
    /// A key that there is not.
    #[error("there is no setting {key:?}{}", nearest.map(|key| format!("; is it {key:?}?")).unwrap_or_default())]
    Unknown {
        /// As it stands there.
        key: String,
        /// One that is spelt almost like it.
        nearest: Option<&'static str>,
    },
    /// A key of something that is given to the builder, and cannot change while an engine runs.
    #[error("{key:?} is set in the builder and stays while the engine runs; leave it out")]
    NeedsReopen {
        /// As it stands there.
        key: String,
    },
    /// Numbers of the weigher do not go together.
    #[error("weigher: {0}")]
    Weigher(#[from] MusicSettingsError),
    /// A value is not a number.
    #[error("{key} must be a number, got {got}")]
    NotANumber {
        /// Of which setting.
        key: &'static str,
        /// What stands there.
        got: &'static str,
    },
}

impl LiveSettings {
    /// What is different in `after`, if each such value is in its range and has somewhere to go.
    pub(in crate::engine) fn checked_changes_to(
        &self,
        after: &Self,
    ) -> Result<Vec<SettingChange>, SettingError> {
        let homeless = |key: &&Key| (key.get)(self).is_none() && (key.get)(after).is_some();
        if let Some(key) = KEYS.iter().find(homeless) {
            return Err(SettingError::OwnPlugin { key: key.name, seam: key.seam() });
        }
        let changes = self.changes_to(after);
        for change in &changes {
            KEYS.iter().filter(|key| key.name == change.key).try_for_each(|key| key.check(change.after))?;
        }
        after.check_together()?;
        Ok(changes)
    }

    /// Whether values that must fit each other do.
    pub(super) fn check_together(&self) -> Result<(), SettingError> {
        if let Some(weigher) = self.weigher {
            MusicWeigher::new(weigher)?;
        }
        Ok(())
    }

    /// What is different in `after`. What only one of them has is left out.
    pub fn changes_to(&self, after: &Self) -> Vec<SettingChange> {
        let change = |key: &Key| {
            let (before, after) = ((key.get)(self)?, (key.get)(after)?);
            // Bits, so that nothing is equal that is not the same.
            (before.to_bits() != after.to_bits()).then_some(SettingChange { key: key.name, before, after })
        };
        KEYS.iter().filter_map(change).collect()
    }
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.key, self.before, self.after)
    }
}
