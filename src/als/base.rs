//! The frozen bases: what turns a history into a factor vector.

use super::gramian::{Basis, Gramian};
use super::row::{Base, RowProblem, RowReport, RowScratch, Rows, solve_row};
use super::{AlsParams, Pair};
use crate::kernel::{AlignedVec, SimdPath, stride_of};

/// What turns a history into a user vector: the items' weighted Gramian in its eigenbasis and the number of
/// items, both frozen for the life of a model.
///
/// (Within a sweep the same, with the roles of the sides exchanged, solves the items.)
#[derive(Debug, Clone, PartialEq)]
pub struct UserBase {
    params: AlsParams,
    /// a0·g, padded.
    weighted: AlignedVec,
    n_items: usize,
}

/// What turns an item's listeners into an item vector: the users' weighted Gramian, which may have moved
/// since the basis was taken and so is dense, and the frozen number of users.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ItemBase {
    params: AlsParams,
    /// a0·G, padded.
    weighted: AlignedVec,
    n_users: usize,
}

impl UserBase {
    pub(crate) fn new(params: AlsParams, items: &Basis, n_items: usize) -> Self {
        let weighted = items.scaled_eigenvalues(params.unobserved_weight());
        Self { params, weighted, n_items }
    }

    /// The base that a store has kept. `weighted` has one element a factor.
    pub(crate) fn from_parts(params: AlsParams, weighted: &[f32], n_items: usize) -> Self {
        let mut padded = AlignedVec::zeros(stride_of(params.n_factors()));
        padded[..params.n_factors()].copy_from_slice(weighted);
        Self { params, weighted: padded, n_items }
    }

    /// a0·g, one element a factor.
    pub(crate) fn weighted(&self) -> &[f32] {
        &self.weighted[..self.params.n_factors()]
    }

    /// The settings it was made with.
    pub fn params(&self) -> &AlsParams {
        &self.params
    }

    /// The number of items that regularization is scaled with, frozen with the basis.
    pub fn n_items(&self) -> usize {
        self.n_items
    }

    /// λ of a row with these pairs, which depends on their order, by a rounding in f64.
    pub(crate) fn regularization_of(&self, pairs: &[Pair]) -> f32 {
        self.params.regularization_of_row(total_confidence(pairs), self.n_items)
    }

    /// The row problem of somebody with these pairs.
    pub(crate) fn problem<'a, R>(
        &'a self,
        rows: &'a R,
        pairs: &'a [Pair],
        prior: Option<&'a [f32]>,
    ) -> RowProblem<'a, R> {
        let regularization = self.regularization_of(pairs);
        RowProblem { base: Base::Diagonal(&self.weighted), regularization, rows, pairs, prior }
    }

    /// Solves the row of somebody with these pairs: exact, from a cold start. Given the same pairs in the same
    /// order it always gives the same bytes; published vectors come from nowhere else.
    pub(crate) fn fold_in<R: Rows>(
        &self,
        path: SimdPath,
        rows: &R,
        pairs: &[Pair],
        prior: Option<&[f32]>,
        scratch: &mut RowScratch,
        out: &mut [f32],
    ) -> RowReport {
        solve_row(path, &self.problem(rows, pairs, prior), scratch, out)
    }
}

impl ItemBase {
    pub(crate) fn new(params: AlsParams, users: &Gramian, n_users: usize) -> Self {
        let weighted = users.scaled(params.unobserved_weight());
        Self { params, weighted, n_users }
    }

    /// Solves the row of an item with these listeners, exactly.
    pub(crate) fn fold_in<R: Rows>(
        &self,
        path: SimdPath,
        rows: &R,
        pairs: &[Pair],
        prior: Option<&[f32]>,
        scratch: &mut RowScratch,
        out: &mut [f32],
    ) -> RowReport {
        let regularization = self.params.regularization_of_row(total_confidence(pairs), self.n_users);
        let problem = RowProblem { base: Base::Dense(&self.weighted), regularization, rows, pairs, prior };
        solve_row(path, &problem, scratch, out)
    }
}

/// Four sums side by side: each addition would wait for the one before.
fn total_confidence(pairs: &[Pair]) -> f64 {
    let mut sums = [0.0; 4];
    let fours = pairs.chunks_exact(sums.len());
    let rest = fours.remainder();
    for four in fours.chain([rest]) {
        for (sum, pair) in sums.iter_mut().zip(four) {
            *sum += f64::from(pair.confidence());
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}
