//! What solving costs: rows by each method, the eigenbasis, the Gramian, whole sweeps.
//!
//! Run all with `cargo bench --bench solvers`, one group with e.g. `cargo bench --bench solvers -- row/64`.
//! `SEGUE_SIMD=portable|avx2|avx512` chooses the instructions. A row's observed rows are drawn anew before
//! each solve, from 20,000 items, so caches are as cold as for real users. Sweeps run on two threads.

#![expect(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use segue::als_bench::{Method, RowBench, gramian_trace, largest_eigenvalue, random_factors};
use segue::{Als, AlsParams, ItemIdx, Pair, SimdPath, SweepSolver, TrainingInput, UserIdx};

fn rows(criterion: &mut Criterion) {
    for n_factors in [64, 128] {
        let mut group = criterion.benchmark_group(format!("row/{n_factors}"));
        for n_observed in [5, 20, 50, 200] {
            for method in [Method::Dual, Method::Primal, Method::ConjugateGradient, Method::Chosen] {
                let mut bench = RowBench::new(SimdPath::detect(), n_observed, n_factors);
                let id = BenchmarkId::new(format!("{method:?}"), n_observed);
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|iterations| {
                        let mut spent = std::time::Duration::ZERO;
                        for _ in 0..iterations {
                            bench.shuffle();
                            let start = std::time::Instant::now();
                            black_box(bench.solve(method));
                            spent += start.elapsed();
                        }
                        spent
                    });
                });
            }
        }
        group.finish();
    }
}

fn bases(criterion: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one");
    for n_factors in [64, 128, 256] {
        let decompose = largest_eigenvalue(SimdPath::detect(), n_factors);
        criterion.bench_function(&format!("eigen/{n_factors}"), |bencher| bencher.iter(&decompose));
        let factors = random_factors(20_000, n_factors);
        criterion.bench_function(&format!("gramian/20000x{n_factors}"), |bencher| {
            bencher.iter(|| gramian_trace(SimdPath::detect(), &factors, &pool));
        });
    }
}

fn sweeps(criterion: &mut Criterion) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool of two");
    let conjugate = SweepSolver::ConjugateGradient { max_steps: 2, tolerance: 1e-3 };
    let mut group = criterion.benchmark_group("sweep");
    group.sample_size(10);
    // The larger world is the one of the design notes; it takes minutes in all.
    for (n_users, n_items, n_pairs) in [(20_000, 5_000, 1_000_000), (100_000, 20_000, 5_000_000)] {
        let input = world(n_users, n_items, n_pairs);
        for n_factors in [64, 128] {
            for (name, solver) in [("exact", SweepSolver::Exact), ("conjugate", conjugate)] {
                let params = AlsParams::builder().n_factors(n_factors).build().expect("usable settings");
                let mut als = Als::new(params, n_users, n_items).solving_with(solver);
                als.sweep(&input, &pool).expect("a finite world");
                let id = format!("{n_users}x{n_items}/{n_factors}/{name}");
                group.bench_function(id, |bencher| {
                    bencher.iter_batched(
                        || (),
                        |()| als.sweep(&input, &pool).expect("a finite world"),
                        BatchSize::PerIteration,
                    );
                });
            }
        }
    }
    group.finish();
}

/// A seeded world with a few favourites: item numbers are squares of uniform ones, users evenly active.
fn world(n_users: usize, n_items: usize, n_pairs: usize) -> TrainingInput {
    let mut state = 1_u64;
    let mut draw = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % u64::try_from(bound).expect("fits")).expect("below a usize")
    };
    let mut row = |bound| u32::try_from(draw(bound)).expect("below a u32");
    let heard = Pair::new(1.0, 1.0).expect("usable");
    let items = u64::try_from(n_items).expect("fits");
    let pairs: Vec<_> = (0..n_pairs)
        .map(|_| {
            let uniform = u64::from(row(n_items));
            let item = u32::try_from(uniform * uniform / items).expect("below the items");
            (UserIdx::new(row(n_users)), ItemIdx::new(item), heard)
        })
        .collect();
    TrainingInput::from_pairs(n_users, n_items, pairs).expect("rows in range")
}

criterion_group!(benches, rows, bases, sweeps);
criterion_main!(benches);
