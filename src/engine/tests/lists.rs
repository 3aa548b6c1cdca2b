//! Lists against dense arithmetic in f64 over the rows they are made from.

use proptest::prelude::*;

use super::{builder, clock, events, feed, open};
use crate::engine::ManualEngine;
use crate::query::View;
use crate::types::{Event, ItemId, ItemIdx};

/// A world with twins: items `1000 + i` were heard by the same people as `i`, so that scores tie.
fn world(seed: u64, n_events: usize) -> ManualEngine {
    let mut engine = open(builder(&clock()));
    let mut events = events(seed, n_events, 30, 40);
    let twins: Vec<Event> = (0..60_u64)
        .flat_map(|n| [5_000, 5_001].map(|twin| Event::listen(n % 7 * 3, twin + n % 2 * 10)))
        .collect();
    events.extend(twins);
    feed(&mut engine, &events);
    engine.sweep().expect("there is something to learn");
    engine
}

fn row(view: &View, item: u32) -> Vec<f64> {
    let (_, items) = view.pinned();
    items.rows.row(ItemIdx::new(item)).iter().map(|&value| f64::from(value)).collect()
}

fn dense_dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Holds a list against scores in f64: none of the items left out may beat one in the list, by more than
/// what rounding in f32 explains, and the scores themselves agree.
fn check(list: &[(ItemId, f32)], dense: &[(ItemId, f64)], limit: usize) -> Result<(), TestCaseError> {
    // 16 factors of about 1: sixteen roundings of 6e-8 each, with room to spare.
    const ROUNDING: f64 = 1e-5;
    prop_assert_eq!(list.len(), limit.min(dense.len()));
    prop_assert!(list.is_sorted_by(|a, b| a.1 >= b.1), "best first");
    let score = |id: &ItemId| dense.iter().find(|(other, _)| other == id).map(|(_, score)| *score);
    for (id, got) in list {
        let expected = score(id);
        prop_assert!(expected.is_some_and(|expected| (expected - f64::from(*got)).abs() < ROUNDING));
    }
    let Some(worst) = list.last().map(|(_, score)| f64::from(*score)) else { return Ok(()) };
    for (id, score) in dense.iter().filter(|(id, _)| list.iter().all(|(listed, _)| listed != id)) {
        prop_assert!(*score < worst + ROUNDING, "{} was left out with {} above {}", id, score, worst);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_personal_list_is_that_of_dense_products(seed in 0..1_000_u64, user in 0..30_u64, limit in 0..60_usize) {
        let engine = world(seed, 600);
        let view = engine.reader().view();
        let user = view.user(user);
        prop_assume!(user.is_known());
        let (_, state, vector) = user.pinned().expect("known");
        prop_assume!(vector.is_some());
        let vector: Vec<f64> = vector.expect("assumed").iter().map(|&value| f64::from(value)).collect();
        let dense: Vec<_> = (0..engine.writer.shared.item_ids.len())
            .filter(|&item| state.history.cell(ItemIdx::new(item)).is_none())
            .map(|item| {
                let id = engine.writer.shared.item_ids.key(item).expect("given out").clone();
                (id, dense_dot(&vector, &row(&view, item)))
            })
            .collect();
        let list = user.recommend().limit(limit).run().expect("always an answer");
        let list: Vec<_> = list.into_iter().map(|pick| (pick.item, pick.score)).collect();
        check(&list, &dense, limit)?;
    }

    #[test]
    fn similar_items_are_those_of_dense_cosines(seed in 0..1_000_u64, item in 0..40_u32, limit in 0..60_usize) {
        let engine = world(seed, 600);
        let view = engine.reader().view();
        let item = item % engine.writer.shared.item_ids.len();
        let own = row(&view, item);
        prop_assume!(own.iter().any(|&value| value != 0.0));
        let norm = |row: &[f64]| dense_dot(row, row).sqrt();
        let dense: Vec<_> = (0..engine.writer.shared.item_ids.len())
            .filter(|&other| other != item)
            .map(|other| (other, row(&view, other)))
            .filter(|(_, other)| other.iter().any(|&value| value != 0.0))
            .map(|(other, values)| {
                let id = engine.writer.shared.item_ids.key(other).expect("given out").clone();
                (id, dense_dot(&own, &values) / (norm(&own) * norm(&values)))
            })
            .collect();
        let id = engine.writer.shared.item_ids.key(item).expect("given out");
        let list = view.similar(id).limit(limit).run().expect("it has a vector");
        let list: Vec<_> = list.into_iter().map(|pick| (pick.item, pick.score)).collect();
        check(&list, &dense, limit)?;
    }
}
