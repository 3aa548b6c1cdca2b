//! Writing the array files of NumPy.

use std::io::{self, Write};

use ndarray::ArrayView2;

/// The whole header is a multiple of this long, so that the data of a mapped file is aligned.
const HEADER_ALIGN: usize = 64;
/// Magic string, version 1.0, and the two bytes of the header's length.
const PREAMBLE: usize = 10;

/// Writes `array` as an `.npy` file of version 1.0: little-endian f32 (`<f4`) in C order.
///
/// NumPy reads it with `numpy.load`. Rows are written one by one: give a buffered writer if they are short.
///
/// # Errors
/// What `writer` says.
pub fn write_npy(writer: impl Write, array: ArrayView2<'_, f32>) -> io::Result<()> {
    let mut npy = NpyWriter::begin(writer, array.nrows(), array.ncols())?;
    // `rows` are in C order whatever the strides.
    array.rows().into_iter().try_for_each(|row| npy.row(row.iter().copied()))?;
    npy.finish().map(drop)
}

/// An array on its way to a file, row by row.
#[derive(Debug)]
pub(crate) struct NpyWriter<W> {
    writer: W,
    n_columns: usize,
    bytes: Vec<u8>,
}

impl<W: Write> NpyWriter<W> {
    /// Writes the header; so many rows must follow.
    pub(crate) fn begin(mut writer: W, n_rows: usize, n_columns: usize) -> io::Result<Self> {
        writer.write_all(&header("<f4", &format!("({n_rows}, {n_columns})")))?;
        Ok(Self { writer, n_columns, bytes: Vec::new() })
    }

    /// The next row.
    pub(crate) fn row(&mut self, values: impl IntoIterator<Item = f32>) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.extend(values.into_iter().flat_map(f32::to_le_bytes));
        debug_assert_eq!(self.bytes.len(), self.n_columns * size_of::<f32>());
        self.writer.write_all(&self.bytes)
    }

    /// Writes what is still buffered, and gives the writer back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.writer.flush()?;
        Ok(self.writer)
    }
}

/// An array without dimensions that holds one number.
#[cfg(feature = "npz")]
pub(super) fn double(value: f64) -> Vec<u8> {
    scalar("<f8", value.to_le_bytes())
}

/// The same of an integer.
#[cfg(feature = "npz")]
pub(super) fn integer(value: u32) -> Vec<u8> {
    scalar("<i8", i64::from(value).to_le_bytes())
}

/// The same of a text.
#[cfg(feature = "npz")]
pub(super) fn text(text: &str) -> Vec<u8> {
    // UTF-32, one element of as many characters.
    scalar(&format!("<U{}", text.chars().count()), text.chars().flat_map(|c| u32::from(c).to_le_bytes()))
}

#[cfg(feature = "npz")]
fn scalar(descr: &str, data: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut bytes = header(descr, "()");
    bytes.extend(data);
    bytes
}

fn header(descr: &str, shape: &str) -> Vec<u8> {
    let dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // With the newline that ends it.
    let length = (PREAMBLE + dictionary.len() + 1).next_multiple_of(HEADER_ALIGN) - PREAMBLE;
    let stated =
        u16::try_from(length).expect("two numbers of at most 20 digits keep the header below 200 bytes");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(stated.to_le_bytes());
    bytes.extend(dictionary.bytes());
    bytes.resize(PREAMBLE + length - 1, b' ');
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut bytes = Vec::new();
        write_npy(&mut bytes, array![[1.0, -2.5], [0.0, 3.0], [4.0, 5.0]].view()).expect("memory takes it");
        // 10 + 118 = 128: the first multiple of 64 that holds the dictionary.
        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        expected.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
        expected.resize(127, b' ');
        expected.push(b'\n');
        assert_eq!(bytes[..128], expected);
        let data = [1.0_f32, -2.5, 0.0, 3.0, 4.0, 5.0].map(f32::to_le_bytes);
        assert_eq!(bytes[128..], *data.as_flattened());
    }

    #[test]
    fn columns_stored_first_are_still_written_by_rows() {
        let turned = array![[1.0, 3.0], [2.0, 4.0]].reversed_axes();
        let mut bytes = Vec::new();
        write_npy(&mut bytes, turned.view()).expect("memory takes it");
        let data = [1.0_f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes);
        assert_eq!(bytes[128..], *data.as_flattened());
    }

    #[test]
    fn headers_are_aligned_whatever_the_shape() {
        for shape in [(0, 0), (1, 1), (123_456, 1_024), (usize::MAX, usize::MAX)] {
            let bytes = header("<f4", &format!("({}, {})", shape.0, shape.1));
            assert_eq!(bytes.len() % HEADER_ALIGN, 0);
            assert_eq!(usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), bytes.len() - PREAMBLE);
            assert_eq!(bytes.last(), Some(&b'\n'));
        }
    }
}
