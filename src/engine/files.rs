//! The files that an engine reads when it is opened and watches from then on.

use std::path::PathBuf;
use std::sync::Arc;

use super::build_error::BuildError;
use super::builder::EngineBuilder;
use super::list_file::ListFile;
#[cfg(feature = "npz")]
use super::model_file::{Adopter, ModelWatch};
use super::observer::WatchedObserver;
use super::queue::EventSender;
use super::settings::{LiveSettings, Retuner};
use super::writer::Writer;
use crate::publish::Published;
#[cfg(feature = "npz")]
use crate::types::Timestamp;
use crate::watch::FollowedFile;

/// Those that a host has named.
#[derive(Debug, Default)]
pub(super) struct Files {
    settings: Option<PathBuf>,
    pub(super) lists: Vec<ListFile>,
    #[cfg(feature = "npz")]
    pub(super) model: Option<PathBuf>,
}

/// Those, once what was there has been taken in.
#[derive(Debug)]
pub(super) struct FilesRead {
    files: Files,
    /// The settings without their file.
    base: LiveSettings,
    /// When the input of the model in use was frozen.
    #[cfg(feature = "npz")]
    model_since: Option<Timestamp>,
}

/// What those who watch files need of the engine.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) sender: EventSender,
    pub(super) settings: Arc<Published<LiveSettings>>,
    pub(super) observer: Arc<WatchedObserver>,
}

/// The threads that watch files; they end when it is dropped.
#[derive(Debug, Default)]
pub(super) struct FileWatches {
    _settings: Option<FollowedFile>,
    _lists: Vec<FollowedFile>,
    #[cfg(feature = "npz")]
    _model: Option<ModelWatch>,
}

impl EngineBuilder {
    /// A file in TOML whose settings go before those given here, as long as it has them: see `docs::settings`. The engine
    /// has a thread that watches its directory, reads the file once it has been left alone for 50 ms, and goes on with
    /// what it says, all in one step; a file with anything wrong in it changes nothing, and the
    /// [observer](Self::observer) is told the line. It need not be there yet. A [`ManualEngine`](crate::ManualEngine) reads
    /// it when it is opened and not again.
    #[must_use]
    pub fn settings_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.settings = Some(path.into());
        self
    }
}

impl Files {
    /// Takes in what is there; the model is left to whoever watches it.
    pub(super) fn read(self, writer: &mut Writer) -> Result<FilesRead, BuildError> {
        let base = writer.live_settings();
        if let Some(path) = &self.settings {
            writer.retune_by_file(path)?;
        }
        self.lists.iter().try_for_each(ListFile::read_once)?;
        Ok(FilesRead {
            base,
            #[cfg(feature = "npz")]
            model_since: writer.model_since(),
            files: self,
        })
    }
}

impl FilesRead {
    /// Watches them from here on.
    pub(super) fn watch(self, watching: Watching) -> Result<FileWatches, BuildError> {
        let Self { files, base, .. } = self;
        let Watching { sender, settings: in_force, observer } = watching;
        #[cfg(feature = "npz")]
        let adopter = |path| {
            let (sender, observer) = (sender.clone(), Arc::clone(&observer));
            ModelWatch::begin(Adopter { path, sender, observer, since: self.model_since })
        };
        #[cfg(feature = "npz")]
        let model = files.model.map(adopter).transpose()?;
        let lists = files.lists.into_iter().map(|file| file.follow(Arc::clone(&observer)));
        let lists = lists.collect::<Result<_, _>>()?;
        let settings = files.settings.map(|path| Retuner { sender, in_force, base, observer }.follow(path));
        Ok(FileWatches {
            _settings: settings.transpose()?,
            _lists: lists,
            #[cfg(feature = "npz")]
            _model: model,
        })
    }
}
