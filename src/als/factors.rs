//! One side's factor vectors.

use ndarray::{ArrayView2, ShapeBuilder};
use thiserror::Error;

use crate::kernel::{AlignedVec, stride_of};

/// The factor vectors of one side: `n_rows` × `n_factors`.
///
/// Rows are padded with zeros to a multiple of 16 floats and start on cache lines.
///
/// ```
/// use ndarray::array;
/// use segue::Factors;
///
/// let factors = Factors::from_array(array![[1.0, 2.0], [3.0, 4.0]].view())?;
/// assert_eq!(factors.view()[[1, 0]], 3.0);
/// # Ok::<(), segue::FactorsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "`n_factors` is the crate's word for it")]
pub struct Factors {
    // INVARIANT: `values.len() == n_rows * stride`, and the padding of every row is zero.
    values: AlignedVec,
    n_rows: usize,
    n_factors: usize,
    stride: usize,
}

/// Why an array is not [`Factors`].
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum FactorsError {
    /// An element is NaN or infinite.
    #[error("factors must be finite, got {got} in row {row}, column {column}")]
    NonFinite {
        /// The row of the first such element.
        row: usize,
        /// Its column.
        column: usize,
        /// Its value.
        got: f32,
    },
}

impl Factors {
    /// All zeros.
    pub fn zeros(n_rows: usize, n_factors: usize) -> Self {
        let stride = stride_of(n_factors);
        Self { values: AlignedVec::zeros(n_rows * stride), n_rows, n_factors, stride }
    }

    /// A copy of `array`, of shape (`n_rows`, `n_factors`).
    ///
    /// # Errors
    /// [`FactorsError::NonFinite`] if an element is NaN or infinite.
    pub fn from_array(array: ArrayView2<'_, f32>) -> Result<Self, FactorsError> {
        let mut factors = Self::zeros(array.nrows(), array.ncols());
        for ((row, column), &value) in array.indexed_iter() {
            if !value.is_finite() {
                return Err(FactorsError::NonFinite { row, column, got: value });
            }
            factors.row_mut(row)[column] = value;
        }
        Ok(factors)
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How long a row is, without its padding.
    pub fn n_factors(&self) -> usize {
        self.n_factors
    }

    /// As an array of shape (`n_rows`, `n_factors`), without the padding.
    #[expect(clippy::missing_panics_doc, reason = "the shape is an invariant of the type")]
    pub fn view(&self) -> ArrayView2<'_, f32> {
        let shape = (self.n_rows, self.n_factors);
        // Without values any stride points beyond them.
        let view = if self.values.is_empty() {
            ArrayView2::from_shape(shape, &[])
        } else {
            ArrayView2::from_shape(shape.strides((self.stride, 1)), &self.values)
        };
        view.expect("the rows lie within the values")
    }

    /// Row `row` without its padding; `None` if there is no such row.
    pub fn get(&self, row: usize) -> Option<&[f32]> {
        (row < self.n_rows).then(|| &self.row(row)[..self.n_factors])
    }

    /// Row `row` with its padding.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.stride..(row + 1) * self.stride]
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.stride..(row + 1) * self.stride]
    }

    /// Floats of a row with its padding.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// All rows with their padding, one after the other.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn what_goes_in_comes_out_without_the_padding() {
        for n_factors in [0, 1, 15, 16, 17, 40] {
            let array = Array2::from_shape_fn((3, n_factors), |(row, column)| {
                f32::from(u8::try_from(row * 50 + column).expect("small"))
            });
            let factors = Factors::from_array(array.view()).expect("finite");
            assert_eq!(factors.view(), array);
            assert_eq!(factors.get(2), array.row(2).as_slice());
            assert_eq!(factors.get(3), None);
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_named() {
        let refused = Factors::from_array(array![[1.0, 2.0], [f32::INFINITY, 0.0]].view());
        assert_eq!(refused, Err(FactorsError::NonFinite { row: 1, column: 0, got: f32::INFINITY }));
    }
}
