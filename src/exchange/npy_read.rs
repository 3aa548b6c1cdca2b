//! Reading the array files of NumPy.

use std::io::{self, Read};

use super::ForeignModelError;
use super::npy_header::{HeaderError, NpyHeader};
use crate::als::{AlsParams, Factors};
use crate::kernel::rounded;

/// Bytes that are read at once: a multiple of every element's size.
const CHUNK_BYTES: usize = 1 << 16;

/// The bytes of an array, and what is known of them.
#[derive(Debug)]
pub(super) struct Source<R> {
    /// The array's name, for messages.
    pub(super) array: &'static str,
    pub(super) reader: R,
    /// The most bytes that can come of it.
    pub(super) n_bytes: u64,
}

/// The elements of an array that we read.
#[derive(Debug, Clone, Copy)]
enum Float {
    Single,
    Double,
}

impl Float {
    const EXPECTED: &'static str = "f4 or f8";

    fn from_descr(descr: &str) -> Option<Self> {
        match descr {
            "<f4" => Some(Self::Single),
            "<f8" => Some(Self::Double),
            _ => None,
        }
    }

    fn n_bytes(self) -> usize {
        match self {
            Self::Single => size_of::<f32>(),
            Self::Double => size_of::<f64>(),
        }
    }

    /// The element that these bytes are, as many as [`n_bytes`](Self::n_bytes).
    fn read(self, bytes: &[u8]) -> f64 {
        match self {
            Self::Single => f32::from_le_bytes(as_array(bytes)).into(),
            Self::Double => f64::from_le_bytes(as_array(bytes)),
        }
    }
}

/// Reads the rows of a side with `n_ids` ids, of which `list` tells.
pub(super) fn read_factors<R: Read>(
    mut source: Source<R>,
    list: &'static str,
    n_ids: usize,
) -> Result<Factors, ForeignModelError> {
    let array = source.array;
    let (header, n_header_bytes) = source.header()?;
    let float = Float::from_descr(&header.descr).ok_or_else(|| ForeignModelError::Dtype {
        array,
        expected: Float::EXPECTED,
        got: header.descr.clone(),
    })?;
    let &[n_rows, n_factors] = &*header.shape else {
        return Err(ForeignModelError::Dimensions { array, expected: 2, got: header.shape.len() });
    };
    if n_rows != n_ids as u64 {
        return Err(ForeignModelError::Rows { array, list, n_rows, n_ids });
    }
    let in_range = usize::try_from(n_factors).ok().filter(|k| (1..=AlsParams::MAX_FACTORS).contains(k));
    let Some(k) = in_range else { return Err(ForeignModelError::Factors { array, got: n_factors }) };
    let claimed = u128::from(n_rows) * u128::from(n_factors) * float.n_bytes() as u128;
    let possible = source.n_bytes.saturating_sub(n_header_bytes);
    let n_bytes = usize::try_from(claimed).ok().filter(|_| claimed <= u128::from(possible));
    let Some(mut n_left) = n_bytes else {
        return Err(ForeignModelError::Claim { array, claimed, possible });
    };

    // INVARIANT: as there are so many bytes, this is in proportion to them.
    let mut factors = Factors::zeros(n_ids, k);
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut row, mut column) = (0, 0);
    while n_left > 0 {
        let bytes = &mut chunk[..n_left.min(CHUNK_BYTES)];
        source.reader.read_exact(bytes).map_err(|source| ForeignModelError::Damaged { array, source })?;
        n_left -= bytes.len();
        for element in bytes.chunks_exact(float.n_bytes()) {
            let got = float.read(element);
            let value = rounded(got);
            if !value.is_finite() {
                return Err(ForeignModelError::NonFinite { array, row, column, got });
            }
            factors.row_mut(row)[column] = value;
            if header.fortran_order {
                row += 1;
                if row == n_ids {
                    (row, column) = (0, column + 1);
                }
            } else {
                column += 1;
                if column == k {
                    (row, column) = (row + 1, 0);
                }
            }
        }
    }
    source.end()?;
    Ok(factors)
}

/// Reads an array without dimensions that holds a number.
#[cfg(feature = "npz")]
pub(super) fn read_number<R: Read>(mut source: Source<R>) -> Result<f64, ForeignModelError> {
    let array = source.array;
    let (NpyHeader { descr, shape, .. }, _) = source.header()?;
    if !shape.is_empty() {
        return Err(ForeignModelError::Dimensions { array, expected: 0, got: shape.len() });
    }
    // `regularization=1` makes an integer of it, of whatever size the platform likes.
    let n_bytes = match &*descr {
        "<f4" | "<i4" => 4,
        "<f8" | "<i8" => 8,
        _ => {
            return Err(ForeignModelError::Dtype { array, expected: "f4, f8, i4 or i8", got: descr });
        }
    };
    let mut bytes = [0; 8];
    let bytes = &mut bytes[..n_bytes];
    source.reader.read_exact(bytes).map_err(|source| ForeignModelError::Damaged { array, source })?;
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is as good")]
    let number = match &*descr {
        "<f4" => Float::Single.read(bytes),
        "<f8" => Float::Double.read(bytes),
        "<i4" => i32::from_le_bytes(as_array(bytes)).into(),
        _ => i64::from_le_bytes(as_array(bytes)) as f64,
    };
    source.end()?;
    Ok(number)
}

impl<R: Read> Source<R> {
    fn header(&mut self) -> Result<(NpyHeader, u64), ForeignModelError> {
        let array = self.array;
        NpyHeader::read(&mut self.reader).map_err(|error| match error {
            HeaderError::Unknown(got) => ForeignModelError::Header { array, got },
            HeaderError::Io(source) => ForeignModelError::Damaged { array, source },
        })
    }

    /// Nothing may follow. Asking is also what makes an archive hold the array against its checksum.
    fn end(&mut self) -> Result<(), ForeignModelError> {
        let array = self.array;
        loop {
            match self.reader.read(&mut [0]) {
                Ok(0) => return Ok(()),
                Ok(_) => return Err(ForeignModelError::TooLong { array }),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ForeignModelError::Damaged { array, source }),
            }
        }
    }
}

fn as_array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("elements are cut to their size")
}
