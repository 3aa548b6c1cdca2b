//! The engine from the inside: vectors against fold-ins, bytes against bytes, lists against dense arithmetic.

mod awkward_moments;
mod bytes;
mod gate;
mod in_place;
mod lists;
mod oracle;
mod replay;

use std::time::Duration;

use super::{EngineBuilder, ManualEngine};
use crate::als::AlsParams;
use crate::kernel::SplitMix64;
use crate::model::FoldScratch;
use crate::training::NeverSweep;
use crate::types::{Event, ManualClock, Timestamp, UserIdx};

/// Some time in 2023.
const START_SECONDS: i64 = 1_700_000_000;
const N_FACTORS: usize = 16;

/// A small engine on a clock that stands still until it is moved.
fn builder(clock: &ManualClock) -> EngineBuilder {
    let als = AlsParams::builder().n_factors(N_FACTORS).build().expect("usable settings");
    EngineBuilder::default().als(als).sweep_policy(NeverSweep).clock(clock.clone()).threads(1).sweeps(3, 2)
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_unix_seconds(START_SECONDS))
}

fn open(builder: EngineBuilder) -> ManualEngine {
    builder.open_manual().expect("usable settings")
}

/// Listens, skips, likes and undone likes of `users` with `items`, a few minutes apart and not quite in
/// order. Low numbers come more often, so that some histories are longer than a vector and most are not.
fn events(seed: u64, n: usize, users: usize, items: usize) -> Vec<Event> {
    let mut random = SplitMix64::new(seed);
    let mut skewed = |bound: usize| {
        let (a, b) = (random.below(bound), random.below(bound));
        (a.min(b) as u64, random.uniform())
    };
    (0_i64..)
        .take(n)
        .map(|at| {
            let ((user, fraction), (item, kind)) = (skewed(users), skewed(items));
            #[expect(clippy::cast_possible_truncation, reason = "a fraction for a test")]
            let event = match kind {
                kind if kind < 0.7 => Event::listen(user, item).fraction(fraction as f32),
                kind if kind < 0.85 => Event::skip(user, item).at_fraction(fraction as f32),
                kind if kind < 0.95 => Event::like(user, item),
                _ => Event::undo(Event::like(user, item)),
            };
            let jitter = (fraction * 7_200.0).round();
            #[expect(clippy::cast_possible_truncation, reason = "two hours at most")]
            let seconds = at * 60 - jitter as i64;
            event.at(Timestamp::from_unix_seconds(START_SECONDS - 30 * 24 * 3_600 + seconds))
        })
        .collect()
}

fn feed(engine: &mut ManualEngine, events: &[Event]) {
    for event in events {
        engine.apply(event.clone()).expect("well formed");
    }
    engine.pump();
}

fn bits(vector: &[f32]) -> Vec<u32> {
    vector.iter().map(|value| value.to_bits()).collect()
}

fn n_users(engine: &ManualEngine) -> u32 {
    engine.writer.shared.user_ids.len()
}

/// The bits of the vector that each user's answers are made from.
fn vectors_of_users(engine: &ManualEngine) -> Vec<Vec<u32>> {
    let view = engine.reader().view();
    (0..n_users(engine))
        .filter_map(|row| engine.writer.shared.user_ids.key(row))
        .map(|id| {
            let user = view.user(id);
            let (_, _, vector) = user.pinned().expect("she has a history");
            vector.map(|vector| bits(vector)).unwrap_or_default()
        })
        .collect()
}

#[test]
fn a_fold_in_has_the_bits_of_the_row_that_the_sweep_published() {
    for half_life in [None, Some(Duration::from_secs(3 * 24 * 3_600))] {
        let clock = clock();
        let builder = match half_life {
            None => builder(&clock),
            Some(half_life) => builder(&clock).half_life(half_life),
        };
        let mut engine = open(builder);
        feed(&mut engine, &events(1, 4_000, 120, 80));
        engine.sweep().expect("there is something to learn");
        let generation = engine.writer.generation.clone();
        let side = generation.users.as_ref().expect("a model");
        let rows = &generation.items.load().rows;
        let mut scratch = FoldScratch::default();
        let (mut short, mut long) = (0, 0);
        for user in (0..n_users(&engine)).map(UserIdx::new) {
            let state = engine.writer.shared.user(user).expect("published");
            *(if state.history.cells().len() <= N_FACTORS { &mut short } else { &mut long }) += 1;
            let swept = bits(generation.swept_row(user).expect("every user was there"));
            let folded = side.fold_in(&state.history, generation.as_of, rows, &mut scratch);
            assert_eq!(bits(&folded), swept, "{user:?}, half-life {half_life:?}");
            assert!(state.folded.as_ref().is_none_or(|folded| folded.generation != generation.id));
            // The same by the writer's own hand.
            engine.writer.refold(&[user]);
            let state = engine.writer.shared.user(user).expect("published");
            let folded = state.folded.as_ref().expect("just folded");
            assert_eq!((folded.generation, bits(&folded.vector)), (generation.id, swept));
        }
        assert!(short > 10 && long > 10, "both methods ran: {short} short histories, {long} long ones");
    }
}

#[test]
fn an_import_answers_as_events_one_by_one_do() {
    for half_life in [None, Some(Duration::from_secs(5 * 24 * 3_600))] {
        let clock = clock();
        let trained = || {
            let builder = match half_life {
                None => builder(&clock),
                Some(half_life) => builder(&clock).half_life(half_life),
            };
            let mut engine = open(builder);
            // Everybody is known to the model; the clock stands still, so no item batch comes between.
            feed(&mut engine, &events(2, 3_000, 80, 60));
            engine.sweep().expect("there is something to learn");
            // Some have a vector of their own by then, which an import must not leave beside their history.
            feed(&mut engine, &events(5, 100, 80, 60));
            engine
        };
        let later = events(3, 1_500, 80, 60);
        let (mut one_by_one, mut imported) = (trained(), trained());
        for event in &later {
            one_by_one.apply(event.clone()).expect("well formed");
            one_by_one.pump();
        }
        let report = imported.import(later);
        assert_eq!(report.applied, one_by_one.stats().applied - trained().stats().applied);
        assert_eq!(vectors_of_users(&one_by_one), vectors_of_users(&imported));
        one_by_one.sweep().expect("as before");
        imported.sweep().expect("as before");
        assert_eq!(vectors_of_users(&one_by_one), vectors_of_users(&imported), "after a sweep, too");
    }
}

#[test]
fn a_new_item_raises_its_listeners_scores_once_its_batch_is_solved() {
    let clock = clock();
    let mut engine = open(builder(&clock));
    feed(&mut engine, &events(4, 3_000, 100, 60));
    engine.sweep().expect("there is something to learn");
    let fans: Vec<u64> = (0..8).collect();
    let newcomers: Vec<Event> = fans.iter().map(|&fan| Event::listen(fan, "brand-new")).collect();
    feed(&mut engine, &newcomers);
    assert_eq!(engine.reader().view().user(0).estimate(["brand-new"]), [None], "its batch is not due");
    clock.advance(Duration::from_millis(100));
    engine.pump();
    let view = engine.reader().view();
    for fan in fans {
        let score = view.user(fan).estimate(["brand-new"])[0].expect("it has a row");
        // The listeners' vectors were solved anew with it: without that, it were no part of their taste.
        assert!(score > 0.02, "{score}");
        let user = view.user(fan);
        let (_, state, vector) = user.pinned().expect("known");
        let (generation, items) = view.pinned();
        let side = generation.users.as_ref().expect("a model");
        let expected =
            side.fold_in(&state.history, generation.as_of, &items.rows, &mut FoldScratch::default());
        assert_eq!(bits(vector.expect("personal")), bits(&expected));
    }
}
