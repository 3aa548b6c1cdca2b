//! Whenever the process is killed, what it had acknowledged is there when the store is opened again: nothing is
//! missing, nothing was made up, and everything is in the order in which it was sent.

mod common;

use std::collections::VecDeque;
use std::thread;

use common::kill::{self, Kill, Report};
use common::temp::TempDir;
use common::{PATIENCE, Random, small};
use segue::{CheckpointEvery, Durability, Engine, Event, EventSender, Outcome, Receipt};

const SENDERS: usize = 2;
/// Events that a sender has under way, at most.
const WINDOW: u64 = 8;
const ITEMS: u64 = 50;
/// Kills of one store: it grows with each, and reading it takes longer.
const KILLS_OF_A_STORE: u64 = 50;

/// Event `number` of a sender: nobody else has its user, and the item tells of the number as well.
fn event(sender: usize, number: u64) -> Event {
    Event::listen(user(sender, number), item(sender, number))
}

fn user(sender: usize, number: u64) -> u64 {
    (sender as u64) << 40 | number
}

fn item(sender: usize, number: u64) -> u64 {
    (number * 7 + sender as u64) % ITEMS
}

/// Opens the store, tells what is in it, and sends on until it is killed.
fn child(argument: &str, report: &Report) {
    let mut words = argument.splitn(3, ' ');
    let mut word = || words.next().expect("the parent gives three");
    let (durability, seed, path) = (word(), word().parse().expect("a number"), word());
    let durability = if durability == "immediate" { Durability::Immediate } else { Durability::Buffered };
    let mut random = Random::new(seed);

    // Small segments and checkpoints after little, so that kills meet all of them.
    let builder = small().sweeps(2, 1).store(path, durability).journal_segment_bytes(4_000);
    let engine = builder.checkpoint_every(CheckpointEvery::call().records(500)).open().expect("recovered");
    let found = recovered(&engine);
    report.line(format_args!("recovered {} {}", found[0], found[1]));

    let n_senders = 1 + usize::from(random.below(2) == 0);
    thread::scope(|scope| {
        for (sender, &first) in found.iter().enumerate().take(n_senders) {
            let events = engine.sender();
            scope.spawn(move || send(sender, first, &events, report));
        }
        loop {
            thread::yield_now();
            match random.below(4) {
                0 => drop(engine.sweep_now().expect("it runs").wait()),
                1 => drop(engine.checkpoint().expect("it runs").wait().expect("a healthy disk")),
                2 => engine.flush().expect("a healthy disk"),
                _ => drop(engine.reader().view().popular().run()),
            }
        }
    });
}

/// How many events of each sender are there: the first ones, each of them whole and nothing else.
fn recovered(engine: &Engine) -> [u64; SENDERS] {
    let view = engine.reader().view();
    let mut found = [0; SENDERS];
    for (sender, n_found) in found.iter_mut().enumerate() {
        while view.user(user(sender, *n_found)).is_known() {
            let history = view.user(user(sender, *n_found)).history();
            assert_eq!(history.len(), 1, "event {n_found} of sender {sender}");
            assert_eq!((&history[0].item, history[0].events), (&item(sender, *n_found).into(), 1));
            *n_found += 1;
        }
    }
    let n_users = engine.stats().n_users as u64;
    assert_eq!(n_users, found.iter().sum::<u64>(), "beyond the first {found:?} there are more");
    found
}

fn send(sender: usize, first: u64, events: &EventSender, report: &Report) {
    let mut under_way: VecDeque<(u64, Receipt)> = VecDeque::new();
    for number in first.. {
        let receipt = events.send_tracked(event(sender, number)).expect("it runs");
        under_way.push_back((number, receipt));
        // One at a time, then several together.
        while under_way.len() as u64 > number % WINDOW {
            let (number, receipt) = under_way.pop_front().expect("there is one");
            let outcome = receipt.wait(PATIENCE);
            assert!(matches!(outcome, Some(Outcome::Applied(_))), "{outcome:?}");
            report.line(format_args!("ack {sender} {number}"));
        }
    }
}

/// The numbers of a line that begins with `word`.
fn numbers(line: &str, word: &str) -> Option<[u64; 2]> {
    let (one, other) = line.strip_prefix(word)?.trim().split_once(' ')?;
    Some([one.parse().ok()?, other.parse().ok()?])
}

fn parent(children: kill::Children, n_kills: u64, seed: u64) {
    let mut random = Random::new(seed);
    let (mut n_killed, mut n_acknowledged, mut n_recoveries) = (0, 0, 0);
    while n_killed < n_kills {
        let temp = TempDir::new();
        // The store is in a folder that is yet to be made.
        let path = temp.path().join("store");
        let mut acknowledged = [0; SENDERS];
        for _ in 0..KILLS_OF_A_STORE.min(n_kills - n_killed) {
            let durability = if random.below(3) == 0 { "buffered" } else { "immediate" };
            let argument = format!("{durability} {} {}", random.next(), path.display());
            let run = children.run(&argument, Kill::draw(&mut random, 150, 4_000));
            assert!(run.was_killed, "it never ends by itself");
            n_killed += 1;
            for line in &run.lines {
                if let Some(found) = numbers(line, "recovered ") {
                    for (sender, (found, acknowledged)) in found.iter().zip(&mut acknowledged).enumerate() {
                        let possible = *acknowledged..=*acknowledged + WINDOW;
                        assert!(possible.contains(found), "{found} of sender {sender}, not {possible:?}");
                        *acknowledged = *found;
                    }
                    n_recoveries += 1;
                }
                if let Some([sender, number]) = numbers(line, "ack ") {
                    let acknowledged = &mut acknowledged[usize::try_from(sender).expect("small")];
                    assert_eq!(number, *acknowledged, "acknowledged in order");
                    *acknowledged += 1;
                    n_acknowledged += 1;
                }
            }
        }
    }
    println!("{n_killed} kills, {n_recoveries} recoveries checked, {n_acknowledged} events acknowledged");
    assert!(n_acknowledged > n_kills && n_recoveries > n_kills / 2, "the children did something");
}

#[test]
fn nothing_acknowledged_is_lost() {
    kill::test("nothing_acknowledged_is_lost", child, |children| parent(children, 30, 1));
}

/// A thousand kills and more: `cargo test --release --test kill_nine -- --ignored`.
#[test]
#[ignore = "takes minutes; run it in release as above"]
fn nothing_acknowledged_is_lost_a_thousand_times() {
    kill::test("nothing_acknowledged_is_lost_a_thousand_times", child, |children| {
        parent(children, 1_000, 2);
    });
}
