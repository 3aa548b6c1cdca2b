//! What an engine has learned as files for other programs: NumPy, the Python library `implicit`, whoever reads CSV.
//!
//! An [`Export`] pins one moment of a [`View`](crate::View) and writes it to any writer, or a whole directory at once.
//! [`ForeignModel`](crate::import::ForeignModel) reads the factors back.

mod csv;
mod directory;
mod error;
mod pinned;

pub use error::ExportError;
pub use pinned::Export;
