//! The exact methods in f64, for near-duplicate rows with huge weights. Rare, so plain.

use super::{Base, RowMethod, RowProblem, Rows};
use crate::kernel::rounded;

/// Solves as `method` would, in f64. Conjugate gradients never come here.
///
/// Pivots are raised to what they are at least in exact arithmetic, so the result is finite whatever the
/// rounding.
pub(super) fn solve_double<R: Rows>(
    problem: &RowProblem<'_, R>,
    method: RowMethod,
    scratch: &mut Vec<f64>,
    out: &mut [f32],
) {
    match (method, problem.base) {
        (RowMethod::Dual, Base::Diagonal(base)) => solve_dual(problem, base, scratch, out),
        _ => solve_primal(problem, scratch, out),
    }
}

fn solve_dual<R: Rows>(problem: &RowProblem<'_, R>, base: &[f32], scratch: &mut Vec<f64>, out: &mut [f32]) {
    let (k, n) = (out.len(), problem.pairs.len());
    let regularization = f64::from(problem.regularization);
    scratch.clear();
    scratch.resize(2 * k + n * k + n * n + n, 0.0);
    let (diagonal, rest) = scratch.split_at_mut(k);
    let (mean, rest) = rest.split_at_mut(k);
    let (scaled, rest) = rest.split_at_mut(n * k);
    let (matrix, right) = rest.split_at_mut(n * n);
    for (diagonal, &base) in diagonal.iter_mut().zip(base) {
        *diagonal = f64::from(base) + regularization;
    }
    if let Some(prior) = problem.prior {
        mean.iter_mut().zip(prior).for_each(|(mean, &prior)| *mean = regularization * f64::from(prior));
    }
    for (j, pair) in problem.pairs.iter().enumerate().filter(|(_, pair)| pair.confidence() == 0.0) {
        let preference = f64::from(pair.weighted_preference());
        mean.iter_mut().zip(problem.rows.row(j)).for_each(|(mean, &z)| *mean += preference * f64::from(z));
    }
    mean.iter_mut().zip(&*diagonal).for_each(|(mean, diagonal)| *mean /= diagonal);
    for (j, pair) in problem.pairs.iter().enumerate().filter(|(_, pair)| pair.confidence() > 0.0) {
        let weight = f64::from(pair.confidence()).sqrt();
        let mut expected = 0.0;
        for ((scaled, &z), (&diagonal, &mean)) in
            scaled[j * k..(j + 1) * k].iter_mut().zip(problem.rows.row(j)).zip(diagonal.iter().zip(&*mean))
        {
            *scaled = weight * f64::from(z) / diagonal.sqrt();
            expected += f64::from(z) * mean;
        }
        right[j] = f64::from(pair.weighted_preference()) / weight - weight * expected;
    }
    for i in 0..n {
        for j in 0..=i {
            let (a, b) = (&scaled[i * k..(i + 1) * k], &scaled[j * k..(j + 1) * k]);
            matrix[i * n + j] = a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b);
        }
        matrix[i * n + i] += 1.0;
    }
    solve_cholesky(matrix, right, |_| 1.0);
    // The scaled rows times the dual variables, unscaled again.
    for ((i, out), (&mean, &diagonal)) in out.iter_mut().enumerate().zip(mean.iter().zip(&*diagonal)) {
        let sum = (0..n).fold(0.0, |sum, j| sum + scaled[j * k + i] * right[j]);
        *out = rounded(mean + sum / diagonal.sqrt());
    }
}

fn solve_primal<R: Rows>(problem: &RowProblem<'_, R>, scratch: &mut Vec<f64>, out: &mut [f32]) {
    let k = out.len();
    let regularization = f64::from(problem.regularization);
    scratch.clear();
    scratch.resize(k * k + 3 * k, 0.0);
    let (matrix, rest) = scratch.split_at_mut(k * k);
    let (right, rest) = rest.split_at_mut(k);
    let (row, floors) = rest.split_at_mut(k);
    match problem.base {
        Base::Diagonal(base) => {
            for (i, &base) in base.iter().enumerate() {
                matrix[i * k + i] = f64::from(base);
                floors[i] = f64::from(base) + regularization;
            }
        }
        Base::Dense(base) => {
            matrix.iter_mut().zip(base).for_each(|(element, &base)| *element = f64::from(base));
            floors.fill(regularization);
        }
    }
    for i in 0..k {
        matrix[i * k + i] += regularization;
    }
    if let Some(prior) = problem.prior {
        right.iter_mut().zip(prior).for_each(|(right, &prior)| *right = regularization * f64::from(prior));
    }
    for (j, pair) in problem.pairs.iter().enumerate() {
        let (confidence, preference) = (f64::from(pair.confidence()), f64::from(pair.weighted_preference()));
        row.iter_mut().zip(problem.rows.row(j)).for_each(|(row, &z)| *row = f64::from(z));
        for i in 0..k {
            right[i] += preference * row[i];
            let weighted = confidence * row[i];
            for (element, z) in matrix[i * k..=i * k + i].iter_mut().zip(&*row) {
                *element += weighted * z;
            }
        }
    }
    solve_cholesky(matrix, right, |i| floors[i]);
    out.iter_mut().zip(&*right).for_each(|(out, &x)| *out = rounded(x));
}

/// Solves the system whose matrix has its lower triangle in `matrix`; `right` becomes the solution. `floor`
/// bounds the pivots from below.
fn solve_cholesky(matrix: &mut [f64], right: &mut [f64], floor: impl Fn(usize) -> f64) {
    let n = right.len();
    for i in 0..n {
        let (done, rest) = matrix.split_at_mut(i * n);
        let row = &mut rest[..=i];
        for j in 0..i {
            let above = &done[j * n..=j * n + j];
            let sum = row[..j].iter().zip(above).fold(row[j], |sum, (a, b)| sum - a * b);
            row[j] = sum / above[j];
        }
        let pivot = row[..i].iter().fold(row[i], |sum, a| sum - a * a);
        row[i] = pivot.max(floor(i)).sqrt();
        let sum = row[..i].iter().zip(&*right).fold(right[i], |sum, (a, b)| sum - a * b);
        right[i] = sum / row[i];
    }
    for i in (0..n).rev() {
        right[i] /= matrix[i * n + i];
        let solved = right[i];
        for (right, a) in right[..i].iter_mut().zip(&matrix[i * n..i * n + i]) {
            *right -= a * solved;
        }
    }
}
