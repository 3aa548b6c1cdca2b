//! The row problem: one row of one side, with the other side held fixed.
//!
//! ```text
//! A x = b,   A = base + Σ c_j z_j z_jᵀ + λ I,   b = Σ c_j p_j z_j + λ μ
//! ```
//!
//! A half-sweep's row, a user's fold-in, an item's fold-in and somebody we have never met are all this
//! problem, with different rows and a different prior mean μ.

mod conjugate;
mod double;
mod dual;
mod primal;
mod problem;
mod solve;

pub(crate) use conjugate::{AHEAD, GatherRows, StepLimits};
pub(crate) use problem::{Base, RowMethod, RowProblem, RowReport, Rows};
pub(crate) use solve::{RowScratch, improve_row, solve_directly, solve_row};

#[cfg(test)]
mod tests;
