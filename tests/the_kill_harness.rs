//! The harness that kills processes does: a child dies in the midst of its work, and what it had said and
//! written by then is there.

mod common;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use common::Random;
use common::kill::{self, Kill, Report};
use common::temp::TempDir;

/// Appends numbers to a file, and says each one once it is written; goes on where the last child stopped.
fn count(path: &str, report: &Report, upto: u64) {
    let start = numbers(path).last().map_or(0, |last| last + 1);
    report.line(format_args!("start {start}"));
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("it can be written");
    for number in start..upto {
        file.write_all(&number.to_le_bytes()).expect("it can be written");
        report.line(format_args!("ack {number}"));
    }
}

fn numbers(path: impl AsRef<Path>) -> Vec<u64> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.chunks_exact(8).map(|eight| u64::from_le_bytes(eight.try_into().expect("eight"))).collect()
}

/// The numbers of lines that begin with `word`.
fn said(lines: &[String], word: &str) -> Vec<u64> {
    let number = |line: &String| line.strip_prefix(word)?.trim().parse().ok();
    lines.iter().filter_map(number).collect()
}

#[test]
fn a_child_is_killed_in_the_midst_of_its_work() {
    let child = |path: &str, report: &Report| count(path, report, u64::MAX);
    kill::test("a_child_is_killed_in_the_midst_of_its_work", child, |children| {
        let temp = TempDir::new();
        let path = temp.path().join("numbers");
        let mut random = Random::new(1);
        let mut next = 0;
        for _ in 0..10 {
            let kill = Kill::draw(&mut random, 200, 1_000);
            let run = children.run(path.to_str().expect("a plain name"), kill);
            assert!(run.was_killed, "it never ends by itself");
            let Kill::After { lines, .. } = kill else { unreachable!("drawn") };
            assert!(run.lines.len() >= lines, "{} of {lines} lines", run.lines.len());
            let written = numbers(&path);
            assert_eq!(written, (0..written.len() as u64).collect::<Vec<_>>());
            let (start, acks) = (said(&run.lines, "start"), said(&run.lines, "ack"));
            assert!(start.is_empty() || start == [next], "it goes on where the last one stopped: {start:?}");
            let n_acked = acks.len() as u64;
            assert_eq!(acks, (next..next + n_acked).collect::<Vec<_>>());
            let n_written = written.len() as u64 - next;
            assert!(n_written == n_acked || n_written == n_acked + 1, "{n_written} written, {n_acked} acked");
            next = written.len() as u64;
        }
        assert!(next > 100, "the children did something");
    });
}

#[test]
fn a_child_may_come_to_its_end() {
    let child = |path: &str, report: &Report| count(path, report, 50);
    kill::test("a_child_may_come_to_its_end", child, |children| {
        let temp = TempDir::new();
        let path = temp.path().join("numbers");
        let run = children.run(path.to_str().expect("a plain name"), Kill::Never);
        assert!(!run.was_killed);
        assert_eq!(said(&run.lines, "ack"), (0..50).collect::<Vec<_>>());
        assert_eq!(numbers(&path).len(), 50);
    });
}

#[test]
#[should_panic(expected = "the child failed")]
fn a_child_that_fails_fails_the_parent() {
    let child = |_: &str, report: &Report| {
        report.line("before");
        panic!("on purpose: a test wants to see it");
    };
    kill::test("a_child_that_fails_fails_the_parent", child, |children| {
        children.run("", Kill::After { lines: 1_000, micros: 0 });
    });
}

#[test]
#[should_panic(expected = "no test is called")]
fn a_misspelled_name_is_told() {
    kill::test(
        "a_mispelled_name",
        |_, _| {},
        |children| {
            children.run("", Kill::Never);
        },
    );
}

#[test]
fn a_directory_of_a_test_goes_with_it() {
    let (one, other) = (TempDir::new(), TempDir::new());
    assert_ne!(one.path(), other.path());
    fs::write(one.path().join("file"), "").expect("it can be written");
    let path = one.path().to_owned();
    drop(one);
    assert!(!path.exists() && other.path().is_dir());
}
