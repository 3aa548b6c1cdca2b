//! Sixteen rows of small integers times one query, exactly.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{
    Bytes, Simd, SimdBase, SimdCvtFloat, SimdIntWiden, SimdWiden, f32x16, i8x64, i16x32, i32x16,
};

use super::LANES;

/// Dimensions that lie side by side in one [`CodeLine`].
pub(crate) const CODE_DIMS: usize = 4;

/// Four dimensions of 16 rows, on a cache line: dimensions 0 and 1 of every row, then 2 and 3.
///
/// Sums of neighbouring products are then sums of rows, and nothing is ever added across lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct CodeLine([i8; CODE_DIMS * LANES]);

impl CodeLine {
    /// Sixteen rows of zeros.
    pub(crate) const ZERO: Self = Self([0; CODE_DIMS * LANES]);

    /// Sets dimension `dim` (below [`CODE_DIMS`]) of row `row` (below [`LANES`]).
    pub(crate) fn set(&mut self, row: usize, dim: usize, code: i8) {
        self.0[dim / 2 * (2 * LANES) + 2 * row + dim % 2] = code;
    }
}

/// Two neighbouring dimensions of a query, as the product with a [`CodeLine`] takes them.
pub(crate) fn code_pair(even: i16, odd: i16) -> i32 {
    let ([a, b], [c, d]) = (even.to_le_bytes(), odd.to_le_bytes());
    i32::from_le_bytes([a, b, c, d])
}

/// The products of 16 rows with a query, which has two pairs a line. Exact as long as no sum leaves i32, then
/// rounded once to f32.
#[inline(always)]
pub(crate) fn multiply_codes<S: Simd>(simd: S, lines: &[CodeLine], query: &[i32]) -> f32x16<S> {
    let (mut even, mut odd) = (i32x16::splat(simd, 0), i32x16::splat(simd, 0));
    for (line, pairs) in lines.iter().zip(query.chunks_exact(2)) {
        let (first, second) = i8x64::from_slice(simd, &line.0).widen();
        even += first.pairwise_dot_product(splat_pair(simd, pairs[0]));
        odd += second.pairwise_dot_product(splat_pair(simd, pairs[1]));
    }
    f32x16::float_from(even + odd)
}

#[inline(always)]
fn splat_pair<S: Simd>(simd: S, pair: i32) -> i16x32<S> {
    i32x16::splat(simd, pair).bitcast()
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::kernel::{SimdPath, SplitMix64, on_path};

    #[test]
    fn products_are_those_of_a_naive_sum_on_every_path() {
        let mut random = SplitMix64::new(5);
        let mut code = |largest: usize| -> i16 {
            let magnitude = i16::try_from(random.below(largest + 1)).expect("small");
            if random.below(2) == 0 { magnitude } else { -magnitude }
        };
        for n_dims in [0, 4, 16, 64, 2_048] {
            let query: Vec<i16> = (0..n_dims).map(|_| code(8_191)).collect();
            let pairs: Vec<i32> = query.chunks(2).map(|pair| code_pair(pair[0], pair[1])).collect();
            let mut lines = vec![CodeLine::ZERO; n_dims / CODE_DIMS];
            let expected: Vec<i64> = (0..LANES)
                .map(|row| {
                    let products = query.iter().enumerate().map(|(dim, &query)| {
                        let code = i8::try_from(code(127)).expect("small");
                        lines[dim / CODE_DIMS].set(row, dim % CODE_DIMS, code);
                        i64::from(code) * i64::from(query)
                    });
                    products.sum()
                })
                .collect();
            #[expect(clippy::cast_precision_loss, reason = "the product is rounded once, as here")]
            let expected: Vec<f32> = expected.into_iter().map(|sum| sum as f32).collect();
            for path in SimdPath::available() {
                let products = on_path!(path, simd => {
                    let mut out = [0.0; LANES];
                    multiply_codes(simd, &lines, &pairs).store_slice(&mut out);
                    out
                });
                let bits =
                    |products: &[f32]| products.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&products), bits(&expected), "{path}, {n_dims} dimensions");
            }
        }
    }
}
