//! Other settings for an engine that runs.

use std::any::Any;
use std::sync::Arc;

use crossbeam_channel::bounded;
use thiserror::Error;

use super::live::{LiveSettings, SettingChange, SettingError};
use crate::als::AlsParams;
#[cfg(feature = "reload")]
use crate::engine::builder::Policies;
use crate::engine::builder::Settings;
use crate::engine::queue::Queued;
use crate::engine::writer::Writer;
use crate::engine::{Engine, EngineError, ManualEngine};
use crate::ingest::{MusicWeigher, Weigher};
use crate::journal::Record;
use crate::model::LearningSettings;
use crate::training::{QualityGate, SweepEvery, SweepPolicy, WatchedGate};

/// Why an engine goes on with the settings it has.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum RetuneError {
    /// One of them cannot be; none is changed.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The engine takes none any more.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// The numbers in force that may change while the engine runs.
    pub fn settings(&self) -> LiveSettings {
        (*self.settings.load()).clone()
    }

    /// Goes on with other settings, all of them from one moment on: what the calling thread has sent so far is learned by
    /// the old ones. With a store, they are part of what is replayed, so a replay changes them at the same moment; opened
    /// anew, an engine has those of its settings file and its builder. Blocks until they are in force, and tells what has changed.
    ///
    /// # Errors
    /// [`RetuneError`]; nothing has changed then. Numbers for a place that a plug-in of the host's own has are refused, as they are
    /// in a file: whoever asks for them is to know that nothing goes by them.
    pub fn retune(&self, settings: LiveSettings) -> Result<Vec<SettingChange>, RetuneError> {
        let (done, changes) = bounded(1);
        self.sender().send_queued(Queued::Retune { settings: Box::new(settings), done })?;
        changes.recv().map_err(|_| EngineError::Stopped)?
    }
}

impl ManualEngine {
    /// As [`Engine::settings`].
    pub fn settings(&self) -> LiveSettings {
        (*self.writer.live.load()).clone()
    }

    /// As [`Engine::retune`].
    ///
    /// # Errors
    /// [`RetuneError`]; nothing has changed then.
    pub fn retune(&mut self, settings: LiveSettings) -> Result<Vec<SettingChange>, RetuneError> {
        self.pump();
        self.writer.retune(settings)
    }
}

impl LiveSettings {
    /// What these amount to.
    pub(in crate::engine) fn of(
        settings: &Settings,
        weigher: &dyn Weigher,
        policy: &dyn SweepPolicy,
        gate: &WatchedGate,
    ) -> Self {
        let weigher: &dyn Any = weigher;
        let LearningSettings { als, max_history, recent_events, dedupe_window, .. } = &settings.learning;
        let policy: &dyn Any = policy;
        Self {
            n_factors: als.n_factors(),
            regularization: als.regularization(),
            unobserved_weight: als.unobserved_weight(),
            frequency_exponent: als.frequency_exponent(),
            max_history: *max_history,
            recent_events: *recent_events,
            dedupe_window: *dedupe_window,
            first_sweeps: settings.first_sweeps,
            later_sweeps: settings.warm_sweeps,
            item_batch_every: settings.item_batch_every,
            sweep_every: policy.downcast_ref::<SweepEvery>().copied(),
            weigher: weigher.downcast_ref::<MusicWeigher>().map(MusicWeigher::settings),
            gate: gate.downcast::<QualityGate>().copied(),
        }
    }
}

/// The places of an engine where its numbers are, but for those that are learned by.
struct Places<'e> {
    settings: &'e mut Settings,
    weigher: &'e mut Arc<dyn Weigher>,
    policy: &'e mut Box<dyn SweepPolicy>,
    gate: &'e mut Arc<WatchedGate>,
}

impl Places<'_> {
    /// Puts other numbers there, if the built-in plug-ins are there that have them.
    fn put(self, before: &LiveSettings, after: &LiveSettings) -> Result<(), SettingError> {
        if let (Some(_), Some(weigher)) = (before.weigher, after.weigher) {
            *self.weigher = Arc::new(MusicWeigher::new(weigher)?);
        }
        if let (Some(_), Some(policy)) = (before.sweep_every, after.sweep_every) {
            *self.policy = Box::new(policy);
        }
        if let (Some(_), Some(gate)) = (before.gate, after.gate) {
            *self.gate = Arc::new(self.gate.replaced_by(Box::new(gate)));
        }
        self.settings.first_sweeps = after.first_sweeps;
        self.settings.warm_sweeps = after.later_sweeps;
        self.settings.item_batch_every = after.item_batch_every;
        Ok(())
    }
}

/// What is to be opened begins with other numbers than those of its builder.
#[cfg(feature = "reload")]
pub(in crate::engine) fn begin_with(
    settings: &mut Settings,
    policies: &mut Policies,
    before: &LiveSettings,
    after: &LiveSettings,
) -> Result<(), SettingError> {
    let changes = before.checked_changes_to(after)?;
    settings.learning = with_numbers(&settings.learning, after);
    let Policies { weigher, sweep_policy: policy, gate, .. } = policies;
    Places { settings, weigher, policy, gate }.put(before, after)?;
    if !changes.is_empty() {
        tracing::info!(target: "segue::settings", ?changes, "settings of a file go before the builder's");
    }
    Ok(())
}

impl Writer {
    /// The numbers in force.
    pub(in crate::engine) fn live_settings(&self) -> LiveSettings {
        LiveSettings::of(&self.settings, &*self.weigher, &*self.policy, &self.gate)
    }

    /// Tells the host of the numbers in force.
    pub(in crate::engine) fn show_settings(&self) {
        drop(self.live.replace(Arc::new(self.live_settings())));
    }

    /// Goes on with other settings; no draft may be open.
    pub(in crate::engine) fn retune(
        &mut self,
        settings: LiveSettings,
    ) -> Result<Vec<SettingChange>, RetuneError> {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before anything else is changed");
        let before = self.live_settings();
        let changes = before.checked_changes_to(&settings)?;
        let read_only = |failure| RetuneError::Engine(EngineError::ReadOnly(failure));
        if let Some(failure) = &self.journal_failure {
            return Err(read_only(failure.clone()));
        }
        let learning = with_numbers(&self.settings.learning, &settings);
        if learning != self.settings.learning {
            self.log(|| Record::Settings(learning.clone()));
            self.commit().map_err(read_only)?;
            self.perform_settings(learning);
        }
        let Self { settings: ours, weigher, policy, gate, .. } = self;
        Places { settings: ours, weigher, policy, gate }.put(&before, &settings)?;
        drop(self.session_rules.replace(Arc::new(self.rules_of_sessions())));
        self.show_settings();
        if !changes.is_empty() {
            tracing::info!(target: "segue::settings", ?changes, "settings have changed");
        }
        Ok(changes)
    }
}

fn with_numbers(learning: &LearningSettings, settings: &LiveSettings) -> LearningSettings {
    let als = AlsParams::builder()
        .n_factors(settings.n_factors)
        .seed(learning.als.seed())
        .regularization(settings.regularization)
        .unobserved_weight(settings.unobserved_weight)
        .frequency_exponent(settings.frequency_exponent)
        .build()
        .expect("every value is in the range of its key");
    LearningSettings {
        als,
        weighing: learning.weighing,
        max_history: settings.max_history,
        recent_events: settings.recent_events,
        dedupe_window: settings.dedupe_window,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineBuilder;
    use crate::training::{GateFacts, GateRefusal, NeverSweep, SweepGate};

    fn engine(builder: EngineBuilder) -> ManualEngine {
        builder.threads(1).open_manual().expect("usable settings")
    }

    #[test]
    fn settings_change_all_at_once_or_not_at_all() {
        let mut engine = engine(EngineBuilder::default());
        let before = engine.settings();
        let mut after = before.clone();
        after.regularization = 0.25;
        after.max_history = 7;
        after.item_batch_every = std::time::Duration::from_millis(250);
        after.gate = after.gate.map(|gate| QualityGate { t_limit: 9.0, ..gate });
        after.sweep_every = Some(SweepEvery::events(12).first_after(3));
        let mut broken = after.clone();
        broken.later_sweeps = 0;
        let refused = engine.retune(broken).expect_err("at least one");
        assert_eq!(refused.to_string(), "sweeps.later must be between 1 and 1000 and whole, got 0");
        assert_eq!(engine.settings(), before);
        let changes = engine.retune(after.clone()).expect("in range");
        let changed: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            changed,
            [
                "als.regularization: 0.003 → 0.25",
                "limits.max_history: 4096 → 7",
                "sweeps.every_seconds: 1800 → 0",
                "sweeps.every_events: 50000 → 12",
                "sweeps.gramian_moved: 0.05 → 0",
                "sweeps.first_after_events: 1000 → 3",
                "items.batch_every_ms: 100 → 250",
                "gate.t_limit: 3.3 → 9",
            ]
        );
        assert_eq!(engine.settings(), after);
        assert_eq!(engine.retune(after), Ok(vec![]));
    }

    #[derive(Debug)]
    struct Never;

    impl SweepGate for Never {
        fn judge(&self, _facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
            Err(GateRefusal::Other { reason: "never".to_owned() })
        }
    }

    #[test]
    fn plug_ins_of_the_hosts_own_stay_what_they_are() {
        let mut engine = engine(EngineBuilder::default().sweep_policy(NeverSweep).sweep_gate(Never));
        let mut settings = engine.settings();
        assert_eq!((settings.sweep_every, settings.gate), (None, None));
        settings.later_sweeps += 1;
        assert_eq!(engine.retune(settings.clone()).map(|changes| changes.len()), Ok(1));
        let before = engine.settings();
        settings.later_sweeps += 1;
        settings.gate = Some(QualityGate::default());
        let refused = engine.retune(settings.clone()).expect_err("there is nothing that could take it");
        let key = "gate.t_limit";
        assert_eq!(refused, SettingError::OwnPlugin { key, seam: "sweep gate" }.into());
        settings.sweep_every = Some(SweepEvery::events(1));
        let refused = engine.retune(settings).expect_err("there is nothing that could take it");
        let key = "sweeps.every_seconds";
        assert_eq!(refused, SettingError::OwnPlugin { key, seam: "sweep policy" }.into());
        assert_eq!(engine.settings(), before);
    }
}
