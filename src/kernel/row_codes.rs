//! Rows in 8-bit integers with a scale: for where they lie all over memory, and a cache line is what they cost.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{
    Simd, SimdBase, SimdCvtFloat, SimdCvtTruncate, SimdNarrow, SimdWiden, f32x16, i8x64, i32x16,
};

use super::LANES;
use super::dot::{load, store};

/// A cache line of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct RowLine([i8; RowLine::LEN]);

impl RowLine {
    /// Codes of a line.
    pub(crate) const LEN: usize = 64;
    /// Nothing.
    pub(crate) const ZERO: Self = Self([0; Self::LEN]);

    /// The largest code.
    const MAX_CODE: f32 = 127.0;
}

/// Codes `row` and returns the scale: each element is its code times that, within half a scale. Its length is a
/// multiple of [`LANES`].
#[inline(always)]
pub(crate) fn encode_row<S: Simd>(simd: S, row: &[f32], lines: &mut [RowLine]) -> f32 {
    /// What pushes the fraction of an f32 out of its mantissa: rounding to the nearest integer.
    const ROUNDER: f32 = 12_582_912.0;
    let mut largest = f32x16::splat(simd, 0.0);
    for at in (0..row.len()).step_by(LANES) {
        largest = largest.max(load(simd, row, at).abs());
    }
    let scale = largest.reduce_max() / RowLine::MAX_CODE;
    let inverse = f32x16::splat(simd, if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 });
    let rounder = f32x16::splat(simd, ROUNDER);
    for (line, values) in lines.iter_mut().zip(row.chunks(RowLine::LEN)) {
        let mut codes = [i32x16::splat(simd, 0); RowLine::LEN / LANES];
        for (i, codes) in codes.iter_mut().enumerate().take(values.len() / LANES) {
            *codes = i32x16::truncate_from((load(simd, values, i * LANES) * inverse + rounder) - rounder);
        }
        let [a, b, c, d] = codes;
        a.narrow(b).narrow(c.narrow(d)).store_slice(&mut line.0);
    }
    scale
}

/// Writes the row that `lines` and `scale` are the codes of. Its length is a multiple of [`LANES`].
#[inline(always)]
pub(crate) fn decode_row<S: Simd>(simd: S, lines: &[RowLine], scale: f32, row: &mut [f32]) {
    let scale = f32x16::splat(simd, scale);
    for (line, row) in lines.iter().zip(row.chunks_mut(RowLine::LEN)) {
        let (low, high) = i8x64::from_slice(simd, &line.0).widen();
        let ((a, b), (c, d)) = (low.widen(), high.widen());
        for (codes, row) in [a, b, c, d].into_iter().zip(row.chunks_exact_mut(LANES)) {
            store(f32x16::float_from(codes) * scale, row, 0);
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::kernel::{SimdPath, SplitMix64, on_path, rounded};

    #[test]
    fn a_row_comes_back_within_half_a_scale_with_the_same_bytes_on_every_path() {
        let mut random = SplitMix64::new(4);
        for (len, size) in [(16_usize, 1.0), (32, 1e-20), (48, 1e20), (64, 0.0), (128, 1e-44)] {
            let row: Vec<f32> = (0..len).map(|_| rounded(size * random.normal())).collect();
            let coded = |path: SimdPath| {
                let mut lines = vec![RowLine::ZERO; len.div_ceil(RowLine::LEN)];
                let mut back = vec![f32::NAN; len];
                let scale = on_path!(path, simd => {
                    let scale = encode_row(simd, &row, &mut lines);
                    decode_row(simd, &lines, scale, &mut back);
                    scale
                });
                (scale, back)
            };
            let (scale, back) = coded(SimdPath::portable());
            for (value, back) in row.iter().zip(&back) {
                assert!((value - back).abs() <= 0.501 * scale + f32::MIN_POSITIVE, "{value} became {back}");
            }
            let bits = |row: &[f32]| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            for path in SimdPath::available() {
                assert_eq!(bits(&coded(path).1), bits(&back), "{path}, {len} elements of {size}");
            }
        }
    }
}
