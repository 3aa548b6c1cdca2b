//! The demo world has something to learn: a plain dense least-squares model of who listened to what finds
//! what is played next far more often than a list of what is popular, and what it finds is truly to the
//! listener's taste.

use std::collections::HashMap;

use segue::demo::DemoWorld;
use segue::{Action, ActionKind, Event, ItemId, Timestamp, UserId};

const N_FACTORS: usize = 16;
const N_SHOWN: usize = 10;
const N_TRAIN: usize = 150_000;
const N_TEST: usize = 20_000;

#[test]
fn a_least_squares_model_beats_the_popularity_list_clearly() {
    let world = DemoWorld::builder().seed(3).n_artists(800).n_listeners(1_200).build().expect("in range");
    let mut events = world.events();
    let mut plays = Plays::default();
    let mut learned_until = world.start();
    for event in events.by_ref().take(N_TRAIN) {
        learned_until = event.timestamp().expect("every event has a time");
        plays.learn(&event);
    }
    let by_user = plays.confidences();
    let (user_factors, item_factors) = alternating_least_squares(&by_user, plays.items.len());
    let popularity = plays.popularity();

    let mut hits = Hits::default();
    for event in events.take(N_TEST).filter(is_listen) {
        let (Some(&user), Some(&item)) = (plays.users.get(event.user()), plays.items.get(event.item()))
        else {
            continue;
        };
        let scores: Vec<f64> = item_factors.iter().map(|row| dot(row, &user_factors[user])).collect();
        let known = &by_user[user];
        if known.contains_key(&item) {
            hits.repeats.count(is_shown(&scores, item, |_| true), is_shown(&popularity, item, |_| true));
        } else {
            let new = |other: usize| !known.contains_key(&other);
            hits.discoveries.count(is_shown(&scores, item, new), is_shown(&popularity, item, new));
        }
    }
    println!("{hits:?}");
    assert!(hits.repeats.factor() > 2.0, "{hits:?}");
    assert!(hits.discoveries.factor() > 1.5, "{hits:?}");

    let truth =
        |scores: &dyn Fn(usize) -> Vec<f64>| mean_truth(&world, &plays, &by_user, scores, learned_until);
    let recommended = truth(&|user| item_factors.iter().map(|row| dot(row, &user_factors[user])).collect());
    let popular = truth(&|_| popularity.clone());
    println!("true affinity of what is recommended {recommended:.3}, of what is popular {popular:.3}");
    assert!(recommended > 2.0 * popular, "{recommended} against {popular}");
}

/// Listens per pair, with dense rows in order of first appearance.
#[derive(Default)]
struct Plays {
    users: HashMap<UserId, usize>,
    items: HashMap<ItemId, usize>,
    counts: Vec<HashMap<usize, f64>>,
}

impl Plays {
    fn learn(&mut self, event: &Event) {
        if !is_listen(event) {
            return;
        }
        let (next_user, next_item) = (self.users.len(), self.items.len());
        let user = *self.users.entry(event.user().clone()).or_insert(next_user);
        let item = *self.items.entry(event.item().clone()).or_insert(next_item);
        if user == self.counts.len() {
            self.counts.push(HashMap::new());
        }
        *self.counts[user].entry(item).or_default() += 1.0;
    }

    /// Repeated plays saturate.
    fn confidences(&self) -> Vec<HashMap<usize, f64>> {
        let saturated = |row: &HashMap<usize, f64>| row.iter().map(|(&item, n)| (item, n.ln_1p())).collect();
        self.counts.iter().map(saturated).collect()
    }

    fn popularity(&self) -> Vec<f64> {
        let mut plays = vec![0.0; self.items.len()];
        for (&item, n) in self.counts.iter().flatten() {
            plays[item] += n;
        }
        plays
    }
}

#[derive(Debug, Default)]
struct Hits {
    repeats: Rate,
    discoveries: Rate,
}

#[derive(Debug, Default)]
struct Rate {
    shown: u32,
    of_model: u32,
    of_popularity: u32,
}

impl Rate {
    fn count(&mut self, model: bool, popularity: bool) {
        self.shown += 1;
        self.of_model += u32::from(model);
        self.of_popularity += u32::from(popularity);
    }

    fn factor(&self) -> f64 {
        assert!(self.of_popularity > 100, "too few for a comparison: {self:?}");
        f64::from(self.of_model) / f64::from(self.of_popularity)
    }
}

fn is_listen(event: &Event) -> bool {
    matches!(event.action(), Action::Do(ActionKind::Listen))
}

fn is_shown(scores: &[f64], item: usize, eligible: impl Fn(usize) -> bool) -> bool {
    let better = |(other, score): (usize, &f64)| *score > scores[item] && eligible(other);
    scores.iter().enumerate().filter(|pair| better(*pair)).count() < N_SHOWN
}

/// The mean true affinity of each listener's best new artists.
fn mean_truth(
    world: &DemoWorld,
    plays: &Plays,
    known: &[HashMap<usize, f64>],
    scores: &dyn Fn(usize) -> Vec<f64>,
    at: Timestamp,
) -> f64 {
    let mut ids: Vec<&ItemId> = vec![world.artists()[0].id(); plays.items.len()];
    for (id, &item) in &plays.items {
        ids[item] = id;
    }
    let (mut sum, mut n) = (0.0, 0.0);
    for (id, &user) in &plays.users {
        let mut best: Vec<(usize, f64)> = scores(user)
            .into_iter()
            .enumerate()
            .filter(|(item, _)| !known[user].contains_key(item))
            .collect();
        best.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        for (item, _) in best.into_iter().take(N_SHOWN) {
            sum += world.true_affinity(id, ids[item], at).expect("both live here");
            n += 1.0;
        }
    }
    sum / n
}

/// Implicit alternating least squares with every row solved by elimination; users and items by row.
fn alternating_least_squares(by_user: &[HashMap<usize, f64>], n_items: usize) -> (Factors, Factors) {
    let mut by_item = vec![HashMap::new(); n_items];
    for (user, row) in by_user.iter().enumerate() {
        for (&item, &confidence) in row {
            by_item[item].insert(user, confidence);
        }
    }
    // Any start that is not symmetric will do; this one needs no generator.
    let start = |n: usize| 0.1 * (as_f64(n * 7_919 % 104_729) / 104_729.0 - 0.5);
    let mut item_factors: Factors =
        (0..n_items).map(|item| std::array::from_fn(|f| start(item * N_FACTORS + f + 1))).collect();
    let mut user_factors = half_sweep(by_user, &item_factors);
    for _ in 0..6 {
        item_factors = half_sweep(&by_item, &user_factors);
        user_factors = half_sweep(by_user, &item_factors);
    }
    (user_factors, item_factors)
}

type Factors = Vec<[f64; N_FACTORS]>;

fn half_sweep(rows: &[HashMap<usize, f64>], fixed: &Factors) -> Factors {
    const UNOBSERVED_WEIGHT: f64 = 0.05;
    const REGULARIZATION: f64 = 0.01;
    let mut gramian = [[0.0; N_FACTORS]; N_FACTORS];
    for row in fixed {
        add_outer(&mut gramian, row, UNOBSERVED_WEIGHT);
    }
    rows.iter()
        .map(|observed| {
            let (mut matrix, mut right) = (gramian, [0.0; N_FACTORS]);
            let mut total = UNOBSERVED_WEIGHT * as_f64(fixed.len());
            // In order of number: the map's own order differs from run to run.
            let mut observed: Vec<(usize, f64)> = observed.iter().map(|(&other, &c)| (other, c)).collect();
            observed.sort_unstable_by_key(|(other, _)| *other);
            for (other, confidence) in observed {
                add_outer(&mut matrix, &fixed[other], confidence);
                right.iter_mut().zip(&fixed[other]).for_each(|(sum, y)| *sum += confidence * y);
                total += confidence;
            }
            (0..N_FACTORS).for_each(|f| matrix[f][f] += REGULARIZATION * total);
            solved(matrix, right)
        })
        .collect()
}

fn add_outer(matrix: &mut [[f64; N_FACTORS]; N_FACTORS], row: &[f64; N_FACTORS], weight: f64) {
    for (sums, a) in matrix.iter_mut().zip(row) {
        sums.iter_mut().zip(row).for_each(|(sum, b)| *sum += weight * a * b);
    }
}

/// Gaussian elimination; the matrix is positive definite, so no pivoting.
fn solved(mut matrix: [[f64; N_FACTORS]; N_FACTORS], mut right: [f64; N_FACTORS]) -> [f64; N_FACTORS] {
    for pivot in 0..N_FACTORS {
        let (pivot_row, pivot_right) = (matrix[pivot], right[pivot]);
        for below in pivot + 1..N_FACTORS {
            let factor = matrix[below][pivot] / pivot_row[pivot];
            (pivot..N_FACTORS).for_each(|f| matrix[below][f] -= factor * pivot_row[f]);
            right[below] -= factor * pivot_right;
        }
    }
    for pivot in (0..N_FACTORS).rev() {
        let known: f64 = (pivot + 1..N_FACTORS).map(|f| matrix[pivot][f] * right[f]).sum();
        right[pivot] = (right[pivot] - known) / matrix[pivot][pivot];
    }
    right
}

fn dot(a: &[f64; N_FACTORS], b: &[f64; N_FACTORS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn as_f64(small: usize) -> f64 {
    f64::from(u32::try_from(small).expect("the numbers of this test are small"))
}
