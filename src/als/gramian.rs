//! The Gramian of one side and the basis that diagonalises it.

use fearless_simd::Simd;
use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Factors;
use super::eigen::symmetric_eigen;
use crate::kernel::{AlignedVec, SimdPath, add_gram, multiply_rows, on_path, rounded, stride_of};

/// Rows that are summed up in f32 before the sum enters f64. Unchunked, the error grows to 1e-4.
const CHUNK_ROWS: usize = 1_024;

/// Rows that stay in the first-level cache while every tile of the matrix passes over them.
const BLOCK_ROWS: usize = 64;

/// Rows that one task rotates.
const ROTATED_ROWS: usize = 512;

/// `YᵀY` of one side's factors, (k, k) in f64.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gramian {
    // INVARIANT: symmetric, row-major.
    values: Vec<f64>,
    n_factors: usize,
}

/// The eigenbasis of a Gramian: G = Q diag(g) Qᵀ.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Basis {
    /// g, descending, none below 0.
    eigenvalues: Vec<f64>,
    /// Qᵀ, row-major: the eigenvectors are its rows.
    eigenvectors: Vec<f64>,
}

impl Gramian {
    /// Of no rows.
    pub(crate) fn zeros(n_factors: usize) -> Self {
        Self { values: vec![0.0; n_factors * n_factors], n_factors }
    }

    /// Of all rows of `factors`. Chunks are summed in their order, whatever the number of threads.
    pub(crate) fn of(path: SimdPath, factors: &Factors, pool: &ThreadPool) -> Self {
        let (n_factors, stride) = (factors.n_factors(), factors.stride());
        let mut gramian = Self::zeros(n_factors);
        // In waves, so that memory does not grow with the number of rows.
        let wave_rows = 4 * pool.current_num_threads() * CHUNK_ROWS;
        for wave in factors.values().chunks(wave_rows * stride.max(1)) {
            let chunks: Vec<&[f32]> = wave.chunks(CHUNK_ROWS * stride).collect();
            let sums: Vec<AlignedVec> = pool
                .install(|| chunks.into_par_iter().map(|rows| sum_of_chunk(path, rows, stride)).collect());
            for sum in &sums {
                gramian.add_sum(sum, stride);
            }
        }
        gramian
    }

    /// Of rows given with their padding, with the bytes of [`Gramian::of`].
    pub(crate) fn of_rows<'a>(
        path: SimdPath,
        n_factors: usize,
        rows: impl IntoIterator<Item = &'a [f32]>,
    ) -> Self {
        let stride = stride_of(n_factors);
        let mut gramian = Self::zeros(n_factors);
        let mut chunk = AlignedVec::zeros(CHUNK_ROWS * stride);
        let mut filled = 0;
        for row in rows {
            chunk[filled..filled + stride].copy_from_slice(row);
            filled += stride;
            if filled == chunk.len() {
                gramian.add_sum(&sum_of_chunk(path, &chunk, stride), stride);
                filled = 0;
            }
        }
        if filled > 0 {
            gramian.add_sum(&sum_of_chunk(path, &chunk[..filled], stride), stride);
        }
        gramian
    }

    /// The one whose upper triangle, row by row, a store has kept. `triangle` has k(k+1)/2 elements.
    pub(crate) fn from_upper_triangle(n_factors: usize, triangle: impl IntoIterator<Item = f64>) -> Self {
        let mut gramian = Self::zeros(n_factors);
        let places = (0..n_factors).flat_map(|i| (i..n_factors).map(move |j| (i, j)));
        for ((i, j), value) in places.zip(triangle) {
            gramian.values[i * n_factors + j] = value;
            gramian.values[j * n_factors + i] = value;
        }
        gramian
    }

    /// The upper triangle, row by row.
    pub(crate) fn upper_triangle(&self) -> impl Iterator<Item = f64> + '_ {
        let k = self.n_factors;
        (0..k).flat_map(move |i| self.values[i * k + i..(i + 1) * k].iter().copied())
    }

    /// Adds the Gramian of more rows.
    pub(crate) fn add(&mut self, more: &Self) {
        self.values.iter_mut().zip(&more.values).for_each(|(value, more)| *value += more);
    }

    /// Takes the Gramian of some rows out again. In f64 a million of these drift by 1e-13.
    pub(crate) fn subtract(&mut self, some: &Self) {
        self.values.iter_mut().zip(&some.values).for_each(|(value, some)| *value -= some);
    }

    /// The Frobenius norm of the difference to `other`.
    pub(crate) fn distance(&self, other: &Self) -> f64 {
        let squares = self.values.iter().zip(&other.values).map(|(a, b)| (a - b) * (a - b));
        squares.fold(0.0, |sum, square| sum + square).sqrt()
    }

    /// The Frobenius norm.
    pub(crate) fn norm(&self) -> f64 {
        self.values.iter().fold(0.0, |sum, value| sum + value * value).sqrt()
    }

    /// k.
    pub(crate) fn n_factors(&self) -> usize {
        self.n_factors
    }

    /// The (k, k) elements, row-major.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The trace of the product with `other`: `Σ_ui (x_u·y_i)²` over all pairs.
    pub(crate) fn trace_of_product(&self, other: &Self) -> f64 {
        self.values.iter().zip(&other.values).fold(0.0, |sum, (a, b)| sum + a * b)
    }

    /// The elements times `weight` in f32, rows padded with zeros.
    pub(crate) fn scaled(&self, weight: f32) -> AlignedVec {
        padded(&self.values, self.n_factors, |value| rounded(f64::from(weight) * value))
    }

    /// Whether no element is NaN or infinite.
    pub(crate) fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    /// Its eigenbasis.
    pub(crate) fn eigen(&self) -> Basis {
        let (mut eigenvalues, eigenvectors) = symmetric_eigen(&self.values, self.n_factors);
        // A Gramian has none below zero but by rounding. NaN stays, to be reported by who meets it.
        eigenvalues.iter_mut().filter(|value| **value < 0.0).for_each(|value| *value = 0.0);
        Basis { eigenvalues, eigenvectors }
    }

    /// Adds what [`sum_of_chunk`] gave.
    fn add_sum(&mut self, sum: &[f32], stride: usize) {
        let k = self.n_factors;
        for i in 0..k {
            self.values[i * k + i] += f64::from(sum[i * stride + i]);
            for j in i + 1..k {
                let value = f64::from(sum[i * stride + j]);
                self.values[i * k + j] += value;
                self.values[j * k + i] = self.values[i * k + j];
            }
        }
    }
}

impl Basis {
    /// g, descending, none below 0.
    pub(crate) fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// `weight · g` in f32, padded with zeros.
    pub(crate) fn scaled_eigenvalues(&self, weight: f32) -> AlignedVec {
        let mut scaled = AlignedVec::zeros(stride_of(self.eigenvalues.len()));
        for (scaled, value) in scaled.iter_mut().zip(&self.eigenvalues) {
            *scaled = rounded(f64::from(weight) * value);
        }
        scaled
    }

    /// Replaces every row y of `factors` by `yQ`: the same vector in this basis.
    pub(crate) fn rotate(&self, path: SimdPath, factors: &mut Factors, pool: &ThreadPool) {
        let k = self.eigenvalues.len();
        let stride = factors.stride();
        if stride == 0 {
            return;
        }
        let mut rotation = AlignedVec::zeros(stride * stride);
        for (column, vector) in self.eigenvectors.chunks_exact(k).enumerate() {
            for (row, &value) in vector.iter().enumerate() {
                rotation[row * stride + column] = rounded(value);
            }
        }
        let blocks: Vec<&mut [f32]> = factors.values_mut().chunks_mut(ROTATED_ROWS * stride).collect();
        pool.install(|| {
            blocks.into_par_iter().for_each_init(AlignedVec::default, |scratch, rows| {
                let scratch = scratch.at_least(crate::kernel::PANEL * stride);
                multiply_rows(path, rows, &rotation, stride, scratch);
            });
        });
    }
}

/// The upper triangle of the Gramian of at most [`CHUNK_ROWS`] rows, in f32.
fn sum_of_chunk(path: SimdPath, rows: &[f32], stride: usize) -> AlignedVec {
    let mut sum = AlignedVec::zeros(stride * stride);
    on_path!(path, simd => add_blocks(simd, rows, stride, &mut sum));
    sum
}

#[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
#[inline(always)]
fn add_blocks<S: Simd>(simd: S, rows: &[f32], stride: usize, sum: &mut [f32]) {
    for block in rows.chunks(BLOCK_ROWS * stride) {
        add_gram(simd, block, stride, sum, stride, stride);
    }
}

/// A k × k matrix in f32 with padded rows.
fn padded(values: &[f64], k: usize, convert: impl Fn(f64) -> f32) -> AlignedVec {
    let stride = stride_of(k);
    let mut matrix = AlignedVec::zeros(k * stride);
    if k > 0 {
        for (row, values) in matrix.chunks_exact_mut(stride).zip(values.chunks_exact(k)) {
            row.iter_mut().zip(values).for_each(|(element, &value)| *element = convert(value));
        }
    }
    matrix
}
