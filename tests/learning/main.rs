//! How events become histories, vectors and popularity.

#[path = "../common/mod.rs"]
mod common;

mod a_private_session_leaves_no_trace;
mod a_skip_says_less_where_everybody_skips;
mod a_young_world_grows_up;
mod an_idempotency_key_is_learned_once;
mod an_import_does_not_starve_the_rest;
mod bad_input_changes_nothing;
mod bulk_import;
mod degenerate_worlds_stay_finite;
mod forgetting;
mod histories_equal_a_naive_model;
mod live_world;
mod new_items_come_in_between_sweeps;
mod old_tastes_fade;
mod undo_takes_back_exactly;
