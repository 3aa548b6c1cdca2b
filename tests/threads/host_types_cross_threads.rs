//! What a host holds can be moved to and shared with its threads; every error is one.

use std::error::Error;
use std::hash::Hash;

fn send<T: Send + 'static>() {}
fn send_and_sync<T: Send + Sync + 'static>() {}
fn error<T: Error + Send + Sync + 'static>() {}
fn key<T: Clone + Ord + Hash + Send + Sync + 'static>() {}

#[test]
fn handles_move_and_are_shared() {
    send_and_sync::<segue::Engine>();
    send_and_sync::<segue::Reader>();
    send_and_sync::<segue::View>();
    send_and_sync::<segue::EventSender>();
    send_and_sync::<segue::Receipt>();
    send_and_sync::<segue::Recommendations>();
    send::<segue::ManualEngine>();
    send::<segue::EngineBuilder>();
    send::<segue::SweepHandle>();
    send::<segue::CheckpointHandle>();
    send_and_sync::<segue::Erasure>();
    send_and_sync::<segue::Durable>();
    send::<segue::Past>();
    send::<segue::JournaledEvents>();
    send::<segue::PrivateSession>();
    send_and_sync::<segue::DirStorage>();
    send_and_sync::<segue::MemoryStorage>();
    send_and_sync::<segue::TrainedModel>();
    send_and_sync::<segue::TrainingInput>();
    send::<segue::Als>();
    send::<segue::demo::DemoEvents>();
    key::<segue::UserId>();
    key::<segue::ItemId>();
    key::<segue::IdempotencyKey>();
}

#[test]
fn plugins_are_object_safe() {
    send_and_sync::<Box<dyn segue::Weigher>>();
    send_and_sync::<Box<dyn segue::SweepPolicy>>();
    send_and_sync::<Box<dyn segue::Clock>>();
    send::<Box<dyn segue::plugin::EventSource>>();
    send_and_sync::<segue::plugin::SourceWaker>();
    send_and_sync::<Box<dyn segue::Storage>>();
    send_and_sync::<std::sync::Arc<dyn segue::AppendFile>>();
    send_and_sync::<Box<dyn segue::StorageLock>>();
}

#[test]
fn errors_are_errors() {
    error::<segue::BuildError>();
    error::<segue::CheckpointError>();
    error::<segue::DurableError>();
    error::<segue::EngineError>();
    error::<segue::EraseError>();
    error::<segue::EventError>();
    error::<segue::FactorsError>();
    error::<segue::FoldInError>();
    error::<segue::GateRefusal>();
    error::<segue::InvalidEvent>();
    error::<segue::PairError>();
    error::<segue::ParamError>();
    error::<segue::PrivateSessionError>();
    error::<segue::QueryError>();
    error::<segue::Refusal>();
    error::<segue::SendError>();
    error::<segue::ShutdownError>();
    error::<segue::SignalError>();
    error::<segue::StorageFailure>();
    error::<segue::StoreError>();
    error::<segue::SweepError>();
    error::<segue::TagError>();
    error::<segue::TasteError>();
    error::<segue::TrainingError>();
    error::<segue::TrainingInputError>();
    error::<segue::TrySendError>();
    error::<segue::ViewAfterError>();
    error::<segue::demo::DemoWorldError>();
    error::<segue::maintenance::RepairError>();
}

#[test]
fn messages_name_the_value_and_the_cure() {
    let refusal = segue::Refusal::TooManyUsers { limit: 3 };
    assert_eq!(refusal.to_string(), "the engine holds 3 users already; raise `max_users`");
    let error = segue::ViewAfterError::Rejected(refusal);
    assert_eq!(error.source().map(ToString::to_string), Some(refusal.to_string()));
    let error = segue::EngineError::Refused(refusal);
    assert_eq!(error.source().map(ToString::to_string), Some(refusal.to_string()));
}
