//! What a store keeps, and what becomes of it when something fails.

#[path = "../common/mod.rs"]
mod common;

mod a_failed_store_hands_events_back;
mod a_storage_that_lies;
mod a_store_can_be_rebuilt;
mod a_store_that_fails;
mod repairing_a_store;
mod the_past_can_be_replayed;
mod the_power_cut_simulator;
