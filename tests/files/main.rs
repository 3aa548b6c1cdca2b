//! Files that are watched, exported and read.

#[path = "../common/mod.rs"]
mod common;

mod a_model_file_is_watched;
mod a_settings_file_goes_before_the_builder;
mod an_export_gives_the_scores_of_recommend;
mod an_export_is_whole_or_not_there;
mod archives_of_numpy_are_read;
mod lists_are_read_from_watched_files;
