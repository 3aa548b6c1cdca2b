//! The eigen-decomposition of a symmetric matrix, in f64.
//!
//! Householder reduction to tridiagonal form, then implicit QL with Wilkinson's shift, as in Golub & Van
//! Loan, "Matrix Computations", §8.3. Plain additions, multiplications, divisions and square roots only, so
//! that the bytes do not depend on the CPU. Eigenvectors are kept as rows: both phases then run along memory.

/// Beyond what any symmetric matrix needs (two or three on average); only a bound against NaN.
const MAX_STEPS_PER_VALUE: usize = 64;

/// A column of a matrix scaled to 1 with less than this beside its diagonal counts as reduced already: the
/// error is far below rounding, while the reciprocal of a smaller square would be infinite. Factors that
/// training shrinks to nothing give such columns.
const NEGLIGIBLE_SQUARE: f64 = 1e-200;

/// Eigenvalues, descending, and the eigenvectors as the rows of an n × n matrix, row-major.
///
/// Each eigenvector's entry of largest magnitude (the first of several) is positive, so that equal matrices
/// give equal bases. A matrix that is zero or not finite has its diagonal for eigenvalues and the unit
/// vectors for eigenvectors.
pub(super) fn symmetric_eigen(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let scale = matrix.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if scale == 0.0 || !matrix.iter().all(|value| value.is_finite()) {
        let diagonal = (0..n).map(|i| matrix[i * n + i]).collect();
        return (diagonal, identity(n));
    }
    // Elements up to 1 keep every square in range.
    let mut reduced: Vec<f64> = matrix.iter().map(|value| value / scale).collect();
    let mut tridiagonal = tridiagonalise(&mut reduced, n);
    diagonalise(&mut tridiagonal, n);
    sorted(&tridiagonal, scale, n)
}

/// A tridiagonal matrix and the rows of the orthogonal one that led there.
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// Beside the diagonal; one longer than needed, the last is 0.
    beside: Vec<f64>,
    vectors: Vec<f64>,
}

/// Reflects column by column. `matrix` is overwritten: row i keeps the reflection's vector right of the
/// diagonal.
fn tridiagonalise(matrix: &mut [f64], n: usize) -> Tridiagonal {
    let mut beside = vec![0.0; n];
    let mut strengths = vec![0.0; n];
    let mut product = vec![0.0; n];
    for i in 0..n.saturating_sub(1) {
        let (head, tail) = matrix.split_at_mut((i + 1) * n);
        let vector = &mut head[i * n + i + 1..];
        let squared_norm = sum_of_products(vector, vector);
        if squared_norm < NEGLIGIBLE_SQUARE {
            vector.fill(0.0);
            continue;
        }
        let norm = squared_norm.sqrt();
        // Away from zero: adding numbers of one sign cancels nothing.
        beside[i] = if vector[0] > 0.0 { -norm } else { norm };
        vector[0] -= beside[i];
        strengths[i] = 2.0 / sum_of_products(vector, vector);
        // The block below becomes B − v wᵀ − w vᵀ with w = p − (strength/2)(v·p) v and p = strength·B v.
        let product = &mut product[i + 1..n];
        for (p, row) in product.iter_mut().zip(tail.chunks_exact(n)) {
            *p = strengths[i] * sum_of_products(&row[i + 1..], vector);
        }
        let along = strengths[i] / 2.0 * sum_of_products(product, vector);
        for (p, v) in product.iter_mut().zip(&*vector) {
            *p -= along * v;
        }
        for (row, (&v, &w)) in tail.chunks_exact_mut(n).zip(vector.iter().zip(&*product)) {
            for ((element, v_j), w_j) in row[i + 1..].iter_mut().zip(&*vector).zip(&*product) {
                *element -= v * w_j + w * v_j;
            }
        }
    }
    // The reflections' product, from the last: each then touches only the block it acts on.
    let mut vectors = identity(n);
    for i in (0..n.saturating_sub(1)).rev().filter(|&i| strengths[i] != 0.0) {
        let vector = &matrix[i * n + i + 1..(i + 1) * n];
        for row in vectors[(i + 1) * n..].chunks_exact_mut(n) {
            let along = strengths[i] * sum_of_products(&row[i + 1..], vector);
            for (element, v) in row[i + 1..].iter_mut().zip(vector) {
                *element -= along * v;
            }
        }
    }
    let diagonal = (0..n).map(|i| matrix[i * n + i]).collect();
    Tridiagonal { diagonal, beside, vectors }
}

/// Chases the elements beside the diagonal to zero.
fn diagonalise(tridiagonal: &mut Tridiagonal, n: usize) {
    for first in 0..n {
        for _ in 0..MAX_STEPS_PER_VALUE {
            let Tridiagonal { diagonal, beside, .. } = &*tridiagonal;
            let negligible =
                |i: usize| beside[i].abs() <= f64::EPSILON * (diagonal[i].abs() + diagonal[i + 1].abs());
            let last = (first..n - 1).find(|&i| negligible(i)).unwrap_or(n - 1);
            if last == first {
                break;
            }
            ql_step(tridiagonal, first, last, n);
        }
    }
}

/// One implicit QL step on the block from `first` to `last`.
fn ql_step(tridiagonal: &mut Tridiagonal, first: usize, last: usize, n: usize) {
    let Tridiagonal { diagonal, beside, vectors } = tridiagonal;
    let half_gap = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first]);
    let root = libm::hypot(half_gap, 1.0);
    let denominator = half_gap + if half_gap < 0.0 { -root } else { root };
    let mut bulge = diagonal[last] - diagonal[first] + beside[first] / denominator;
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for i in (first..last).rev() {
        let (above, along) = (sine * beside[i], cosine * beside[i]);
        let radius = libm::hypot(above, bulge);
        beside[i + 1] = radius;
        if radius == 0.0 {
            // The block falls apart here: undo the shift and let the next step find the smaller block.
            diagonal[i + 1] -= shift;
            beside[last] = 0.0;
            return;
        }
        (sine, cosine) = (above / radius, bulge / radius);
        let unshifted = diagonal[i + 1] - shift;
        let turned = (diagonal[i] - unshifted) * sine + 2.0 * cosine * along;
        shift = sine * turned;
        diagonal[i + 1] = unshifted + shift;
        bulge = cosine * turned - along;
        let (upper, lower) = vectors[i * n..(i + 2) * n].split_at_mut(n);
        for (u, l) in upper.iter_mut().zip(lower) {
            (*u, *l) = (cosine * *u - sine * *l, sine * *u + cosine * *l);
        }
    }
    diagonal[first] -= shift;
    beside[first] = bulge;
    beside[last] = 0.0;
}

/// Eigenvalues descending, equal ones in the order found, with the signs fixed.
fn sorted(tridiagonal: &Tridiagonal, scale: f64, n: usize) -> (Vec<f64>, Vec<f64>) {
    let Tridiagonal { diagonal, vectors, .. } = tridiagonal;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| diagonal[b].total_cmp(&diagonal[a]));
    let mut rows = Vec::with_capacity(n * n);
    for &i in &order {
        let row = &vectors[i * n..(i + 1) * n];
        let largest = row.iter().fold(0.0_f64, |best, v| if v.abs() > best.abs() { *v } else { best });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        rows.extend(row.iter().map(|v| sign * v));
    }
    (order.iter().map(|&i| diagonal[i] * scale).collect(), rows)
}

/// In eight interleaved sums, so that it need not wait for each addition.
fn sum_of_products(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (mut a_chunks, mut b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    for (a, b) in a_chunks.by_ref().zip(b_chunks.by_ref()) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let tail = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b);
    sums.into_iter().chain(tail).fold(0.0, |sum, product| sum + product)
}

fn identity(n: usize) -> Vec<f64> {
    let mut matrix = vec![0.0; n * n];
    for i in 0..n {
        matrix[i * n + i] = 1.0;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{SplitMix64, count_as_f64};

    /// The largest error of `matrix = Σ value · vector vectorᵀ` and of `vectors · vectorsᵀ = 1`.
    fn errors(matrix: &[f64], n: usize) -> (f64, f64) {
        let (values, vectors) = symmetric_eigen(matrix, n);
        assert!(values.is_sorted_by(|a, b| a >= b), "descending");
        let (mut rebuilt_error, mut angle_error) = (0.0_f64, 0.0_f64);
        for i in 0..n {
            for j in 0..n {
                let rebuilt: f64 = (0..n).map(|l| values[l] * vectors[l * n + i] * vectors[l * n + j]).sum();
                let angle: f64 = (0..n).map(|l| vectors[i * n + l] * vectors[j * n + l]).sum();
                rebuilt_error = rebuilt_error.max((rebuilt - matrix[i * n + j]).abs());
                angle_error = angle_error.max((angle - f64::from(u8::from(i == j))).abs());
            }
        }
        (rebuilt_error, angle_error)
    }

    /// The Gramian of `n_rows` random rows.
    fn random_gramian(n: usize, n_rows: usize, scale: f64) -> Vec<f64> {
        let mut random = SplitMix64::new(n as u64);
        let mut matrix = vec![0.0; n * n];
        for _ in 0..n_rows {
            let row: Vec<f64> = (0..n).map(|_| scale * random.normal()).collect();
            for i in 0..n {
                for j in 0..n {
                    matrix[i * n + j] += row[i] * row[j];
                }
            }
        }
        matrix
    }

    fn assert_decomposed(matrix: &[f64], n: usize, what: &str) {
        let scale = matrix.iter().fold(f64::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
        let (rebuilt, angle) = errors(matrix, n);
        // A backward stable method leaves a small multiple of n roundings of 1e-16.
        let bound = 1e-15 * (10.0 + count_as_f64(n));
        assert!(rebuilt / scale < 10.0 * bound && angle < bound, "{what}, n = {n}: {rebuilt:e}, {angle:e}");
    }

    #[test]
    fn the_matrix_is_rebuilt_from_orthogonal_vectors() {
        for n in (1..20).chain([31, 32, 33, 64, 127, 128]) {
            assert_decomposed(&random_gramian(n, 2 * n, 1.0), n, "of full rank");
            assert_decomposed(&random_gramian(n, n / 3, 1.0), n, "of a third of the rank");
            assert_decomposed(&random_gramian(n, 2 * n, 1e150), n, "huge");
            assert_decomposed(&random_gramian(n, 2 * n, 1e-150), n, "tiny");
        }
    }

    #[test]
    fn degenerate_matrices_are_decomposed() {
        for n in [1, 2, 5, 64] {
            let diagonal = |value: fn(usize) -> f64| {
                let mut matrix = vec![0.0; n * n];
                (0..n).for_each(|i| matrix[i * n + i] = value(i));
                matrix
            };
            assert_decomposed(&diagonal(|_| 0.0), n, "zero");
            assert_decomposed(&diagonal(|_| 3.0), n, "a multiple of the unit matrix");
            assert_decomposed(&diagonal(|i| [5.0, 1e-18, 0.0][i % 3]), n, "diagonal");
            assert_decomposed(&vec![1.0; n * n], n, "of ones");
        }
    }

    #[test]
    fn columns_that_shrink_to_nothing_are_decomposed() {
        for n in [5, 64, 128] {
            // Of rank one, each row and column a thousandth of the one before, down to below the smallest
            // number: what training leaves of factors that nothing needs.
            let fading = |exponent: usize| 10_f64.powi(-3 * i32::try_from(exponent).expect("small"));
            let matrix: Vec<f64> = (0..n * n).map(|at| fading(at / n + at % n)).collect();
            assert_decomposed(&matrix, n, "fading");
        }
    }

    #[test]
    fn known_eigenvalues_are_found() {
        let (values, vectors) = symmetric_eigen(&[2.0, -1.0, -1.0, 2.0], 2);
        assert!((values[0] - 3.0).abs() < 1e-15 && (values[1] - 1.0).abs() < 1e-15, "{values:?}");
        let half = std::f64::consts::FRAC_1_SQRT_2;
        for (vector, expected) in vectors.iter().zip([half, -half, half, half]) {
            assert!((vector - expected).abs() < 1e-15, "{vectors:?}");
        }
    }

    #[test]
    fn a_matrix_that_is_not_finite_ends_at_its_diagonal() {
        let (values, vectors) = symmetric_eigen(&[f64::NAN, 1.0, 1.0, 2.0], 2);
        assert!(values[0].is_nan() && (values[1] - 2.0).abs() < f64::EPSILON);
        assert_eq!(vectors, [1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn nothing_has_no_eigenvalues() {
        assert_eq!(symmetric_eigen(&[], 0), (vec![], vec![]));
    }
}
