//! A model file that is watched while the engine runs.

use std::convert::Infallible;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use thiserror::Error;

use super::build_error::BuildError;
use super::builder::EngineBuilder;
use super::observer::{Notice, WatchedObserver};
use super::queue::{EventSender, Queued};
use crate::exchange::ForeignModel;
use crate::exchange::names::{ITEM_IDS, USER_IDS};
use crate::training::TrainingError;
use crate::types::Timestamp;
use crate::watch::{StampWatch, Stamps, stamps};

/// Files are read once they have been left alone for so long: whoever writes them may not be done.
const QUIET: Duration = Duration::from_millis(50);
/// How long a drop waits for the thread, which may be reading a large file.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Why the model in a file was not adopted; the model in use stays.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// The files are not those of a model.
    #[error("it is not taken: {message}")]
    Unreadable {
        /// What is wrong with them.
        message: String,
    },
    /// The engine did not publish it.
    #[error("it is not published")]
    Training(#[from] TrainingError),
}

/// The thread that adopts what is in the file, and what ends it.
#[derive(Debug)]
pub(super) struct ModelWatch {
    stop: Option<Sender<Infallible>>,
    ended: Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs of the engine.
#[derive(Debug)]
pub(super) struct Adopter {
    pub(super) path: PathBuf,
    pub(super) sender: EventSender,
    pub(super) observer: Arc<WatchedObserver>,
    /// If the engine has a model, when the input of the last one was frozen: a file from before has been dealt with.
    pub(super) since: Option<Timestamp>,
}

impl EngineBuilder {
    /// An archive of NumPy, `.npz`, with a model from elsewhere, `users.txt` and `items.txt` beside it: see `docs::formats`. The
    /// engine has a thread that watches their directory, reads them once they have been left alone for 50 ms, and
    /// [adopts](crate::Engine::adopt) what is in them; the [observer](Self::observer) is told, also of what is wrong. They need not be
    /// there yet. What is there when an engine is opened is adopted if that has no model, or one that was begun before the
    /// archive was last changed. A [`ManualEngine`](crate::ManualEngine) does not look at them.
    #[must_use]
    pub fn model_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.model = Some(path.into());
        self
    }
}

impl ModelWatch {
    pub(super) fn begin(adopter: Adopter) -> Result<Self, BuildError> {
        let files = adopter.files();
        let watch = StampWatch::begin(files.to_vec(), QUIET).map_err(BuildError::Thread)?;
        let (stop, stopped) = bounded(0);
        let (alive, ended) = bounded::<Infallible>(0);
        let run = move || {
            adopter.run(&watch, &files, &stopped);
            drop(alive);
        };
        let thread = std::thread::Builder::new().name("segue-model".to_owned()).spawn(run);
        Ok(Self { stop: Some(stop), ended, thread: Some(thread.map_err(BuildError::Thread)?) })
    }
}

impl Drop for ModelWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        let has_ended = self.ended.recv_timeout(LAST_CALL) == Err(RecvTimeoutError::Disconnected);
        if let Some(thread) = self.thread.take().filter(|_| has_ended) {
            // It catches what plug-ins do, and has nothing else to panic about.
            let _ = thread.join();
        }
    }
}

impl Adopter {
    /// The archive and the two lists beside it.
    fn files(&self) -> [PathBuf; 3] {
        [self.path.clone(), self.path.with_file_name(USER_IDS), self.path.with_file_name(ITEM_IDS)]
    }

    fn run(&self, watch: &StampWatch, files: &[PathBuf; 3], stopped: &Receiver<Infallible>) {
        let mut dealt_with = None;
        loop {
            let seen = select! {
                recv(stopped) -> _ => return,
                recv(watch.stamps()) -> seen => match seen {
                    Ok(seen) => seen,
                    Err(_) => return,
                },
            };
            // Whoever replaces files may take them away first.
            if seen.contains(&None) || dealt_with.as_ref() == Some(&seen) {
                continue;
            }
            let is_old = dealt_with.is_none() && self.is_from_before(&seen);
            if is_old || self.adopt(files, &seen, stopped) {
                dealt_with = Some(seen);
            }
        }
    }

    /// Whether the archive is older than the model that the engine was opened with.
    fn is_from_before(&self, seen: &Stamps) -> bool {
        let changed = seen.first().copied().flatten().map(|(_, changed)| changed);
        let since_1970 = changed.and_then(|changed| changed.duration_since(SystemTime::UNIX_EPOCH).ok());
        let changed = since_1970.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        self.since.is_some_and(|since| Timestamp::from_unix_ms(changed) <= since)
    }

    /// Reads the files and has the engine adopt them, or tells why not. Says whether they were what had been `seen`: if they
    /// changed meanwhile, how they are then is about to be told.
    fn adopt(&self, files: &[PathBuf; 3], seen: &Stamps, stopped: &Receiver<Infallible>) -> bool {
        let read = ForeignModel::open_npz(&self.path);
        if stamps(files) != *seen {
            return false;
        }
        let published = read.map_err(|error| ModelFileError::Unreadable { message: in_full(&error) });
        let published = published.and_then(|model| {
            self.observer.tell(&Notice::ModelRead {
                file: &self.path,
                n_users: model.users().ids.len(),
                n_items: model.items().ids.len(),
            });
            self.publish(model, stopped).map_err(ModelFileError::from)
        });
        match published {
            Ok(()) | Err(ModelFileError::Training(TrainingError::Cancelled)) => {}
            Err(error) => self.refused(&self.path, &error),
        }
        true
    }

    fn refused(&self, file: &Path, error: &ModelFileError) {
        tracing::warn!(file = %file.display(), %error, "a model file was refused");
        self.observer.tell(&Notice::ModelRefused { file, error });
    }

    fn publish(&self, model: ForeignModel, stopped: &Receiver<Infallible>) -> Result<(), TrainingError> {
        let (done, report) = bounded(1);
        let queued = Queued::Adopt { model: Box::new(model), done };
        self.sender.send_queued(queued).map_err(|_| TrainingError::Cancelled)?;
        select! {
            recv(stopped) -> _ => Err(TrainingError::Cancelled),
            // The engine drops its end only when it stops.
            recv(report) -> report => report.unwrap_or(Err(TrainingError::Cancelled)).map(drop),
        }
    }
}

/// An error and all that it comes from.
fn in_full(error: &dyn Error) -> String {
    let (mut message, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}
