//! Somebody who is told what the engine does.

use std::fmt;
#[cfg(feature = "reload")]
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "reload")]
use super::list_file::{ListChange, ListFileError};
#[cfg(all(feature = "npz", feature = "reload"))]
use super::model_file::ModelFileError;
#[cfg(feature = "reload")]
use super::settings::{ReloadError, SettingChange};
use crate::guard::{Watch, with_causes};
use crate::training::{ModelOrigin, SweepReport, TrainingError};

/// An observer notes things down; whoever has more to do with them gives them to a thread of their own.
const BUDGET: Duration = Duration::from_millis(10);

/// Is told what the engine does, and decides nothing.
///
/// Called on the thread that does it: the writer's for sweeps, those of the files for settings and models that are read. It should return within
/// 10 ms. A panic is caught and counted.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Something has happened, or is about to.
    fn observe(&self, notice: &Notice<'_>);
}

/// What an [`Observer`] is told.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A settings file was read and is whole; these changes are about to be made.
    #[cfg(feature = "reload")]
    SettingsRead {
        /// The file.
        file: &'a Path,
        /// What is going to change.
        changes: &'a [SettingChange],
    },
    /// Settings from a file are in force.
    #[cfg(feature = "reload")]
    SettingsInForce {
        /// The file.
        file: &'a Path,
        /// What has changed.
        changes: &'a [SettingChange],
    },
    /// A settings file was refused; nothing has changed.
    #[cfg(feature = "reload")]
    SettingsRefused {
        /// The file.
        file: &'a Path,
        /// What is wrong with it, and where.
        error: &'a ReloadError,
    },
    /// A list file was read and is whole; this change is about to be made.
    #[cfg(feature = "reload")]
    ListRead {
        /// The file.
        file: &'a Path,
        /// What is going to change.
        change: &'a ListChange,
    },
    /// A list file was refused; nothing has changed.
    #[cfg(feature = "reload")]
    ListRefused {
        /// The file.
        file: &'a Path,
        /// What is wrong with it, and where.
        error: &'a ListFileError,
    },
    /// A model file was read and is whole; it is about to be adopted. [`Published`](Self::Published) tells of that.
    #[cfg(all(feature = "npz", feature = "reload"))]
    ModelRead {
        /// The archive.
        file: &'a Path,
        /// Its users.
        n_users: usize,
        /// Those of them that the engine knows; the others are about to be added.
        n_known_users: usize,
        /// Its items.
        n_items: usize,
        /// Those of them that the engine knows.
        n_known_items: usize,
    },
    /// The model in a file was not adopted; the one in use stays.
    #[cfg(all(feature = "npz", feature = "reload"))]
    ModelRefused {
        /// The archive.
        file: &'a Path,
        /// What is wrong with it, or why the engine did not publish it.
        error: &'a ModelFileError,
    },
    /// A sweep was published, or a model from elsewhere.
    Published(&'a SweepReport),
    /// A sweep gave no model, or the gate refused it.
    SweepFailed(&'a TrainingError),
}

/// One sentence, for a log.
impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "reload")]
            Self::SettingsRead { file, changes } => {
                write!(f, "{}: {} settings are about to change", file.display(), changes.len())
            }
            #[cfg(feature = "reload")]
            Self::SettingsInForce { file, changes } => {
                let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                write!(f, "{}: in force: {}", file.display(), changes.join(", "))
            }
            #[cfg(feature = "reload")]
            Self::SettingsRefused { file, error } => write!(f, "{}: refused: {error}", file.display()),
            #[cfg(feature = "reload")]
            Self::ListRead { file, change } => {
                let ListChange { added, removed, changed } = change;
                let (added, removed, changed) = (added.len(), removed.len(), changed.len());
                write!(f, "{}: {added} come, {removed} go and {changed} change", file.display())
            }
            #[cfg(feature = "reload")]
            Self::ListRefused { file, error } => write!(f, "{}: refused: {error}", file.display()),
            #[cfg(all(feature = "npz", feature = "reload"))]
            Self::ModelRead { file, n_users, n_items, .. } => {
                write!(f, "{}: a model of {n_users} users and {n_items} items", file.display())
            }
            #[cfg(all(feature = "npz", feature = "reload"))]
            Self::ModelRefused { file, error } => {
                write!(f, "{}: not adopted: {}", file.display(), with_causes(error))
            }
            Self::Published(SweepReport { generation, origin, n_users, n_items, .. }) => {
                let origin = match origin {
                    ModelOrigin::Trained => "was trained",
                    ModelOrigin::Adopted => "was adopted",
                    ModelOrigin::RolledBack => "is the one from before",
                };
                let generation = generation.get();
                write!(
                    f,
                    "generation {generation} is in use: it {origin}, {n_users} users and {n_items} items"
                )
            }
            Self::SweepFailed(error) => write!(f, "no new model: {}", with_causes(error)),
        }
    }
}

/// Does nothing with what it is told: the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LookAway;

impl Observer for LookAway {
    fn observe(&self, _notice: &Notice<'_>) {}
}

/// An observer made of a closure.
pub(super) struct ObserveWith<F>(pub(super) F);

impl<F: Fn(&Notice<'_>) + Send + Sync + 'static> Observer for ObserveWith<F> {
    fn observe(&self, notice: &Notice<'_>) {
        (self.0)(notice);
    }
}

impl<F> fmt::Debug for ObserveWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObserveWith(..)")
    }
}

/// The observer of an engine, under watch.
#[derive(Debug)]
pub(super) struct WatchedObserver {
    observer: Box<dyn Observer>,
    pub(super) watch: Arc<Watch>,
}

impl WatchedObserver {
    pub(super) fn new(observer: Box<dyn Observer>) -> Self {
        Self { observer, watch: Arc::new(Watch::new("observer", BUDGET)) }
    }

    pub(super) fn tell(&self, notice: &Notice<'_>) {
        // What becomes of it is on the watch.
        let _ = self.watch.call(|| self.observer.observe(notice));
    }
}

impl Default for WatchedObserver {
    fn default() -> Self {
        Self::new(Box::new(LookAway))
    }
}
