//! Every line of a spool is learned exactly once, whenever the process is killed.

#![cfg(feature = "spool")]

use std::fs;
use std::path::Path;

use crate::common::kill::{self, Kill};
use crate::common::temp::TempDir;
use crate::common::{Random, small};
use segue::plugin::{AfterReading, SpoolDir};
use segue::{Durability, ManualEngine, MemoryStorage, Reader, Storage};

const USERS: u64 = 5;

/// Puts a file of so many lines into the spool, each with an item of its own from `first` on.
fn put(spool: &Path, name: &str, first: u64, lines: u64) {
    let line = |item: u64| format!("{{\"user\":{},\"item\":{item},\"action\":\"listen\"}}\n", item % USERS);
    let text: String = (first..first + lines).map(line).collect();
    fs::write(spool.join("writing.tmp"), text).expect("it can be written");
    fs::rename(spool.join("writing.tmp"), spool.join(name)).expect("it can be renamed");
}

/// The items that were learned, in order; each once.
fn learned(reader: &Reader) -> Vec<u64> {
    let view = reader.view();
    let mut items = Vec::new();
    for user in 0..USERS {
        for entry in view.user(user).history() {
            assert_eq!(entry.events, 1, "item {} of user {user}", entry.item);
            items.push(entry.item.as_u64().expect("a number"));
        }
    }
    items.sort_unstable();
    items
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("it can be copied");
        }
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("readable").file_name();
    let mut names: Vec<_> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

#[test]
fn wherever_the_journal_is_cut_and_whatever_was_put_away_by_then() {
    let open = |storage: MemoryStorage, spool: &Path| -> ManualEngine {
        let source = SpoolDir::new(spool);
        small().store_in(storage, Durability::Buffered).source(source).open_manual().expect("whole")
    };
    let temp = TempDir::new();
    let spool = temp.path().join("spool");
    fs::create_dir(&spool).expect("it can be made");
    put(&spool, "b.jsonl", 7, 5);
    put(&spool, "a.jsonl", 0, 7);
    put(&spool, "c.jsonl", 12, 1);
    let storage = MemoryStorage::new();
    let mut engine = open(storage.clone(), &spool);
    while engine.pump_sources() > 0 {}
    assert_eq!(learned(&engine.reader()), (0..13).collect::<Vec<_>>());
    // Nothing is durable, so nothing is put away: a power cut could still take it all back.
    assert_eq!(names(&spool.join("taken")).len(), 3);
    let snapshot = temp.path().join("snapshot");
    copy_tree(&spool, &snapshot);
    let journal = storage.list().expect("in memory").pop().expect("there is one");
    let contents = storage.contents(&journal).expect("listed");
    // Each place in a record now and then: the records are of several lengths.
    for cut in (0..=contents.len()).step_by(3) {
        let copy = MemoryStorage::new();
        for name in storage.list().expect("in memory") {
            copy.insert(name.clone(), storage.contents(&name).expect("listed"));
        }
        copy.insert(journal.clone(), contents[..cut].to_vec());
        let spool = temp.path().join(format!("cut-{cut}"));
        copy_tree(&snapshot, &spool);
        // Whatever comes meanwhile comes after them, whatever its name.
        put(&spool, "0.jsonl", 13, 2);
        let mut engine = open(copy, &spool);
        while engine.pump_sources() > 0 {}
        assert_eq!(learned(&engine.reader()), (0..15).collect::<Vec<_>>(), "cut at {cut}");
        let reader = engine.reader();
        drop(engine);
        assert_eq!(learned(&reader).len(), 15);
        assert_eq!(names(&spool.join("taken")), Vec::<String>::new());
        let done = ["0000000001-a.jsonl", "0000000002-b.jsonl", "0000000003-c.jsonl", "0000000004-0.jsonl"];
        assert_eq!(names(&spool.join("done")), done);
        fs::remove_dir_all(&spool).expect("it can be removed");
    }
}

/// Lines in all the files of the killed world.
const LINES: u64 = 15_000;

#[test]
fn however_often_the_process_is_killed() {
    kill::test(
        "a_spool_is_read_exactly_once::however_often_the_process_is_killed",
        |directory, report| {
            let directory = Path::new(directory);
            let interval = Durability::Interval(std::time::Duration::from_millis(2));
            let spool = SpoolDir::new(directory.join("spool")).after_reading(AfterReading::Remove);
            let builder = small().queue_capacity(2).store(directory.join("state"), interval).source(spool);
            let engine = builder.open().expect("whole");
            report.line("open");
            let spool = directory.join("spool");
            let is_read = || {
                // What is left are the directories in it.
                spool.join("bad").exists()
                    && names(&spool.join("taken")).is_empty()
                    && names(&spool).len() == 3
            };
            let mut said = 0;
            while !is_read() {
                let applied = engine.stats().applied;
                if applied >= said + 500 {
                    said = applied;
                    report.line(applied);
                }
                std::thread::yield_now();
            }
            report.line("all is read");
        },
        |children| {
            let temp = TempDir::new();
            let spool = temp.path().join("spool");
            fs::create_dir(&spool).expect("it can be made");
            let (mut random, mut first, mut file) = (Random::new(7), 0, 0);
            while first < LINES {
                let lines = (1 + random.below(3_000)).min(LINES - first);
                put(&spool, &format!("{file:03}.jsonl"), first, lines);
                (first, file) = (first + lines, file + 1);
            }
            let kills = (0..12).map(|_| children.run(temp.text(), Kill::draw(&mut random, 4, 3_000)));
            let n_killed = kills.filter(|run| run.was_killed).count();
            assert!(n_killed > 5, "{n_killed} were killed in the midst of it");
            let run = children.run(temp.text(), Kill::Never);
            assert_eq!(run.lines.last().map(String::as_str), Some("all is read"));
            let builder = small().store(temp.path().join("state"), Durability::Buffered);
            let engine = builder.open_manual().expect("whole");
            assert_eq!(learned(&engine.reader()), (0..LINES).collect::<Vec<_>>());
            assert!(names(&spool.join("done")).is_empty() && names(&spool.join("bad")).is_empty());
        },
    );
}
