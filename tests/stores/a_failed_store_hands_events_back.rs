//! Once the store has failed, those who send without a receipt learn of it too.

use crate::common::power::{Fault, FaultyStorage, Plan};
use crate::common::{PATIENCE, small};
use segue::{Durability, Event, Outcome, Refusal, SendError, TrySendError};

#[test]
fn every_way_to_send_hands_the_event_back() {
    let storage = FaultyStorage::new(1);
    let builder = small().store_in(storage.clone(), Durability::Immediate);
    let engine = builder.open().expect("a new store");
    let sender = engine.sender();
    let event = Event::listen("ana", "tricky");
    let receipt = sender.send_tracked(event.clone()).expect("healthy");
    assert!(matches!(receipt.wait(PATIENCE), Some(Outcome::Applied(_))));

    storage.set_plan(Plan::once(storage.operations() + 1, Fault::Io));
    // The writer finds out with this one, unless it has stored a batch of items before; what was on its way has only its
    // receipt to tell.
    match sender.send_tracked(event.clone()) {
        Ok(receipt) => {
            let outcome = receipt.wait(PATIENCE);
            assert!(matches!(outcome, Some(Outcome::StoreFailed | Outcome::Rejected(Refusal::ReadOnly))));
        }
        Err(error) => assert_eq!(error, SendError::ReadOnly(event.clone())),
    }
    assert_eq!(sender.send(event.clone()), Err(SendError::ReadOnly(event.clone())));
    assert_eq!(sender.try_send(event.clone()), Err(TrySendError::ReadOnly(event.clone())));
    assert_eq!(sender.send_timeout(event.clone(), PATIENCE), Err(TrySendError::ReadOnly(event.clone())));
    let error = sender.send_tracked(event.clone()).expect_err("nothing is learned any more");
    assert_eq!(error.into_event(), event);

    engine.shutdown(PATIENCE).expect("the writer is well");
    assert_eq!(sender.send(event.clone()), Err(SendError::Stopped(event)));
}
