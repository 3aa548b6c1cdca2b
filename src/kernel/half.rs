//! Rows in 16-bit integers with a scale.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{
    Simd, SimdBase, SimdCvtFloat, SimdCvtTruncate, SimdNarrow, SimdWiden, f32x16, i16x32, i32x16,
};

use super::LANES;
use super::dot::{load, store};

/// A cache line of 16-bit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct HalfLine([i16; HalfLine::LEN]);

impl HalfLine {
    /// Codes of a line.
    pub(crate) const LEN: usize = 32;
    /// Nothing.
    pub(crate) const ZERO: Self = Self([0; Self::LEN]);
    /// Reads something of the line, so that the rest is on its way.
    #[inline(always)]
    pub(crate) fn touch(&self) -> u32 {
        u32::from(self.0[0].cast_unsigned())
    }

    /// The largest code.
    const MAX_CODE: f32 = 32_767.0;
}

/// Codes `row` and returns the scale: each element is its code times that, within half a scale. Its length is a
/// multiple of [`LANES`].
#[inline(always)]
pub(crate) fn encode_half<S: Simd>(simd: S, row: &[f32], lines: &mut [HalfLine]) -> f32 {
    /// What pushes the fraction of an f32 out of its mantissa: rounding to the nearest integer.
    const ROUNDER: f32 = 12_582_912.0;
    let mut largest = f32x16::splat(simd, 0.0);
    for at in (0..row.len()).step_by(LANES) {
        largest = largest.max(load(simd, row, at).abs());
    }
    let scale = largest.reduce_max() / HalfLine::MAX_CODE;
    let inverse = f32x16::splat(simd, if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 });
    let rounder = f32x16::splat(simd, ROUNDER);
    let code = |values: &[f32], at: usize| {
        if at >= values.len() {
            return i32x16::splat(simd, 0);
        }
        i32x16::truncate_from((load(simd, values, at) * inverse + rounder) - rounder)
    };
    for (line, values) in lines.iter_mut().zip(row.chunks(HalfLine::LEN)) {
        code(values, 0).narrow(code(values, LANES)).store_slice(&mut line.0);
    }
    scale
}

/// Writes the row that `lines` and `scale` are the codes of. Its length is a multiple of [`LANES`].
#[inline(always)]
pub(crate) fn load_half<S: Simd>(simd: S, lines: &[HalfLine], scale: f32, row: &mut [f32]) {
    let scale = f32x16::splat(simd, scale);
    for (line, row) in lines.iter().zip(row.chunks_mut(HalfLine::LEN)) {
        let (low, high) = i16x32::from_slice(simd, &line.0).widen();
        store(f32x16::float_from(low) * scale, row, 0);
        if row.len() > LANES {
            store(f32x16::float_from(high) * scale, row, LANES);
        }
    }
}

#[cfg(test)]
mod tests {
    use fearless_simd::dispatch;

    use super::*;
    use crate::kernel::{SimdPath, SplitMix64, rounded};

    #[test]
    fn a_row_comes_back_within_half_a_scale_with_the_same_bytes_on_every_path() {
        let mut random = SplitMix64::new(4);
        for (len, size) in [(16_usize, 1.0), (32, 1e-20), (48, 1e20), (64, 0.0), (128, 1e-44)] {
            let row: Vec<f32> = (0..len).map(|_| rounded(size * random.normal())).collect();
            let coded = |path: SimdPath| {
                let mut lines = vec![HalfLine::ZERO; len.div_ceil(HalfLine::LEN)];
                let mut back = vec![f32::NAN; len];
                let scale = dispatch!(path.level(), simd => {
                    let scale = encode_half(simd, &row, &mut lines);
                    load_half(simd, &lines, scale, &mut back);
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
