//! The files that an engine reads when it is opened and watches from then on.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::build_error::BuildError;
use super::builder::{EngineBuilder, Policies, Settings};
use super::list_file::ListFile;
use super::meters::Meters;
#[cfg(feature = "npz")]
use super::model_file::{Adopter, ModelWatch};
use super::observer::{Notice, WatchedObserver};
use super::queue::EventSender;
use super::settings::{LiveSettings, RetuneError, Retuner, begin_with, laid_over};
#[cfg(feature = "npz")]
use super::writer::Writer;
use crate::publish::Published;
#[cfg(feature = "npz")]
use crate::types::Timestamp;
use crate::watch::{Contents, FollowedFile, read};

/// Those that a host has named.
#[derive(Debug, Default)]
pub(super) struct Files {
    settings: Option<PathBuf>,
    pub(super) lists: Vec<ListFile>,
    #[cfg(feature = "npz")]
    pub(super) model: Option<PathBuf>,
}

/// Those, and what they held when the engine was opened.
#[derive(Debug)]
pub(super) struct FilesRead {
    settings: Option<(PathBuf, Contents)>,
    /// The settings without their file.
    base: LiveSettings,
    lists: Vec<ListFile>,
    #[cfg(feature = "npz")]
    model: Option<PathBuf>,
    /// When the input of the model in use was frozen.
    #[cfg(feature = "npz")]
    model_since: Option<Timestamp>,
}

/// What those who watch files need of the engine.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) sender: EventSender,
    pub(super) settings: Arc<Published<LiveSettings>>,
    pub(super) herald: Herald,
}

/// Passes on what becomes of a watched file.
#[derive(Debug, Clone)]
pub(super) struct Herald {
    pub(super) observer: Arc<WatchedObserver>,
    pub(super) meters: Arc<Meters>,
}

impl Herald {
    pub(super) fn tell(&self, notice: &Notice<'_>) {
        self.observer.tell(notice);
    }

    /// What a file says is in force now.
    pub(super) fn taken(&self, file: &Path) {
        self.meters.file_taken(file, true);
    }

    /// A file says what is in force already.
    pub(super) fn agrees(&self, file: &Path) {
        self.meters.file_taken(file, false);
    }

    /// A file is refused, and nothing has changed.
    pub(super) fn refused(&self, file: &Path, error: &dyn Error, notice: &Notice<'_>) {
        self.meters.file_refused(file, error);
        self.tell(notice);
    }
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
    /// [observer](Self::observer) is told the line. Write another and rename it, so that no half of it is ever read. It need
    /// not be there yet. A [`ManualEngine`](crate::ManualEngine) reads it when it is opened and not again.
    #[must_use]
    pub fn settings_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.settings = Some(path.into());
        self
    }
}

impl Files {
    /// Has what is to be opened begin as the settings file says. Nothing else has been touched yet.
    pub(super) fn begin(
        self,
        settings: &mut Settings,
        policies: &mut Policies,
    ) -> Result<FilesRead, BuildError> {
        check_lists(&self.lists)?;
        let base = LiveSettings::of(settings, &*policies.weigher, &*policies.sweep_policy, &policies.gate);
        let mut begin = |path: PathBuf| {
            let contents = read(&path);
            let laid_over = laid_over(&base, &contents).and_then(|after| {
                let begun = after.map(|after| begin_with(settings, policies, &base, &after));
                begun.transpose().map_err(|error| RetuneError::from(error).into())
            });
            match laid_over {
                Ok(_) => Ok((path, contents)),
                Err(source) => Err(BuildError::SettingsFile { path, source }),
            }
        };
        Ok(FilesRead {
            settings: self.settings.map(&mut begin).transpose()?,
            base: base.clone(),
            lists: self.lists,
            #[cfg(feature = "npz")]
            model: self.model,
            #[cfg(feature = "npz")]
            model_since: None,
        })
    }
}

impl FilesRead {
    /// Fills the lists. The model is left to whoever watches it.
    pub(super) fn fill_lists(&mut self) -> Result<(), BuildError> {
        self.lists.iter_mut().try_for_each(ListFile::fill)
    }

    /// Notes which model the engine was opened with.
    #[cfg(feature = "npz")]
    pub(super) fn note_model_of(&mut self, writer: &Writer) {
        self.model_since = writer.model_since();
    }

    /// Watches them from here on.
    pub(super) fn watch(self, watching: Watching) -> Result<FileWatches, BuildError> {
        let Self { settings, base, lists, .. } = self;
        let Watching { sender, settings: in_force, herald } = watching;
        #[cfg(feature = "npz")]
        let model = {
            let (sender, herald, in_force) = (sender.clone(), herald.clone(), Arc::clone(&in_force));
            let adopter = |path| Adopter { path, sender, herald, in_force, since: self.model_since };
            self.model.map(adopter).map(ModelWatch::begin).transpose()?
        };
        let lists = lists.into_iter().map(|file| file.follow(herald.clone()));
        let lists = lists.collect::<Result<_, _>>()?;
        let retuner = Retuner { sender, in_force, base, herald };
        let settings = settings.map(|(path, known)| retuner.follow(path, known));
        Ok(FileWatches {
            _settings: settings.transpose()?,
            _lists: lists,
            #[cfg(feature = "npz")]
            _model: model,
        })
    }
}

/// Two files would undo each other's work.
fn check_lists(lists: &[ListFile]) -> Result<(), BuildError> {
    for (place, file) in lists.iter().enumerate() {
        if let Some(other) = lists[..place].iter().find(|other| other.fills_the_same_as(file)) {
            return Err(BuildError::SameList { first: other.path.clone(), second: file.path.clone() });
        }
    }
    Ok(())
}
