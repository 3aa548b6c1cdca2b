//! What the source and the pages keep to.

mod layering;
mod readme_shows_the_quickstart;
