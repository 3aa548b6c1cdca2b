//! Writing archives of arrays in the layout of the Python library `implicit`.

use std::io::{self, Write};

use rawzip::{CompressionMethod, ErrorKind, ZipArchiveWriter};

use super::names::{ITEM_FACTORS, NPY, REGULARIZATION, USER_FACTORS};
use super::npy::{self, NpyWriter};

/// An archive on its way to a file, array by array. Nothing is packed: factors do not get smaller by it.
#[derive(Debug)]
pub(crate) struct NpzWriter<W> {
    archive: ZipArchiveWriter<W>,
}

impl<W: Write> NpzWriter<W> {
    pub(crate) fn begin(writer: W) -> Self {
        Self { archive: ZipArchiveWriter::new(writer) }
    }

    /// The users' rows: `write` is given the writer that has got the header.
    pub(crate) fn user_factors(
        &mut self,
        n_rows: usize,
        n_factors: usize,
        write: impl FnOnce(&mut NpyWriter<&mut dyn Write>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.factors(USER_FACTORS, n_rows, n_factors, write)
    }

    /// The items' rows, likewise.
    pub(crate) fn item_factors(
        &mut self,
        n_rows: usize,
        n_factors: usize,
        write: impl FnOnce(&mut NpyWriter<&mut dyn Write>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.factors(ITEM_FACTORS, n_rows, n_factors, write)
    }

    /// What `implicit` knows of a model beside its rows, and the end of the archive.
    pub(crate) fn finish(mut self, n_factors: usize, regularization: f64) -> io::Result<()> {
        let n_factors = u32::try_from(n_factors).expect("there are at most 1024");
        self.array(REGULARIZATION, |out| out.write_all(&npy::double(regularization)))?;
        self.array("factors", |out| out.write_all(&npy::integer(n_factors)))?;
        self.array("dtype", |out| out.write_all(&npy::text("float32")))?;
        self.archive.finish().map_err(as_io)?.flush()
    }

    fn factors(
        &mut self,
        array: &str,
        n_rows: usize,
        n_factors: usize,
        write: impl FnOnce(&mut NpyWriter<&mut dyn Write>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.array(array, |out| {
            let mut npy = NpyWriter::begin(out, n_rows, n_factors)?;
            write(&mut npy)?;
            npy.finish().map(drop)
        })
    }

    fn array(&mut self, array: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let name = format!("{array}{NPY}");
        let new = self.archive.new_file(&*name).compression_method(CompressionMethod::STORE);
        let (mut entry, config) = new.start().map_err(as_io)?;
        let mut data = config.wrap(&mut entry);
        write(&mut data)?;
        let (_, descriptor) = data.finish().map_err(as_io)?;
        entry.finish(descriptor).map_err(as_io)?;
        Ok(())
    }
}

/// The writer's error as it was.
fn as_io(error: rawzip::Error) -> io::Error {
    let kind = error.into_kind();
    if let ErrorKind::IO(error) = kind { error } else { io::Error::other(rawzip::Error::from(kind)) }
}
