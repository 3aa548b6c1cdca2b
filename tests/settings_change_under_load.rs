//! A settings file edited a thousand times, half the time wrongly, while events and queries come in: no setting is ever
//! torn, no event is lost, no query fails, and nothing piles up.

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::temp::TempDir;
use segue::{Engine, Event, LiveSettings, Notice};

const N_EDITS: u32 = 1_000;
const N_USERS: u64 = 200;
const N_ITEMS: u64 = 100;
/// What the process may hold more after the thousand edits than before them.
const MOST_MORE_RESIDENT: u64 = 32 << 20;

/// Four settings that all say which edit they are of.
fn edit(number: u32) -> String {
    let min_trials = 100 + number;
    format!(
        "# edit {number}\n[als]\nregularization = {}\n[limits]\nmax_history = {min_trials}\n[gate]\nmin_trials = {min_trials}\n\
         [items]\nbatch_every_ms = {min_trials}\n",
        f64::from(min_trials) / 1e6
    )
}

/// Which edit the settings are of; `None` if they are of more than one.
fn edit_of(settings: &LiveSettings) -> Option<u32> {
    let number = u32::try_from(settings.max_history).ok()?;
    let gate = settings.gate?;
    let regularization = format!("{:.6}", settings.regularization);
    let whole = gate.min_trials == settings.max_history
        && settings.item_batch_every == Duration::from_millis(u64::from(number))
        && regularization == format!("{:.6}", f64::from(number) / 1e6);
    whole.then(|| number.wrapping_sub(100))
}

/// What goes wrong with files: cut short in the middle of a line, garbled, out of range, unknown, no text at all.
fn broken(number: u32) -> Vec<u8> {
    let whole = edit(number);
    match number % 5 {
        // Not at the end of a line.
        0 => whole.as_bytes()[..whole.len() - 1 - (number as usize / 5) % 4].to_vec(),
        1 => whole.replace("min_trials", "min_trails").into_bytes(),
        2 => whole.replace("[gate]", "[[gate").into_bytes(),
        3 => format!("{whole}\n[sweeps]\nlater = 0\n").into_bytes(),
        _ => [whole.as_bytes(), &[0xff, 0xfe]].concat(),
    }
}

/// Puts a file in the place of another in one step, or writes over it as an editor without manners does.
fn put(path: &Path, contents: &[u8], at_once: bool) {
    if at_once {
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, contents).expect("room");
        fs::rename(temporary, path).expect("the same directory");
    } else {
        fs::write(path, contents).expect("room");
    }
}

#[test]
fn a_thousand_edits_half_of_them_broken_tear_nothing_and_lose_nothing() {
    let directory = TempDir::new();
    let file = directory.path().join("settings.toml");
    fs::write(&file, edit(0)).expect("room");
    let (in_force, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let torn = Arc::new(Mutex::new(Vec::new()));
    let observe = {
        let (in_force, refused) = (Arc::clone(&in_force), Arc::clone(&refused));
        move |notice: &Notice<'_>| {
            if matches!(notice, Notice::SettingsInForce { .. }) {
                in_force.fetch_add(1, Ordering::Relaxed);
            } else if matches!(notice, Notice::SettingsRefused { .. }) {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let engine =
        Engine::builder().threads(1).settings_file(&file).observe_with(observe).open().expect("whole");
    engine
        .import((0..N_USERS * 20).map(|at| Event::listen(at % N_USERS, (at * 7 + at / N_USERS) % N_ITEMS)))
        .expect("it runs");
    engine.sweep_now().expect("it runs").wait().expect("there is something to learn");
    assert_eq!(edit_of(&engine.settings()), Some(0));

    // Who writes over a file empties it first, and may be kept from going on for so long that this is what the file says.
    let of_an_empty_file = Engine::builder().threads(1).open().expect("usable settings").settings();
    let done = AtomicBool::new(false);
    let n_before = engine.stats().applied;
    let (bytes_before, resident_before) = (engine.stats().n_bytes, resident_bytes());
    let (n_sent, n_asked, n_looks) = std::thread::scope(|scope| {
        let done = &done;
        let (sender, reader) = (engine.sender(), engine.reader());
        let sends = scope.spawn(move || {
            let mut n_sent = 0;
            while !done.load(Ordering::Relaxed) {
                sender.send(Event::listen(n_sent % N_USERS, n_sent % N_ITEMS)).expect("it runs");
                n_sent += 1;
            }
            n_sent
        });
        let asks = scope.spawn(move || {
            let mut n_asked = 0;
            while !done.load(Ordering::Relaxed) {
                let picks = reader.view().user(n_asked % N_USERS).recommend().allow_known().limit(5).run();
                assert_eq!(picks.expect("every query is answered").len(), 5);
                n_asked += 1;
            }
            n_asked
        });
        let (engine, torn) = (&engine, Arc::clone(&torn));
        let looks = scope.spawn(move || {
            let mut n_looks = 0_u64;
            while !done.load(Ordering::Relaxed) {
                let settings = engine.settings();
                if edit_of(&settings).is_none() && settings != of_an_empty_file {
                    torn.lock().expect("nobody panics").push(settings);
                }
                n_looks += 1;
            }
            n_looks
        });
        for number in 1..=N_EDITS {
            let n_refused = refused.load(Ordering::Relaxed);
            if number % 2 == 1 {
                put(&file, &broken(number), number % 4 == 1);
            } else {
                put(&file, edit(number).as_bytes(), number % 4 == 0);
            }
            // Every so often the engine is given the time to see one for itself.
            if number % 50 == 0 {
                let n_in_force = u64::from(number / 50);
                wait_until(|| {
                    edit_of(&engine.settings()) == Some(number)
                        && in_force.load(Ordering::Relaxed) >= n_in_force
                });
            } else if number % 50 == 25 {
                wait_until(|| refused.load(Ordering::Relaxed) > n_refused);
            }
        }
        done.store(true, Ordering::Relaxed);
        (sends.join().expect("sends"), asks.join().expect("asks"), looks.join().expect("looks"))
    });
    assert_eq!(torn.lock().expect("nobody panics").len(), 0, "torn: {torn:?}");
    assert_eq!(edit_of(&engine.settings()), Some(N_EDITS));
    let receipt = engine.sender().send_tracked(Event::listen(0, 0)).expect("it runs");
    engine.reader().view_after(&receipt, Duration::from_secs(60)).expect("all before it is learned");
    let stats = engine.stats();
    assert_eq!(stats.applied, n_before + n_sent + 1, "no event is lost");
    assert!(n_asked > 100 && n_looks > 100 && n_sent > 1_000, "{n_asked} {n_looks} {n_sent}");
    let (in_force, refused) = (in_force.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
    assert!(in_force >= 20 && refused >= 20, "{in_force} in force, {refused} refused");
    // Histories may have grown by some items and by their latest events, of which a few are kept.
    let grown = stats.n_bytes.saturating_sub(bytes_before);
    assert!(grown < N_USERS * 40_000, "{grown} bytes more");
    if let (Some(before), Some(after)) = (resident_before, resident_bytes()) {
        // The queue is full by then and was empty, and every thread's allocator keeps what it has once had.
        let grown = after.saturating_sub(before);
        println!("resident memory: {before} bytes before, {after} after");
        assert!(grown < MOST_MORE_RESIDENT, "{grown} bytes more are resident");
    } else {
        println!("skipped: only Linux tells how much memory is resident");
    }
    engine.shutdown(Duration::from_secs(10)).expect("the watch ends, too");
}

/// Bytes of memory that the process has, as Linux tells.
fn resident_bytes() -> Option<u64> {
    /// Of every machine that these tests run on; one of larger pages has fewer, and a looser bound.
    const PAGE_BYTES: u64 = 4_096;
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let n_pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(n_pages * PAGE_BYTES)
}

/// Waits for something that another thread does; it fails if that takes a minute.
fn wait_until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "it takes too long");
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_is_broken_when_the_engine_opens_is_named_with_its_line() {
    let directory = TempDir::new();
    let file = directory.path().join("settings.toml");
    fs::write(&file, "[sweeps]\nlatter = 3\n").expect("room");
    let error = Engine::builder().settings_file(&file).open().expect_err("no such key");
    let cause = std::error::Error::source(&error).expect("the line").to_string();
    assert_eq!(cause, "line 2: there is no setting \"sweeps.latter\"; is it \"sweeps.later\"?");
    assert!(error.to_string().contains("settings.toml"), "{error}");
}

#[test]
fn a_file_may_come_later_and_what_it_no_longer_says_is_as_before() {
    let directory = TempDir::new();
    let file = directory.path().join("settings.toml");
    let engine = Engine::builder().sweeps(4, 3).settings_file(&file).open().expect("it need not be there");
    assert_eq!(engine.settings().later_sweeps, 3);
    put(&file, b"sweeps.later = 7\nsweeps.first = 9\n", true);
    wait_until(|| engine.settings().later_sweeps == 7 && engine.settings().first_sweeps == 9);
    put(&file, b"sweeps.first = 9\n", true);
    wait_until(|| engine.settings().later_sweeps == 3 && engine.settings().first_sweeps == 9);
    fs::remove_file(&file).expect("it is there");
    put(&file, b"sweeps.first = 8\n", false);
    wait_until(|| engine.settings().first_sweeps == 8);
}
