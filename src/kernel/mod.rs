//! Arithmetic on slices, and seeded random numbers.
//!
//! Layer 0: pure functions of their arguments. Every float kernel is one body over 16 lanes with fused
//! multiply-add of a single rounding and a fixed order of summation, so its bytes do not depend on the CPU.

mod aligned;
mod codes;
mod combine;
mod dot;
mod eliminate;
mod gram;
mod log;
mod numbers;
mod path;
mod prefetch;
mod product;
mod random;
mod row_codes;
mod top_k;
mod transpose;

pub(crate) use aligned::{AlignedVec, LANES, stride_of};
pub(crate) use codes::{CODE_DIMS, CodeLine, code_pair, multiply_codes};
pub(crate) use combine::add_combination;
pub(crate) use dot::{dot, dot_in, load, score_rows, score_rows_in, store, sum_of_lanes};
pub(crate) use eliminate::{PANEL, solve_system, system_stride};
pub(crate) use gram::add_gram;
pub(crate) use log::log1p;
pub(crate) use numbers::{count_as_f64, rounded};
pub use path::SimdPath;
#[cfg(target_arch = "x86_64")]
pub(crate) use path::with_token;
pub(crate) use path::{has_wide_registers, is_portable, on_path};
pub(crate) use prefetch::{prefetch, prefetch_at};
pub(crate) use product::multiply_rows;
pub(crate) use random::{AliasTable, SplitMix64};
pub(crate) use row_codes::{RowLine, decode_row, encode_row};
pub(crate) use top_k::TopK;
pub(crate) use transpose::transpose;

#[cfg(test)]
mod tests;
