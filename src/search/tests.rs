//! Searches against scoring everything.

use std::collections::BTreeSet;

use super::*;
use crate::kernel::{AlignedVec, SimdPath, SplitMix64, dot, rounded, stride_of};

/// Padded rows.
struct Table {
    values: AlignedVec,
    n_rows: usize,
    stride: usize,
}

impl Table {
    fn zeros(n_rows: usize, n_factors: usize) -> Self {
        let stride = stride_of(n_factors);
        Self { values: AlignedVec::zeros(n_rows * stride), n_rows, stride }
    }

    fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.stride..(row + 1) * self.stride]
    }
}

impl RowSource for Table {
    fn stride(&self) -> usize {
        self.stride
    }

    fn n_rows(&self) -> usize {
        self.n_rows
    }

    fn row(&self, row: u32) -> &[f32] {
        &self.values[row as usize * self.stride..(row as usize + 1) * self.stride]
    }
}

/// Everything but some rows, half of them by the slow question.
#[derive(Clone, Copy)]
struct Without<'a>(&'a BTreeSet<u32>);

impl Allowed for Without<'_> {
    fn is_left_out(&self, row: u32) -> bool {
        row.is_multiple_of(2) && self.0.contains(&row)
    }

    fn is_wanted(&mut self, row: u32) -> bool {
        !self.0.contains(&row)
    }
}

/// How the factors of a world are drawn.
#[derive(Debug, Clone, Copy)]
enum World {
    /// Norms fall like those of a trained model.
    Trained,
    /// All norms are about equal.
    Flat,
    /// Few distinct values, so that there are ties everywhere.
    Ties,
    /// Zero rows, rows of one dominating element, huge and tiny ones.
    Odd,
}

fn factors(world: World, n_rows: usize, n_factors: usize, random: &mut SplitMix64) -> Table {
    let mut factors = Table::zeros(n_rows, n_factors);
    for row in 0..n_rows {
        let size = match world {
            World::Trained => (1.0 + random.uniform() * 1_000.0).powf(-0.7),
            World::Flat | World::Ties => 1.0,
            World::Odd => 10_f64.powi(i32::try_from(random.below(28)).expect("small") - 14),
        };
        let kind = random.below(4);
        for value in &mut factors.row_mut(row)[..n_factors] {
            *value = match world {
                World::Ties => [0.0, 0.5, -0.5, 1.0][random.below(4)],
                World::Odd if kind == 0 => 0.0,
                World::Odd if kind == 1 && random.below(n_factors) > 0 => rounded(1e-3 * size),
                World::Trained | World::Flat | World::Odd => rounded(size * random.normal()),
            };
        }
    }
    factors
}

fn brute(
    factors: &Table,
    limit: usize,
    without: &BTreeSet<u32>,
    score: impl Fn(&[f32]) -> f32,
) -> Vec<(u32, u32)> {
    let rows = 0..u32::try_from(factors.n_rows()).expect("few");
    let mut scored: Vec<(f32, u32)> =
        rows.filter(|row| !without.contains(row)).map(|row| (score(factors.row(row)), row)).collect();
    scored.retain(|(score, _)| !score.is_nan());
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scored.truncate(limit);
    bits(scored)
}

fn bits(hits: Vec<(f32, u32)>) -> Vec<(u32, u32)> {
    hits.into_iter().map(|(score, row)| (score.to_bits(), row)).collect()
}

/// Compares `n_queries` searches of one random world, of which a part has changed since it was indexed, with
/// brute force on `path`.
fn compare(path: SimdPath, world: World, n_rows: usize, n_factors: usize, n_queries: usize, seed: u64) {
    let mut random = SplitMix64::new(seed);
    let indexed = factors(world, n_rows - n_rows / 8, n_factors, &mut random);
    let index = NormIndex::build(&indexed);
    // The rows as they are now: some of the indexed ones changed, some new.
    let mut now = factors(world, n_rows, n_factors, &mut random);
    let mut changed = Vec::new();
    for row in 0..indexed.n_rows() {
        let number = u32::try_from(row).expect("few");
        if random.below(16) == 0 {
            changed.push(number);
        } else {
            now.row_mut(row).copy_from_slice(indexed.row(number));
        }
    }
    let search = Search { path, rows: &now, index: &index, changed: &changed };
    let queries = factors(world, n_queries, n_factors, &mut random);
    for at in 0..u32::try_from(n_queries).expect("few") {
        let mut query = AlignedVec::from(queries.row(at));
        if random.below(8) == 0 {
            query[random.below(n_factors)] *= 1e3;
        }
        let limit = [0, 1, 3, 10, 50, n_rows + 1][random.below(6)];
        let n_without = random.below(n_rows);
        let without: BTreeSet<u32> =
            (0..n_without).map(|_| u32::try_from(random.below(n_rows)).expect("few")).collect();
        let context = || format!("{path}, {world:?}, {n_rows} × {n_factors}, seed {seed}, query {at}");

        let found = bits(search.by_product(&query, limit, Without(&without)));
        assert_eq!(found, brute(&now, limit, &without, |row| dot(path, &query, row)), "{}", context());
        let together =
            search.by_products([(&*query, Without(&without)), (&*query, Without(&without))], limit);
        assert!(together.into_iter().all(|list| bits(list) == found), "{}", context());

        let found = bits(search.by_cosine(&query, limit, Without(&without)));
        assert_eq!(
            found,
            brute(&now, limit, &without, |row| index::cosine(path, &query, row)),
            "cosine, {}",
            context()
        );
    }
}

const WORLDS: [World; 4] = [World::Trained, World::Flat, World::Ties, World::Odd];

#[test]
fn every_list_is_that_of_brute_force_on_every_path() {
    for path in SimdPath::available() {
        for world in WORLDS {
            for (seed, (n_rows, n_factors)) in
                [(1, 1), (8, 3), (16, 16), (17, 20), (300, 64), (700, 33), (40, 200)].into_iter().enumerate()
            {
                compare(path, world, n_rows, n_factors, 30, seed as u64);
            }
        }
    }
}

/// `cargo test --release --lib a_million_lists -- --ignored`
#[test]
#[ignore = "some minutes"]
fn a_million_lists_on_every_path_are_those_of_brute_force() {
    let per_run = 500;
    let n_runs = 1_000_000_usize.div_ceil(per_run * 2).next_multiple_of(WORLDS.len());
    for path in SimdPath::available() {
        let mut random = SplitMix64::new(2);
        for run in 0..n_runs {
            let world = WORLDS[run % WORLDS.len()];
            compare(path, world, 1 + random.below(400), 1 + random.below(100), per_run, run as u64);
        }
        println!("{} lists compared on {path}", n_runs * per_run * 2);
    }
}

#[test]
fn lists_are_the_same_together_or_on_several_threads() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
    let mut random = SplitMix64::new(7);
    for world in WORLDS {
        // More than are looked at before a search is split.
        for (n_rows, n_factors) in [(70_000, 3), (1_500, 40)] {
            let rows = factors(world, n_rows, n_factors, &mut random);
            let index = NormIndex::build(&rows);
            let search = Search { path: SimdPath::detect(), rows: &rows, index: &index, changed: &[] };
            let queries = factors(world, 8, n_factors, &mut random);
            let withouts: Vec<BTreeSet<u32>> = (0..8)
                .map(|_| (0..100).map(|_| u32::try_from(random.below(n_rows)).expect("few")).collect())
                .collect();
            for limit in [0, 1, 10, 200] {
                let each = || (0..8).map(|at| queries.row(at)).zip(&withouts);
                let alone: Vec<_> = each()
                    .map(|(query, without)| bits(search.by_product(query, limit, Without(without))))
                    .collect();
                let together = each().map(|(query, without)| (query, Without(without)));
                let together = search.by_products(together, limit);
                assert_eq!(together.into_iter().map(bits).collect::<Vec<_>>(), alone);
                for ((query, without), alone) in each().zip(&alone) {
                    let split = search.by_product_on(&pool, query, limit, Without(without));
                    assert_eq!(bits(split), *alone, "{world:?}, {n_rows} rows");
                }
            }
        }
    }
}

#[test]
fn whoever_is_asked_may_search_too() {
    struct Curious<'a>(&'a Search<'a, Table>, &'a [f32]);
    impl Allowed for Curious<'_> {
        fn is_left_out(&self, _row: u32) -> bool {
            false
        }
        fn is_wanted(&mut self, _row: u32) -> bool {
            self.0.by_product(self.1, 3, Without(&BTreeSet::new())).len() == 3
        }
    }
    let rows = factors(World::Flat, 50, 2, &mut SplitMix64::new(1));
    let path = SimdPath::detect();
    let search = Search { path, rows: &rows, index: &NormIndex::build(&rows), changed: &[] };
    let (mut query, mut other) = (AlignedVec::zeros(16), AlignedVec::zeros(16));
    (query[0], other[1]) = (1.0, -3.0);
    let found = bits(search.by_product(&query, 5, Curious(&search, &other)));
    assert_eq!(found, brute(&rows, 5, &BTreeSet::new(), |row| dot(path, &query, row)));
}
