//! The invented world, data sets of others, and how good lists are.

mod demo_learnable;
mod demo_world;
mod evaluate_block_world;
mod evaluate_readers;
mod evaluate_save;
mod import_lastfm_2k;
mod import_published_lastfm_2k;
