//! `replay_until` gives the answers of then, bit for bit, and touches nothing.

use std::time::Duration;

use crate::common::{Answer, answers, now, random_events, small};
use segue::{
    BuildError, Durability, EngineBuilder, ManualClock, ManualEngine, MemoryStorage, StateDigest, Storage,
    Timestamp, UnitWeigher,
};

const USERS: u64 = 12;
const ITEMS: u64 = 30;

fn builder(storage: &MemoryStorage, clock: &ManualClock) -> EngineBuilder {
    let builder = small().clock(clock.clone()).journal_segment_bytes(4_000);
    builder.store_in(storage.clone(), Durability::Buffered)
}

fn files(storage: &MemoryStorage) -> Vec<(String, Option<Vec<u8>>)> {
    let names = storage.list().expect("in memory");
    names.into_iter().map(|name| (name.clone(), storage.contents(&name))).collect()
}

/// What the engine knew at some moment.
struct Moment {
    at: Timestamp,
    answers: Vec<Answer>,
    digest: StateDigest,
}

fn live(engine: &mut ManualEngine, clock: &ManualClock, rounds: u64) -> Vec<Moment> {
    let moment = |round| {
        for event in random_events(round, 60, USERS, ITEMS) {
            engine.apply(event).expect("well formed");
        }
        engine.pump();
        match round % 4 {
            1 => drop(engine.sweep().expect("there is something to learn")),
            2 => drop(engine.checkpoint().expect("the store is healthy")),
            // No checkpoint comes after it: that would erase what came before.
            3 if round == 11 => drop(engine.forget_user(round % USERS)),
            _ => drop(engine.merge_users((round + 1) % USERS, (round + 2) % USERS)),
        }
        engine.pump();
        let digest = engine.digest();
        let answers = answers(&engine.reader().view(), USERS, ITEMS);
        // One that lives in memory alone has nothing to flush.
        let _ = engine.flush();
        let at = now().saturating_add(Duration::from_secs(60 * round));
        clock.advance(Duration::from_secs(60));
        Moment { at, answers, digest }
    };
    (0..rounds).map(moment).collect()
}

#[test]
fn every_moment_gives_its_own_answers_again_beside_a_running_engine() {
    let (storage, clock) = (MemoryStorage::new(), ManualClock::at(now()));
    let mut engine = builder(&storage, &clock).keep_journal().open_manual().expect("a new store");
    let moments = live(&mut engine, &clock, 12);
    let before = files(&storage);
    for moment in &moments {
        for late in [Duration::ZERO, Duration::from_secs(59)] {
            // What the builder says of learning does not count.
            let asking = small().weigher(UnitWeigher).half_life(Duration::from_secs(1));
            let asking = asking.store_in(storage.clone(), Durability::Immediate);
            let mut past = asking.replay_until(moment.at.saturating_add(late)).expect("within reach");
            assert_eq!(past.at(), moment.at);
            assert_eq!(answers(&past.reader().view(), USERS, ITEMS), moment.answers);
            assert_eq!(past.digest(), moment.digest);
        }
    }
    assert_eq!(files(&storage), before, "not a byte is written");
}

#[test]
fn what_the_store_does_not_reach_back_to_is_refused() {
    let (storage, clock) = (MemoryStorage::new(), ManualClock::at(now()));
    let replay = |time| builder(&storage, &clock).replay_until(time);
    assert!(matches!(replay(now()), Err(BuildError::NoStore)));
    assert!(matches!(small().replay_until(now()), Err(BuildError::NoStore)));

    let mut engine = builder(&storage, &clock).open_manual().expect("a new store");
    let before = Timestamp::from_unix_seconds(0);
    let error = replay(before).expect_err("there was no store then");
    assert!(matches!(error, BuildError::TooLongAgo { earliest: Some(at) } if at == now()), "{error}");

    let moments = live(&mut engine, &clock, 12);
    // The journal begins with the last checkpoint but one.
    let kept = &moments[6];
    assert!(replay(kept.at).is_ok());
    let error = replay(moments[5].at).expect_err("it is gone");
    assert!(matches!(error, BuildError::TooLongAgo { earliest: Some(at) } if at == kept.at), "{error}");
}

#[test]
fn a_store_begun_with_a_backup_reaches_back_to_it() {
    let (storage, clock) = (MemoryStorage::new(), ManualClock::at(now()));
    let mut first = small().clock(clock.clone()).open_manual().expect("usable settings");
    live(&mut first, &clock, 2);
    first.backup_in(storage.clone()).expect("an empty place");
    let begun = now().saturating_add(Duration::from_secs(120));
    let known = answers(&first.reader().view(), USERS, ITEMS);
    clock.advance(Duration::from_secs(60));
    let mut engine = builder(&storage, &clock).keep_journal().open_manual().expect("a whole backup");
    for _ in 0..4 {
        live(&mut engine, &clock, 1);
        engine.checkpoint().expect("the store is healthy");
    }
    let past = builder(&storage, &clock).replay_until(begun).expect("within reach");
    assert_eq!(answers(&past.reader().view(), USERS, ITEMS), known);
    let error = builder(&storage, &clock).replay_until(now()).expect_err("before the backup");
    assert!(matches!(error, BuildError::TooLongAgo { earliest: Some(at) } if at == begun), "{error}");
}
