//! Each kernel against its plain scalar twin, and each path against the portable one.

use super::*;

fn random_floats(len: usize, seed: u64) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    (0..len).map(|_| rounded(random.normal())).collect()
}

fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|float| float.to_bits()).collect()
}

/// The canonical dot product, spelled out.
fn plain_dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for lane in 0..LANES {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

#[test]
fn dot_has_the_bytes_of_its_plain_twin_on_every_path() {
    for path in SimdPath::available() {
        for len in [0, 16, 32, 64, 80, 1_024] {
            let (a, b) = (random_floats(len, 1), random_floats(len, 2));
            assert_eq!(dot(path, &a, &b).to_bits(), plain_dot(&a, &b).to_bits(), "{path}, {len}");
        }
    }
}

#[test]
fn scores_of_rows_have_the_bytes_of_dot() {
    for path in SimdPath::available() {
        for (n_rows, len) in [(0, 16), (1, 16), (7, 48), (8, 64), (9, 64), (31, 128), (3, 0)] {
            let (query, rows) = (random_floats(len, 3), random_floats(n_rows * len, 4));
            let mut scores = vec![f32::NAN; n_rows];
            score_rows(path, &query, &rows, &mut scores);
            for (row, score) in scores.iter().enumerate() {
                let expected = plain_dot(&query, &rows[row * len..(row + 1) * len]);
                assert_eq!(score.to_bits(), expected.to_bits(), "{path}, {n_rows} × {len}");
            }
        }
    }
}

#[test]
fn the_gram_matrix_has_the_bytes_of_its_plain_twin_on_every_path() {
    for (n_rows, dim, row_stride) in [(0, 16, 16), (1, 8, 16), (5, 24, 32), (40, 64, 64), (3, 56, 64)] {
        let stride = system_stride(dim);
        let mut rows = random_floats(n_rows * row_stride, 5);
        rows.chunks_mut(row_stride).for_each(|row| row[dim..].fill(0.0));
        let start = random_floats(dim * stride, 6);
        let mut expected = start.clone();
        for i in 0..dim {
            for j in i..dim {
                for row in rows.chunks(row_stride) {
                    expected[i * stride + j] = row[i].mul_add(row[j], expected[i * stride + j]);
                }
            }
        }
        for path in SimdPath::available() {
            let mut matrix = start.clone();
            on_path!(path, simd => add_gram(simd, &rows, row_stride, &mut matrix, dim, stride));
            for i in 0..dim {
                let upper = i * stride + i..i * stride + dim;
                assert_eq!(bits(&matrix[upper.clone()]), bits(&expected[upper]), "{path}, row {i} of {dim}");
                // The right-hand side lies beyond.
                assert_eq!(matrix[i * stride + dim].to_bits(), start[i * stride + dim].to_bits());
            }
        }
    }
}

/// A well-conditioned system with its right-hand side, as [`solve_system`] takes it.
fn random_system(dim: usize) -> Vec<f32> {
    let stride = system_stride(dim);
    let rows = random_floats(dim * dim, 7);
    let mut system = vec![0.0; dim * stride];
    for i in 0..dim {
        for j in 0..dim {
            let product: f32 = (0..dim).map(|l| rows[l * dim + i] * rows[l * dim + j]).sum();
            system[i * stride + j] = product / rounded(count_as_f64(dim)) + if i == j { 1.0 } else { 0.0 };
        }
        system[i * stride + dim] = rounded(count_as_f64(i + 1).sin());
    }
    system
}

/// The same elimination, spelled out: rows above are taken out one by one.
fn plain_solution(mut system: Vec<f32>, dim: usize) -> Vec<f32> {
    let stride = system_stride(dim);
    let mut multipliers = vec![0.0_f32; dim * stride];
    for i in 0..dim {
        for above in 0..i {
            let factor = multipliers[above * stride + i];
            for j in 0..stride {
                system[i * stride + j] = factor.mul_add(system[above * stride + j], system[i * stride + j]);
            }
        }
        let inverse = -1.0 / system[i * stride + i];
        for j in 0..stride {
            multipliers[i * stride + j] = system[i * stride + j] * inverse;
        }
    }
    let mut solution = vec![0.0; stride];
    solution[dim] = -1.0;
    for i in (0..dim).rev() {
        // Chunks right of the unknown's own come first, then its own.
        let own = i / LANES * LANES;
        let order = (own + LANES..stride).chain(own..own + LANES);
        let (row, solved): (Vec<f32>, Vec<f32>) =
            order.map(|j| (multipliers[i * stride + j], if j > i { solution[j] } else { 0.0 })).unzip();
        solution[i] = plain_dot(&row, &solved);
    }
    solution.truncate(dim);
    solution
}

#[test]
fn elimination_has_the_bytes_of_its_plain_twin_on_every_path() {
    for dim in [8, 16, 24, 40, 64, 128] {
        let system = random_system(dim);
        let expected = plain_solution(system.clone(), dim);
        for path in SimdPath::available() {
            let (mut system, mut multipliers) = (system.clone(), vec![0.0; system.len()]);
            let mut solution = vec![0.0; system_stride(dim)];
            let solved = on_path!(path, simd => {
                solve_system(simd, &mut system, &mut multipliers, &mut solution, dim, 0.5)
            });
            assert!(solved);
            assert_eq!(bits(&solution[..dim]), bits(&expected), "{path}, {dim}");
        }
    }
}

#[test]
fn elimination_solves_the_system() {
    for dim in [8, 48, 128] {
        let (system, stride) = (random_system(dim), system_stride(dim));
        let solution = plain_solution(system.clone(), dim);
        for row in system.chunks(stride) {
            let left: f64 = row[..dim].iter().zip(&solution).map(|(a, x)| f64::from(a * x)).sum();
            // Eigenvalues lie between 1 and 5, elements are around 1: some roundings of 6e-8.
            assert!((left - f64::from(row[dim])).abs() < 2e-5, "{left} is not {}", row[dim]);
        }
    }
}

#[test]
fn a_pivot_below_the_floor_or_nan_is_reported() {
    for bad in [0.4, 0.0, -1.0, f32::NAN] {
        for place in [0, 9, 23] {
            let (dim, stride) = (24, system_stride(24));
            let mut system = vec![0.0; dim * stride];
            (0..dim).for_each(|i| system[i * stride + i] = if i == place { bad } else { 1.0 });
            let (mut multipliers, mut solution) = (vec![0.0; system.len()], vec![0.0; stride]);
            let path = SimdPath::detect();
            let solved = on_path!(path, simd => {
                solve_system(simd, &mut system, &mut multipliers, &mut solution, dim, 0.5)
            });
            assert!(!solved, "{bad} at {place}");
        }
    }
}

#[test]
fn rows_times_a_matrix_have_the_bytes_of_their_plain_twin_on_every_path() {
    for (n_rows, stride) in [(0, 16), (1, 16), (8, 32), (21, 64)] {
        let (rows, matrix) = (random_floats(n_rows * stride, 8), random_floats(stride * stride, 9));
        let mut expected = vec![0.0_f32; n_rows * stride];
        for row in 0..n_rows {
            for j in 0..stride {
                for l in 0..stride {
                    let sum = &mut expected[row * stride + j];
                    *sum = rows[row * stride + l].mul_add(matrix[l * stride + j], *sum);
                }
            }
        }
        for path in SimdPath::available() {
            let mut product = rows.clone();
            let mut scratch = vec![f32::NAN; PANEL * stride];
            multiply_rows(path, &mut product, &matrix, stride, &mut scratch);
            assert_eq!(bits(&product), bits(&expected), "{path}, {n_rows} × {stride}");
        }
    }
}

#[test]
fn transposing_turns_rows_into_columns_on_every_path() {
    let block = random_floats(LANES * LANES, 10);
    for path in SimdPath::available() {
        let turned: Vec<f32> = on_path!(path, simd => {
            let rows: [_; LANES] = std::array::from_fn(|i| load(simd, &block, i * LANES));
            let mut turned = vec![0.0; LANES * LANES];
            for (i, lanes) in transpose(rows).into_iter().enumerate() {
                store(lanes, &mut turned, i * LANES);
            }
            turned
        });
        for i in 0..LANES {
            for j in 0..LANES {
                assert_eq!(turned[i * LANES + j].to_bits(), block[j * LANES + i].to_bits(), "{path}");
            }
        }
    }
}
