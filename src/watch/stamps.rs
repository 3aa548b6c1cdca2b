//! Whether files have changed, whatever they hold.

use std::fs;
#[cfg(feature = "npz")]
use std::io;
use std::path::Path;
#[cfg(feature = "npz")]
use std::path::PathBuf;
#[cfg(feature = "npz")]
use std::time::Duration;
use std::time::SystemTime;

#[cfg(feature = "npz")]
use crossbeam_channel::Receiver;

#[cfg(feature = "npz")]
use super::look::LookOut;

/// Length and time of the last change of each file; `None` for one that is not there.
pub(crate) type Stamps = Vec<Option<(u64, SystemTime)>>;

/// Watches files of one directory until it is dropped, as a [`FileWatch`](super::file::FileWatch) does, without reading them.
#[cfg(feature = "npz")]
#[derive(Debug)]
pub(crate) struct StampWatch(LookOut<Stamps>);

#[cfg(feature = "npz")]
impl StampWatch {
    /// Begins to watch; `quiet` is how long nothing must have been heard before the files are looked at.
    ///
    /// # Errors
    /// If the operating system gives no thread. What is not there is told by [`stamps`](Self::stamps).
    pub(crate) fn begin(files: Vec<PathBuf>, quiet: Duration) -> io::Result<Self> {
        LookOut::begin(files.clone(), quiet, None, move || stamps(&files)).map(Self)
    }

    /// How the files are: as they are found first, then whenever one is another, the newest only.
    pub(crate) fn stamps(&self) -> &Receiver<Stamps> {
        self.0.told()
    }
}

/// How these files are now.
pub(crate) fn stamps(files: &[impl AsRef<Path>]) -> Stamps {
    let stamp = |file: &Path| {
        let about = fs::metadata(file).ok().filter(fs::Metadata::is_file)?;
        Some((about.len(), about.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
    };
    files.iter().map(|file| stamp(file.as_ref())).collect()
}
