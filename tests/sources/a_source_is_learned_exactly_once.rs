//! Whatever a kill leaves of the journal, what a source gives is learned exactly once.

use std::sync::PoisonError;

use crate::common::log_source::LogSource;
use crate::common::{PATIENCE, small};
use segue::{Durability, Event, ManualEngine, MemoryStorage, Storage, UserId};

const USERS: u64 = 3;

/// Events of which each has an item of its own, to be told from the others; some are not well formed, some come under a key
/// that was used before, and one takes back what was never done.
fn events(n: u64) -> Vec<Event> {
    (0..n)
        .map(|number| match number % 7 {
            3 => Event::listen("", number),
            4 => Event::listen(number % USERS, number).key("the same"),
            5 => Event::undo(Event::like(number % USERS, number)),
            _ => Event::listen(number % USERS, number),
        })
        .collect()
}

/// What was learned, as it should be: each item once.
fn check(engine: &ManualEngine, events: &[Event]) {
    let view = engine.reader().view();
    let mut learned = Vec::new();
    for user in 0..USERS {
        for entry in view.user(user).history() {
            assert_eq!(entry.events, 1, "item {} of user {user}", entry.item);
            learned.push(entry.item.as_u64().expect("a number"));
        }
    }
    learned.sort_unstable();
    let mut is_first_of_key = true;
    let expected: Vec<u64> = (0..)
        .zip(events)
        .filter(|(number, event)| match number % 7 {
            4 => std::mem::take(&mut is_first_of_key),
            3 | 5 => false,
            _ => *event.user() == UserId::from(number % USERS),
        })
        .map(|(number, _)| number)
        .collect();
    assert_eq!(learned, expected);
    assert_eq!(engine.source_offset("log"), Some(events.len() as u64));
}

/// A copy of all files, the one called `cut` with its first `len` bytes alone.
fn copy(storage: &MemoryStorage, cut: &str, len: usize) -> MemoryStorage {
    let copy = MemoryStorage::new();
    for name in storage.list().expect("in memory") {
        let mut contents = storage.contents(&name).expect("listed");
        if name == cut {
            contents.truncate(len);
        }
        copy.insert(name, contents);
    }
    copy
}

#[test]
fn wherever_the_journal_is_cut() {
    let events = events(40);
    let open = |storage: MemoryStorage, source: LogSource| {
        small().store_in(storage, Durability::Buffered).source(source).open_manual().expect("whole")
    };
    let storage = MemoryStorage::new();
    let mut engine = open(storage.clone(), LogSource::new(events.clone(), 9));
    while engine.pump_sources() > 0 {}
    check(&engine, &events);
    let names = storage.list().expect("in memory");
    let journal = names.iter().rfind(|name| name.starts_with("journal")).expect("there is one").clone();
    let len = storage.contents(&journal).expect("listed").len();
    let mut resumed_from = std::collections::BTreeSet::new();
    for cut in 0..=len {
        let source = LogSource::new(events.clone(), 9);
        let asked = source.asked.clone();
        let mut engine = open(copy(&storage, &journal, cut), source);
        resumed_from.insert(engine.source_offset("log"));
        while engine.pump_sources() > 0 {}
        check(&engine, &events);
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(asked.begun_from.len(), 1);
    }
    assert!(resumed_from.len() > 20, "hardly anything was cut: {resumed_from:?}");
}

#[test]
fn a_step_that_was_cut_off_its_event_is_nobody_elses() {
    let events = events(40);
    let storage = MemoryStorage::new();
    let stored = |storage: &MemoryStorage| small().store_in(storage.clone(), Durability::Buffered);
    let with_source = |storage: &MemoryStorage| {
        stored(storage).source(LogSource::new(events.clone(), 9)).open_manual().expect("whole")
    };
    let mut engine = with_source(&storage);
    while engine.pump_sources() > 0 {}
    drop(engine);
    let names = storage.list().expect("in memory");
    let journal = names.iter().rfind(|name| name.starts_with("journal")).expect("there is one").clone();
    let len = storage.contents(&journal).expect("listed").len();
    for cut in 0..=len {
        let storage = copy(&storage, &journal, cut);
        // The source is away, and a host goes on.
        let mut engine = stored(&storage).open_manual().expect("whole");
        engine.apply(Event::listen("somebody else", 1)).expect("well formed");
        engine.pump();
        let (offset, digest) = (engine.source_offset("log"), engine.digest());
        drop(engine);
        let mut engine = with_source(&storage);
        assert_eq!((engine.source_offset("log"), engine.digest()), (offset, digest), "cut at {cut}");
        while engine.pump_sources() > 0 {}
        check(&engine, &events);
    }
}

#[test]
fn through_restarts_of_an_engine_with_threads_and_with_others_who_send() {
    let storage = MemoryStorage::new();
    let events = events(5_000);
    for round in 1..=5 {
        let source = LogSource::new(events[..round * 1_000].to_vec(), 100);
        let asked = source.asked.clone();
        let builder = small().queue_capacity(4).store_in(storage.clone(), Durability::Immediate);
        let engine = builder.source(source).open().expect("whole");
        let sender = engine.sender();
        while engine.source_offset("log") != Some(round as u64 * 1_000) {
            sender.send(Event::listen("somebody else", 1)).expect("running");
        }
        engine.shutdown(PATIENCE).expect("it runs");
        let asked = asked.lock().expect("no panic");
        let before = (round > 1).then(|| (round as u64 - 1) * 1_000);
        assert_eq!(asked.begun_from, [before]);
        if before.is_some() {
            assert_eq!(asked.kept.first().copied(), before, "what was recovered is safe from the start");
        }
        assert_eq!(asked.kept.last(), Some(&(round as u64 * 1_000)), "the last thing it is told");
        assert!(asked.kept.is_sorted());
    }
    check(&small().store_in(storage, Durability::Immediate).open_manual().expect("whole"), &events);
}

#[test]
fn in_memory_alone_too() {
    let events = events(3_000);
    let source = LogSource::new(events.clone(), usize::MAX);
    let asked = source.asked.clone();
    let mut engine = small().source(source).open_manual().expect("usable settings");
    while engine.pump_sources() > 0 {}
    check(&engine, &events);
    assert_eq!(asked.lock().expect("no panic").kept.last(), Some(&3_000));
    let stats = &engine.stats().sources[0];
    let of_key = (0..3_000).filter(|number| number % 7 == 4).count() as u64;
    assert_eq!((stats.name.as_str(), stats.duplicates), ("log", of_key - 1));
}
