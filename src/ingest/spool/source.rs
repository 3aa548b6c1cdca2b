//! The directory as a source of events.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::directory::{Directory, Taken, Unreadable, at};
use super::event_line;
use super::lines::{Line, Lines};
use super::names::{Place, is_ready};
use crate::ingest::interaction::EventError;
use crate::ingest::source::{EventSource, Pull, SourceBatch, SourceError, SourceWaker};
use crate::watch::DirectoryWatch;

/// Bytes read in one call at most, near enough: a few milliseconds' work.
const BYTES_A_PULL: usize = 4 << 20;
/// Of what is wrong with a line, so much is told.
const MAX_WHY_BYTES: usize = 300;

/// Events from files that somebody puts into a directory: a spool, as mail and print servers have them. Needs the feature
/// `spool`.
///
/// Whoever writes a file does so under another name, `plays.tmp` say, and renames it to `plays.jsonl` once it is whole.
/// Files are taken as they come, those that are there together in order of their names; one that appears later comes later,
/// whatever its name.
///
/// ```
/// use segue::plugin::SpoolDir;
/// use segue::{Durability, Engine};
/// # let temp = std::env::temp_dir().join(format!("segue-doc-spool-{}", std::process::id()));
/// # std::fs::create_dir_all(temp.join("spool"))?;
/// # let state = temp.join("state");
/// # let spool = temp.join("spool");
///
/// std::fs::write(spool.join("a.tmp"), r#"{"user":"ana","item":"tricky","action":"listen","fraction":0.9}"#)?;
/// std::fs::rename(spool.join("a.tmp"), spool.join("a.jsonl"))?;
///
/// let engine = Engine::builder()
///     .store(&state, Durability::Immediate)
///     .source(SpoolDir::new(&spool))
///     .open()?;
/// # drop(engine);
/// # std::fs::remove_dir_all(temp)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # A line is an event
///
/// Each line is a JSON object; empty lines say nothing. Unknown fields are refused, lest a misspelt one be passed over.
///
/// | field | what it is |
/// |---|---|
/// | `user`, `item` | a text or a whole number; required |
/// | `action` | `"listen"`, `"skip"`, `"like"`, `"dislike"`, `"save"`, or `{"custom": "added-to-queue"}`; required |
/// | `undo` | `true` to take the latest such action back |
/// | `fraction` | how much was played, 0 to 1 |
/// | `played_ms` | the same in milliseconds, where the length is not known; one of the two at most |
/// | `at` | when: milliseconds since 1970, or RFC 3339, `"2023-11-14T22:13:20Z"`; else when it is read |
/// | `key` | an idempotency key: a text or a whole number |
/// | `context` | an object with any of `utc_offset_minutes`, `activity`, `device`, `session` |
///
/// # Each line exactly once
///
/// A file that is taken is renamed into `taken/`, with a number before its name, and that is made durable; the offset of the
/// source is the number and the lines that were read. The offset goes into the journal with each event, so a kill or a
/// power cut between any two lines loses none and learns none twice. Once all of a file is durable it is moved to
/// `done/`, or removed if [`after_reading`](Self::after_reading) says so.
///
/// A line that is no event is passed over: named in [`health`](crate::Engine::health), counted in
/// [`stats`](crate::Engine::stats), and noted in `bad/`, to which its file is moved in the end. So are lines longer than
/// [`max_line_bytes`](Self::max_line_bytes), which cost no more memory than that. What has no right to be read is noted
/// and put there whole. Links, directories and whatever else is no plain file are left where they are.
///
/// Engines without a store remember nothing: files that were begun are read again. A store that is restored from a backup
/// goes on with the files that are not yet taken; move files from `done/` back to have them learned again.
///
/// # What is watched
///
/// The system tells of new files; as it may lose count, and some file systems tell of nothing, the directory is also looked
/// at every [`look_every`](Self::look_every). The directory must be there; should it go away, the source fails, is named in
/// `health`, and goes on once it is back. Only one engine at a time may read a spool; a second one fails and tries again.
#[derive(Debug)]
pub struct SpoolDir {
    path: PathBuf,
    name: String,
    after: AfterReading,
    max_line_bytes: usize,
    look_every: Duration,
    open: Option<Open>,
}

/// What becomes of a file once every line of it is learned and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterReading {
    /// It is moved to `done/`: the default. Nobody ever empties that but the host.
    #[default]
    Keep,
    /// It is removed.
    Remove,
}

#[derive(Debug)]
struct Open {
    directory: Directory,
    /// `None` if the system tells of nothing.
    _watch: Option<DirectoryWatch>,
    /// Taken and not begun.
    queue: VecDeque<Taken>,
    reading: Option<Reading>,
    /// Read to the end, and perhaps not durable.
    finished: Vec<Taken>,
    /// Files that the latest batch has events of.
    in_batch: Vec<Taken>,
    next_number: u32,
    /// Where the file that was being read goes on.
    resume: Place,
}

#[derive(Debug)]
struct Reading {
    taken: Taken,
    lines: Lines<BufReader<File>>,
    /// Lines read so far, and how many of them were learned by an earlier engine.
    line: u32,
    learned: u32,
}

impl SpoolDir {
    /// The spool in directory `path`, which must be there once the engine is opened.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: "spool".to_owned(),
            after: AfterReading::default(),
            max_line_bytes: 64 << 10,
            look_every: Duration::from_secs(10),
            open: None,
        }
    }

    /// What its offset is kept under; default `spool`. An engine with several spools needs a name for each.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// What becomes of files that are read; default [`AfterReading::Keep`].
    #[must_use]
    pub fn after_reading(self, after: AfterReading) -> Self {
        Self { after, ..self }
    }

    /// The longest line; default 64 KiB.
    #[must_use]
    pub fn max_line_bytes(self, bytes: usize) -> Self {
        Self { max_line_bytes: bytes, ..self }
    }

    /// How often to look for new files, if the system tells of none; default every 10 seconds.
    #[must_use]
    pub fn look_every(self, interval: Duration) -> Self {
        Self { look_every: interval, ..self }
    }
}

impl EventSource for SpoolDir {
    fn name(&self) -> &str {
        &self.name
    }

    fn begin(&mut self, from: Option<u64>, waker: SourceWaker) -> Result<(), SourceError> {
        // Its lock is let go of before it is taken again.
        self.open = None;
        self.open = Some(Open::new(&self.path, from, waker)?);
        Ok(())
    }

    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
        let open = self.open.as_mut().ok_or("the spool was not begun")?;
        open.in_batch.clear();
        let mut budget = BYTES_A_PULL;
        while batch.room() > 0 && budget > 0 {
            if open.reading.is_none() && !open.begin_file(batch, self.max_line_bytes)? {
                return Ok(Pull::Idle { at_most: self.look_every });
            }
            open.read(batch, &mut budget)?;
        }
        Ok(Pull::More)
    }

    fn kept(&mut self, offset: u64) -> Result<(), SourceError> {
        let open = self.open.as_mut().ok_or("the spool was not begun")?;
        let kept = Place::from_offset(offset);
        while let Some(at) = open.finished.iter().position(|taken| taken.number < kept.file) {
            open.directory.finish(&open.finished[at], self.after == AfterReading::Keep)?;
            open.finished.swap_remove(at);
        }
        Ok(())
    }

    fn refused(&mut self, offset: u64, error: &EventError) -> String {
        let Place { file, line } = Place::from_offset(offset);
        let open = self.open.as_ref();
        match open.and_then(|open| Some((open, open.in_batch.iter().find(|taken| taken.number == file)?))) {
            Some((open, taken)) => {
                open.directory.note_bad(taken, Some(line), &error.to_string());
                format!("{}:{line}", taken.shown())
            }
            None => format!("file {file} of the spool, line {line}"),
        }
    }
}

impl Open {
    fn new(path: &Path, from: Option<u64>, waker: SourceWaker) -> Result<Self, SourceError> {
        let directory = Directory::open(path)?;
        // INVARIANT: watched before it is looked at, so that whatever comes after the look is told.
        let is_ours = |path: &Path| path.file_name().is_some_and(is_ready);
        let watch = DirectoryWatch::begin(path, is_ours, move || waker.wake());
        if let Err(error) = &watch {
            tracing::warn!(target: "segue::source", %error, path = %path.display(), "a spool cannot be watched; it is looked at now and then");
        }
        let resume = from.map_or(Place { file: 1, line: 0 }, Place::from_offset);
        let (queue, finished): (Vec<_>, Vec<_>) =
            directory.taken()?.into_iter().partition(|taken| taken.number >= resume.file);
        // A number that an offset speaks of is not given a second time.
        let unused = if resume.line == 0 { resume.file } else { resume.file.saturating_add(1) };
        let unused_by_files = directory.last_number()?.map_or(0, |last| last.saturating_add(1));
        Ok(Self {
            directory,
            _watch: watch.ok(),
            queue: queue.into(),
            reading: None,
            finished,
            in_batch: Vec::new(),
            next_number: unused.max(unused_by_files),
            resume,
        })
    }

    /// Begins the next file, if there is one.
    fn begin_file(&mut self, batch: &mut SourceBatch, max_line_bytes: usize) -> Result<bool, SourceError> {
        if self.queue.is_empty() {
            self.queue = self.directory.take(self.next_number)?.into();
            if let Some(last) = self.queue.back() {
                self.next_number = last.number + 1;
            }
        }
        while let Some(taken) = self.queue.front() {
            match self.directory.read(taken) {
                Ok(file) => {
                    let lines = Lines::new(BufReader::with_capacity(64 << 10, file), max_line_bytes);
                    let learned = if taken.number == self.resume.file { self.resume.line } else { 0 };
                    self.in_batch.push(taken.clone());
                    let taken = taken.clone();
                    self.queue.pop_front();
                    self.reading = Some(Reading { taken, lines, line: 0, learned });
                    return Ok(true);
                }
                Err(Unreadable::JustNow(error)) => return Err(error.into()),
                Err(Unreadable::ForGood(why)) => {
                    self.directory.note_bad(taken, None, &why);
                    batch.refuse(format!("{}: {why}", taken.shown()), after(taken));
                    self.finished.extend(self.queue.pop_front());
                }
            }
        }
        Ok(false)
    }

    /// Reads on in the present file.
    fn read(&mut self, batch: &mut SourceBatch, budget: &mut usize) -> Result<(), SourceError> {
        let Self { directory, reading, finished, in_batch, .. } = self;
        let Some(Reading { taken, lines, line, learned }) = reading else { return Ok(()) };
        if in_batch.is_empty() {
            in_batch.push(taken.clone());
        }
        while batch.room() > 0 {
            let found = lines.next(budget).map_err(at(taken.name.as_ref()))?;
            if found == Line::Later {
                return Ok(());
            }
            let is_over = found == Line::End || *line == u32::MAX;
            let parsed = match found {
                _ if is_over && found != Line::End => {
                    Err("there are too many lines; split the file".to_owned())
                }
                Line::End if *line < *learned => {
                    Err(format!("it ends here; {learned} lines of it were read before"))
                }
                Line::End | Line::Later => Ok(None),
                Line::TooLong => Err("the line is too long; see `max_line_bytes`".to_owned()),
                Line::Whole(_) if *line < *learned => Ok(None),
                Line::Whole(text) => parse(text, *line == 0),
            };
            if !is_over {
                *line += 1;
            }
            let offset =
                if is_over { after(taken) } else { Place { file: taken.number, line: *line }.offset() };
            if is_over || *line > *learned {
                match parsed {
                    Ok(Some(event)) => batch.push(event, offset),
                    Ok(None) => batch.read_to(offset),
                    Err(why) => {
                        let why = shortened(why);
                        directory.note_bad(taken, Some(*line), &why);
                        batch.refuse(format!("{}:{line}: {why}", taken.shown()), offset);
                    }
                }
            }
            if is_over {
                finished.extend(reading.take().map(|reading| reading.taken));
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Where to go on after all of a file.
fn after(taken: &Taken) -> u64 {
    Place { file: taken.number.saturating_add(1), line: 0 }.offset()
}

/// `None` for an empty line. A mark of the byte order, which some programs put first, says nothing either.
fn parse(line: &[u8], is_first: bool) -> Result<Option<crate::types::Event>, String> {
    let line = if is_first { line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line) } else { line };
    if line.trim_ascii().is_empty() { Ok(None) } else { event_line::parse(line).map(Some) }
}

/// A line may be long, and what is wrong with it quotes it.
fn shortened(mut why: String) -> String {
    if why.len() > MAX_WHY_BYTES {
        let end = (0..=MAX_WHY_BYTES).rev().find(|&end| why.is_char_boundary(end));
        why.truncate(end.unwrap_or(0));
        why.push('…');
    }
    why
}
