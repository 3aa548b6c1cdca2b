//! Models as files of NumPy: arrays, archives of arrays, and lists of ids beside them.
//!
//! Layer 2. What is read is checked here, once, and is a [`ForeignModel`] from then on.

mod error;
mod foreign;
mod ids;
pub(crate) mod names;
mod npy;
mod npy_header;
mod npy_read;
#[cfg(feature = "npz")]
mod npz_read;
#[cfg(feature = "npz")]
mod npz_write;

pub use error::ForeignModelError;
pub use foreign::{ForeignModel, ForeignSide};
pub(crate) use ids::{IdWriteError, write_ids};
pub(crate) use npy::NpyWriter;
pub use npy::write_npy;
#[cfg(feature = "npz")]
pub(crate) use npz_write::NpzWriter;
