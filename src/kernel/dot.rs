//! The canonical dot product, and many of them at once.

#![expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]

use fearless_simd::{Bytes, Simd, SimdBase, SimdFloat, SimdSplit, f32x4, f32x16, f64x2};

use super::{LANES, SimdPath, on_path};

/// The canonical dot product: one accumulator of 16 lanes over the chunks in order, fused, then a fixed
/// tree. Lengths are equal and multiples of [`LANES`].
pub(crate) fn dot(path: SimdPath, a: &[f32], b: &[f32]) -> f32 {
    on_path!(path, simd => dot_in(simd, a, b))
}

/// The dot product of `query` with each row of `rows`, which are contiguous and as long as `query`.
///
/// Every score has the bytes of [`dot`]; four rows share each load of the query.
pub(crate) fn score_rows(path: SimdPath, query: &[f32], rows: &[f32], scores: &mut [f32]) {
    debug_assert_eq!(rows.len(), query.len() * scores.len(), "one score a row");
    on_path!(path, simd => score_rows_in(simd, query, rows, scores));
}

/// [`dot`] within a dispatch.
#[inline(always)]
pub(crate) fn dot_in<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = f32x16::splat(simd, 0.0);
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        sum = f32x16::from_slice(simd, a).mul_add_precise(f32x16::from_slice(simd, b), sum);
    }
    sum_of_lanes(sum)
}

/// The sum of 16 lanes: halves onto each other until one is left.
#[inline(always)]
pub(crate) fn sum_of_lanes<S: Simd>(lanes: f32x16<S>) -> f32 {
    let four = four_sums(lanes);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// The sums of the lanes that are four apart.
#[inline(always)]
fn four_sums<S: Simd>(lanes: f32x16<S>) -> f32x4<S> {
    let (low, high) = lanes.split();
    let (low, high) = (low + high).split();
    low + high
}

/// The 16 floats of `slice` from `at` on.
#[inline(always)]
pub(crate) fn load<S: Simd>(simd: S, slice: &[f32], at: usize) -> f32x16<S> {
    f32x16::from_slice(simd, &slice[at..at + LANES])
}

/// Writes 16 floats to `slice` from `at` on.
#[inline(always)]
pub(crate) fn store<S: Simd>(lanes: f32x16<S>, slice: &mut [f32], at: usize) {
    lanes.store_slice(&mut slice[at..at + LANES]);
}

/// The canonical dot products of `query` with each row of `rows`, which are contiguous and as long as `query`.
#[inline(always)]
pub(crate) fn score_rows_in<S: Simd>(simd: S, query: &[f32], rows: &[f32], scores: &mut [f32]) {
    let stride = query.len();
    if stride == 0 {
        scores.fill(0.0);
        return;
    }
    let mut blocks = scores.chunks_exact_mut(TOGETHER);
    let mut rows_of_blocks = rows.chunks_exact(TOGETHER * stride);
    for (scores, rows) in blocks.by_ref().zip(rows_of_blocks.by_ref()) {
        score_together(simd, query, rows, scores);
    }
    let tail = rows_of_blocks.remainder().chunks_exact(stride);
    for (score, row) in blocks.into_remainder().iter_mut().zip(tail) {
        *score = dot_in(simd, query, row);
    }
}

/// Rows whose products with a query are summed up together.
const TOGETHER: usize = 4;

/// The canonical dot products of `query` with four rows.
#[inline(always)]
fn score_together<S: Simd>(simd: S, query: &[f32], rows: &[f32], scores: &mut [f32]) {
    let stride = query.len();
    let (r0, rest) = rows.split_at(stride);
    let (r1, rest) = rest.split_at(stride);
    let (r2, rest) = rest.split_at(stride);
    let r3 = &rest[..stride];
    let zero = f32x16::splat(simd, 0.0);
    let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
    for at in (0..stride).step_by(LANES) {
        let q = load(simd, query, at);
        s0 = q.mul_add_precise(load(simd, r0, at), s0);
        s1 = q.mul_add_precise(load(simd, r1, at), s1);
        s2 = q.mul_add_precise(load(simd, r2, at), s2);
        s3 = q.mul_add_precise(load(simd, r3, at), s3);
    }
    // As `sum_of_lanes`, for four at once.
    let (a, b, c, d) = (four_sums(s0), four_sums(s1), four_sums(s2), four_sums(s3));
    let (ab, cd) = (a.zip_low(b) + a.zip_high(b), c.zip_low(d) + c.zip_high(d));
    let (ab, cd): (f64x2<S>, f64x2<S>) = (ab.bitcast(), cd.bitcast());
    let (low, high): (f32x4<S>, f32x4<S>) = (ab.zip_low(cd).bitcast(), ab.zip_high(cd).bitcast());
    (low + high).store_slice(scores);
}
