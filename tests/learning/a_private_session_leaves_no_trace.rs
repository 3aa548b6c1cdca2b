//! A private session shapes its own answers, and nothing else.

use crate::common::{answers, random_events, small};
use segue::{
    Durability, Event, HistoryEntry, ItemId, MemoryStorage, PrivateSession, PrivateSessionError, Signal,
    Storage, View,
};

const USERS: u64 = 12;
const ITEMS: u64 = 30;

fn list(session: &PrivateSession, view: &View) -> Vec<(ItemId, u32)> {
    let list = session.user(view).recommend().limit(usize::MAX).run().expect("always an answer");
    list.into_iter().map(|pick| (pick.item, pick.score.to_bits())).collect()
}

fn files(storage: &MemoryStorage) -> Vec<(String, Option<Vec<u8>>)> {
    let names = storage.list().expect("in memory");
    names.into_iter().map(|name| (name.clone(), storage.contents(&name))).collect()
}

#[test]
fn its_events_change_its_answers_and_nobody_elses() {
    let storage = MemoryStorage::new();
    let builder = small().store_in(storage.clone(), Durability::Buffered);
    let mut engine = builder.open_manual().expect("a new store");
    engine.import(random_events(1, 400, USERS, ITEMS));
    engine.sweep().expect("there is something to learn");
    let digest = engine.digest();
    engine.pump();
    let (bytes, view) = (files(&storage), engine.reader().view());
    let before = answers(&view, USERS, ITEMS);

    for user in [3, 99] {
        let mut session = engine.private_session(user);
        let mut last = list(&session, &view);
        for item in 0..5 {
            session.push(Event::like(user, item)).expect("well formed");
            let next = list(&session, &view);
            assert_ne!(next, last, "each event changes the answers");
            assert!(next.iter().all(|(listed, _)| *listed != ItemId::from(item)), "it is known now");
            last = next;
        }
        // Of an item that nobody knows, and the taking back of an event.
        session.push(Event::like(user, "unheard of")).expect("well formed");
        assert_eq!(list(&session, &view), last);
        session.push(Event::like(user, 7)).expect("well formed");
        session.push(Event::undo(Event::like(user, 7))).expect("it is in the session");
        assert_eq!(list(&session, &view), last);

        // It goes with whatever view it is given.
        assert_eq!(
            session.user(&view).recommend().run().expect("an answer").provenance().generation,
            view.generation()
        );
    }
    assert_eq!(answers(&engine.reader().view(), USERS, ITEMS), before);
    assert_eq!(files(&storage), bytes);
    assert_eq!(engine.digest(), digest);
}

#[test]
fn it_answers_as_if_its_events_had_been_learned_in_any_generation() {
    let mut private = small().open_manual().expect("usable settings");
    private.import(random_events(1, 400, USERS, ITEMS));
    let mut session = private.private_session(3);
    let events = [Event::like(3, 5), Event::skip(3, 6), Event::listen(3, 7)];
    for event in events.clone() {
        session.push(event).expect("well formed");
    }
    for _ in 0..2 {
        private.sweep().expect("there is something to learn");
        let view = private.reader().view();
        let mine = list(&session, &view);
        let history: Vec<HistoryEntry> = session.user(&view).history();
        assert_eq!(mine, list(&session.clone(), &view));
        assert!(history.iter().any(|entry| entry.item == ItemId::from(7)));
    }
    let view = private.reader().view();
    let (mine, mut history) = (list(&session, &view), session.user(&view).history());
    for event in events {
        private.apply(event).expect("well formed");
    }
    private.pump();
    let view_after = private.reader().view();
    assert_eq!(view_after.generation(), view.generation());
    let learned = private.private_session(3);
    let mut expected = learned.user(&view_after).history();
    for entries in [&mut history, &mut expected] {
        entries.sort_by(|a, b| a.item.cmp(&b.item));
    }
    assert_eq!(history, expected);
    assert_eq!(list(&learned, &view), mine, "bit for bit, against the same items");
}

#[test]
fn what_is_refused_comes_back_and_changes_nothing() {
    let odd = Signal::new(1.0, 1.0).expect("in range");
    let builder = small().weigh_with(move |facts| {
        assert!(facts.item.as_u64() != Some(13), "an unlucky number");
        odd
    });
    let engine = builder.open_manual().expect("usable settings");
    let mut session = engine.private_session("ana");
    let refused = |session: &mut PrivateSession, event: Event| {
        let error = session.push(event.clone()).expect_err("refused");
        assert_eq!(error.clone().into_event(), event);
        error
    };
    assert!(matches!(refused(&mut session, Event::listen("ben", 1)), PrivateSessionError::AnotherUser(_)));
    assert!(matches!(refused(&mut session, Event::listen("ana", "")), PrivateSessionError::Invalid(_)));
    assert!(matches!(
        refused(&mut session, Event::listen("ana", 13)),
        PrivateSessionError::WeigherPanicked(_)
    ));
    assert!(matches!(
        refused(&mut session, Event::undo(Event::like("ana", 1))),
        PrivateSessionError::NothingToUndo(_)
    ));
    assert!(session.is_empty());
    assert_eq!(engine.stats().plugin_panics, 1);
}
