//! The events of a whole journal give an engine with another weigher what it would have learned from the start.

use crate::common::{random_events, small};
use segue::{
    Durability, Event, HistoryEntry, JournaledEvent, ManualEngine, MemoryStorage, StoreError, UnitWeigher,
    journaled_events,
};

const USERS: u64 = 12;

fn histories(engine: &ManualEngine) -> Vec<Vec<HistoryEntry>> {
    let view = engine.reader().view();
    let history = |user: u64| {
        let mut entries = view.user(user).history();
        entries.sort_by(|a, b| a.item.cmp(&b.item));
        entries
    };
    (0..USERS).map(history).collect()
}

/// A life with changes of every kind.
fn live(engine: &mut ManualEngine) {
    for round in 0..6 {
        for event in random_events(round, 80, USERS, 20) {
            engine.apply(event).expect("well formed");
        }
        engine.pump();
        match round {
            1 => drop(engine.forget_user(3)),
            2 => drop((engine.merge_users(4, 5), engine.merge_users(5, 6))),
            3 => drop(engine.forget_item(7)),
            4 => drop(engine.merge_users(6, 3)),
            _ => {}
        }
    }
}

#[test]
fn a_rebuilt_engine_knows_what_one_of_its_kind_would_have() {
    let storage = MemoryStorage::new();
    let builder = small().store_in(storage.clone(), Durability::Buffered).keep_journal();
    let mut first = builder.open_manual().expect("a new store");
    live(&mut first);
    first.flush().expect("the store is healthy");

    let mut from_the_start = small().weigher(UnitWeigher).open_manual().expect("usable settings");
    live(&mut from_the_start);
    let mut rebuilt = small().weigher(UnitWeigher).open_manual().expect("usable settings");
    let events: Vec<JournaledEvent> =
        journaled_events(storage).expect("a whole journal").collect::<Result<_, _>>().expect("whole");
    assert!(events.iter().all(|one| one.event.timestamp().is_some()));
    let report = rebuilt.import(events.into_iter().map(|one| one.event));
    assert!(report.refused.is_empty() && report.malformed == 0, "{report:?}");
    assert_eq!(histories(&rebuilt), histories(&from_the_start));
    assert_ne!(histories(&rebuilt), histories(&first));
}

#[test]
fn a_shortened_journal_is_refused() {
    let storage = MemoryStorage::new();
    let builder = small().store_in(storage.clone(), Durability::Buffered);
    let mut engine = builder.open_manual().expect("a new store");
    for item in 0..3_u64 {
        engine.apply(Event::listen("ana", item)).expect("well formed");
        engine.checkpoint().expect("the store is healthy");
    }
    assert!(matches!(journaled_events(storage), Err(StoreError::NoBeginning { .. })));

    let backup = MemoryStorage::new();
    engine.backup_in(backup.clone()).expect("an empty place");
    assert!(matches!(journaled_events(backup), Err(StoreError::NoBeginning { .. })));
    assert_eq!(journaled_events(MemoryStorage::new()).expect("an empty store").count(), 0);
}
