//! Whatever is in a spool, nothing of it stops the rest.

#![cfg(feature = "spool")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::common::temp::TempDir;
use crate::common::{now, small};
use segue::plugin::{AfterReading, EventSource, Incident, Pull, SourceBatch, SourceWaker, SpoolDir};
use segue::{Degradation, Event, Health, ManualEngine};

fn line(item: u64) -> String {
    format!("{{\"user\":1,\"item\":{item},\"action\":\"listen\"}}\n")
}

fn put(spool: &Path, name: &str, text: impl AsRef<[u8]>) {
    fs::write(spool.join(name), text).expect("it can be written");
}

fn open(spool: SpoolDir) -> ManualEngine {
    small().source(spool).open_manual().expect("usable settings")
}

fn items(engine: &ManualEngine) -> Vec<u64> {
    let history = engine.reader().view().user(1).history();
    let mut items: Vec<u64> = history.iter().filter_map(|entry| entry.item.as_u64()).collect();
    items.sort_unstable();
    items
}

/// Everything that a spool on its own gives: offsets with the events, and what it refuses.
fn pull_all(spool: &mut SpoolDir, from: Option<u64>, room: usize) -> (Vec<(Event, u64)>, Option<u64>) {
    spool.begin(from, SourceWaker::nobody()).expect("it is there");
    let (mut events, mut offset) = (Vec::new(), None);
    loop {
        let mut batch = SourceBatch::new(room);
        let pull = spool.pull(&mut batch).expect("it can be read");
        events.extend(batch.events().map(|(event, offset)| (event.clone(), offset)));
        offset = batch.offset().or(offset);
        if matches!(pull, Pull::Idle { .. }) {
            return (events, offset);
        }
    }
}

#[test]
fn it_goes_on_after_every_line() {
    let temp = TempDir::new();
    let text: String =
        ["\u{feff}", &line(0), "\n", &line(1), "no event\n", &line(2), "\r\n", line(3).trim_end()].concat();
    put(temp.path(), "a.jsonl", text);
    put(temp.path(), "b.jsonl", "");
    put(temp.path(), "c.jsonl", line(4) + &line(5));
    let items = |events: &[(Event, u64)]| -> Vec<u64> {
        events.iter().map(|(event, _)| event.item().as_u64().expect("a number")).collect()
    };
    let (all, end) = pull_all(&mut SpoolDir::new(temp.path()), None, 1_000);
    assert_eq!(items(&all), [0, 1, 2, 3, 4, 5]);
    assert!(all.is_sorted_by_key(|(_, offset)| *offset));
    for room in [1, 2, 3, 1_000] {
        for (place, (_, offset)) in all.iter().enumerate() {
            let (rest, rest_end) = pull_all(&mut SpoolDir::new(temp.path()), Some(*offset), room);
            assert_eq!(rest, all[place + 1..]);
            assert_eq!(rest_end, end);
        }
    }
    assert_eq!(pull_all(&mut SpoolDir::new(temp.path()), end, 7), (Vec::new(), None));
}

#[test]
fn files_of_every_kind() {
    let temp = TempDir::new();
    let spool = temp.path();
    put(spool, "a.jsonl", line(1));
    put(spool, "b-empty.jsonl", "");
    put(spool, "c-huge.jsonl", format!("{}{}\n{}", line(2), "x".repeat(10 << 20), line(3)));
    put(spool, "d-cut.jsonl", line(4) + &line(5)[..20]);
    put(spool, "e-binary.jsonl", [&[0xff, 0xfe, 0, b'\n'], line(6).as_bytes()].concat());
    put(spool, "f-future.jsonl", line(7).replace('}', ",\"at\":99999999999999}") + &line(8));
    put(spool, "g.jsonl.tmp", line(100));
    put(spool, ".h.jsonl", line(101));
    put(spool, "i.json", line(102));
    fs::create_dir(spool.join("j.jsonl")).expect("it can be made");
    put(spool, &format!("{}.jsonl", "k".repeat(249)), line(9));
    let mut expected = vec![1, 2, 3, 4, 6, 8, 9];
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::os::unix::fs::symlink("/etc/passwd", spool.join("l.jsonl")).expect("it can be made");
        std::os::unix::fs::symlink("g.jsonl.tmp", spool.join("m.jsonl")).expect("it can be made");
        let odd = std::ffi::OsStr::from_bytes(b"n-\xff\xfe.jsonl");
        // Some file systems take no such names.
        if fs::write(spool.join(odd), line(10)).is_ok() {
            expected.push(10);
        }
    }
    put(spool, "z.jsonl", line(11));
    expected.push(11);

    let mut engine = open(SpoolDir::new(spool));
    while engine.pump_sources() > 0 {}
    assert_eq!(items(&engine), expected);
    let stats = engine.stats().sources.remove(0);
    assert_eq!((stats.applied, stats.malformed), (expected.len() as u64, 4));
    let Health::Degraded { why: Degradation::Source { name, incident: Incident::Nonsense { what } } } =
        engine.health()
    else {
        panic!("{:?}", engine.health())
    };
    assert_eq!(name, "spool");
    assert!(what.contains("f-future.jsonl:1: the event is"), "{what}");

    let why = |name: &str| fs::read_to_string(spool.join("bad").join(name)).unwrap_or_default();
    assert!(why("0000000003-c-huge.jsonl.why").contains("line 2: the line is too long"));
    assert!(why("0000000004-d-cut.jsonl.why").contains("line 2: EOF while parsing"));
    assert!(why("0000000005-e-binary.jsonl.why").contains("line 1: "));
    assert!(why("0000000006-f-future.jsonl.why").contains("line 1: the event is"));
    assert!(spool.join("bad/0000000004-d-cut.jsonl").exists(), "it is kept beside");
    assert!(spool.join("done/0000000001-a.jsonl").exists());
    for left in ["g.jsonl.tmp", ".h.jsonl", "i.json", "j.jsonl"] {
        assert!(spool.join(left).exists(), "{left} is left alone");
    }
    assert_eq!(fs::read_dir(spool.join("taken")).expect("it is there").count(), 1, "the lock alone");
}

#[cfg(unix)]
#[test]
fn a_file_without_the_right_to_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let temp = TempDir::new();
    put(temp.path(), "a.jsonl", line(1));
    put(temp.path(), "b.jsonl", line(2));
    let secret = temp.path().join("a.jsonl");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let may_read_all = fs::read(&secret).is_ok();
    let mut engine = open(SpoolDir::new(temp.path()));
    while engine.pump_sources() > 0 {}
    assert_eq!(items(&engine), if may_read_all { vec![1, 2] } else { vec![2] });
    let place = if may_read_all { "done" } else { "bad" };
    assert!(temp.path().join(place).join("0000000001-a.jsonl").exists());
}

#[test]
fn a_file_that_was_cut_short_while_it_was_read() {
    let temp = TempDir::new();
    put(temp.path(), "a.jsonl", (0..10).map(line).collect::<String>());
    let (events, _) = pull_all(&mut SpoolDir::new(temp.path()), None, 10);
    put(temp.path(), "taken/0000000001-a.jsonl", line(0));
    put(temp.path(), "b.jsonl", line(77));
    let (rest, _) = pull_all(&mut SpoolDir::new(temp.path()), Some(events[6].1), 10);
    assert_eq!(rest.len(), 1, "the next file is read from its first line");
    let why = fs::read_to_string(temp.path().join("bad/0000000001-a.jsonl.why")).expect("it is noted");
    assert!(why.contains("it ends here; 7 lines of it were read before"), "{why}");
    fs::remove_file(temp.path().join("taken/0000000001-a.jsonl")).expect("it is there");
    put(temp.path(), "c.jsonl", line(78));
    let (rest, _) = pull_all(&mut SpoolDir::new(temp.path()), Some(events[6].1), 10);
    let items: Vec<_> = rest.iter().map(|(event, _)| event.item().as_u64()).collect();
    assert_eq!(items, [Some(77), Some(78)], "its number is given to no other");
}

#[test]
fn thousands_of_files_in_the_order_of_their_names() {
    let temp = TempDir::new();
    for item in (0..2_000).rev() {
        put(temp.path(), &format!("{item:05}.jsonl"), line(item));
    }
    let (events, _) = pull_all(&mut SpoolDir::new(temp.path()), None, 1_024);
    let items = events.iter().map(|(event, _)| event.item().as_u64());
    assert!(items.eq((0..2_000).map(Some)));
}

#[test]
fn numbers_go_on_where_a_lost_store_had_come_to() {
    let temp = TempDir::new();
    for number in 1..=3_u64 {
        // The same name each time, and a new engine without a store.
        put(temp.path(), "a.jsonl", line(number));
        let mut engine = open(SpoolDir::new(temp.path()));
        assert_eq!(engine.pump_sources(), 1);
        drop(engine);
        assert!(temp.path().join(format!("done/{number:010}-a.jsonl")).exists());
    }
    put(temp.path(), "a.jsonl", line(4));
    let mut engine = open(SpoolDir::new(temp.path()).after_reading(AfterReading::Remove));
    assert_eq!(engine.pump_sources(), 1);
    drop(engine);
    assert_eq!(fs::read_dir(temp.path().join("done")).expect("it is there").count(), 3);
}

#[test]
fn one_engine_at_a_time() {
    let temp = TempDir::new();
    put(temp.path(), "a.jsonl", line(1));
    let mut first = open(SpoolDir::new(temp.path()));
    let mut second = open(SpoolDir::new(temp.path()));
    assert_eq!(first.pump_sources(), 1);
    put(temp.path(), "b.jsonl", line(2));
    assert_eq!(second.pump_sources(), 0);
    let Health::Degraded { why: Degradation::Source { incident: Incident::Failed { message }, .. } } =
        second.health()
    else {
        panic!("{:?}", second.health())
    };
    assert!(message.contains("another engine reads this spool"), "{message}");
    drop(first);
    assert_eq!(second.pump_sources(), 1);
    assert!(matches!(second.health(), Health::Warming { .. }), "{:?}", second.health());
}

#[test]
fn a_directory_that_goes_away_and_comes_back() {
    let temp = TempDir::new();
    let path = temp.path().join("spool");
    let mut engine = open(SpoolDir::new(&path));
    let is_named = |engine: &ManualEngine| {
        matches!(
            engine.health(),
            Health::Degraded { why: Degradation::Source { incident: Incident::Failed { .. }, .. } }
        )
    };
    for item in 1..=3 {
        assert_eq!(engine.pump_sources(), 0);
        assert!(is_named(&engine), "{:?}", engine.health());
        fs::create_dir(&path).expect("it can be made");
        put(&path, "a.jsonl", line(item));
        assert_eq!(engine.pump_sources(), 1);
        assert!(!is_named(&engine), "{:?}", engine.health());
        fs::remove_dir_all(&path).expect("it can be removed");
        if item == 2 {
            // So soon that nobody has seen it gone.
            fs::create_dir(&path).expect("it can be made");
            assert_eq!(engine.pump_sources(), 0);
            fs::remove_dir(&path).expect("nothing was made in it");
        }
    }
    assert_eq!(items(&engine), [1, 2, 3]);
}

#[test]
fn new_files_are_heard_of_at_once() {
    let temp = TempDir::new();
    let spool = SpoolDir::new(temp.path()).look_every(Duration::from_secs(3_600));
    let engine = small().source(spool).open().expect("usable settings");
    for item in 0..20 {
        fs::write(temp.path().join("a.tmp"), line(item)).expect("it can be written");
        fs::rename(temp.path().join("a.tmp"), temp.path().join("a.jsonl")).expect("it can be renamed");
        let number = u64::from(u32::try_from(item).expect("small")) + 1;
        // Once it is told that a file is safe, it has nothing more to do but to wait.
        while engine.stats().sources[0].kept.is_none_or(|kept| kept <= number << 32) {
            std::thread::yield_now();
        }
    }
    assert_eq!(engine.reader().view().user(1).history().len(), 20);
    let times = engine.reader().view().user(1).history();
    assert!(times.iter().all(|entry| entry.last_seen == now()));
    engine.shutdown(Duration::from_secs(60)).expect("it runs");
    assert_eq!(fs::read_dir(temp.path().join("done")).expect("it is there").count(), 20);
}
