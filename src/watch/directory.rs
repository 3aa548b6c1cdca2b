//! Something may have changed in a directory.

use std::io;
use std::path::Path;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Calls back when something may have changed in a directory, itself or what is directly in it, until it is dropped.
#[derive(Debug)]
pub(crate) struct DirectoryWatch {
    _watcher: RecommendedWatcher,
}

impl DirectoryWatch {
    /// Begins to watch `directory`. `changed` is called on a thread of the watcher's; it must not wait for anything.
    ///
    /// What happens to paths that `matters` says no to is not told, unless it happens to the directory itself, or the system
    /// has lost count. Reading is no change.
    pub(crate) fn begin(
        directory: &Path,
        matters: impl Fn(&Path) -> bool + Send + 'static,
        changed: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let itself = directory.to_owned();
        let told = move |told: notify::Result<notify::Event>| {
            let is_news = match &told {
                // To look into a directory is an access of it: to be told of that would never end.
                Ok(event) if matches!(event.kind, EventKind::Access(_)) && !event.need_rescan() => false,
                Ok(event) => {
                    let concerns = |path: &Path| path == itself || matters(path);
                    event.need_rescan()
                        || event.paths.is_empty()
                        || event.paths.iter().any(|path| concerns(path))
                }
                Err(_) => true,
            };
            if is_news {
                changed();
            }
        };
        let mut watcher = notify::recommended_watcher(told).map_err(into_io)?;
        watcher.watch(directory, RecursiveMode::NonRecursive).map_err(into_io)?;
        Ok(Self { _watcher: watcher })
    }
}

fn into_io(error: notify::Error) -> io::Error {
    match error.kind {
        notify::ErrorKind::Io(error) => error,
        notify::ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => io::Error::other(error.to_string()),
    }
}
