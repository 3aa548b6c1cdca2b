//! What is seen of files in a directory, whenever that changes.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};

use super::directory::DirectoryWatch;
use super::stamps::{Stamps, stamps};
use super::tied::TiedThread;

/// How often it is looked when nothing is heard, and the watch begun anew.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A directory that is never left alone is looked at all the same after so many quiet times that did not come, unless the files
/// themselves are what changes.
const IMPATIENCE: u32 = 10;
/// How long a drop waits for the thread, which may be stuck in a file system.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Looks at files of a directory whenever it may find something else, until it is dropped.
///
/// It looks once nothing has been heard of the directory for the quiet time; nobody need hear anything: it looks every 10
/// seconds as well. What changes while it looks is not told, but looked at again. It has a thread, `segue-watch`, and one of
/// `notify`'s. A drop waits for neither: it tells the first to end, and gives it a second if it is just looking.
#[derive(Debug)]
pub(super) struct LookOut<T> {
    told: Receiver<T>,
    _thread: TiedThread,
}

impl<T: Clone + PartialEq + Send + 'static> LookOut<T> {
    /// Begins to watch `files` of one directory; `quiet` is how long nothing must have been heard before `look` is called. What
    /// is `known` is not told.
    pub(super) fn begin(
        files: Vec<PathBuf>,
        quiet: Duration,
        known: Option<T>,
        look: impl Fn() -> T + Send + 'static,
    ) -> io::Result<Self> {
        let directory = files.first().map(|file| directory_of(file).to_owned()).unwrap_or_default();
        let (tells, told) = bounded(1);
        let outbox = Outbox { tells, untaken: told.clone(), last: known };
        let run = move |stopped: &Receiver<Infallible>| {
            watch(directory, quiet, || stamps(&files), look, outbox, stopped);
        };
        Ok(Self { told, _thread: TiedThread::begin("segue-watch", Some(LAST_CALL), run)? })
    }
}

impl<T> LookOut<T> {
    /// What was seen: as it was found first, unless that was known, then whenever that is another. There is one message at
    /// most: who has not taken the one before gets the newer in its place.
    pub(super) fn told(&self) -> &Receiver<T> {
        &self.told
    }
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => file,
    }
}

/// Where it is told, the newest only.
struct Outbox<T> {
    tells: Sender<T>,
    untaken: Receiver<T>,
    last: Option<T>,
}

impl<T: Clone + PartialEq> Outbox<T> {
    fn tell(&mut self, seen: T) {
        if self.last.as_ref() == Some(&seen) {
            return;
        }
        self.last = Some(seen.clone());
        let mut unsent = seen;
        // There is one sender, so a place that was made is free; but the message may have been taken meanwhile.
        while let Err(TrySendError::Full(seen)) = self.tells.try_send(unsent) {
            let _ = self.untaken.try_recv();
            unsent = seen;
        }
    }
}

fn watch<T: Clone + PartialEq>(
    directory: PathBuf,
    quiet: Duration,
    stamp: impl Fn() -> Stamps,
    look: impl Fn() -> T,
    mut outbox: Outbox<T>,
    stopped: &Receiver<Infallible>,
) {
    let (hears, heard) = bounded(1);
    let begin = || {
        let hears = hears.clone();
        let changed = move || {
            // Full: it is known already.
            let _ = hears.try_send(());
        };
        // A link beside the file may be what leads to it, so whatever happens in the directory matters.
        let begun = DirectoryWatch::begin(&directory, |_| true, changed);
        begun
            .inspect_err(|error| tracing::debug!(target: "segue::settings", %error, directory = %directory.display(), "not watched"))
            .ok()
    };
    let mut watching = None;
    loop {
        // INVARIANT: watched before it is looked at, so that whatever is written after that is heard of.
        if watching.is_none() {
            watching = begin();
        }
        let before = stamp();
        let seen = look();
        // What changes meanwhile may have been seen by halves; that it changed is about to be heard.
        if stamp() == before {
            outbox.tell(seen);
        }
        select! {
            recv(stopped) -> _ => return,
            recv(heard) -> _ => if !wait_for_quiet(&heard, quiet, &stamp, stopped) { return },
            default(LOOK_EVERY) => watching = None,
        }
        drop(watching.take_if(|_| !directory.exists()));
    }
}

/// Says whether to go on.
fn wait_for_quiet<S: PartialEq>(
    heard: &Receiver<()>,
    quiet: Duration,
    stamp: impl Fn() -> S,
    stopped: &Receiver<Infallible>,
) -> bool {
    let patience = quiet.saturating_mul(IMPATIENCE).min(LOOK_EVERY);
    let (mut deadline, mut before) = (Instant::now() + patience, stamp());
    loop {
        select! {
            recv(stopped) -> _ => return false,
            recv(heard) -> _ => {}
            default(quiet.min(LOOK_EVERY)) => return true,
        }
        if Instant::now() >= deadline {
            // Others may write to the directory for ever; whoever writes the files themselves is waited for.
            let now = stamp();
            if now == before {
                return true;
            }
            (deadline, before) = (Instant::now() + patience, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn what_is_seen_of_a_file_that_changes_meanwhile_is_not_told() {
        let file = std::env::temp_dir().join(format!("segue-look-{}", std::process::id()));
        fs::write(&file, "half").expect("the temporary directory can be written");
        let (n_looks, path) = (AtomicU32::new(0), file.clone());
        let look = move || {
            let number = n_looks.fetch_add(1, Ordering::Relaxed);
            if number == 0 {
                fs::write(&path, "half and the rest").expect("it can be written");
            }
            // A look after the second says the same: others change the directory, too.
            number.min(1)
        };
        let watch = LookOut::begin(vec![file.clone()], Duration::from_millis(1), None, look);
        let told = watch.expect("there are threads").told().recv_timeout(Duration::from_secs(60));
        assert_eq!(told, Ok(1));
        // The system removes it some day, if we do not.
        let _ = fs::remove_file(file);
    }

    #[test]
    fn files_that_are_still_written_to_are_waited_for_however_long_that_takes() {
        let (hears, heard) = bounded(1);
        // Never quiet: what is disconnected is always ready.
        drop(hears);
        let (_stop, stopped) = bounded(0);
        let n_looks = Cell::new(0);
        let grows_until_the_fifth_look = || {
            n_looks.set(n_looks.get() + 1);
            n_looks.get().min(5)
        };
        assert!(wait_for_quiet(&heard, Duration::from_millis(1), grows_until_the_fifth_look, &stopped));
        assert_eq!(n_looks.get(), 6);
    }
}
