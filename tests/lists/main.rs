//! What is recommended, to whom, in which order, and why.

#[path = "../common/mod.rs"]
mod common;

mod a_cold_answer_says_why;
mod a_delisted_item_is_gone_at_once;
mod a_diverse_list_is_the_greedy_one;
mod a_list_is_as_familiar_as_asked;
mod flags_of_the_catalogue_decide_what_is_shown;
mod lists_hold_what_is_available_in_a_market;
mod policies_of_lists;
mod recommendations_equal_brute_force;
mod what_was_heard_of_late_cools_down;
