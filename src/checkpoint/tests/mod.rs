//! States made by hand, written and read back: whole, damaged and large.

mod damage;
mod format;
mod large;
mod round_trip;
mod world;
mod writing;
