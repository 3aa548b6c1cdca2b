//! Reading archives of arrays, as `numpy.savez` and `numpy.savez_compressed` write them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder};

use super::ForeignModelError;
use super::foreign::{ForeignModel, ForeignSide, ITEMS, USERS, open_lists};
use super::ids::read_ids;
use super::names::{ITEM_FACTORS, ITEM_IDS, NPY, REGULARIZATION, USER_FACTORS, USER_IDS};
use super::npy_read::{Source, read_factors, read_number};
use crate::types::{ItemId, UserId};

/// The most bytes that one byte of the deflate format can stand for.
const MOST_INFLATION: u64 = 1_032;

/// Beyond [`FREELY_INFLATED_BYTES`] we do not believe more than this: of numbers that say something none are packed so
/// tightly, and a model of whose rows all but one in a hundred are zeros still comes through.
const BELIEVED_INFLATION: u64 = 100;

/// So much any file may unpack to, if it can.
const FREELY_INFLATED_BYTES: u64 = 64 << 20;

/// The arrays of an archive that we read.
const ARRAYS: [&str; 3] = [USER_FACTORS, ITEM_FACTORS, REGULARIZATION];

impl ForeignModel {
    /// Reads an archive in the layout of the Python library `implicit`, with the lists `users.txt` and `items.txt` in the
    /// same folder: what `implicit.als.AlternatingLeastSquares.save`, `numpy.savez` and `numpy.savez_compressed` write, and
    /// [`Export::save_npz`](crate::export::Export::save_npz). [`docs::formats`](crate::docs::formats) says what may be in it.
    ///
    /// Blocks for about as long as reading the files takes.
    ///
    /// # Errors
    /// [`ForeignModelError`] names what is wrong first: the lists are read before the factors.
    pub fn open_npz(path: impl AsRef<Path>) -> Result<Self, ForeignModelError> {
        let path = path.as_ref();
        let (users, items) = open_lists(path.parent().unwrap_or(Path::new("")))?;
        let file =
            File::open(path).map_err(|source| ForeignModelError::Open { path: path.to_owned(), source })?;
        from_archive(file, users, items)
    }

    /// The same from readers: the archive, the list of users, the list of items.
    ///
    /// ```
    /// use segue::import::ForeignModel;
    /// use segue::{Engine, Event, export::Export};
    /// use std::io::Cursor;
    ///
    /// let engine = Engine::builder().open()?;
    /// engine.import((0..30_u64).map(|n| Event::listen(n % 7, n % 10)))?;
    /// engine.sweep_now()?.wait()?;
    /// let view = engine.reader().view();
    ///
    /// let export = Export::of(&view);
    /// let (mut npz, mut users, mut items) = (Vec::new(), Vec::new(), Vec::new());
    /// export.write_npz(&mut npz)?;
    /// export.write_user_ids(&mut users)?;
    /// export.write_item_ids(&mut items)?;
    ///
    /// let model = ForeignModel::read_npz(Cursor::new(npz), &*users, &*items)?;
    /// assert_eq!((model.users().ids.len(), model.items().ids.len()), (7, 10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`open_npz`](Self::open_npz).
    pub fn read_npz(
        npz: impl Read + Seek,
        user_ids: impl BufRead,
        item_ids: impl BufRead,
    ) -> Result<Self, ForeignModelError> {
        let users = read_ids(user_ids, USER_IDS)?;
        let items = read_ids(item_ids, ITEM_IDS)?;
        from_archive(npz, users, items)
    }
}

fn from_archive(
    mut npz: impl Read + Seek,
    users: Vec<UserId>,
    items: Vec<ItemId>,
) -> Result<ForeignModel, ForeignModelError> {
    let n_bytes =
        npz.seek(SeekFrom::End(0)).map_err(|source| ForeignModelError::Archive { source: source.into() })?;
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_seekable(npz, &mut buffer).map_err(broken)?;
    let [user_factors, item_factors, regularization] = find(&archive, &mut buffer)?;
    let archive = Archive { archive: &archive, n_bytes };
    let user_factors = archive.source(USER_FACTORS, user_factors)?;
    let item_factors = archive.source(ITEM_FACTORS, item_factors)?;
    let user_factors = read_factors(user_factors, USERS.list, users.len())?;
    let item_factors = read_factors(item_factors, ITEMS.list, items.len())?;
    let model = ForeignModel::new(
        ForeignSide { ids: users, factors: user_factors },
        ForeignSide { ids: items, factors: item_factors },
    )?;
    match regularization {
        Some(_) => model.with_regularization(read_number(archive.source(REGULARIZATION, regularization)?)?),
        None => Ok(model),
    }
}

/// Where the arrays of [`ARRAYS`] are.
fn find<R: ReaderAt>(
    archive: &ZipArchive<R>,
    buffer: &mut [u8],
) -> Result<[Option<Place>; ARRAYS.len()], ForeignModelError> {
    let mut found = [None; ARRAYS.len()];
    let mut entries = archive.entries(buffer);
    while let Some(entry) = entries.next_entry().map_err(broken)? {
        let name = entry.file_path();
        let is = |array: &str| name.as_ref().strip_suffix(NPY.as_bytes()) == Some(array.as_bytes());
        let Some(which) = ARRAYS.iter().position(|array| is(array)) else { continue };
        let place = Place { at: entry.wayfinder(), method: entry.compression_method() };
        if found[which].replace(place).is_some() {
            return Err(ForeignModelError::TwoArrays { array: ARRAYS[which] });
        }
    }
    Ok(found)
}

/// Where an array is within an archive.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
}

struct Archive<'a, R> {
    archive: &'a ZipArchive<R>,
    n_bytes: u64,
}

impl<'a, R: ReaderAt> Archive<'a, R> {
    /// The bytes of an array, unpacked and held against the archive's checksum.
    fn source(
        &self,
        array: &'static str,
        place: Option<Place>,
    ) -> Result<Source<Box<dyn Read + 'a>>, ForeignModelError> {
        let Place { at, method } = place.ok_or(ForeignModelError::NoArray { array })?;
        let entry = self.archive.get_entry(at).map_err(broken)?;
        let (start, end) = entry.compressed_data_range();
        if end > self.n_bytes {
            let (claimed, possible) = (at.compressed_size_hint(), self.n_bytes.saturating_sub(start));
            return Err(ForeignModelError::Claim { array, claimed: claimed.into(), possible });
        }
        let packed = BufReader::new(entry.reader());
        let (reader, n_bytes): (Box<dyn Read + 'a>, _) = match method {
            CompressionMethod::STORE => (Box::new(entry.verifying_reader(packed)), end - start),
            CompressionMethod::DEFLATE => {
                (Box::new(entry.verifying_reader(DeflateDecoder::new(packed))), inflated(end - start))
            }
            other => return Err(ForeignModelError::Method { array, method: other.as_u16() }),
        };
        Ok(Source { array, reader, n_bytes })
    }
}

/// The most bytes that we believe so many packed ones to be.
fn inflated(n_packed: u64) -> u64 {
    let believed = n_packed.saturating_mul(BELIEVED_INFLATION).max(FREELY_INFLATED_BYTES);
    n_packed.saturating_mul(MOST_INFLATION).min(believed)
}

fn broken(source: rawzip::Error) -> ForeignModelError {
    ForeignModelError::Archive { source: source.into() }
}
