//! Every seam implemented by somebody who has `segue::plugin` and nothing else.
//!
//! `cargo test --manifest-path tests/plugins_from_outside/Cargo.toml --all-features`

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use segue::plugin::{
    Action, ActionKind, AppendFile, Candidate, Catalogue, CatalogueEntry, Clock, ColdCause, EngineError,
    Event, EventError, EventFacts, EventSeq, EventSource, Filter, GateFacts, GateRefusal, IdempotencyKey,
    ItemFilter, ItemRescorer, Notice, Observer, OnPanic, Pull, ReadFile, Refusal, Request, Rescorer,
    RetuneError, SettingError, Side, Signal, SlatePolicy, Source, SourceBatch, SourceError, SourceWaker,
    Storage, StorageFailure, StorageLock, SweepContext, SweepDecision, SweepError, SweepGate, SweepPolicy,
    Tag, TagError, Timestamp, TrainingError, Weigher,
};

/// A like is worth five listens, and nothing else counts.
#[derive(Debug)]
pub struct LikesAlone;

impl Weigher for LikesAlone {
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal {
        let confidence = if matches!(facts.action, ActionKind::Like) { 5.0 } else { 0.0 };
        Signal::new(1.0, confidence).expect("in range")
    }
}

/// Sweeps after each ten events.
#[derive(Debug)]
pub struct EveryTen;

impl SweepPolicy for EveryTen {
    fn decide(&self, context: &SweepContext) -> SweepDecision {
        if context.events_since >= 10 { SweepDecision::Sweep } else { SweepDecision::Wait }
    }
}

/// Publishes what has learned from ten pairs or more.
#[derive(Debug)]
pub struct TenPairs;

impl SweepGate for TenPairs {
    fn judge(&self, facts: &GateFacts<'_>) -> Result<(), GateRefusal> {
        let n_pairs = facts.n_pairs;
        if n_pairs < 10 {
            return Err(GateRefusal::Other { reason: format!("{n_pairs} pairs are too few") });
        }
        Ok(())
    }
}

/// Notes down what the engine does.
#[derive(Debug, Clone, Default)]
pub struct Diary(Arc<Mutex<Vec<String>>>);

impl Observer for Diary {
    fn observe(&self, notice: &Notice<'_>) {
        let line = match notice {
            Notice::Published(report) => {
                format!("generation {} after event {:?}", report.generation.get(), report.frozen_at)
            }
            Notice::SweepFailed(error) => why(error),
            #[cfg(feature = "everything")]
            of_a_file => match of_a_file_in_words(of_a_file) {
                Some(line) => line,
                None => return,
            },
            #[cfg(not(feature = "everything"))]
            _ => return,
        };
        lock(&self.0).push(line);
    }
}

fn why(error: &TrainingError) -> String {
    match error {
        TrainingError::ReadOnly(StorageFailure { operation, file, .. }) => {
            format!("{operation} of {file} failed")
        }
        TrainingError::Solve(SweepError::NonFinite { side: Side::Items, row, .. }) => {
            format!("item {row} is off")
        }
        TrainingError::Refused(GateRefusal::Other { reason }) => reason.clone(),
        other => other.to_string(),
    }
}

#[cfg(feature = "everything")]
fn of_a_file_in_words(notice: &Notice<'_>) -> Option<String> {
    use segue::plugin::{ListFileError, ModelFileError, ReloadError, SettingsFileError};

    Some(match notice {
        Notice::SettingsRead { file, changes } => format!("{} changes {}", file.display(), changes.len()),
        Notice::SettingsInForce { changes, .. } => changes.iter().map(|change| change.key).collect(),
        Notice::SettingsRefused { error: ReloadError::Retune(RetuneError::Setting(error)), .. } => {
            let error: &SettingError = error;
            error.to_string()
        }
        Notice::SettingsRefused {
            error: ReloadError::Retune(RetuneError::Engine(EngineError::Stopped)),
            ..
        } => "too late".to_owned(),
        Notice::SettingsRefused {
            error: ReloadError::File(SettingsFileError::Unfinished { line }), ..
        } => {
            format!("line {line} has no end")
        }
        Notice::SettingsRefused { error, .. } => error.to_string(),
        Notice::ListRead { change, .. } => format!("{} lines more", change.added.len()),
        Notice::ListRefused { error: ListFileError::Line { line, what }, .. } => {
            format!("line {line}: {what}")
        }
        Notice::ListRefused { error, .. } => error.to_string(),
        Notice::ModelRead { n_users, n_items, .. } => {
            format!("a model of {n_users} users and {n_items} items")
        }
        Notice::ModelRefused { error: ModelFileError::Training(error), .. } => why(error),
        Notice::ModelRefused { error, .. } => error.to_string(),
        _ => return None,
    })
}

/// Shows nothing whose name begins with "hidden".
#[derive(Debug)]
pub struct NothingHidden;

impl Filter for NothingHidden {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        Box::new(|candidates: &[Candidate], keep: &mut [bool]| {
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = !candidate.item.to_string().starts_with("hidden");
            }
        })
    }

    fn on_panic(&self) -> OnPanic {
        OnPanic::Hide
    }
}

/// Shorter names first.
#[derive(Debug)]
pub struct ShortNamesFirst;

impl Rescorer for ShortNamesFirst {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        Box::new(|candidates: &[Candidate], scores: &mut [f32]| {
            for (score, candidate) in scores.iter_mut().zip(candidates) {
                let len = u16::try_from(candidate.item.to_string().len()).unwrap_or(u16::MAX);
                *score = -f32::from(len);
            }
        })
    }
}

/// The list backwards.
#[derive(Debug)]
pub struct Backwards;

impl SlatePolicy for Backwards {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        (0..ranked.len().min(request.limit)).rev().collect()
    }
}

/// A topic of a broker, as far as a consumer sees it: messages with offsets, asked for with a timeout.
#[derive(Debug, Default)]
pub struct Topic {
    messages: Arc<Mutex<Vec<(String, String)>>>,
    published: Arc<Condvar>,
    committed: Arc<Mutex<Option<u64>>>,
    next: usize,
}

impl Topic {
    /// The same topic, from its start.
    pub fn consumer(&self) -> Self {
        let Self { messages, published, committed, .. } = self;
        Self {
            messages: messages.clone(),
            published: published.clone(),
            committed: committed.clone(),
            next: 0,
        }
    }

    /// Adds a message.
    pub fn publish(&self, user: &str, item: &str) {
        lock(&self.messages).push((user.to_owned(), item.to_owned()));
        self.published.notify_all();
    }

    /// What the broker may forget.
    pub fn committed(&self) -> Option<u64> {
        *lock(&self.committed)
    }
}

impl EventSource for Topic {
    fn name(&self) -> &'static str {
        "topic/likes/0"
    }

    fn begin(&mut self, from: Option<u64>, _waker: SourceWaker) -> Result<(), SourceError> {
        self.next = usize::try_from(from.unwrap_or(0))?;
        Ok(())
    }

    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
        let timeout = Duration::from_millis(50);
        let nothing = |messages: &mut Vec<_>| messages.len() <= self.next;
        let (messages, _) = self
            .published
            .wait_timeout_while(lock(&self.messages), timeout, nothing)
            .map_err(|_| "poisoned")?;
        for (user, item) in messages.iter().skip(self.next).take(batch.room()) {
            self.next += 1;
            batch.push(Event::like(user.as_str(), item.as_str()), self.next as u64);
        }
        Ok(Pull::More)
    }

    fn kept(&mut self, offset: u64) -> Result<(), SourceError> {
        *lock(&self.committed) = Some(offset);
        Ok(())
    }

    fn refused(&mut self, offset: u64, _error: &EventError) -> String {
        format!("message {}", offset - 1)
    }
}

/// What the traits mention beyond what is used here: a host can name it all.
pub type Mentioned = (
    (Action, IdempotencyKey, EventSeq, Refusal, Source, ColdCause),
    (Catalogue, CatalogueEntry, Tag, TagError),
    (EngineError, RetuneError, SettingError),
);

/// It is always noon of the first day.
#[derive(Debug)]
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(12 * 3_600)
    }
}

/// Files in a map.
#[derive(Debug, Clone, Default)]
pub struct MapStorage {
    files: Arc<Mutex<BTreeMap<String, File>>>,
    is_locked: Arc<Mutex<bool>>,
}

type File = Arc<Mutex<Vec<u8>>>;

#[derive(Debug)]
struct Appending(File);

#[derive(Debug)]
struct Reading(io::Cursor<Vec<u8>>);

#[derive(Debug)]
struct Locked(Arc<Mutex<bool>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a storage of any kind could have a file of this name.
fn check_name(name: &str) -> io::Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_suitable = !name.is_empty() && !name.ends_with('.') && name.chars().all(is_plain);
    let is_taken = name.eq_ignore_ascii_case("lock");
    if is_suitable && !is_taken { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

impl MapStorage {
    fn file(&self, name: &str) -> io::Result<File> {
        check_name(name)?;
        lock(&self.files).get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for MapStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(lock(&self.files).keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn ReadFile>> {
        let bytes = lock(&*self.file(name)?).clone();
        Ok(Box::new(Reading(io::Cursor::new(bytes))))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        check_name(name)?;
        let mut files = lock(&self.files);
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = File::default();
        files.insert(name.to_owned(), Arc::clone(&file));
        Ok(Arc::new(Appending(file)))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        let file = self.file(name)?;
        let mut bytes = lock(&file);
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        if len > bytes.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        bytes.truncate(len);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        let mut files = lock(&self.files);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        lock(&self.files).remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        if std::mem::replace(&mut *lock(&self.is_locked), true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Locked(Arc::clone(&self.is_locked))))
    }
}

impl AppendFile for Appending {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl ReadFile for Reading {
    fn len(&self) -> u64 {
        self.0.get_ref().len() as u64
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        *lock(&self.0) = false;
    }
}

impl StorageLock for Locked {}

#[cfg(test)]
mod tests {
    use segue::testing::{
        check_clock, check_event_source, check_filter, check_observer, check_rescorer, check_slate,
        check_storage, check_sweep_gate, check_sweep_policy, check_weigher,
    };
    use segue::{Durability, Engine, Event, Health};

    use super::*;

    #[test]
    fn each_of_them_keeps_what_its_seam_promises() {
        check_weigher(&LikesAlone);
        check_sweep_policy(EveryTen);
        check_sweep_gate(&TenPairs);
        check_observer(&Diary::default());
        check_filter(NothingHidden);
        check_rescorer(ShortNamesFirst);
        check_slate(Backwards);
        check_clock(&Noon);
        check_storage(&MapStorage::default());
        let topic = Topic::default();
        (0..20).for_each(|nth| topic.publish("ana", &format!("item-{nth}")));
        check_event_source(topic.consumer());
    }

    #[cfg(feature = "everything")]
    #[test]
    fn an_observer_is_told_of_files() {
        let file = std::env::temp_dir().join(format!("segue-outside-{}.txt", std::process::id()));
        std::fs::write(&file, "a\nb\n").expect("it can be written");
        let (diary, list) = (Diary::default(), segue::plugin::BlockList::new());
        let builder = Engine::builder().filter(list.clone()).block_list_file(&file, &list);
        let engine = builder.observer(diary.clone()).open().expect("usable settings");
        // A file that is written over is empty for a moment, and a list may be empty.
        let new = file.with_extension("new");
        std::fs::write(&new, "a\nb\nc\n").expect("it can be written");
        std::fs::rename(new, &file).expect("it can be replaced");
        while !list.contains("c") {
            std::thread::yield_now();
        }
        assert_eq!(lock(&diary.0).last().map(String::as_str), Some("1 lines more"));
        drop(engine);
        std::fs::remove_file(file).expect("it is there");
    }

    #[test]
    fn all_of_them_at_work_in_one_engine() {
        let (storage, diary) = (MapStorage::default(), Diary::default());
        let open = || {
            Engine::builder()
                .weigher(LikesAlone)
                .sweep_policy(EveryTen)
                .sweep_gate(TenPairs)
                .observer(diary.clone())
                .filter(NothingHidden)
                .rescorer(ShortNamesFirst)
                .slate(Backwards)
                .clock(Noon)
                .store_in(storage.clone(), Durability::Immediate)
                .open()
                .expect("usable settings")
        };
        let engine = open();
        let sender = engine.sender();
        let names = ["a", "bbb", "cc", "hidden", "dddd"];
        let mut last = None;
        for user in 0..6_u64 {
            for (place, name) in (0_u64..).zip(names) {
                if place != user {
                    last = Some(sender.send_tracked(Event::like(user, name)).expect("it runs"));
                }
            }
        }
        let wait = Duration::from_secs(30);
        engine.sweep_now().expect("it runs").wait().expect("there is something to learn");
        let view = engine.reader().view_after(&last.expect("some were sent"), wait).expect("in time");
        let list = |limit| {
            let list = view.user(99_u64).recommend().limit(limit).run().expect("no item is asked about");
            list.ids().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(list(10), ["dddd", "bbb", "cc", "a"]);
        assert_eq!(list(2), ["cc", "a"]);
        assert!(matches!(engine.health(), Health::Serving { .. }), "{:?}", engine.health());
        assert_eq!(view.user(0_u64).history()[0].last_seen, Noon.now());
        assert!(lock(&diary.0)[0].starts_with("generation 1 after"), "{diary:?}");
        engine.shutdown(wait).expect("it runs");
        assert!(open().reader().view().user(0_u64).is_known(), "it was stored");
    }

    #[test]
    fn a_topic_is_read_to_its_end_and_on_from_there() {
        let (storage, topic) = (MapStorage::default(), Topic::default());
        for n_messages in [3, 6] {
            let engine = Engine::builder()
                .source(topic.consumer())
                .store_in(storage.clone(), Durability::Immediate)
                .open()
                .expect("usable settings");
            topic.publish("ana", &format!("item-{n_messages}"));
            topic.publish("ana", "");
            while engine.source_offset("topic/likes/0") != Some(n_messages - 1) {
                std::thread::yield_now();
            }
            topic.publish("ben", "the same");
            while topic.committed() < Some(n_messages)
                && engine.source_offset("topic/likes/0") < Some(n_messages)
            {
                std::thread::yield_now();
            }
            let last = engine.stats().sources[0].last_malformed.clone().expect("an item without a name");
            assert!(last.starts_with("message "), "{last}");
            engine.shutdown(Duration::from_secs(30)).expect("it runs");
            assert_eq!(topic.committed(), Some(n_messages));
        }
    }
}
