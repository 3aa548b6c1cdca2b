//! What a settings file says goes before what the builder says from the first moment of an engine on, and what a host says later
//! before both, until the file changes.

use std::fs;
use std::sync::mpsc::channel;

use crate::common::files::replace;
use crate::common::temp::TempDir;
use crate::common::{PATIENCE, small};
use segue::maintenance::inspect;
use segue::{Durability, Event, Limits, ManualEngine, MemoryStorage, Notice, Outcome};

/// Settings records in the journal of a store.
fn n_settings(storage: &MemoryStorage) -> u64 {
    let report = inspect(storage.clone()).expect("it can be read");
    report.segments.iter().filter_map(|segment| segment.kinds.get("settings")).sum()
}

#[test]
fn a_store_keeps_what_the_file_says_and_an_opening_changes_nothing() {
    let (directory, storage) = (TempDir::new(), MemoryStorage::new());
    let file = directory.path().join("settings.toml");
    fs::write(&file, "[limits]\ndedupe_window = 100\n[sweeps]\nlater = 7\n").expect("room");
    let open = || -> ManualEngine {
        let mut limits = Limits::default();
        limits.dedupe_window = 2;
        let builder = small().limits(limits).store_in(storage.clone(), Durability::Buffered);
        builder.settings_file(&file).open_manual().expect("usable settings")
    };
    let send_all = |engine: &mut ManualEngine| -> Vec<Outcome> {
        let send = |n: u64| {
            let outcome =
                engine.apply(Event::listen("ana", n).key(format!("play-{n}"))).expect("well formed");
            engine.pump();
            outcome
        };
        (0..10).map(send).collect()
    };
    let mut engine = open();
    assert_eq!(engine.settings().later_sweeps, 7);
    assert!(send_all(&mut engine).iter().all(|outcome| matches!(outcome, Outcome::Applied(_))));
    drop(engine);
    for _ in 0..3 {
        let mut engine = open();
        assert_eq!((engine.settings().dedupe_window, engine.settings().later_sweeps), (100, 7));
        assert_eq!(send_all(&mut engine), vec![Outcome::Duplicate; 10], "no key is lost on the way");
    }
    assert_eq!(n_settings(&storage), 1);
}

#[test]
fn what_a_host_says_after_the_opening_lasts_until_the_file_changes() {
    let directory = TempDir::new();
    let file = directory.path().join("settings.toml");
    fs::write(&file, "sweeps.later = 7\n").expect("room");
    let (tell, told) = channel();
    let builder = small().settings_file(&file).observe_with(move |notice| {
        if let Notice::SettingsRead { changes, .. } = notice {
            // A test that has ended listens no more.
            let _ = tell.send(changes.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    });
    let engine = builder.open().expect("usable settings");
    let mut settings = engine.settings();
    settings.later_sweeps = 9;
    engine.retune(settings).expect("in range");
    replace(&file, "sweeps.later = 7\nsweeps.first = 5\n");
    let changes = told.recv_timeout(PATIENCE).expect("it is told in time");
    assert_eq!(changes, ["sweeps.first: 8 → 5", "sweeps.later: 9 → 7"], "both at once, and nothing before");
}
