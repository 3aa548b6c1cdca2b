//! Candidates good and bad before the gate.

use std::sync::Arc;

use super::{bits, builder, clock, open, vectors_of_users};
use crate::als::{AlsParams, Factors};
use crate::engine::{Degradation, EngineBuilder, Health, ManualEngine};
use crate::exchange::{ForeignModel, ForeignSide};
use crate::journal::Durability;
use crate::kernel::{AlignedVec, SplitMix64};
use crate::model::{ItemRows, ItemSide};
use crate::storage::MemoryStorage;
use crate::training::{Candidate, GateRefusal, Job, PublishAlways, TrainingError};
use crate::types::{Event, ItemIdx, ManualClock, Timestamp, UserIdx};

const N_USERS: usize = 700;
const N_ITEMS: usize = 480;
const N_GENRES: usize = 8;
/// Items in each history before the first sweep.
const N_KNOWN: usize = 20;

/// Listeners of genres, of whose items a few are heard by most.
struct World {
    random: SplitMix64,
    seconds: i64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self { random: SplitMix64::new(seed), seconds: 0 }
    }

    fn listen(&mut self, user: usize) -> Event {
        let genre = if self.random.uniform() < 0.85 { user % N_GENRES } else { self.random.below(N_GENRES) };
        let n_of_genre = N_ITEMS / N_GENRES;
        let rank = (0..2).map(|_| self.random.below(n_of_genre)).min().unwrap_or_default();
        self.seconds += 1;
        let at = Timestamp::from_unix_seconds(super::START_SECONDS - 10_000_000 + self.seconds);
        Event::listen(user as u64, (genre + N_GENRES * rank) as u64).at(at)
    }

    /// So many listens of everybody.
    fn listens(&mut self, each: usize) -> Vec<Event> {
        (0..each * N_USERS).map(|at| self.listen(at % N_USERS)).collect()
    }
}

/// An engine with a model, and something new since.
fn grown(builder: EngineBuilder, world: &mut World) -> ManualEngine {
    let mut engine = open(builder.sweeps(8, 2));
    engine.import(world.listens(N_KNOWN));
    engine.sweep().expect("there is something to learn");
    engine.import(world.listens(2));
    engine
}

/// The verdict on what a sweep finds, after somebody has had a hand in it.
fn verdict(
    engine: &mut ManualEngine,
    prepare: impl FnOnce(&mut Job),
    tamper: impl FnOnce(&mut Candidate),
) -> Result<Candidate, TrainingError> {
    let mut job = engine.writer.begin_sweep();
    prepare(&mut job);
    let mut steps = engine.writer.sweep_pools.begin();
    let mut trained = job.train(&mut steps)?;
    tamper(&mut trained.candidate);
    trained.judged(&mut steps)
}

/// Every row of a candidate, replaced.
fn replace_rows(candidate: &mut Candidate, mut row: impl FnMut(u32, &ItemRows) -> AlignedVec) {
    let before = candidate.items.clone();
    for item in 0..u32::try_from(before.n_items()).expect("few") {
        candidate.items.set_row(ItemIdx::new(item), &row(item, &before));
    }
}

fn row_of(rows: &ItemRows, item: u32) -> AlignedVec {
    AlignedVec::from(rows.row(ItemIdx::new(item)))
}

#[test]
fn what_is_poisoned_is_refused_for_what_it_is_and_the_model_in_use_stays() {
    type Poison = fn(&mut Candidate);
    type IsRight = fn(&GateRefusal) -> bool;
    let cases: [(&str, Poison, IsRight); 4] = [
        (
            "NaN",
            |candidate| {
                let mut row = row_of(&candidate.items, 7);
                row[3] = f32::NAN;
                candidate.items.set_row(ItemIdx::new(7), &row);
            },
            |refusal| *refusal == GateRefusal::NotFinite,
        ),
        (
            "shuffled",
            |candidate| {
                let n = u32::try_from(candidate.items.n_items()).expect("few");
                replace_rows(candidate, |item, rows| row_of(rows, (item * 7 + 3) % n));
            },
            |refusal| matches!(refusal, GateRefusal::Worse { n_trials: 100.., .. }),
        ),
        (
            "ten times as large",
            |candidate| {
                replace_rows(candidate, |item, rows| {
                    let mut row = row_of(rows, item);
                    row.iter_mut().for_each(|value| *value *= 10.0);
                    row
                });
            },
            |refusal| matches!(refusal, GateRefusal::ExplodingNorm { .. }),
        ),
        (
            "half of it missing",
            |candidate| {
                replace_rows(candidate, |item, rows| {
                    if item % 2 == 0 { row_of(rows, item) } else { AlignedVec::zeros(rows.stride()) }
                });
            },
            |refusal| matches!(refusal, GateRefusal::LostItems { .. }),
        ),
    ];
    let (clock, mut world) = (clock(), World::new(1));
    let mut engine = grown(builder(&clock), &mut world);
    let (generation, vectors) = (engine.writer.generation.id, vectors_of_users(&engine));
    for (name, poison, is_right) in cases {
        let judged = verdict(&mut engine, |_| {}, poison);
        let ended = engine.writer.end_sweep(judged);
        let Err(TrainingError::Refused(refusal)) = ended else { panic!("{name}: {ended:?}") };
        assert!(is_right(&refusal), "{name}: {refusal}");
        assert_eq!(engine.writer.generation.id, generation, "{name}");
        assert_eq!(vectors_of_users(&engine), vectors, "{name}");
        let why = Degradation::SweepFailed(TrainingError::Refused(refusal));
        assert_eq!(engine.health(), Health::Degraded { why }, "{name}");
    }
    let report = engine.sweep().expect("an honest one passes");
    assert!(report.gate.n_trials >= 100, "{report:?}");
    assert!(matches!(engine.health(), Health::Serving { .. }));
}

#[test]
fn without_anything_new_what_is_shuffled_is_refused_as_another_model() {
    let (clock, mut world) = (clock(), World::new(2));
    let mut engine = grown(builder(&clock), &mut world);
    engine.sweep().expect("an honest one passes");
    let shuffle = |candidate: &mut Candidate| {
        let n = u32::try_from(candidate.items.n_items()).expect("few");
        replace_rows(candidate, |item, rows| row_of(rows, (item * 7 + 3) % n));
    };
    let judged = verdict(&mut engine, |_| {}, shuffle);
    assert!(matches!(&judged, Err(TrainingError::Refused(GateRefusal::Churn { .. }))), "{judged:?}");
    engine.writer.end_sweep(judged).expect_err("it was refused");
    let again = engine.sweep().expect("the same once more is no harm");
    assert_eq!(again.gate.n_trials, 0, "nothing is new");
    assert!(again.gate.overlap.expect("a model before") > 0.5, "{again:?}");
}

#[test]
fn fifty_honest_trainings_from_other_seeds_are_all_published() {
    let (clock, mut world) = (clock(), World::new(3));
    let mut engine = grown(builder(&clock), &mut world);
    for seed in 0..50 {
        let other_seed = |job: &mut Job| {
            let params = AlsParams::builder().n_factors(super::N_FACTORS).seed(1_000 + seed);
            job.params = params.build().expect("usable settings");
            // Nothing to start from: where it ends is the seed's doing.
            job.items = ItemRows::empty(super::N_FACTORS);
            job.n_sweeps = 8;
        };
        let judged = verdict(&mut engine, other_seed, |_| {});
        let report = engine.writer.end_sweep(judged).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        assert!(report.gate.n_trials >= 100, "seed {seed}: {report:?}");
        while engine.writer.refold_some() {}
        engine.import(world.listens(1));
    }
}

#[test]
fn a_better_one_is_published_and_known_to_be_better() {
    let (clock, mut world) = (clock(), World::new(4));
    let mut engine = open(builder(&clock).sweeps(1, 8));
    // Three listens each, and one sweep, do not make much of a model.
    engine.import(world.listens(3));
    engine.sweep().expect("there is something to learn");
    engine.import(world.listens(N_KNOWN));
    let report = engine.sweep().expect("it is better");
    let gate = report.gate;
    assert!(gate.n_trials >= 100 && gate.ndcg > 1.1 * gate.ndcg_before, "{gate:?}");
}

/// The model in use as one from elsewhere, the rows of its items given to one another.
fn shuffled(engine: &ManualEngine, by: impl Fn(u32) -> u32) -> ForeignModel {
    let generation = &engine.writer.generation;
    let rows = generation.items.load().rows.clone();
    let n_items = u32::try_from(rows.n_items()).expect("few");
    let n_users = super::n_users(engine);
    let side = |n_rows: u32, row: &dyn Fn(u32) -> Vec<f32>| {
        let values: Vec<f32> = (0..n_rows).flat_map(|at| row(at)[..super::N_FACTORS].to_vec()).collect();
        let rows = ndarray::Array2::from_shape_vec((n_rows as usize, super::N_FACTORS), values);
        Factors::from_array(rows.expect("so many").view()).expect("finite")
    };
    let item_row = |at| rows.row(ItemIdx::new(by(at) % n_items)).to_vec();
    let user_row = |at| generation.swept_row(UserIdx::new(at)).expect("swept").to_vec();
    let id_of_item = |at| engine.writer.shared.item_ids.key(at).expect("known");
    let id_of_user = |at| engine.writer.shared.user_ids.key(at).expect("known");
    let items =
        ForeignSide { ids: (0..n_items).map(id_of_item).collect(), factors: side(n_items, &item_row) };
    let users =
        ForeignSide { ids: (0..n_users).map(id_of_user).collect(), factors: side(n_users, &user_row) };
    ForeignModel::new(users, items).expect("distinct ids")
}

#[test]
fn a_model_from_elsewhere_whose_rows_are_shuffled_is_refused_as_worse() {
    let (clock, mut world) = (clock(), World::new(8));
    let mut engine = grown(builder(&clock), &mut world);
    let in_use = engine.writer.generation.id;
    let (poisoned, honest) = (shuffled(&engine, |item| item * 7 + 3), shuffled(&engine, |item| item));
    let refused = engine.adopt(poisoned).expect_err("it says nothing of anybody");
    let is_worse = matches!(refused, TrainingError::Refused(GateRefusal::Worse { n_trials: 100.., .. }));
    assert!(is_worse, "{refused:?}");
    assert_eq!(engine.writer.generation.id, in_use);
    assert!(matches!(engine.health(), Health::Degraded { why: Degradation::SweepFailed(_) }));
    engine.adopt(honest).expect("the same rows, each where it belongs");
    assert!(matches!(engine.health(), Health::Serving { .. }));
}

#[test]
fn what_was_held_back_is_in_its_listeners_vectors_all_the_same() {
    let (clock, mut world) = (clock(), World::new(5));
    let mut engine = grown(builder(&clock), &mut world);
    let report = engine.sweep().expect("an honest one passes");
    assert!(report.gate.n_trials >= 100, "{report:?}");
    let generation = engine.writer.generation.clone();
    let side = generation.users.as_ref().expect("a model");
    let rows = &generation.items.load().rows;
    for row in 0..super::n_users(&engine) {
        let user = UserIdx::new(row);
        let state = engine.writer.shared.user(user).expect("published");
        let folded =
            side.fold_in(&state.history, generation.as_of, rows, &mut crate::model::FoldScratch::default());
        assert_eq!(bits(&folded), bits(generation.swept_row(user).expect("swept")), "{user:?}");
    }
}

#[test]
fn a_replay_holds_back_the_same_and_asks_no_gate() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let with_store = |clock: &ManualClock, storage: &MemoryStorage| {
        builder(clock).store_in(storage.clone(), Durability::Buffered).keep_journal()
    };
    let mut engine = grown(with_store(&clock, &storage), &mut World::new(6));
    let refused =
        verdict(&mut engine, |_| {}, |candidate| replace_rows(candidate, |_, rows| row_of(rows, 0)));
    engine.writer.end_sweep(refused).expect_err("all items alike");
    let report = engine.sweep().expect("an honest one passes");
    assert!(report.gate.n_trials >= 100, "{report:?}");
    while engine.writer.refold_some() {}
    let (digest, vectors) = (engine.digest(), vectors_of_users(&engine));
    engine.flush().expect("in memory");
    drop(engine);
    let mut again = with_store(&clock, &storage).open_manual().expect("a whole store");
    assert_eq!(again.digest(), digest);
    assert_eq!(vectors_of_users(&again), vectors);
}

#[test]
fn a_training_out_of_bounds_begins_anew_with_more_regularization() {
    let (clock, mut world) = (clock(), World::new(7));
    let mut engine = grown(builder(&clock), &mut world);
    let before = engine.writer.settings.learning.als.regularization();
    let spoil = |job: &mut Job| {
        let mut row = row_of(&job.items, 11);
        row[0] = 1e30;
        job.items.set_row(ItemIdx::new(11), &row);
    };
    let judged = verdict(&mut engine, spoil, |_| {});
    let report = engine.writer.end_sweep(judged).expect("it has healed");
    assert!((report.regularization / before - 10.0).abs() < 1e-3, "{report:?}");
    let used = engine.writer.generation.users.as_ref().expect("a model").base.params().regularization();
    assert!((used - report.regularization).abs() < f32::EPSILON, "fold-ins are solved alike");
    while engine.writer.refold_some() {}
    let next = engine.sweep().expect("nothing is out of bounds any more");
    assert!((next.regularization - before).abs() < f32::EPSILON);
}

#[test]
fn a_replay_backs_off_as_far_as_the_training_did() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let with_store = || {
        let builder = builder(&clock).sweep_gate(PublishAlways);
        builder.store_in(storage.clone(), Durability::Buffered)
    };
    let mut engine = grown(with_store(), &mut World::new(9));
    // A model that has gone out of bounds, where the next training starts from; the checkpoint has it so.
    let side = engine.writer.generation.items.load();
    let mut rows = side.rows.clone();
    let mut row = row_of(&rows, 11);
    row[0] = 1e30;
    rows.set_row(ItemIdx::new(11), &row);
    let spoiled = ItemSide { version: side.version, rows, popularity: Arc::clone(&side.popularity) };
    drop(engine.writer.generation.items.replace(Arc::new(spoiled)));
    engine.checkpoint().expect("in memory");

    let used = |engine: &ManualEngine| {
        engine.writer.generation.users.as_ref().map(|side| side.base.params().clone())
    };
    let report = engine.sweep().expect("it heals itself");
    let asked = engine.writer.settings.learning.als.regularization();
    assert!((report.regularization / asked - 10.0).abs() < 1e-3, "{report:?}");
    let (digest, vectors, params) = (engine.digest(), vectors_of_users(&engine), used(&engine));
    engine.flush().expect("in memory");
    drop(engine);
    let mut again = with_store().open_manual().expect("a whole store");
    let Health::Serving { recovery: Some(recovery), .. } = again.health() else {
        panic!("{:?}", again.health())
    };
    assert!(recovery.checkpoint.is_some() && recovery.sweeps == 1, "{recovery:?}");
    assert_eq!(again.digest(), digest);
    assert_eq!((vectors_of_users(&again), used(&again)), (vectors, params));
}
