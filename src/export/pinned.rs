//! One moment of a view, to be written.

use std::io::Write;
use std::path::Path;

use super::csv;
use super::directory::Directory;
use super::error::ExportError;
use crate::als::AlsParams;
#[cfg(feature = "npz")]
use crate::exchange::NpzWriter;
use crate::exchange::names::{ITEM_FACTORS, ITEM_IDS, NPY, USER_FACTORS, USER_IDS};
use crate::exchange::{IdWriteError, NpyWriter, write_ids};
use crate::query::{Census, UserView, View};

const HISTORIES: &str = "histories.csv";

/// What a view knows, to be written for other programs: factors, the ids of their rows, histories.
///
/// It pins the users and items that there are when it is made, and each user as they are then: everything that one
/// `Export` writes fits together, whatever the engine learns meanwhile. A user has the vector that a query would answer
/// them with, so that `user_factors @ item_factors.T` are the scores of [`recommend`](UserView::recommend), up to the
/// rounding of `f32` and before any rescorer. A user nothing personal is known of, and an item that nobody has solved yet, have a row of zeros.
/// The rows are in the basis of the view's generation: those of two generations must not be mixed.
///
/// Rows are written as they are read. Beside that it holds ids and references, some 40 bytes a user and 32 an item, and
/// as long as it lives what it has pinned is not freed.
///
/// Everything here runs on the calling thread. A user who has changed since the view's sweep may have to be solved, which
/// takes microseconds.
///
/// ```
/// use segue::{Engine, Event, export::Export};
///
/// let engine = Engine::builder().open()?;
/// engine.import((0..30_u64).map(|n| Event::listen(n % 7, n % 10)))?;
/// engine.sweep_now()?.wait()?;
///
/// let view = engine.reader().view();
/// let export = Export::of(&view);
/// let mut csv = Vec::new();
/// export.write_histories(&mut csv)?; // or a file, or a socket
/// assert!(csv.starts_with(b"user,item,n_events,preference,confidence,last_seen_ms\r\n0,0,1,1,"));
/// # let folder = std::env::temp_dir().join(format!("segue-doc-export-{}", std::process::id()));
/// export.save(folder.join("2026-11-26"))?; // a directory of all, complete or not there
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Export<'v> {
    census: Census<'v>,
}

impl<'v> Export<'v> {
    /// Pins all that `view` knows now.
    pub fn of(view: &'v View) -> Self {
        Self { census: Census::of(view) }
    }

    /// Users, which is rows of the user factors.
    pub fn n_users(&self) -> usize {
        self.census.n_users()
    }

    /// Items, which is rows of the item factors.
    pub fn n_items(&self) -> usize {
        self.census.n_items()
    }

    /// How long a row is; `None` before the first sweep.
    pub fn n_factors(&self) -> Option<usize> {
        self.census.params().map(AlsParams::n_factors)
    }

    /// Writes the ids of the user rows, one a line, UTF-8.
    ///
    /// # Errors
    /// [`ExportError::LineBreak`] if an id has a line break in it, [`ExportError::Write`] if `writer` fails.
    pub fn write_user_ids(&self, writer: impl Write) -> Result<(), ExportError> {
        write_ids(writer, self.census.user_ids()).map_err(|error| id_error(error, USER_IDS))
    }

    /// Writes the ids of the item rows, one a line, UTF-8.
    ///
    /// # Errors
    /// As [`write_user_ids`](Self::write_user_ids).
    pub fn write_item_ids(&self, writer: impl Write) -> Result<(), ExportError> {
        write_ids(writer, self.census.item_ids()).map_err(|error| id_error(error, ITEM_IDS))
    }

    /// Writes the users' rows as an `.npy` file: little-endian `f4`, (`n_users`, `n_factors`).
    ///
    /// Give a buffered writer if rows are short.
    ///
    /// # Errors
    /// [`ExportError::NoModel`] before the first sweep, [`ExportError::Write`] if `writer` fails.
    pub fn write_user_factors(&self, writer: impl Write) -> Result<(), ExportError> {
        let npy = NpyWriter::begin(writer, self.n_users(), self.params()?.n_factors());
        npy.and_then(|mut npy| self.user_rows(&mut npy).and_then(|()| npy.finish()))
            .map(drop)
            .map_err(ExportError::write)
    }

    /// Writes the items' rows likewise.
    ///
    /// # Errors
    /// As [`write_user_factors`](Self::write_user_factors).
    pub fn write_item_factors(&self, writer: impl Write) -> Result<(), ExportError> {
        let npy = NpyWriter::begin(writer, self.n_items(), self.params()?.n_factors());
        npy.and_then(|mut npy| self.item_rows(&mut npy).and_then(|()| npy.finish()))
            .map(drop)
            .map_err(ExportError::write)
    }

    /// Writes both as an `.npz` archive in the layout of the Python library `implicit`:
    /// `implicit.cpu.als.AlternatingLeastSquares.load` makes a model of it, `numpy.load` shows its arrays.
    ///
    /// `implicit` will answer as the engine does, but not fold in as it does: it knows neither preferences nor
    /// [`unobserved_weight`](AlsParams::unobserved_weight) nor a regularization that depends on the row. The one it is
    /// told is that of [`AlsParams`].
    ///
    /// # Errors
    /// As [`write_user_factors`](Self::write_user_factors).
    #[cfg(feature = "npz")]
    pub fn write_npz(&self, writer: impl Write) -> Result<(), ExportError> {
        let params = self.params()?;
        let n_factors = params.n_factors();
        let write = || {
            let mut npz = NpzWriter::begin(writer);
            npz.user_factors(self.n_users(), n_factors, |npy| self.user_rows(npy))?;
            npz.item_factors(self.n_items(), n_factors, |npy| self.item_rows(npy))?;
            npz.finish(n_factors, params.regularization().into())
        };
        write().map_err(ExportError::write)
    }

    /// Writes who did what, as comma-separated values (RFC 4180, UTF-8) with a line of headings:
    ///
    /// | column | what |
    /// |---|---|
    /// | `user`, `item` | their ids: a number, or a text, in quotes where it must be |
    /// | `n_events` | how many events stand behind the pair |
    /// | `preference` | what the pair should score: the mean over these, by their confidence |
    /// | `confidence` | the sum of theirs, faded to the moment of the last sweep, before it is saturated |
    /// | `last_seen_ms` | the latest of them, in milliseconds since 1970-01-01 UTC |
    ///
    /// As [`UserView::history`] gives it, but only for items that the view knows: each user and item is a line of the id
    /// lists. Needs no model.
    ///
    /// # Errors
    /// [`ExportError::Write`] if `writer` fails.
    pub fn write_histories(&self, writer: impl Write) -> Result<(), ExportError> {
        csv::write_histories(writer, self.census.users()).map_err(ExportError::write)
    }

    /// Makes a directory with `users.txt`, `items.txt`, `user_factors.npy`, `item_factors.npy` and `histories.csv`.
    ///
    /// All is written beside it first, made durable and then renamed: either the whole directory is there or none. The
    /// directories above are made.
    ///
    /// # Errors
    /// [`ExportError::Exists`] if there is anything in `dir`, [`ExportError::File`] if something could not be written, else as
    /// the parts.
    pub fn save(&self, dir: impl AsRef<Path>) -> Result<(), ExportError> {
        self.save_with(dir.as_ref(), |to| {
            to.file(&format!("{USER_FACTORS}{NPY}"), |file| self.write_user_factors(file))?;
            to.file(&format!("{ITEM_FACTORS}{NPY}"), |file| self.write_item_factors(file))
        })
    }

    /// The same with `factors.npz` in place of the two arrays: what
    /// [`ForeignModel::open_npz`](crate::import::ForeignModel::open_npz) reads.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    #[cfg(feature = "npz")]
    pub fn save_npz(&self, dir: impl AsRef<Path>) -> Result<(), ExportError> {
        self.save_with(dir.as_ref(), |to| to.file("factors.npz", |file| self.write_npz(file)))
    }

    fn save_with(
        &self,
        dir: &Path,
        write_factors: impl FnOnce(&Directory) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let to = Directory::beside(dir)?;
        // What may be refused comes before what takes long.
        to.file(USER_IDS, |file| self.write_user_ids(file))?;
        to.file(ITEM_IDS, |file| self.write_item_ids(file))?;
        write_factors(&to)?;
        to.file(HISTORIES, |file| self.write_histories(file))?;
        to.publish()
    }

    fn params(&self) -> Result<&'v AlsParams, ExportError> {
        self.census.params().ok_or(ExportError::NoModel)
    }

    fn user_rows(&self, npy: &mut NpyWriter<impl Write>) -> std::io::Result<()> {
        let n_factors = self.n_factors().unwrap_or_default();
        let mut row = |user: UserView<'_>| match user.vector() {
            Some(vector) => npy.row(vector[..n_factors].iter().copied()),
            None => npy.row(std::iter::repeat_n(0.0, n_factors)),
        };
        self.census.users().try_for_each(&mut row)
    }

    fn item_rows(&self, npy: &mut NpyWriter<impl Write>) -> std::io::Result<()> {
        let n_factors = self.n_factors().unwrap_or_default();
        self.census.item_rows().try_for_each(|row| npy.row(row[..n_factors].iter().copied()))
    }
}

fn id_error(error: IdWriteError, list: &'static str) -> ExportError {
    match error {
        IdWriteError::LineBreak(id) => ExportError::LineBreak { list, id },
        IdWriteError::Io(source) => ExportError::Write { source },
    }
}
