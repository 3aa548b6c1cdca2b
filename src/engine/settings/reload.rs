//! A settings file that is watched while the engine runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::bounded;
use thiserror::Error;

use super::file::{SettingsFile, SettingsFileError};
use super::live::{LiveSettings, SettingChange};
use super::retune::RetuneError;
use crate::engine::observer::{Notice, WatchedObserver};
use crate::engine::queue::{EventSender, Queued};
use crate::engine::writer::Writer;
use crate::engine::{BuildError, EngineError};
use crate::publish::Published;
use crate::watch::{FollowedFile, WatchError};

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
    pub(in crate::engine) observer: Arc<WatchedObserver>,
}

impl Writer {
    /// Goes on as a file says, if it is there.
    pub(in crate::engine) fn retune_by_file(&mut self, path: &Path) -> Result<(), BuildError> {
        let retune = |writer: &mut Self| -> Result<(), ReloadError> {
            let bytes = match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(ReloadError::Unreadable { message: error.to_string() }),
            };
            let settings = SettingsFile::parse_bytes(&bytes)?.over(&writer.live_settings())?;
            writer.retune(settings)?;
            Ok(())
        };
        retune(self).map_err(|source| BuildError::SettingsFile { path: path.to_path_buf(), source })
    }
}

impl Retuner {
    /// Obeys the file from here on, which has been read, until what comes back is dropped.
    pub(in crate::engine) fn follow(self, path: PathBuf) -> Result<FollowedFile, BuildError> {
        let file = path.clone();
        let begun = FollowedFile::begin(&path, "segue-settings", move |contents| self.obey(&file, contents));
        begun.map_err(|error| {
            let source = ReloadError::Unreadable { message: error.to_string() };
            BuildError::SettingsFile { path, source }
        })
    }

    /// Does as the file says, or tells why not.
    fn obey(&self, file: &Path, contents: Result<Arc<[u8]>, WatchError>) {
        let outcome = match contents {
            Ok(bytes) => self.retune_by(file, &bytes),
            // Whoever replaces a file may take it away first.
            Err(WatchError::Missing { .. }) => Ok(()),
            Err(error) => Err(ReloadError::Unreadable { message: error.to_string() }),
        };
        if let Err(error) = outcome {
            tracing::warn!(
                target: "segue::settings",
                file = %file.display(),
                %error,
                "a settings file was refused"
            );
            self.observer.tell(&Notice::SettingsRefused { file, error: &error });
        }
    }

    fn retune_by(&self, file: &Path, bytes: &[u8]) -> Result<(), ReloadError> {
        let settings = SettingsFile::parse_bytes(bytes)?.over(&self.base)?;
        let changes = self.in_force.load().changes_to(&settings);
        if changes.is_empty() {
            return Ok(());
        }
        self.observer.tell(&Notice::SettingsRead { file, changes: &changes });
        let changes = self.retune(settings)?;
        self.observer.tell(&Notice::SettingsInForce { file, changes: &changes });
        Ok(())
    }

    fn retune(&self, settings: LiveSettings) -> Result<Vec<SettingChange>, RetuneError> {
        let (done, changes) = bounded(1);
        self.sender.send_queued(Queued::Retune { settings: Box::new(settings), done })?;
        changes.recv().map_err(|_| EngineError::Stopped)?
    }
}
