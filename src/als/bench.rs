//! What `benches/solvers.rs` measures: the inside of a sweep. Not part of the public face.

use rayon::ThreadPool;

use super::row::{
    Base, RowMethod, RowProblem, RowScratch, Rows, StepLimits, improve_row, solve_directly, solve_row,
};
use super::{Factors, Gramian, Pair};
use crate::kernel::{AlignedVec, SimdPath, SplitMix64, rounded, stride_of};

/// How a row is solved.
#[derive(Debug, Clone, Copy)]
pub enum Method {
    /// As fold-in would.
    Chosen,
    /// Through the observed rows.
    Dual,
    /// Through the factors.
    Primal,
    /// Two steps of conjugate gradients from zero.
    ConjugateGradient,
}

/// Row problems of one size whose observed rows lie scattered over a catalogue, so that caches are as cold as
/// for real users.
#[derive(Debug)]
pub struct RowBench {
    path: SimdPath,
    catalogue: Factors,
    base: AlignedVec,
    pairs: Vec<Pair>,
    indices: Vec<u32>,
    scratch: RowScratch,
    out: AlignedVec,
    random: SplitMix64,
}

struct Scattered<'a> {
    factors: &'a Factors,
    indices: &'a [u32],
}

impl Rows for Scattered<'_> {
    fn row(&self, j: usize) -> &[f32] {
        self.factors.row(self.indices[j] as usize)
    }
}

impl RowBench {
    /// Rows with `n_observed` of 20,000 items of `n_factors`.
    pub fn new(path: SimdPath, n_observed: usize, n_factors: usize) -> Self {
        let mut random = SplitMix64::new(1);
        let catalogue = random_factors(20_000, n_factors);
        let mut base = AlignedVec::zeros(stride_of(n_factors));
        base[..n_factors].fill_with(|| rounded(random.uniform()));
        Self {
            path,
            catalogue,
            base,
            pairs: vec![Pair::new(1.0, 1.0).expect("usable"); n_observed],
            indices: vec![0; n_observed],
            scratch: RowScratch::default(),
            out: AlignedVec::zeros(stride_of(n_factors)),
            random,
        }
    }

    /// Draws the observed rows anew; not to be measured.
    pub fn shuffle(&mut self) {
        let n_items = self.catalogue.n_rows();
        let random = &mut self.random;
        self.indices.fill_with(|| u32::try_from(random.below(n_items)).expect("few items"));
    }

    /// Solves one row and returns one of its factors.
    pub fn solve(&mut self, method: Method) -> f32 {
        let rows = Scattered { factors: &self.catalogue, indices: &self.indices };
        let problem = RowProblem {
            base: Base::Diagonal(&self.base),
            regularization: 0.5,
            rows: &rows,
            pairs: &self.pairs,
            prior: None,
        };
        let (path, scratch, out) = (self.path, &mut self.scratch, &mut *self.out);
        match method {
            Method::Chosen => solve_row(path, &problem, scratch, out),
            Method::Dual => solve_directly(path, &problem, RowMethod::Dual, scratch, out),
            Method::Primal => solve_directly(path, &problem, RowMethod::Primal, scratch, out),
            Method::ConjugateGradient => {
                out.fill(0.0);
                improve_row(path, &problem, StepLimits::approximate(2, 0.0, 1.0), scratch, out)
            }
        };
        self.out[0]
    }
}

/// Normal factors of unit length on average.
pub fn random_factors(n_rows: usize, n_factors: usize) -> Factors {
    let mut random = SplitMix64::new(2);
    let mut factors = Factors::zeros(n_rows, n_factors);
    for row in 0..n_rows {
        factors.row_mut(row)[..n_factors].fill_with(|| rounded(random.normal() * 0.125));
    }
    factors
}

/// The trace of the Gramian of `factors`.
pub fn gramian_trace(path: SimdPath, factors: &Factors, pool: &ThreadPool) -> f64 {
    let gramian = Gramian::of(path, factors, pool);
    (0..gramian.n_factors()).map(|i| gramian.values()[i * gramian.n_factors() + i]).sum()
}

/// The largest eigenvalue of the Gramian of 1,000 random rows.
pub fn largest_eigenvalue(path: SimdPath, n_factors: usize) -> impl Fn() -> f64 {
    let factors = random_factors(1_000, n_factors);
    let gramian = Gramian::of_rows(path, n_factors, (0..1_000).map(|row| factors.row(row)));
    move || gramian.eigen().eigenvalues()[0]
}
