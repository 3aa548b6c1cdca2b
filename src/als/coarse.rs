//! The fixed side at half the size, for sweeps that are approximate anyway.

use fearless_simd::{Simd, dispatch};
use rayon::ThreadPool;
use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use super::Factors;
use super::row::GatherRows;
use crate::kernel::{HalfLine, SimdPath, encode_half, load_half};

/// Rows that one task codes.
const PART_ROWS: usize = 1_024;

/// Factors in 16 bits with a scale a row, within 2⁻¹⁶ of the row's largest element. A sweep reads the rows of
/// the fixed side all over memory: half the bytes is nearly twice the speed where they fit into no cache.
#[derive(Debug)]
pub(super) struct CoarseFactors {
    lines: Vec<HalfLine>,
    scales: Vec<f32>,
    /// Lines of a row.
    n_lines: usize,
}

impl CoarseFactors {
    pub(super) fn of(path: SimdPath, factors: &Factors, pool: &ThreadPool) -> Self {
        let n_lines = factors.stride().div_ceil(HalfLine::LEN);
        let mut lines = vec![HalfLine::ZERO; factors.n_rows() * n_lines];
        let mut scales = vec![0.0; factors.n_rows()];
        pool.install(|| {
            let parts = lines.par_chunks_mut(PART_ROWS * n_lines).zip(scales.par_chunks_mut(PART_ROWS));
            parts.enumerate().for_each(|(part, (lines, scales))| {
                for (at, (lines, scale)) in lines.chunks_exact_mut(n_lines).zip(scales).enumerate() {
                    let row = factors.row(part * PART_ROWS + at);
                    *scale = dispatch!(path.level(), simd => encode_half(simd, row, lines));
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
    pub(super) indices: &'a [u32],
}

impl GatherRows for CoarseRows<'_> {
    #[expect(clippy::inline_always, reason = "code generic over `Simd` must be inlined into its dispatch")]
    #[inline(always)]
    fn gather<S: Simd>(&self, simd: S, j: usize, out: &mut [f32]) {
        let CoarseFactors { lines, scales, n_lines } = self.factors;
        let row = self.indices[j] as usize;
        load_half(simd, &lines[row * n_lines..(row + 1) * n_lines], scales[row], out);
    }

    #[expect(clippy::inline_always, reason = "a few loads between others")]
    #[inline(always)]
    fn touch(&self, j: usize) -> u32 {
        let CoarseFactors { lines, scales, n_lines } = self.factors;
        let row = self.indices[j] as usize;
        let lines = &lines[row * n_lines..(row + 1) * n_lines];
        lines.iter().fold(scales[row].to_bits(), |all, line| all ^ line.touch())
    }
}
