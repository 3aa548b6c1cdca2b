//! A thread that obeys a file.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, select};

use super::file::{Contents, FileWatch};

/// A file is read once it has been left alone for so long: whoever writes it may not be done.
const QUIET: Duration = Duration::from_millis(50);

/// Tells somebody what a [watched](FileWatch) file holds, on a thread of its own, until it is dropped. A drop waits for what is
/// just being obeyed.
#[derive(Debug)]
pub(crate) struct FollowedFile {
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl FollowedFile {
    /// Begins to watch; `obey` is told what the file holds whenever that is not what was `known` of it last, on a thread called
    /// `name`.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub(crate) fn begin(
        path: &Path,
        known: Option<Contents>,
        name: &str,
        obey: impl Fn(Contents) + Send + 'static,
    ) -> io::Result<Self> {
        let watch = FileWatch::begin(path, QUIET, known)?;
        let (stop, stopped) = bounded(0);
        let run = move || {
            loop {
                select! {
                    recv(stopped) -> _ => return,
                    recv(watch.contents()) -> contents => match contents {
                        Ok(contents) => obey(contents),
                        Err(_) => return,
                    },
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for FollowedFile {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Whoever obeys calls plug-ins behind a fence, and has nothing else to panic about.
            let _ = thread.join();
        }
    }
}
