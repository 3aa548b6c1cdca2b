//! Handles, queues and receipts across the threads of a host.

#[path = "../common/mod.rs"]
mod common;

mod a_full_queue_hands_the_event_back;
mod a_receipt_is_a_future;
mod a_view_after_a_receipt_has_its_event;
mod an_engine_can_be_dropped_anywhere;
mod host_types_cross_threads;
