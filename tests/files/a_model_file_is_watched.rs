//! A model that is put into a watched directory is served, whole or not at all, and what is no model is named.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use crate::common::files::{is_a_file_amiss, replace};
use crate::common::temp::TempDir;
use crate::common::{PATIENCE, Random};
use segue::export::Export;
use segue::{
    AlsParams, Durability, Engine, EngineBuilder, Event, ManualEngine, MemoryStorage, ModelFileError,
    NeverSweep, Notice, TrainingError,
};

/// What an observer is told, as text that can be sent.
#[derive(Debug, PartialEq)]
enum Told {
    Read(usize),
    Refused(ModelFileError),
    Published(u64),
    Failed,
}

fn als(n_factors: usize) -> AlsParams {
    AlsParams::builder().n_factors(n_factors).build().expect("usable settings")
}

/// An engine that watches `factors.npz` in a directory, and what it tells.
fn watching(directory: &Path, builder: EngineBuilder) -> (Engine, Receiver<Told>) {
    let (tell, told) = channel();
    let observe = move |notice: &Notice<'_>| {
        let told = if let Notice::ModelRead { n_users, .. } = *notice {
            Told::Read(n_users)
        } else if let Notice::ModelRefused { error, .. } = *notice {
            Told::Refused(error.clone())
        } else if let Notice::Published(report) = *notice {
            Told::Published(report.generation.get())
        } else if let Notice::SweepFailed(_) = *notice {
            Told::Failed
        } else {
            return;
        };
        // Whoever asked may have heard enough.
        let _ = tell.send(told);
    };
    let builder = builder.als(als(8)).sweep_policy(NeverSweep).threads(1).observe_with(observe);
    (builder.model_file(directory.join("factors.npz")).open().expect("usable settings"), told)
}

/// A trained engine whose users and items have these numbers.
fn trained(seed: u64, n_users: u64, n_factors: usize) -> ManualEngine {
    let mut random = Random::new(seed);
    let mut engine = Engine::builder()
        .als(als(n_factors))
        .sweep_policy(NeverSweep)
        .open_manual()
        .expect("usable settings");
    engine.import((0..20 * n_users).map(|at| Event::listen(at % n_users, random.below(50))));
    engine.sweep().expect("there is something to learn");
    engine
}

/// Writes what an engine knows as a host would: the lists first, the archive by a rename.
fn put(directory: &Path, engine: &ManualEngine) {
    put_as_of(directory, engine, SystemTime::now());
}

/// The same, of an archive that keeps the time at which it was written elsewhere.
fn put_as_of(directory: &Path, engine: &ManualEngine, written: SystemTime) {
    let view = engine.reader().view();
    let export = Export::of(&view);
    let (mut users, mut items, mut archive) = (Vec::new(), Vec::new(), Vec::new());
    export.write_user_ids(&mut users).expect("memory");
    export.write_item_ids(&mut items).expect("memory");
    export.write_npz(&mut archive).expect("memory");
    fs::write(directory.join("users.txt"), users).expect("room");
    fs::write(directory.join("items.txt"), items).expect("room");
    fs::write(directory.join("new"), archive).expect("room");
    let new = fs::File::options().write(true).open(directory.join("new")).expect("it is there");
    new.set_modified(written).expect("it is ours");
    fs::rename(directory.join("new"), directory.join("factors.npz")).expect("the same directory");
}

fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(PATIENCE).expect("it is told in time")
}

/// Waits for generation `number`. What is seen before all files are in place may be refused.
fn wait_for(told: &Receiver<Told>, number: u64) {
    while next(told) != Told::Published(number) {}
}

fn assert_serves(engine: &Engine, model: &ManualEngine, n_users: u64) {
    let (view, theirs) = (engine.reader().view(), model.reader().view());
    for user in 0..n_users {
        let (ours, theirs) = (view.user(user), theirs.user(user));
        for item in 0..50_u64 {
            let (ours, theirs) = (ours.estimate([item])[0], theirs.estimate([item])[0]);
            let (ours, theirs) = (ours.expect("known"), theirs.expect("known"));
            assert!((ours - theirs).abs() < 1e-5, "{user} and {item}: {ours}, not {theirs}");
        }
    }
}

#[test]
fn a_model_is_served_once_its_files_are_there_and_again_when_they_are_others() {
    let directory = TempDir::new();
    let (engine, told) = watching(directory.path(), Engine::builder());
    let first = trained(1, 60, 8);
    put(directory.path(), &first);
    wait_for(&told, 1);
    assert_serves(&engine, &first, 60);
    let second = trained(2, 80, 8);
    put(directory.path(), &second);
    wait_for(&told, 2);
    assert_serves(&engine, &second, 80);
}

#[test]
fn what_is_no_model_is_named_and_the_one_in_use_stays() {
    let directory = TempDir::new();
    let model = trained(3, 60, 8);
    put(directory.path(), &model);
    let (engine, told) = watching(directory.path(), Engine::builder());
    assert_eq!(next(&told), Told::Read(60));
    assert_eq!(next(&told), Told::Published(1));
    // Of another number of factors.
    put(directory.path(), &trained(3, 60, 9));
    let refused = loop {
        if let Told::Refused(ModelFileError::Training(error)) = next(&told) {
            break error;
        }
    };
    assert_eq!(refused, TrainingError::OtherFactors { model: 9, engine: 8 });
    replace(&directory.path().join("factors.npz"), "no archive");
    let message = loop {
        if let Told::Refused(ModelFileError::Unreadable { message }) = next(&told) {
            break message;
        }
    };
    assert!(message.contains("not a whole .npz archive"), "{message}");
    assert_serves(&engine, &model, 60);
    let health = engine.health().to_string();
    assert!(health.contains("factors.npz is not in force: ") && health.contains(&message), "{health}");
    fs::remove_file(directory.path().join("factors.npz")).expect("it is there");
    while is_a_file_amiss(&engine) {
        std::thread::yield_now();
    }
}

#[test]
fn a_file_that_was_dealt_with_is_not_adopted_again_by_the_next_start() {
    let (directory, storage) = (TempDir::new(), MemoryStorage::new());
    let model = trained(4, 60, 8);
    put(directory.path(), &model);
    let stored = || Engine::builder().store_in(storage.clone(), Durability::Buffered);
    let (engine, told) = watching(directory.path(), stored());
    wait_for(&told, 1);
    drop(engine);
    let (engine, told) = watching(directory.path(), stored());
    assert_serves(&engine, &model, 60);
    assert_eq!(engine.reader().view().generation().get(), 1);
    // What comes now is the first that it hears of.
    let other = trained(5, 70, 8);
    put(directory.path(), &other);
    wait_for(&told, 2);
    assert_serves(&engine, &other, 70);
    drop(engine);
    // And what is moved there while it runs is news, however long ago it was written.
    fs::remove_file(directory.path().join("factors.npz")).expect("it is there");
    let (engine, told) = watching(directory.path(), stored());
    put_as_of(directory.path(), &model, SystemTime::now() - Duration::from_secs(3_600));
    wait_for(&told, 3);
    assert_serves(&engine, &model, 60);
}
