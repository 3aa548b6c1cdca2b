//! A settings file that is watched while the engine runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::bounded;
use thiserror::Error;

use super::file::{SettingsFile, SettingsFileError};
use super::live::{LiveSettings, SettingChange};
use super::retune::RetuneError;
use crate::engine::files::Herald;
use crate::engine::observer::Notice;
use crate::engine::queue::{EventSender, Queued};
use crate::engine::{BuildError, EngineError};
use crate::publish::Published;
use crate::watch::{Contents, FollowedFile, found};

/// Why a settings file was refused; nothing has changed then.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// It cannot be read.
    #[error("it cannot be read: {message}")]
    Unreadable {
        /// What the system says.
        message: String,
    },
    /// What is in it cannot be.
    #[error(transparent)]
    File(#[from] SettingsFileError),
    /// The engine takes no settings.
    #[error(transparent)]
    Retune(#[from] RetuneError),
}

/// What the thread needs of the engine.
#[derive(Debug)]
pub(in crate::engine) struct Retuner {
    pub(in crate::engine) sender: EventSender,
    pub(in crate::engine) in_force: Arc<Published<LiveSettings>>,
    /// The settings without the file: what is not in it is as it is here.
    pub(in crate::engine) base: LiveSettings,
    pub(in crate::engine) herald: Herald,
}

/// What a file says, laid over `base`; `None` if it is not there.
pub(in crate::engine) fn laid_over(
    base: &LiveSettings,
    contents: &Contents,
) -> Result<Option<LiveSettings>, ReloadError> {
    let unreadable = |message| ReloadError::Unreadable { message };
    let Some(bytes) = found(contents).map_err(|error| unreadable(error.to_string()))? else {
        return Ok(None);
    };
    Ok(Some(SettingsFile::parse_bytes(bytes)?.over(base)?))
}

impl Retuner {
    /// Obeys the file from here on, which has been read, until what comes back is dropped.
    pub(in crate::engine) fn follow(
        self,
        path: PathBuf,
        known: Contents,
    ) -> Result<FollowedFile, BuildError> {
        let file = path.clone();
        let obey = move |contents| self.obey(&file, &contents);
        FollowedFile::begin(&path, Some(known), "segue-settings", obey).map_err(BuildError::Thread)
    }

    /// Does as the file says, or tells why not.
    fn obey(&self, file: &Path, contents: &Contents) {
        match self.retune_by(file, contents) {
            // An engine that is being dropped has not refused what it was told.
            Ok(()) | Err(ReloadError::Retune(RetuneError::Engine(EngineError::Stopped))) => {}
            Err(error) => {
                self.herald.refused(file, &error, &Notice::SettingsRefused { file, error: &error });
            }
        }
    }

    fn retune_by(&self, file: &Path, contents: &Contents) -> Result<(), ReloadError> {
        let Some(settings) = laid_over(&self.base, contents)? else {
            // A file that is not there has nothing wrong in it.
            self.herald.agrees(file);
            return Ok(());
        };
        let changes = self.in_force.load().changes_to(&settings);
        if changes.is_empty() {
            self.herald.agrees(file);
            return Ok(());
        }
        self.herald.tell(&Notice::SettingsRead { file, changes: &changes });
        let changes = self.retune(settings)?;
        self.herald.taken(file);
        self.herald.tell(&Notice::SettingsInForce { file, changes: &changes });
        Ok(())
    }

    fn retune(&self, settings: LiveSettings) -> Result<Vec<SettingChange>, RetuneError> {
        let (done, changes) = bounded(1);
        self.sender.send_queued(Queued::Retune { settings: Box::new(settings), done })?;
        changes.recv().map_err(|_| EngineError::Stopped)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::engine::Engine;
    use crate::engine::observer::{ObserveWith, WatchedObserver};

    #[test]
    fn a_change_that_comes_while_the_engine_stops_is_not_refused() {
        let engine = Engine::builder().threads(1).open().expect("usable settings");
        let told = Arc::new(Mutex::new(Vec::new()));
        let observe = {
            let told = Arc::clone(&told);
            move |notice: &Notice<'_>| told.lock().expect("nobody panics").push(format!("{notice:?}"))
        };
        let meters = Arc::clone(engine.meters());
        let retuner = Retuner {
            sender: engine.sender(),
            in_force: Arc::clone(&engine.settings),
            base: engine.settings(),
            herald: Herald {
                observer: Arc::new(WatchedObserver::new(Box::new(ObserveWith(observe)))),
                meters: Arc::clone(&meters),
            },
        };
        retuner.obey(Path::new("file"), &Ok(b"sweeps.latter = 3\n"[..].into()));
        drop(engine);
        retuner.obey(Path::new("file"), &Ok(b"sweeps.later = 3\n"[..].into()));
        let told = told.lock().expect("nobody panics");
        let [refused, read] = &told[..] else { panic!("{told:?}") };
        assert!(refused.starts_with("SettingsRefused") && read.starts_with("SettingsRead"), "{told:?}");
    }
}
