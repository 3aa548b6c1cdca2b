//! The value of the objective.
//!
//! ```text
//! Σ_seen c (p − x·y)²  +  a0 Σ_all (x·y)²  +  Σ_u λ_u |x_u − μ_u|²  +  Σ_i λ_i |y_i − μ_i|²
//! ```

use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::gramian::Gramian;
use super::input::PairRows;
use super::{AlsParams, Factors, Pair, TrainingInput};
use crate::kernel::{SimdPath, dot};

/// Rows that one task sums up. Fixed, so that the sum does not depend on the number of threads.
const CHUNK_ROWS: usize = 1_024;

/// Both sides with what they shrink towards.
pub(super) struct Sides<'a> {
    pub(super) users: &'a Factors,
    pub(super) items: &'a Factors,
    pub(super) user_prior: Option<&'a Factors>,
    pub(super) item_prior: Option<&'a Factors>,
}

/// In f64 from f32 scores. A pair without confidence counts `−2 c·p (x·y)`, which is what its term becomes
/// without the part that does not depend on the factors.
pub(super) fn value(
    path: SimdPath,
    params: &AlsParams,
    sides: &Sides<'_>,
    input: &TrainingInput,
    pool: &ThreadPool,
) -> f64 {
    let Sides { users, items, user_prior, item_prior } = *sides;
    let seen = sum_over_rows(users.n_rows(), pool, |user| {
        let (indices, pairs) = input.user_rows().row(user);
        indices.iter().zip(pairs).fold(0.0, |sum, (&item, pair)| {
            sum + loss(*pair, f64::from(dot(path, users.row(user), items.row(item as usize))))
        })
    });
    let all = Gramian::of(path, users, pool).trace_of_product(&Gramian::of(path, items, pool));
    let of_users = penalty(params, users, user_prior, input.user_rows(), items.n_rows(), pool);
    let of_items = penalty(params, items, item_prior, input.item_rows(), users.n_rows(), pool);
    seen + f64::from(params.unobserved_weight()) * all + of_users + of_items
}

/// c (p − s)² from c and c·p.
fn loss(pair: Pair, score: f64) -> f64 {
    let (confidence, preference) = (f64::from(pair.confidence()), f64::from(pair.weighted_preference()));
    if confidence == 0.0 {
        return -2.0 * preference * score;
    }
    let miss = preference - confidence * score;
    miss * miss / confidence
}

fn penalty(
    params: &AlsParams,
    factors: &Factors,
    prior: Option<&Factors>,
    pairs: PairRows<'_>,
    n_others: usize,
    pool: &ThreadPool,
) -> f64 {
    sum_over_rows(factors.n_rows(), pool, |row| {
        let total = pairs.row(row).1.iter().fold(0.0, |sum, pair| sum + f64::from(pair.confidence()));
        let values = factors.row(row).iter().map(|&value| f64::from(value));
        let square = match prior {
            Some(prior) => values
                .zip(prior.row(row))
                .fold(0.0, |sum, (value, &mean)| sum + (value - f64::from(mean)).powi(2)),
            None => values.fold(0.0, |sum, value| sum + value * value),
        };
        f64::from(params.regularization_of_row(total, n_others)) * square
    })
}

/// The sum of `term` over the rows, chunk by chunk in order.
fn sum_over_rows(n_rows: usize, pool: &ThreadPool, term: impl Fn(usize) -> f64 + Sync) -> f64 {
    let starts: Vec<usize> = (0..n_rows).step_by(CHUNK_ROWS).collect();
    let sums: Vec<f64> = pool.install(|| {
        starts
            .into_par_iter()
            .map(|start| (start..n_rows.min(start + CHUNK_ROWS)).fold(0.0, |sum, row| sum + term(row)))
            .collect()
    });
    sums.into_iter().fold(0.0, |sum, chunk| sum + chunk)
}
