//! What a file holds, whenever that changes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use thiserror::Error;

use super::look::LookOut;

/// The longest file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// What a file holds now.
pub(crate) type Contents = Result<Arc<[u8]>, WatchError>;

/// Why it is not known what a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum WatchError {
    /// The path names no file.
    #[error("{} names no file; give the path of one", path.display())]
    NoName { path: PathBuf },
    /// The file is not there.
    #[error("{} is not there; it is read once it is", path.display())]
    Missing { path: PathBuf },
    /// It is no plain file, nor a link to one.
    #[error("{} is no file", path.display())]
    NoFile { path: PathBuf },
    /// The file is too large.
    #[error("{} has more than {limit} bytes; it is not read", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    /// The file cannot be read.
    #[error("{} cannot be read: {message}", path.display())]
    Read { path: PathBuf, kind: io::ErrorKind, message: String },
}

/// Watches a file until it is dropped.
///
/// The directory is watched rather than the file, so it may be written in place, replaced by a rename, removed and made again,
/// or be a link that is turned elsewhere, as editors and deployments do. It is read whole once nothing has been heard of the
/// directory for the quiet time, and never while it still changes; a writer who pauses for longer in the midst of a file has the
/// half seen first and the whole soon after. Nobody need hear anything: the file is looked at every 10 seconds as well.
///
/// It has a thread, `segue-watch`, and one of `notify`'s. A drop waits for neither: it tells the first to end, and gives it
/// a second if it is just reading.
#[derive(Debug)]
pub(super) struct FileWatch(LookOut<Contents>);

impl FileWatch {
    /// Begins to watch; `quiet` is how long nothing must have been heard before the file is read, `known` what it held when it
    /// was read before, if it was.
    ///
    /// # Errors
    /// If the operating system gives no thread. That the file is not there is told by [`contents`](Self::contents).
    pub(super) fn begin(path: &Path, quiet: Duration, known: Option<Contents>) -> io::Result<Self> {
        let file = path.to_owned();
        LookOut::begin(vec![path.to_owned()], quiet, known, move || read(&file)).map(Self)
    }

    /// What the file holds: as it is found first, unless that was known, then whenever that is another. There is one message
    /// at most: who has not taken the one before gets the newer in its place.
    pub(super) fn contents(&self) -> &Receiver<Contents> {
        self.0.told()
    }
}

/// Reads a file whole, unless it is none or too long.
pub(crate) fn read(path: &Path) -> Contents {
    if path.file_name().is_none() {
        return Err(WatchError::NoName { path: path.to_owned() });
    }
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            WatchError::Missing { path: path.to_owned() }
        } else {
            WatchError::Read { path: path.to_owned(), kind: error.kind(), message: error.to_string() }
        }
    };
    // Looked at before: to open a pipe would wait for somebody to write to it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(WatchError::NoFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(WatchError::TooLarge { path: path.to_owned(), limit: MAX_BYTES });
    }
    Ok(bytes.into())
}

/// The bytes to go by; `None` if there are none: whoever replaces a file may take it away first.
pub(crate) fn found(contents: &Contents) -> Result<Option<&[u8]>, &WatchError> {
    match contents {
        Ok(bytes) => Ok(Some(bytes)),
        Err(WatchError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);
    const QUIET: Duration = Duration::from_millis(5);

    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            static MADE: AtomicU32 = AtomicU32::new(0);
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("segue-watch-{}-{number}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).expect("the temporary directory can be written");
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn next(watch: &FileWatch) -> Contents {
        watch.contents().recv_timeout(PATIENCE).expect("it is told in time")
    }

    /// Waits for what is there in the end; what is told before must pass `check`.
    fn wait_for(watch: &FileWatch, last: &[u8], check: impl Fn(&Contents)) {
        loop {
            let contents = next(watch);
            check(&contents);
            if contents.as_deref() == Ok(last) {
                return;
            }
        }
    }

    fn replace(path: &Path, bytes: &[u8]) {
        let new = path.with_extension("new");
        fs::write(&new, bytes).expect("it can be written");
        fs::rename(new, path).expect("it can be renamed");
    }

    #[test]
    fn it_is_told_as_it_is_and_whenever_it_is_another() {
        let directory = Directory::new();
        let path = directory.0.join("settings.toml");
        let missing = Err(WatchError::Missing { path: path.clone() });
        let watch = FileWatch::begin(&path, QUIET, None).expect("there are threads");
        assert_eq!(next(&watch), missing);
        fs::write(&path, "a = 1").expect("it can be written");
        wait_for(&watch, b"a = 1", |_| ());
        replace(&path, b"a = 2");
        wait_for(&watch, b"a = 2", |_| ());
        fs::remove_file(&path).expect("it is there");
        assert_eq!(next(&watch), missing);
        replace(&path, b"a = 2");
        wait_for(&watch, b"a = 2", |_| ());
        fs::remove_file(&path).expect("it is there");
        fs::create_dir(&path).expect("it can be made");
        while next(&watch) != Err(WatchError::NoFile { path: path.clone() }) {}
    }

    #[test]
    fn a_storm_of_replacements_ends_with_the_last_and_is_never_torn() {
        let directory = Directory::new();
        let path = directory.0.join("list");
        let version = |number: u32| number.to_string().repeat(20_000).into_bytes();
        replace(&path, &version(0));
        let watch = FileWatch::begin(&path, Duration::from_millis(1), None).expect("there are threads");
        for number in 1..=300 {
            replace(&path, &version(number));
        }
        wait_for(&watch, &version(300), |contents| {
            let bytes = contents.as_deref().expect("it is always there");
            assert!(
                (0..=300).any(|number| bytes == version(number)),
                "{} bytes are of no version",
                bytes.len()
            );
        });
        assert!(watch.contents().is_empty());
    }

    #[test]
    fn a_file_that_grows_in_place_is_told_whole_in_the_end() {
        use std::io::Write;
        let directory = Directory::new();
        let path = directory.0.join("slow");
        let watch = FileWatch::begin(&path, QUIET, None).expect("there are threads");
        let mut file = File::create(&path).expect("it can be made");
        for _ in 0..100 {
            file.write_all(b"half a line").expect("it can be written");
        }
        drop(file);
        wait_for(&watch, &b"half a line".repeat(100), |_| ());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_is_turned_elsewhere_tells_of_another_file() {
        use std::os::unix::fs::symlink;
        let directory = Directory::new();
        let at = |name: &str| directory.0.join(name);
        for (version, text) in [("v1", "one"), ("v2", "two")] {
            fs::create_dir(at(version)).expect("it can be made");
            fs::write(at(version).join("settings"), text).expect("it can be written");
        }
        symlink("v1", at("data")).expect("it can be made");
        symlink("data/settings", at("settings")).expect("it can be made");
        let watch = FileWatch::begin(&at("settings"), QUIET, None).expect("there are threads");
        wait_for(&watch, b"one", |_| ());
        symlink("v2", at("new")).expect("it can be made");
        fs::rename(at("new"), at("data")).expect("it can be renamed");
        wait_for(&watch, b"two", |_| ());
    }

    #[test]
    fn what_was_known_is_not_told() {
        let directory = Directory::new();
        let path = directory.0.join("list");
        replace(&path, b"known");
        let watch = FileWatch::begin(&path, QUIET, Some(read(&path))).expect("there are threads");
        replace(&path, b"new");
        assert_eq!(next(&watch).as_deref(), Ok(&b"new"[..]));
    }

    #[test]
    fn what_can_be_no_file_is_refused() {
        assert_eq!(read(Path::new("/")), Err(WatchError::NoName { path: "/".into() }));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_nobody_writes_to_is_not_waited_for() {
        let directory = Directory::new();
        let path = directory.0.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("there are commands");
        assert!(made.success());
        assert_eq!(read(&path), Err(WatchError::NoFile { path }));
        assert_eq!(read(Path::new("/dev/zero")), Err(WatchError::NoFile { path: "/dev/zero".into() }));
    }

    #[test]
    fn a_file_too_large_is_named_and_a_smaller_one_is_read() {
        let directory = Directory::new();
        let path = directory.0.join("large");
        File::create(&path).and_then(|file| file.set_len(MAX_BYTES + 1)).expect("it can be made");
        let watch = FileWatch::begin(&path, QUIET, None).expect("there are threads");
        assert_eq!(next(&watch), Err(WatchError::TooLarge { path: path.clone(), limit: MAX_BYTES }));
        replace(&path, b"small");
        wait_for(&watch, b"small", |_| ());
    }
}
