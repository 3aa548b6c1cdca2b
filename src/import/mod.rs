//! Readers of public data sets: files in, a [`Catalogue`](crate::Catalogue) and
//! [`Event`](crate::Event)s out. And of models that were trained elsewhere: [`ForeignModel`].
//!
//! No data comes with the crate; each reader says where its set is found and on which terms. A reader
//! takes a set whole or not at all: a line it cannot understand is an [`ImportError`] that names file and
//! line, never skipped in silence.

mod entities;
mod error;
mod lastfm;
mod listens;
mod table;

pub use crate::exchange::{ForeignModel, ForeignModelError, ForeignSide};
pub use error::ImportError;
pub use lastfm::{LastFm2k, Plays};
pub use listens::Listens;
