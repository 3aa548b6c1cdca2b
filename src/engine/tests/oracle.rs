//! No view mixes generations: what a view answers with is solved anew from what the view pins.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{N_FACTORS, bits, builder, clock, events, feed, open};
use crate::kernel::SplitMix64;
use crate::model::{FoldScratch, Generation, ItemSide, Outcome, UserState};
use crate::publish::{VectorSource, vector_source};
use crate::query::{Reader, View};
use crate::types::{Event, UserIdx};

/// Whether `vector` is what solving the pinned history against the pinned items gives, bit for bit. Holds
/// as long as no item batch comes between a fold-in and the view; the tests below have none.
fn agrees(generation: &Generation, items: &ItemSide, state: &UserState, vector: Option<&[f32]>) -> bool {
    let expected = generation.users.as_ref().map(|side| {
        bits(&side.fold_in(&state.history, generation.as_of, &items.rows, &mut FoldScratch::default()))
    });
    // A vector of nothing but zeros is no vector to a view.
    let expected = expected.filter(|bits| bits.iter().any(|&bits| bits != 0));
    expected == vector.map(bits)
}

/// Checks one user of one view; says where her vector came from, `None` if there was none to check.
fn check(view: &View, user: u64) -> Option<VectorSource> {
    let user = view.user(user);
    let (generation, items) = view.pinned();
    let (idx, state, vector) = user.pinned()?;
    generation.users.as_ref()?;
    let folded = state.folded.as_ref().map(|folded| folded.generation);
    let source = vector_source(folded, state.seq, generation.id, generation.frozen_at);
    assert!(
        agrees(generation, items, state, vector.map(|vector| &**vector)),
        "{idx:?} at event {} in generation {} (frozen at {}), folded into {folded:?}: {source:?}",
        state.seq,
        generation.id,
        generation.frozen_at,
    );
    Some(source)
}

#[test]
fn the_oracle_catches_a_vector_of_another_generation_and_one_that_forgot_an_event() {
    let mut engine = open(builder(&clock()));
    feed(&mut engine, &events(40, 2_000, 60, 50));
    engine.sweep().expect("there is something to learn");
    feed(&mut engine, &events(41, 200, 60, 50));
    let (before, idx) = (engine.reader().view(), UserIdx::new(0));
    let state = engine.writer.shared.user(idx).expect("published");
    let (generation, items) = before.pinned();
    let own = state.folded.as_ref().expect("she was active after the sweep").vector.clone();
    assert!(agrees(generation, items, &state, Some(&own)), "her own vector is right");
    let swept = generation.swept_row(idx).expect("she was there");
    assert!(!agrees(generation, items, &state, Some(swept)), "the sweep's row does not know the new events");

    engine.sweep().expect("there is something to learn");
    let after = engine.reader().view();
    let (generation, items) = after.pinned();
    assert!(!agrees(generation, items, &state, Some(&own)), "the vector of the generation before");
    assert!(!agrees(generation, items, &state, None));
    let swept = generation.swept_row(idx).expect("she was there");
    assert!(agrees(generation, items, &state, Some(swept)), "nothing has happened since");
}

#[test]
fn a_vector_at_hand_was_solved_against_the_items_of_its_moment() {
    let clock = clock();
    let mut engine = open(builder(&clock));
    feed(&mut engine, &events(42, 2_000, 60, 50));
    engine.sweep().expect("there is something to learn");
    for event in events(43, 300, 60, 50) {
        clock.advance(Duration::from_millis(40));
        let id = event.user().clone();
        // What is refused moves nobody, so the vector is of an earlier moment.
        let Outcome::Applied(_) = engine.apply(event).expect("well formed") else { continue };
        // The fold-in comes before the item batch of the same pump: against the items of this view.
        let before = engine.reader().view();
        engine.pump();
        let (generation, items) = before.pinned();
        let after = engine.reader().view();
        let user = after.user(&id);
        let (_, state, vector) = user.pinned().expect("known");
        let own = agrees(generation, items, state, vector.map(|vector| &**vector));
        let (generation, items) = after.pinned();
        // Listeners of an item that had no vector before are solved once more, after the batch.
        let anew = agrees(generation, items, state, vector.map(|vector| &**vector));
        assert!(own || anew, "{id} at {}", state.seq);
    }
}

/// What the readers of the stress test found.
#[derive(Default)]
struct Found {
    folded: AtomicU64,
    swept: AtomicU64,
    solved: AtomicU64,
    done: AtomicBool,
}

fn read(reader: &Reader, found: &Found, seed: u64, n_users: usize) {
    let mut random = SplitMix64::new(seed);
    // Views of several generations, as slow requests hold them.
    let mut views = VecDeque::from([reader.view()]);
    while !found.done.load(Ordering::Relaxed) {
        let newest = reader.view();
        if views.back().is_none_or(|view| view.generation() != newest.generation()) {
            views.push_back(newest);
        } else {
            *views.back_mut().expect("there is one") = newest;
        }
        if views.len() > 3 {
            views.pop_front();
        }
        let view = &views[random.below(views.len())];
        match check(view, random.below(n_users) as u64) {
            Some(VectorSource::Folded) => found.folded.fetch_add(1, Ordering::Relaxed),
            Some(VectorSource::Swept) => found.swept.fetch_add(1, Ordering::Relaxed),
            Some(VectorSource::Solve) => found.solved.fetch_add(1, Ordering::Relaxed),
            None => 0,
        };
    }
}

/// Constant sweeps, a constant stream, three readers. Events go on until there were `n_sweeps` sweeps.
fn stress(n_sweeps: u64, n_users: usize) {
    let engine = builder(&clock())
        .sweeps(1, 1)
        .queue_capacity(64)
        // One batch, before the first sweep: then item versions stand still and the bits must agree.
        .item_batch_every(Duration::from_secs(1_000_000))
        .open()
        .expect("usable settings");
    let found = Found::default();
    engine.import(events(44, 6_000, n_users, 3 * N_FACTORS)).expect("running");
    engine.sweep_now().expect("running").wait().expect("there is something to learn");
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let (reader, found) = (engine.reader(), &found);
            scope.spawn(move || read(&reader, found, seed, n_users));
        }
        let (sender, sent) = (engine.sender(), &found);
        scope.spawn(move || {
            for round in 0.. {
                for event in events(100 + round, 1_000, n_users, 3 * N_FACTORS) {
                    if sent.done.load(Ordering::Relaxed) {
                        return;
                    }
                    sender.send(event).expect("running");
                }
            }
        });
        // Whatever fails, the others are told to end: the scope waits for them.
        let swept = (0..n_sweeps).all(|_| engine.sweep_now().is_ok_and(|sweep| sweep.wait().is_ok()));
        found.done.store(true, Ordering::Relaxed);
        assert!(swept, "every sweep was published");
    });
    let stats = engine.stats();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{} sweeps, {} events; vectors folded {}, swept {}, solved {}",
        stats.sweeps,
        stats.applied,
        count(&found.folded),
        count(&found.swept),
        count(&found.solved)
    );
    assert!(stats.sweeps > n_sweeps);
    for (name, counter) in [("folded", &found.folded), ("swept", &found.swept), ("solved", &found.solved)] {
        assert!(count(counter) > 0, "no {name} vector was met");
    }
}

#[test]
fn no_view_mixes_generations_under_stress() {
    stress(60, 200);
}

/// Run with `cargo test --release --lib longer_stress -- --ignored --nocapture`.
#[test]
#[ignore = "a minute"]
fn no_view_mixes_generations_under_longer_stress() {
    stress(3_000, 500);
}

#[test]
fn an_event_is_the_only_thing_that_moves_a_pinned_user() {
    let mut engine = open(builder(&clock()));
    feed(&mut engine, &events(45, 500, 20, 30));
    engine.sweep().expect("there is something to learn");
    let view = engine.reader().view();
    let ana = view.user(0);
    let before: Vec<u32> = bits(ana.pinned().expect("known").2.expect("personal"));
    feed(&mut engine, &[Event::like(0, 29)]);
    engine.sweep().expect("there is something to learn");
    assert_eq!(bits(ana.pinned().expect("known").2.expect("personal")), before, "she is pinned");
    assert!(view.user(0).seq() > ana.seq(), "asked anew, the view knows the later event");
    check(&view, 0);
}
