//! A settings file that is watched while the engine runs.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, select};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use thiserror::Error;

use super::file::{SettingsFile, SettingsFileError};
use super::live::{LiveSettings, SettingChange};
use super::retune::RetuneError;
use crate::engine::observer::{Notice, WatchedObserver};
use crate::engine::queue::{EventSender, Queued};
use crate::engine::writer::Writer;
use crate::engine::{BuildError, EngineError};
use crate::publish::Published;

/// A file is read once it has been left alone for so long: whoever writes it may not be done.
const QUIET: Duration = Duration::from_millis(50);
/// It is read after so long all the same.
const PATIENCE: Duration = Duration::from_secs(1);
/// The system may forget to tell of a change, above all on network drives; after so long the file is looked at anyway.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// No settings are so long.
const MAX_BYTES: u64 = 1 << 20;

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
    /// No settings are so long.
    #[error("it is longer than {most} bytes")]
    TooLong {
        /// The most it may be.
        most: u64,
    },
    /// What is in it cannot be.
    #[error(transparent)]
    File(#[from] SettingsFileError),
    /// The engine takes no settings.
    #[error(transparent)]
    Retune(#[from] RetuneError),
}

/// The thread that watches, and what ends it.
#[derive(Debug)]
pub(in crate::engine) struct SettingsWatch {
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
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

/// Reads a file; `None` if it is not there.
fn read_settings(path: &Path) -> Result<Option<SettingsFile>, ReloadError> {
    match contents(path)? {
        None => Ok(None),
        Some(bytes) => Ok(Some(SettingsFile::parse_bytes(&bytes)?)),
    }
}

fn contents(path: &Path) -> Result<Option<Vec<u8>>, ReloadError> {
    let unreadable = |error: io::Error| ReloadError::Unreadable { message: error.to_string() };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReloadError::TooLong { most: MAX_BYTES });
    }
    Ok(Some(bytes))
}

impl Writer {
    /// Goes on as a file says, if it is there.
    pub(in crate::engine) fn retune_by_file(&mut self, path: &Path) -> Result<(), BuildError> {
        let retune = |writer: &mut Self| -> Result<(), ReloadError> {
            if let Some(file) = read_settings(path)? {
                let settings = file.over(&writer.live_settings())?;
                writer.retune(settings)?;
            }
            Ok(())
        };
        retune(self).map_err(|source| BuildError::SettingsFile { path: path.to_path_buf(), source })
    }
}

impl SettingsWatch {
    /// Watches the file's directory from here on; the file has been read.
    pub(in crate::engine) fn begin(path: PathBuf, retuner: Retuner) -> Result<Self, BuildError> {
        let (stop, stopped) = bounded(0);
        let (ring, rung) = bounded(1);
        let unwatchable = |source: notify::Error| BuildError::Unwatchable { path: path.clone(), source };
        // Editors put another file in the place of the old one: the directory stays.
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut watcher = notify::recommended_watcher(move |_| {
            // One ring is as good as many; what happened is for the file to say.
            let _ = ring.try_send(());
        })
        .map_err(unwatchable)?;
        watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(unwatchable)?;
        let watching = Watching { path, retuner, last: None, _watcher: watcher };
        let thread = std::thread::Builder::new()
            .name("segue-settings".to_owned())
            .spawn(move || watching.run(&rung, &stopped))
            .map_err(BuildError::Thread)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for SettingsWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It catches what plug-ins do, and has nothing else to panic about.
            let _ = thread.join();
        }
    }
}

struct Watching {
    path: PathBuf,
    retuner: Retuner,
    /// What stood in the file when it was last read.
    last: Option<Result<Option<Vec<u8>>, ReloadError>>,
    /// Rings as long as it is there.
    _watcher: RecommendedWatcher,
}

impl Watching {
    fn run(mut self, rung: &Receiver<()>, stopped: &Receiver<Infallible>) {
        // What has changed between the reading at the start and the beginning of the watch.
        self.look();
        loop {
            select! {
                recv(stopped) -> _ => return,
                recv(rung) -> _ => if wait_for_quiet(rung, stopped).is_err() { return },
                default(LOOK_EVERY) => {}
            }
            self.look();
        }
    }

    /// Reads the file, and does as it says if it says something new.
    fn look(&mut self) {
        let contents = contents(&self.path);
        if self.last.as_ref() == Some(&contents) {
            return;
        }
        let outcome = match &contents {
            // Whoever replaces a file may take it away first.
            Ok(None) => return,
            Ok(Some(bytes)) => self.obey(bytes),
            Err(error) => Err(error.clone()),
        };
        if let Err(error) = outcome {
            tracing::warn!(file = %self.path.display(), %error, "a settings file was refused");
            self.retuner.observer.tell(&Notice::SettingsRefused { file: &self.path, error: &error });
        }
        self.last = Some(contents);
    }

    fn obey(&self, bytes: &[u8]) -> Result<(), ReloadError> {
        let Retuner { base, in_force, observer, .. } = &self.retuner;
        let settings = SettingsFile::parse_bytes(bytes)?.over(base)?;
        let changes = in_force.load().changes_to(&settings);
        if changes.is_empty() {
            return Ok(());
        }
        observer.tell(&Notice::SettingsRead { file: &self.path, changes: &changes });
        let changes = self.retune(settings)?;
        observer.tell(&Notice::SettingsInForce { file: &self.path, changes: &changes });
        Ok(())
    }

    fn retune(&self, settings: LiveSettings) -> Result<Vec<SettingChange>, RetuneError> {
        let (done, changes) = bounded(1);
        self.retuner.sender.send_queued(Queued::Retune { settings: Box::new(settings), done })?;
        changes.recv().map_err(|_| EngineError::Stopped)?
    }
}

/// Returns once nothing has rung for a while; an error if the engine stops.
fn wait_for_quiet(rung: &Receiver<()>, stopped: &Receiver<Infallible>) -> Result<(), RecvTimeoutError> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        select! {
            recv(stopped) -> _ => return Err(RecvTimeoutError::Disconnected),
            recv(rung) -> _ => {}
            default(QUIET) => return Ok(()),
        }
    }
    Ok(())
}
