//! What one exact search costs: the ten best of a trained catalogue without fifty known items, over thousands
//! of users in turn, and the ten most similar items.
//!
//! Run with `cargo bench --bench search`. `SEGUE_SIMD=portable|avx2|avx512` chooses the instructions. The
//! catalogues are trained for three sweeps on invented listening with a few favourites; "flat" has normal
//! factors of equal size, the worst case, in which order says nothing.

#![expect(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::Axis;
use segue::als_bench::random_factors;
use segue::{Als, AlsParams, Factors, ItemIdx, ItemIndex, Pair, SweepSolver, TrainingInput, UserIdx};

/// Known items that are left out.
const N_KNOWN: usize = 50;

/// Queries and the items each leaves out.
struct World {
    index: ItemIndex,
    users: Factors,
    known: Vec<Vec<ItemIdx>>,
}

impl World {
    fn new(items: Factors, users: Factors) -> Self {
        let index = ItemIndex::new(items);
        let row = |user| users.get(user).expect("in range");
        let favourites = |user| index.top(row(user), N_KNOWN, &[]).expect("a good query");
        let known = (0..users.n_rows()).map(|user| {
            let mut known: Vec<_> = favourites(user).into_iter().map(|(item, _)| item).collect();
            known.sort_unstable();
            known
        });
        let known = known.collect();
        Self { index, users, known }
    }

    fn trained(n_items: usize, n_factors: usize) -> Self {
        let (n_users, n_pairs) = (5 * n_items / 8, 30 * n_items);
        let input = listening(n_users, n_items, n_pairs);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool of two");
        let params = AlsParams::builder().n_factors(n_factors).build().expect("usable settings");
        let conjugate = SweepSolver::ConjugateGradient { max_steps: 3, tolerance: 1e-3 };
        let mut als = Als::new(params, n_users, n_items).solving_with(conjugate);
        for _ in 0..3 {
            als.sweep(&input, &pool).expect("a finite world");
        }
        let model = als.finish(&input, &pool).expect("a finite world");
        let users = model.user_factors().view();
        let (users, _) = users.split_at(Axis(0), 5_000.min(n_users));
        Self::new(model.item_factors().clone(), Factors::from_array(users).expect("finite"))
    }

    fn flat(n_items: usize, n_factors: usize) -> Self {
        let both = random_factors(n_items + 1_000, n_factors);
        let (items, users) = both.view().split_at(Axis(0), n_items);
        let factors = |array| Factors::from_array(array).expect("finite");
        Self::new(factors(items), factors(users))
    }

    fn measure(&self, criterion: &mut Criterion, name: &str) {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        let mut user = 0;
        group.bench_function("top 10", |bencher| {
            bencher.iter(|| {
                user = (user + 1) % self.users.n_rows();
                let query = self.users.get(user).expect("in range");
                black_box(self.index.top(query, 10, &self.known[user]).expect("a good query"))
            });
        });
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("a pool of two");
        group.bench_function("top 10 on two threads", |bencher| {
            bencher.iter(|| {
                user = (user + 1) % self.users.n_rows();
                let query = self.users.get(user).expect("in range");
                black_box(self.index.top_on(&pool, query, 10, &self.known[user]).expect("a good query"))
            });
        });
        group.bench_function("sixteen times top 10 together", |bencher| {
            bencher.iter(|| {
                let queries: Vec<(&[f32], &[ItemIdx])> = (0..16)
                    .map(|_| {
                        user = (user + 1) % self.users.n_rows();
                        (self.users.get(user).expect("in range"), &*self.known[user])
                    })
                    .collect();
                black_box(self.index.top_of_each(&queries, 10).expect("good queries"))
            });
        });
        let n_items = u32::try_from(self.index.items().n_rows()).expect("fits");
        let mut item = 0_u32;
        group.bench_function("similar", |bencher| {
            bencher.iter(|| {
                item = (item + 7_919) % n_items;
                black_box(self.index.similar(ItemIdx::new(item), 10).expect("a known item"))
            });
        });
        group.finish();
    }
}

fn searches(criterion: &mut Criterion) {
    for (n_items, n_factors) in [(20_000, 64), (20_000, 128), (160_000, 64), (160_000, 128)] {
        World::trained(n_items, n_factors).measure(criterion, &format!("trained/{n_items}x{n_factors}"));
    }
    World::flat(160_000, 64).measure(criterion, "flat/160000x64");
}

/// A seeded world with a few favourites: the density of an item falls with the cube root of its rank squared.
fn listening(n_users: usize, n_items: usize, n_pairs: usize) -> TrainingInput {
    let mut state = 1_u64;
    let mut draw = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % u64::try_from(bound).expect("fits")).expect("below a usize")
    };
    let mut row = |bound| u32::try_from(draw(bound)).expect("below a u32");
    let heard = Pair::new(1.0, 1.0).expect("usable");
    let items = u64::try_from(n_items).expect("fits");
    let pairs = (0..n_pairs).map(|_| {
        let uniform = u64::from(row(n_items));
        let item = u32::try_from(uniform * uniform / items * uniform / items).expect("below the items");
        (UserIdx::new(row(n_users)), ItemIdx::new(item), heard)
    });
    TrainingInput::from_pairs(n_users, n_items, pairs).expect("rows in range")
}

criterion_group!(benches, searches);
criterion_main!(benches);
