//! What a row problem consists of, and which method suits it.

use crate::als::Pair;

/// The factors of the observed rows, in the order of the pairs.
pub(crate) trait Rows {
    /// The factors of the j-th observed row, with their padding.
    fn row(&self, j: usize) -> &[f32];

    /// Asks memory for the j-th observed row; beyond the last, for one that is observed next, if that is known.
    fn prefetch(&self, _j: usize) {}
}

/// The part of the matrix that all rows share: the Gramian of the fixed side, weighted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Base<'a> {
    /// In the eigenbasis of the Gramian: `a0·g`, padded.
    Diagonal(&'a [f32]),
    /// In any basis: `a0·G`, k rows with their padding. The dual needs a diagonal base, so it is solved the
    /// primal way.
    Dense(&'a [f32]),
}

/// One row to solve. All vectors are padded to the same stride.
#[derive(Debug)]
pub(crate) struct RowProblem<'a, R> {
    pub(crate) base: Base<'a>,
    /// λ of this row, above 0 and finite.
    pub(crate) regularization: f32,
    pub(crate) rows: &'a R,
    /// What is known of each of `rows`.
    pub(crate) pairs: &'a [Pair],
    /// μ; zero if `None`.
    pub(crate) prior: Option<&'a [f32]>,
}

/// How to solve it by elimination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowMethod {
    /// Through the n × n matrix of the observed rows (Woodbury's identity).
    Dual,
    /// Through the k × k matrix.
    Primal,
}

/// What a solve tells beside the solution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowReport {
    /// Steps that conjugate gradients took.
    pub(crate) steps: u32,
    /// `√(rᵀD⁻¹r)` where conjugate gradients looked last: where they stopped, or before the last step that they may take; 0 for
    /// exact methods.
    pub(crate) residual: f32,
    /// Whether that is as little as was asked; true for exact methods.
    pub(crate) converged: bool,
    /// Whether f32 was not enough and the system was solved in f64.
    pub(crate) double_precision: bool,
}
