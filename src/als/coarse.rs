//! The fixed side at a quarter of its size, for sweeps that are approximate anyway.

use fearless_simd::Simd;
use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::Factors;
use super::row::{AHEAD, GatherRows};
use crate::kernel::{RowLine, SimdPath, decode_row, encode_row, on_path, prefetch_at};

/// Rows that one task codes.
const PART_ROWS: usize = 1_024;

/// Factors in 8 bits with a scale a row, within a 254th of the row's largest element. A sweep reads the rows of the
/// fixed side all over memory, and waits for every cache line: of 64 factors there is one left, of four. What the codes
/// miss averages out over the rows that somebody has; objectives after five sweeps rose by some 2·10⁻⁶.
#[derive(Debug)]
pub(super) struct CoarseFactors {
    lines: Vec<RowLine>,
    scales: Vec<f32>,
    /// Lines of a row.
    n_lines: usize,
}

impl CoarseFactors {
    pub(super) fn of(path: SimdPath, factors: &Factors, pool: &ThreadPool) -> Self {
        let n_lines = factors.stride().div_ceil(RowLine::LEN);
        let mut lines = vec![RowLine::ZERO; factors.n_rows() * n_lines];
        let mut scales = vec![0.0; factors.n_rows()];
        pool.install(|| {
            let parts = lines.par_chunks_mut(PART_ROWS * n_lines).zip(scales.par_chunks_mut(PART_ROWS));
            parts.enumerate().for_each(|(part, (lines, scales))| {
                for (at, (lines, scale)) in lines.chunks_exact_mut(n_lines).zip(scales).enumerate() {
                    let row = factors.row(part * PART_ROWS + at);
                    *scale = on_path!(path, simd => encode_row(simd, row, lines));
                }
            });
        });
        Self { lines, scales, n_lines }
    }
}

/// The rows of one side that somebody has pairs with, coarse.
#[derive(Debug)]
pub(super) struct CoarseRows<'a> {
    pub(super) factors: &'a CoarseFactors,
    /// Of the observed rows, then of those that are observed next.
    pub(super) indices: &'a [u32],
}

impl CoarseRows<'_> {
    /// Asks memory for the first rows, which nobody has before.
    pub(super) fn begin(&self) {
        self.indices
            .iter()
            .take(AHEAD)
            .for_each(|&row| self.factors.prefetch(row as usize, self.factors.n_lines));
    }
}

impl CoarseFactors {
    #[expect(clippy::inline_always, reason = "an instruction or two between others")]
    #[inline(always)]
    fn prefetch(&self, row: usize, n_lines: usize) {
        for line in 0..n_lines {
            prefetch_at(&self.lines, row * n_lines + line);
        }
        prefetch_at(&self.scales, row);
    }
}

impl GatherRows for CoarseRows<'_> {
    #[inline]
    fn expect(&self, _n_rows: usize) {
        // The row before has asked for them, or `begin`.
    }

    #[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, first: usize, dim: usize, out: &mut [f32]) {
        let (lines, scales, indices) = (&*self.factors.lines, &*self.factors.scales, &self.indices[first..]);
        // The factors' own, but known to the compiler where `dim` is.
        let n_lines = dim.div_ceil(RowLine::LEN);
        for (j, out) in out.chunks_exact_mut(dim).enumerate() {
            if let Some(&next) = indices.get(j + AHEAD) {
                self.factors.prefetch(next as usize, n_lines);
            }
            let row = indices[j] as usize;
            decode_row(simd, &lines[row * n_lines..(row + 1) * n_lines], scales[row], out);
        }
    }
}
