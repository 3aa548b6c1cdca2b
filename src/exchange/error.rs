//! What can be wrong with a model from elsewhere.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::types::MAX_ID_BYTES;

/// Why a model that was trained elsewhere is not taken. Rows count from 0, as in Python.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ForeignModelError {
    /// A file is missing or cannot be read.
    #[error("cannot read {}: the lists users.txt and items.txt must lie beside the factors", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The bytes are not those of an archive, or some of them are missing.
    #[error("not a whole .npz archive; write it again with numpy.savez")]
    Archive {
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is no such array in the archive.
    #[error("the archive has no array {array}; save both user_factors and item_factors")]
    NoArray {
        /// The array.
        array: &'static str,
    },
    /// The archive has two arrays of one name.
    #[error("the archive has the array {array} twice; save it once")]
    TwoArrays {
        /// The array.
        array: &'static str,
    },
    /// The array is packed by a method that NumPy does not use.
    #[error("{array} is packed by method {method} of the zip format; write it again with numpy.savez")]
    Method {
        /// The array.
        array: &'static str,
        /// The method's number.
        method: u16,
    },
    /// The bytes of an array end too early, or are not those that were written.
    #[error("{array} is damaged; write the file again")]
    Damaged {
        /// The array.
        array: &'static str,
        /// How it was found.
        source: io::Error,
    },
    /// Something follows the numbers of an array.
    #[error("{array} goes on after its last number; write the file again")]
    TooLong {
        /// The array.
        array: &'static str,
    },
    /// An array does not begin as one of NumPy.
    #[error("{array} does not begin as an array of numbers does, but with {got:?}; write it with numpy.save")]
    Header {
        /// The array.
        array: &'static str,
        /// What it begins with.
        got: String,
    },
    /// An array holds something other than we read.
    #[error("{array} must hold little-endian {expected}, not {got:?}; convert it with .astype")]
    Dtype {
        /// The array.
        array: &'static str,
        /// What it should hold.
        expected: &'static str,
        /// What it holds, in NumPy's words.
        got: String,
    },
    /// An array has the wrong number of dimensions.
    #[error("{array} must have {expected} dimensions, got {got}")]
    Dimensions {
        /// The array.
        array: &'static str,
        /// How many it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// An array says that it is larger than what its file can hold.
    #[error("{array} claims {claimed} bytes where its file can hold {possible}; write the file again")]
    Claim {
        /// The array.
        array: &'static str,
        /// The bytes that its shape asks for.
        claimed: u128,
        /// The most that can be in the file, or that we believe can.
        possible: u64,
    },
    /// There are not as many rows as ids.
    #[error("{array} has {n_rows} rows and {list} {n_ids} ids; take both from one model")]
    Rows {
        /// The array.
        array: &'static str,
        /// The list of ids.
        list: &'static str,
        /// The array's rows.
        n_rows: u64,
        /// The list's ids.
        n_ids: usize,
    },
    /// The rows are too short or too long.
    #[error("the rows of {array} must be 1 to 1024 numbers long, got {got}")]
    Factors {
        /// The array.
        array: &'static str,
        /// How long they are.
        got: u64,
    },
    /// The rows of the two sides are not of one length.
    #[error("the rows of users have {users} factors, those of items {items}; take both from one model")]
    FactorsDiffer {
        /// The length of a user's row.
        users: usize,
        /// The length of an item's row.
        items: usize,
    },
    /// A number is NaN or infinite, or beyond the range of f32.
    #[error("{array} must be finite, got {got} in row {row}, column {column}")]
    NonFinite {
        /// The array.
        array: &'static str,
        /// The row of the first such number.
        row: usize,
        /// Its column.
        column: usize,
        /// Its value.
        got: f64,
    },
    /// The regularization is not a number from 0 on.
    #[error("regularization must be finite and not below 0, got {got}")]
    Regularization {
        /// Its value.
        got: f64,
    },
    /// A list of ids cannot be read to its end.
    #[error("cannot read {list}")]
    Ids {
        /// The list.
        list: &'static str,
        /// What the reader says.
        source: io::Error,
    },
    /// An id is not UTF-8.
    #[error("the id of row {row} in {list} is not UTF-8; write the list with encoding='utf-8'")]
    IdEncoding {
        /// The list.
        list: &'static str,
        /// The row.
        row: usize,
    },
    /// An id is empty.
    #[error("the id of row {row} in {list} is empty; give every row an id, one a line")]
    EmptyId {
        /// The list.
        list: &'static str,
        /// The row.
        row: usize,
    },
    /// An id is too long.
    #[error("the id of row {row} in {list} is longer than {MAX_ID_BYTES} bytes; use a shorter one")]
    IdTooLong {
        /// The list.
        list: &'static str,
        /// The row.
        row: usize,
    },
    /// Two rows have one id.
    #[error("row {row} in {list} has the id {id:?} of an earlier row; keep one of the two")]
    DuplicateId {
        /// The list.
        list: &'static str,
        /// The later of the two rows.
        row: usize,
        /// The id.
        id: String,
    },
}
