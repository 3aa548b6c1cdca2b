//! An invented music world with listeners in it: endless events from a seed, and the truth behind them.
//!
//! For examples, tests and benchmarks, where real listening data may not be shipped. Every name is
//! invented.
//!
//! How it works. An artist belongs to a genre and, within it, to one of a few *scenes* that no tag tells
//! of; it has moods, a tempo, an energy, and a popularity that falls as a power of its rank. A listener
//! has four tastes at a time, each for one scene and, more weakly, for the genre and the family of genres
//! around it; each taste fades after [`taste_life`](DemoWorldBuilder::taste_life) and gives way to
//! another, one listener's tastes at different times. Listeners come in sessions, at hours that suit
//! their habits; a session mostly follows one taste and prefers an energy that suits the hour: calm at
//! night, lively in the morning, or what an activity such as running asks for. Part of what they play
//! they know already, part is new to them, part is just popular. What does not please is skipped more
//! often; what pleases is sometimes liked or saved, and rarely is that taken back.
//!
//! So there is something to learn: who shares a scene shares artists, and popularity alone is a poor guide.

mod artist;
mod builder;
mod day;
mod events;
mod genre;
mod listener;
mod names;
mod pools;
mod sitting;
mod taste;
mod world;

pub use artist::DemoArtist;
pub use builder::{DemoWorldBuilder, DemoWorldError};
pub use events::DemoEvents;
pub use listener::DemoListener;
pub use world::DemoWorld;
