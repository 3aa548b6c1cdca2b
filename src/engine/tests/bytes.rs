//! Neither threads nor instructions change a byte.

use std::time::Duration;

use super::{bits, builder, clock, events, feed, n_users, open, vectors_of_users};
use crate::engine::ManualEngine;
use crate::kernel::SimdPath;
use crate::types::UserIdx;

/// Everything that floats: items, swept rows, the vectors of answers.
#[derive(Debug, PartialEq)]
struct Bytes {
    items: Vec<Vec<u32>>,
    swept: Vec<Option<Vec<u32>>>,
    users: Vec<Vec<u32>>,
    n_item_folds: u64,
}

fn bytes_of(engine: &ManualEngine) -> Bytes {
    let items = engine.writer.generation.items.load();
    Bytes {
        items: items.rows.chunks().map(|(_, rows)| bits(rows)).collect(),
        swept: (0..n_users(engine))
            .map(|row| engine.writer.generation.swept_row(UserIdx::new(row)).map(bits))
            .collect(),
        users: vectors_of_users(engine),
        n_item_folds: engine.stats().item_folds,
    }
}

/// Sweeps, item batches, fold-ins one by one and by the hundred, imports, new users and items.
fn run(threads: usize, path: SimdPath) -> Vec<Bytes> {
    let clock = clock();
    let mut engine = open(builder(&clock).threads(threads).simd_path(path));
    let mut seen = Vec::new();
    for round in 0..3_usize {
        feed(&mut engine, &events(10 + round as u64, 1_500, 100 + 60 * round, 60 + 40 * round));
        clock.advance(Duration::from_secs(1));
        engine.pump();
        seen.push(bytes_of(&engine));
        engine.sweep().expect("there is something to learn");
        seen.push(bytes_of(&engine));
        for event in events(20 + round as u64, 40, 200, 100) {
            engine.apply(event).expect("well formed");
            engine.pump();
            clock.advance(Duration::from_millis(30));
        }
        engine.import(events(30 + round as u64, 300, 250, 120));
        engine.fold_items();
        seen.push(bytes_of(&engine));
    }
    seen
}

#[test]
fn neither_threads_nor_instructions_change_a_byte() {
    let expected = run(1, SimdPath::portable());
    assert!(expected[2].n_item_folds > 20, "item batches took part: {}", expected[2].n_item_folds);
    for path in SimdPath::available() {
        for threads in [1, 2, 8] {
            assert!(run(threads, path) == expected, "{threads} threads, {path}");
        }
    }
}
