//! Events that the engine fetches.

#[path = "../common/mod.rs"]
mod common;

mod a_source_is_learned_exactly_once;
mod a_source_offset_comes_with_its_events;
mod a_source_that_misbehaves;
mod a_spool_is_read_exactly_once;
mod a_spool_takes_whatever_it_is_given;
