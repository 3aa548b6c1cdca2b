//! Processes that are killed in the midst of their work, by the system and for good.
//!
//! A test that calls [`test`] is run twice over: in the test's own process as the parent, and as often as the
//! parent likes in a child, which is the same binary started again with the name of the test. The child
//! reports lines as it goes, `ack 7` say; the parent kills it after so many of them, looks at what it had said
//! by then, and starts the next one on what the first has left behind.
//!
//! ```ignore
//! #[test]
//! fn nothing_acknowledged_is_lost() {
//!     kill::test("nothing_acknowledged_is_lost", child, |children| {
//!         let temp = TempDir::new();
//!         let mut random = Random::new(1);
//!         for _ in 0..20 {
//!             let run = children.run(temp.text(), Kill::draw(&mut random, 500, 2_000));
//!             // … hold run.lines against those of the runs before
//!         }
//!     });
//! }
//! ```
//!
//! The kill is `SIGKILL` on Unix and `TerminateProcess` on Windows: no destructor runs, no buffer is flushed,
//! but what was written to files stays, synced or not. For what a power cut leaves see [`power`](super::power).

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{PATIENCE, Random};

/// Tells a process that it is a child, and of which test.
const TEST: &str = "SEGUE_TEST_CHILD_OF";
/// What the parent hands to the child.
const ARGUMENT: &str = "SEGUE_TEST_CHILD_ARGUMENT";
/// Before every line of a child, to tell it from those of the test runner.
const MARK: char = '\u{1}';
/// The first line of every child.
const HELLO: &str = "hello";
/// What a test binary exits with when a test in it has failed.
const FAILED: i32 = 101;

/// Runs `child` if this process is a child of the test called `name`, else `parent`.
///
/// `name` is the path of the test function inside its binary, as `--exact` takes it. A panic of the child
/// fails the parent. A child that has returned ends at once: nothing of the parent's is run in it.
pub(crate) fn test(name: &'static str, child: impl FnOnce(&str, &Report), parent: impl FnOnce(Children)) {
    if std::env::var_os(TEST).is_some_and(|of| of == name) {
        let argument = std::env::var(ARGUMENT).expect("the parent gives one");
        let report = Report(io::stdout());
        report.line(HELLO);
        child(&argument, &report);
        std::process::exit(0);
    }
    parent(Children { test: name });
}

/// A child's way to its parent; any thread of the child may speak.
#[derive(Debug)]
pub(crate) struct Report(io::Stdout);

impl Report {
    /// Says a line. When this returns, the parent will get it, however soon the child is killed.
    pub(crate) fn line(&self, text: impl Display) {
        // One write: a kill leaves a whole line or none.
        let line = format!("{MARK}{text}\n");
        let mut out = self.0.lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
    }
}

/// When a child is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// It ends by itself.
    Never,
    /// Once it has said so many lines and `micros` microseconds have passed; meanwhile it goes on. With no
    /// line at all: that long after it has begun.
    After { lines: usize, micros: u64 },
}

impl Kill {
    /// After a random number of lines and of microseconds, each below its bound.
    pub(crate) fn draw(random: &mut Random, lines: u64, micros: u64) -> Self {
        let lines = usize::try_from(random.below(lines)).expect("small");
        Self::After { lines, micros: random.below(micros) }
    }
}

/// What a child has said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// All whole lines that it had said when it ended.
    pub(crate) lines: Vec<String>,
    /// Whether it was killed; it may have come to its end before that.
    pub(crate) was_killed: bool,
}

/// Starts children.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Children {
    test: &'static str,
}

impl Children {
    /// Starts a child with `argument`, kills it when `kill` says so, and waits for its end.
    ///
    /// # Panics
    /// If the child fails by itself, or has not ended after [`PATIENCE`].
    pub(crate) fn run(self, argument: &str, kill: Kill) -> Run {
        let mut child = Command::new(std::env::current_exe().expect("a test is a program"))
            .args(["--exact", self.test, "--nocapture", "--include-ignored", "--test-threads=1"])
            .env(TEST, self.test)
            .env(ARGUMENT, argument)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let child = Arc::new(Mutex::new(child));
        let (is_done, is_overdue) = watch(Arc::clone(&child));

        assert_eq!(next_line(&mut said).as_deref(), Some(HELLO), "no test is called {:?}", self.test);
        let mut lines = Vec::new();
        loop {
            if let Kill::After { lines: n_lines, micros } = kill
                && n_lines == lines.len()
            {
                spin(Duration::from_micros(micros));
                // It may have ended already.
                let _ = child.lock().expect("no panic").kill();
            }
            match next_line(&mut said) {
                Some(line) => lines.push(line),
                None => break,
            }
        }
        let status = child.lock().expect("no panic").wait().expect("it was started");
        drop(is_done);
        assert!(
            !is_overdue.join().expect("no panic"),
            "the child had not ended after {PATIENCE:?}: {lines:?}"
        );
        Run { was_killed: was_killed(status, &lines), lines }
    }
}

/// Kills a child that has not ended after [`PATIENCE`], so that a hung one fails its test. Dropping the first
/// says that it has ended; the second says whether it was too late.
fn watch(child: Arc<Mutex<Child>>) -> (impl Sized, thread::JoinHandle<bool>) {
    let (is_done, ended) = channel::<()>();
    let watch = move || {
        let is_overdue = ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        if is_overdue {
            let _ = child.lock().expect("no panic").kill();
        }
        is_overdue
    };
    (is_done, thread::spawn(watch))
}

/// The next line that is the child's own and whole.
fn next_line(said: &mut impl BufRead) -> Option<String> {
    loop {
        let mut line = Vec::new();
        said.read_until(b'\n', &mut line).expect("a pipe can be read");
        let line = String::from_utf8(line).expect("the child says text");
        // Without an end it was cut off, or there is nothing more.
        let line = line.strip_suffix('\n')?;
        if let Some((_, text)) = line.split_once(MARK) {
            return Some(text.to_owned());
        }
    }
}

/// Busy, as no sleep is that short.
fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn was_killed(status: ExitStatus, lines: &[String]) -> bool {
    assert_ne!(status.code(), Some(FAILED), "the child failed, as it says above, after {lines:?}");
    #[cfg(unix)]
    if !status.success() {
        const SIGKILL: i32 = 9;
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(SIGKILL), "the child ended by itself: {status}, after {lines:?}");
    }
    !status.success()
}
