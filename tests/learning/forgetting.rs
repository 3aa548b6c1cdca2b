//! Who is forgotten is gone: from answers at once, from every restart, and from the bytes on the disk once it is
//! said so.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use crate::common::power::{Fault, FaultyStorage, Plan};
use crate::common::temp::TempDir;
use crate::common::{PATIENCE, random_events, small};
use segue::{
    CheckpointEvery, Durability, Engine, EngineBuilder, EraseError, Event, ItemId, ManualEngine,
    MemoryStorage, Outcome, Refusal, Storage, View,
};

/// Names that are nowhere by chance.
const USER: &str = "zaphod-beeblebrox";
const ITEM: &str = "the-long-dark-tea-time";
const KEY: &str = "improbable-key";

fn builder() -> EngineBuilder {
    small().checkpoint_every(CheckpointEvery::call())
}

fn open(directory: &Path) -> Engine {
    builder().store(directory, Durability::Immediate).open().expect("a whole store")
}

fn open_in(storage: &FaultyStorage) -> ManualEngine {
    let builder = builder().store_in(storage.clone(), Durability::Immediate).journal_segment_bytes(2_000);
    builder.open_manual().expect("a whole store")
}

/// What everybody does, the user and the item that are to be forgotten among them.
fn events() -> Vec<Event> {
    let mut events = random_events(1, 40, 6, 8);
    events.push(Event::listen(USER, 3).key(KEY));
    events.push(Event::like(USER, ITEM));
    events.push(Event::like("trillian", ITEM));
    events.push(Event::listen("trillian", 3));
    events
}

fn learn(engine: &Engine) {
    let sender = engine.sender();
    let receipts: Vec<_> =
        events().into_iter().map(|event| sender.send_tracked(event).expect("it runs")).collect();
    assert!(receipts.iter().all(|receipt| receipt.wait(PATIENCE).is_some()));
    engine.sweep_now().expect("it runs").wait().expect("there is something to learn");
    engine.checkpoint().expect("it runs").wait().expect("there is room");
}

/// Whether any file holds the text.
fn is_on_disk(directory: &Path, text: &str) -> bool {
    let files = fs::read_dir(directory).expect("it is there");
    files.into_iter().any(|file| holds(&fs::read(file.expect("it is there").path()).expect("a file"), text))
}

fn is_stored(storage: &FaultyStorage, text: &str) -> bool {
    let names = storage.list().expect("it is on");
    names.iter().any(|name| storage.contents(name).is_some_and(|bytes| holds(&bytes, text)))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn assert_unknown(view: &View) {
    let user = view.user(USER);
    assert!(!user.is_known() && user.history().is_empty());
}

fn knows_item(view: &View, user: &str) -> bool {
    view.user(user).history().iter().any(|entry| entry.item == ItemId::from(ITEM))
}

/// Learns everything, writes a checkpoint, and forgets the user. Gives the operations of the storage by then.
fn forget(storage: &FaultyStorage) -> (ManualEngine, u64) {
    let mut engine = open_in(storage);
    for event in events() {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
    engine.checkpoint().expect("there is room");
    assert!(matches!(engine.forget_user(USER), Outcome::Applied(_)));
    (engine, storage.operations())
}

#[test]
fn a_user_is_gone_from_answers_at_once_and_from_the_disk_when_it_is_said() {
    let temp = TempDir::new();
    let engine = open(temp.path());
    learn(&engine);
    let reader = engine.reader();
    assert!(reader.view().user(USER).is_known());
    assert!(is_on_disk(temp.path(), USER) && is_on_disk(temp.path(), KEY), "the search finds what is there");

    let erasure = engine.forget_user(USER).expect("it runs");
    assert!(matches!(erasure.receipt().wait(PATIENCE), Some(Outcome::Applied(_))));
    assert_unknown(&reader.view());
    erasure.wait_erased(PATIENCE).expect("there is room");
    assert!(!is_on_disk(temp.path(), USER) && !is_on_disk(temp.path(), KEY));

    drop(engine);
    for _ in 0..2 {
        assert_unknown(&open(temp.path()).reader().view());
        assert!(!is_on_disk(temp.path(), USER) && !is_on_disk(temp.path(), KEY));
    }
}

#[test]
fn who_comes_back_is_somebody_new() {
    let temp = TempDir::new();
    let engine = open(temp.path());
    learn(&engine);
    engine.forget_user(USER).expect("it runs").wait_erased(PATIENCE).expect("there is room");
    // The key went with its user.
    let receipt = engine.sender().send_tracked(Event::listen(USER, 5).key(KEY)).expect("it runs");
    assert!(matches!(receipt.wait(PATIENCE), Some(Outcome::Applied(_))));
    drop(engine);
    let history = open(temp.path()).reader().view().user(USER).history();
    assert_eq!(history.iter().map(|entry| entry.events).collect::<Vec<_>>(), [1]);
}

#[test]
fn an_item_is_gone_from_histories_lists_and_the_disk() {
    let temp = TempDir::new();
    let engine = open(temp.path());
    learn(&engine);
    assert!(knows_item(&engine.reader().view(), "trillian"));
    let erasure = engine.forget_item(ITEM).expect("it runs");
    assert!(matches!(erasure.receipt().wait(PATIENCE), Some(Outcome::Applied(_))));
    let is_gone = |view: &View| {
        let list = view.popular().limit(usize::MAX).run().expect("always an answer");
        assert!(list.ids().all(|item| *item != ItemId::from(ITEM)));
        assert!(!knows_item(view, "trillian") && !knows_item(view, USER));
        assert!(view.user("trillian").is_known() && view.user(USER).is_known());
    };
    is_gone(&engine.reader().view());
    erasure.wait_erased(PATIENCE).expect("there is room");
    assert!(!is_on_disk(temp.path(), ITEM) && is_on_disk(temp.path(), USER));
    drop(engine);
    is_gone(&open(temp.path()).reader().view());
}

#[test]
fn of_two_users_made_one_the_first_is_nobody() {
    let temp = TempDir::new();
    let engine = open(temp.path());
    learn(&engine);
    let receipt = engine.merge_users(USER, "trillian").expect("it runs");
    assert!(matches!(receipt.wait(PATIENCE), Some(Outcome::Applied(_))));
    let is_one = |view: &View| {
        assert_unknown(view);
        let history = view.user("trillian").history();
        let mut events: Vec<_> = history.iter().map(|entry| (entry.item.clone(), entry.events)).collect();
        events.sort();
        let mut expected = vec![(3.into(), 2), (ItemId::from(ITEM), 2)];
        expected.sort();
        assert_eq!(events, expected);
    };
    is_one(&engine.reader().view());
    // The key came with its user.
    let again = engine.sender().send_tracked(Event::listen("trillian", 3).key(KEY)).expect("it runs");
    assert_eq!(again.wait(PATIENCE), Some(Outcome::Duplicate));
    drop(engine);
    is_one(&open(temp.path()).reader().view());
}

#[test]
fn nobody_forgotten_comes_back_whenever_the_process_is_killed_or_the_power_cut() {
    let healthy = FaultyStorage::new(1);
    let (mut engine, forgotten_at) = forget(&healthy);
    engine.checkpoint().expect("there is room");
    assert!(!is_stored(&healthy, USER) && !is_stored(&healthy, KEY));

    for at in forgotten_at + 1..=healthy.operations() {
        for seed in 0..8 {
            let storage = FaultyStorage::new(seed).with_plan(Plan::once(at, Fault::PowerCut));
            let (mut engine, _) = forget(&storage);
            engine.checkpoint().map(drop).expect_err("the power is cut");
            assert_unknown(&engine.reader().view());
            let found = if seed % 2 == 0 { storage.kill() } else { storage.reboot(seed) };
            drop(engine);
            let mut engine = open_in(&found);
            assert_unknown(&engine.reader().view());
            engine.checkpoint().expect("there is room");
            assert!(!is_stored(&found, USER) && !is_stored(&found, KEY), "cut off at {at}: {found:?}");
            drop(engine);
            assert_unknown(&open_in(&found).reader().view());
        }
    }
}

#[test]
fn an_erasure_that_was_cut_off_anywhere_goes_on_by_itself() {
    let healthy = FaultyStorage::new(1);
    let (mut engine, forgotten_at) = forget(&healthy);
    engine.checkpoint().expect("there is room");
    for at in forgotten_at + 1..=healthy.operations() {
        for is_killed in [true, false] {
            let storage = FaultyStorage::new(at).with_plan(Plan::once(at, Fault::PowerCut));
            let (mut engine, _) = forget(&storage);
            engine.checkpoint().map(drop).expect_err("the power is cut");
            let found = if is_killed { storage.kill() } else { storage.reboot(at) };
            drop(engine);
            let builder = builder().store_in(found.clone(), Durability::Immediate);
            let _engine = builder.open().expect("a whole store");
            let deadline = Instant::now() + PATIENCE;
            while is_stored(&found, USER) || is_stored(&found, KEY) {
                assert!(Instant::now() < deadline, "nothing erases it, cut off at {at}: {found:?}");
                thread::yield_now();
            }
        }
    }
}

#[test]
fn without_a_store_it_is_erased_as_soon_as_it_is_forgotten() {
    let engine = builder().open().expect("usable settings");
    let sender = engine.sender();
    for event in events() {
        sender.send(event).expect("it runs");
    }
    engine.forget_user(USER).expect("it runs").wait_erased(PATIENCE).expect("there is memory alone");
    engine.forget_item(ITEM).expect("it runs").wait_erased(PATIENCE).expect("there is memory alone");
    assert_unknown(&engine.reader().view());
}

#[test]
fn who_was_never_there_cannot_be_forgotten() {
    let temp = TempDir::new();
    let engine = open(temp.path());
    let wait = |erasure: segue::Erasure| erasure.wait_erased(PATIENCE);
    let user = wait(engine.forget_user(USER).expect("it runs"));
    assert_eq!(user, Err(EraseError::Rejected(Refusal::UnknownUser)));
    let item = wait(engine.forget_item(ITEM).expect("it runs"));
    assert_eq!(item, Err(EraseError::Rejected(Refusal::UnknownItem)));
}

#[test]
fn nobody_is_merged_into_a_user_whom_no_event_can_name() {
    let storage = MemoryStorage::new();
    let stored = || small().store_in(storage.clone(), Durability::Buffered).open_manual().expect("whole");
    let mut engine = stored();
    engine.apply(Event::listen("ana", "muse")).expect("well formed");
    engine.pump();
    for into in [String::new(), "x".repeat(257), "x".repeat(2 << 20)] {
        assert_eq!(engine.merge_users("ana", into), Outcome::Rejected(Refusal::UnusableUser));
    }
    assert!(matches!(engine.merge_users("ana", "x".repeat(256)), Outcome::Applied(_)));
    let digest = engine.digest();
    drop(engine);
    assert_eq!(stored().digest(), digest);
}
