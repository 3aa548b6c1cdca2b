//! Whether a plug-in keeps what its seam promises: for the tests of whoever writes one. Needs the feature `testing`.
//!
//! Each `check_…` puts a plug-in to the test on a small world and panics with what it did wrong: it panicked, was slow,
//! answered what no answer can be, or answered the same question in two ways. What passes here has done no such thing in
//! the cases of this test, which are many and not all; whether its answers are any good is for its own tests to say.
//!
//! For unit tests of those answers there are the facts that plug-ins are told, made up: [`event_facts`], [`sweep_context`],
//! [`gate_facts`], [`TestRequest`] and [`candidate`].
//!
//! A plug-in that goes by ids of the host's, or by what requests carry, is put to the test in a [`World`] of its own events and
//! requests.
//!
//! ```
//! use segue::plugin::SpacedBy;
//! use segue::testing::{World, check_slate};
//! use segue::{Event, ItemId};
//!
//! let artist = |item: &ItemId| item.to_string().split_once('/').map(|(artist, _)| artist.to_owned());
//! check_slate(SpacedBy::new(2, artist));
//!
//! let songs = ["air/la femme", "air/sexy boy", "muse/uprising"];
//! let events = (0..20_u64).flat_map(|user| songs.map(|song| Event::listen(user, song)));
//! World::of(events).check_slate(SpacedBy::new(2, artist));
//! ```

mod complaints;
mod facts;
mod lists;
mod others;
mod sources;
mod world;

pub use facts::{event_facts, gate_facts, sweep_context};
pub use lists::{check_filter, check_rescorer, check_slate};
pub use others::{
    check_clock, check_observer, check_storage, check_sweep_gate, check_sweep_policy, check_weigher,
};
pub use sources::check_event_source;
pub use world::World;

pub use crate::query::{TestRequest, candidate, heard};

#[cfg(test)]
mod tests;
