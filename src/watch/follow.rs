//! A thread that obeys a file.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::file::{Contents, FileWatch};
use super::tied::TiedThread;

/// A file is read once it has been left alone for so long: whoever writes it may not be done.
const QUIET: Duration = Duration::from_millis(50);

/// Tells somebody what a [watched](FileWatch) file holds, on a thread of its own, until it is dropped. A drop waits for what is
/// just being obeyed.
#[derive(Debug)]
pub(crate) struct FollowedFile {
    _thread: TiedThread,
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
        let run = move |stopped: &Receiver<Infallible>| {
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
        Ok(Self { _thread: TiedThread::begin(name, None, run)? })
    }
}
