//! A model file that is watched while the engine runs.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Receiver, after, bounded, never, select};
use thiserror::Error;

use super::build_error::BuildError;
use super::builder::EngineBuilder;
use super::files::Herald;
use super::observer::Notice;
use super::queue::{EventSender, Queued};
use super::settings::LiveSettings;
use crate::exchange::names::{ITEM_IDS, USER_IDS};
use crate::exchange::{ForeignModel, ForeignModelError};
use crate::guard::with_causes;
use crate::model::Shared;
use crate::publish::Published;
use crate::training::TrainingError;
use crate::types::Timestamp;
use crate::watch::{StampWatch, Stamps, TiedThread, stamps};

/// Files are read once they have been left alone for so long: whoever writes them may not be done.
const QUIET: Duration = Duration::from_millis(50);
/// Files that could not be read are tried again after so long.
const RETRY_AFTER: Duration = Duration::from_secs(5);
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
    _thread: TiedThread,
}

/// What the thread needs of the engine.
#[derive(Debug)]
pub(super) struct Adopter {
    pub(super) path: PathBuf,
    pub(super) sender: EventSender,
    pub(super) herald: Herald,
    pub(super) in_force: Arc<Published<LiveSettings>>,
    /// If the engine has a model, when the input of the last one was frozen: a file from before has been dealt with.
    pub(super) since: Option<Timestamp>,
}

impl EngineBuilder {
    /// An archive of NumPy, `.npz`, with a model from elsewhere, `users.txt` and `items.txt` beside it: see `docs::formats`. The
    /// engine has a thread that watches their directory, reads them once they have been left alone for 50 ms, and
    /// [adopts](crate::Engine::adopt) what is in them; the [observer](Self::observer) is told, also of what is wrong. They need not be
    /// there yet. A model of another length is taken within some seconds after the [settings](crate::LiveSettings::n_factors) ask
    /// for it. What is there when an engine is opened is adopted if that has no model, or one that was begun before the
    /// archive was last changed. A [`ManualEngine`](crate::ManualEngine) does not look at them.
    #[must_use]
    pub fn model_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.model = Some(path.into());
        self
    }
}

impl ModelWatch {
    pub(super) fn begin(adopter: Adopter) -> Result<Self, BuildError> {
        Self::begin_with(adopter, RETRY_AFTER, |path| ForeignModel::open_npz(path))
    }

    fn begin_with(
        adopter: Adopter,
        retry_after: Duration,
        read: impl Fn(&Path) -> Result<ForeignModel, ForeignModelError> + Send + 'static,
    ) -> Result<Self, BuildError> {
        let files = adopter.files();
        // Before anybody has the engine: what comes later is news, however old it is.
        let dealt_with = adopter.passed_over(&files);
        let watch = StampWatch::begin(files.to_vec(), QUIET).map_err(BuildError::Thread)?;
        let run = move |stopped: &Receiver<Infallible>| {
            let (to_retry, told, other_length) = (false, None, None);
            let mut dealings =
                Dealings { adopter, files, read, dealt_with, adopted: None, to_retry, told, other_length };
            dealings.run(&watch, retry_after, stopped);
        };
        let thread = TiedThread::begin("segue-model", Some(LAST_CALL), run);
        Ok(Self { _thread: thread.map_err(BuildError::Thread)? })
    }
}

impl Adopter {
    /// The archive and the two lists beside it.
    fn files(&self) -> [PathBuf; 3] {
        [self.path.clone(), self.path.with_file_name(USER_IDS), self.path.with_file_name(ITEM_IDS)]
    }

    /// The files as they are, if all are there and the archive is older than the model that the engine was opened with.
    fn passed_over(&self, files: &[PathBuf; 3]) -> Option<Stamps> {
        let since = self.since?;
        let seen = stamps(files);
        let &[Some((_, changed)), Some(_), Some(_)] = seen.as_slice() else { return None };
        let since_1970 = changed.duration_since(SystemTime::UNIX_EPOCH).ok();
        let changed = since_1970.map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let is_old = Timestamp::from_unix_ms(changed) <= since;
        if is_old {
            let file = self.path.display();
            tracing::info!(target: "segue::settings", %file, "a model file older than the model in use is passed over");
        }
        is_old.then_some(seen)
    }

    fn tell(&self, model: &ForeignModel) {
        let Shared { user_ids, item_ids, .. } = &*self.sender.shared;
        let (users, items) = (&model.users().ids, &model.items().ids);
        self.herald.tell(&Notice::ModelRead {
            file: &self.path,
            n_users: users.len(),
            n_known_users: users.iter().filter(|id| user_ids.get(id).is_some()).count(),
            n_items: items.len(),
            n_known_items: items.iter().filter(|id| item_ids.get(id).is_some()).count(),
        });
    }

    fn refused(&self, error: &ModelFileError) {
        let file = &self.path;
        self.herald.refused(file, error, &Notice::ModelRefused { file, error });
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

/// What has become of the files so far.
struct Dealings<R> {
    adopter: Adopter,
    files: [PathBuf; 3],
    read: R,
    /// How they were when they were adopted, refused or passed over last.
    dealt_with: Option<Stamps>,
    /// How they were when they were adopted last.
    adopted: Option<Stamps>,
    /// They could not be read, or changed meanwhile; whether that is over need not show in their stamps.
    to_retry: bool,
    /// What was told of files that could not be read.
    told: Option<(Stamps, String)>,
    /// How long the rows are of a model that was refused for that.
    other_length: Option<usize>,
}

impl<R: Fn(&Path) -> Result<ForeignModel, ForeignModelError>> Dealings<R> {
    fn run(&mut self, watch: &StampWatch, retry_after: Duration, stopped: &Receiver<Infallible>) {
        loop {
            let waits = self.to_retry || self.other_length.is_some();
            let retry = if waits { after(retry_after) } else { never() };
            let seen = select! {
                recv(stopped) -> _ => return,
                recv(watch.stamps()) -> seen => match seen {
                    Ok(seen) => seen,
                    Err(_) => return,
                },
                recv(retry) -> _ => stamps(&self.files),
            };
            self.deal_with(seen, stopped);
        }
    }

    fn deal_with(&mut self, seen: Stamps, stopped: &Receiver<Infallible>) {
        self.to_retry = false;
        let n_factors = self.adopter.in_force.load().n_factors;
        if self.other_length.take_if(|&mut length| length == n_factors).is_some() {
            self.dealt_with = None;
        }
        // What is not there has nothing wrong in it; what has come back as it was adopted, neither.
        if seen.as_slice().first() == Some(&None) || self.adopted.as_ref() == Some(&seen) {
            self.adopter.herald.agrees(&self.adopter.path);
        }
        // Whoever replaces files may take them away first.
        if seen.contains(&None) || self.dealt_with.as_ref() == Some(&seen) {
            return;
        }
        let read = (self.read)(&self.adopter.path);
        if stamps(&self.files) != seen {
            self.to_retry = true;
            return;
        }
        let outcome = match read {
            Ok(model) => {
                self.adopter.tell(&model);
                self.adopter.publish(model, stopped).map_err(ModelFileError::from)
            }
            Err(error) => {
                let message = with_causes(&error);
                if is_of_the_system(&error) {
                    self.to_retry = true;
                    let told = Some((seen, message.clone()));
                    if std::mem::replace(&mut self.told, told.clone()) != told {
                        self.adopter.refused(&ModelFileError::Unreadable { message });
                    }
                    return;
                }
                Err(ModelFileError::Unreadable { message })
            }
        };
        self.other_length = match &outcome {
            Err(ModelFileError::Training(TrainingError::OtherFactors { model, .. })) => Some(*model),
            Ok(()) | Err(_) => None,
        };
        match outcome {
            Ok(()) => {
                self.adopter.herald.taken(&self.adopter.path);
                self.adopted = Some(seen.clone());
            }
            Err(ModelFileError::Training(TrainingError::Cancelled)) => {}
            // Somebody has decided for another model: there is nothing wrong with this one.
            Err(ref error @ ModelFileError::Training(TrainingError::Superseded)) => {
                let file = &self.adopter.path;
                self.adopter.herald.tell(&Notice::ModelRefused { file, error });
            }
            Err(error) => self.adopter.refused(&error),
        }
        (self.dealt_with, self.told) = (Some(seen), None);
    }
}

/// Whether the operating system did not let the files be read, which says nothing of what is in them.
fn is_of_the_system(error: &ForeignModelError) -> bool {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error().is_some()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::als::{AlsParams, Factors};
    use crate::engine::handle::Engine;
    use crate::engine::observer::{ObserveWith, WatchedObserver};
    use crate::exchange::ForeignSide;
    use crate::training::NeverSweep;
    use crate::types::Event;

    /// An engine of two factors, and what is told of the files in a directory of its own.
    struct Watched {
        engine: Engine,
        told: Receiver<String>,
        directory: PathBuf,
        _watch: ModelWatch,
    }

    impl Watched {
        /// `read` stands for a reader of the archive; it is tried again every millisecond.
        fn begin(
            name: &str,
            read: impl Fn(&Path) -> Result<ForeignModel, ForeignModelError> + Send + 'static,
        ) -> Self {
            let directory = std::env::temp_dir().join(format!("segue-{name}-{}", std::process::id()));
            fs::create_dir_all(&directory).expect("the temporary directory can be written");
            for name in ["factors.npz", USER_IDS, ITEM_IDS] {
                fs::write(directory.join(name), "what the reader makes of it").expect("it can be written");
            }
            let params = AlsParams::builder().n_factors(2).build().expect("usable settings");
            let builder = Engine::builder().als(params).sweep_policy(NeverSweep).threads(1);
            let engine = builder.open().expect("usable settings");
            engine.import([Event::listen("ana", "muse")]).expect("it runs");
            let (tell, told) = crossbeam_channel::unbounded();
            let observe = move |notice: &Notice<'_>| {
                // Whoever asked may have heard enough.
                let _ = tell.send(format!("{notice:?}"));
            };
            let observer = WatchedObserver::new(Box::new(ObserveWith(observe)));
            let adopter = Adopter {
                path: directory.join("factors.npz"),
                sender: engine.sender(),
                herald: Herald { observer: Arc::new(observer), meters: Arc::clone(engine.meters()) },
                in_force: Arc::clone(&engine.settings),
                since: None,
            };
            let watch = ModelWatch::begin_with(adopter, Duration::from_millis(1), read);
            Self { engine, told, directory, _watch: watch.expect("there are threads") }
        }

        fn next(&self) -> String {
            self.told.recv_timeout(Duration::from_secs(60)).expect("it is told in time")
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            // The system removes it some day, if we do not.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }

    /// A model of two users and two items, one each of them known to the engine.
    fn model(n_factors: usize) -> Result<ForeignModel, ForeignModelError> {
        let mut factors = Factors::zeros(2, n_factors);
        factors.row_mut(0)[0] = 1.0;
        let users = ForeignSide { ids: vec!["ana".into(), "ben".into()], factors: factors.clone() };
        ForeignModel::new(users, ForeignSide { ids: vec!["muse".into(), "air".into()], factors })
    }

    #[test]
    fn files_that_the_system_does_not_let_be_read_are_told_of_once_and_tried_until_it_does() {
        let tries = AtomicUsize::new(0);
        let watched = Watched::begin("unreadable-model", move |path| {
            if tries.fetch_add(1, Ordering::Relaxed) < 3 {
                // As if the host had no permission, which a test that runs as root always has.
                let source = io::Error::from_raw_os_error(13);
                return Err(ForeignModelError::Open { path: path.to_owned(), source });
            }
            model(2)
        });
        let refused = watched.next();
        assert!(refused.starts_with("ModelRefused") && refused.contains("cannot read"), "{refused}");
        let read = watched.next();
        assert!(read.starts_with("ModelRead"), "{read}");
        assert!(read.contains("n_users: 2, n_known_users: 1, n_items: 2, n_known_items: 1"), "{read}");
    }

    #[test]
    fn a_model_of_another_length_is_taken_once_the_settings_ask_for_it() {
        let watched = Watched::begin("longer-model", |_| model(3));
        assert!(watched.next().starts_with("ModelRead"));
        let refused = watched.next();
        assert!(refused.starts_with("ModelRefused") && refused.contains("OtherFactors"), "{refused}");
        let mut settings = watched.engine.settings();
        settings.n_factors = 3;
        watched.engine.retune(settings).expect("in range");
        let read = watched.next();
        assert!(read.starts_with("ModelRead"), "{read}");
        let began = std::time::Instant::now();
        while watched.engine.stats().reloads.taken == 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "it is taken in time");
            std::thread::yield_now();
        }
        assert_eq!(watched.engine.sender().shared.current.load().n_factors(), Some(3));
    }
}
