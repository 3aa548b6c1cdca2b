//! Sweeps, the gate before them, and models from elsewhere.

#[path = "../common/mod.rs"]
mod common;

mod a_checkerboard_is_recommended_right;
mod a_foreign_model_is_checked;
mod a_gate_has_the_last_word;
mod a_model_from_elsewhere_is_served;
mod a_policy_that_always_sweeps;
mod a_rollback_brings_the_model_before_back;
mod a_sweep_learns_what_came_before_its_freeze;
mod long_training;
mod the_number_of_factors_can_change;
mod the_same_events_give_the_same_bits;
