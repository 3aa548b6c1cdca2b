//! A model from elsewhere is served as it is: every list is what its own rows give, until somebody does something; and it is
//! still there when the engine is opened again.

use std::time::Duration;

use crate::common::{PATIENCE, Random, now, random_events, small};
use ndarray::Array2;
use segue::import::{ForeignModel, ForeignSide};
use segue::{
    AlsParams, Durability, Engine, EngineBuilder, Event, Factors, FactorsError, Limits, ManualEngine,
    MemoryStorage, ModelOrigin, NeverSweep, Outcome, PublishAlways, Refusal, Saturation, Source, Storage,
    TrainingError, View,
};

const N_FACTORS: usize = 8;
/// Neighbours whose scores differ by less may have changed places: rows were turned in `f32`.
const TIE: f64 = 1e-5;

fn factors(random: &mut Random, n_rows: usize, n_factors: usize) -> Factors {
    let rows = Array2::from_shape_fn((n_rows, n_factors), |_| random.share() - 0.5);
    Factors::from_array(rows.view()).expect("finite")
}

/// Users and items with these numbers, and random rows.
fn model(seed: u64, users: std::ops::Range<u64>, items: std::ops::Range<u64>) -> ForeignModel {
    let mut random = Random::new(seed);
    let n_rows = |range: &std::ops::Range<u64>| usize::try_from(range.end - range.start).expect("small");
    let users = ForeignSide {
        factors: factors(&mut random, n_rows(&users), N_FACTORS),
        ids: users.map(Into::into).collect(),
    };
    let items = ForeignSide {
        factors: factors(&mut random, n_rows(&items), N_FACTORS),
        ids: items.map(Into::into).collect(),
    };
    ForeignModel::new(users, items).expect("distinct ids")
}

fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The list of a user is that of all items of the model by brute force, with its own rows in `f64`.
fn assert_serves(view: &View, model: &ForeignModel, row: usize) {
    let user = &model.users().ids[row];
    let vector = model.users().factors.get(row).expect("a row for each id");
    let items = || model.items().ids.iter().enumerate();
    let score = |item: usize| product(vector, model.items().factors.get(item).expect("a row for each id"));
    let mut best: Vec<f64> = items().map(|(item, _)| score(item)).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    let list = view.user(user.clone()).recommend().allow_known().limit(10).run().expect("always an answer");
    assert_eq!(list.provenance().source, Source::Personal, "{user}");
    assert_eq!(list.len(), 10.min(best.len()), "{user}");
    for (pick, expected) in list.iter().zip(best) {
        let (item, _) = items().find(|(_, id)| **id == pick.item).expect("an item of the model");
        assert!((score(item) - expected).abs() < TIE, "{user}: {} is not the best", pick.item);
        assert!((f64::from(pick.score) - score(item)).abs() < TIE, "{user}: {} scored wrong", pick.item);
    }
}

fn assert_serves_all(view: &View, model: &ForeignModel) {
    (0..model.users().ids.len()).for_each(|row| assert_serves(view, model, row));
}

fn stored(storage: &MemoryStorage) -> EngineBuilder {
    small().store_in(storage.clone(), Durability::Buffered)
}

fn open(builder: EngineBuilder) -> ManualEngine {
    builder.open_manual().expect("usable settings")
}

/// Users 0 to 29 with histories among items 0 to 39.
fn lived(builder: EngineBuilder) -> ManualEngine {
    let mut engine = open(builder);
    for event in random_events(1, 600, 30, 40) {
        engine.apply(event).expect("well formed");
    }
    engine.pump();
    engine
}

fn copy(storage: &MemoryStorage) -> MemoryStorage {
    let copy = MemoryStorage::new();
    for name in storage.list().expect("in memory") {
        copy.insert(name.clone(), storage.contents(&name).expect("listed"));
    }
    copy
}

#[test]
fn an_empty_engine_serves_it_from_the_first_moment() {
    let model = model(7, 0..120, 0..300);
    let engine = small().open().expect("usable settings");
    let report = engine.adopt(model.clone()).expect("running").wait().expect("a sound model");
    assert_eq!((report.n_users, report.n_items, report.n_sweeps), (120, 300, 0));
    assert_eq!(report.origin, ModelOrigin::Adopted);
    let view = engine.reader().view();
    assert_eq!(view.generation(), report.generation);
    assert_serves_all(&view, &model);
}

#[test]
fn whoever_was_there_before_is_answered_and_the_models_own_are_served_its_rows() {
    // Users 20 to 29 are in both, 0 to 19 have but their histories; of the items 20 to 39 are in both.
    let model = model(8, 20..90, 20..200);
    for has_model in [false, true] {
        let mut engine = lived(small().sweep_gate(PublishAlways));
        if has_model {
            engine.sweep().expect("there is something to learn");
        }
        engine.adopt(model.clone()).expect("a sound model");
        let view = engine.reader().view();
        for user in 0..20_u64 {
            let list = view.user(user).recommend().run().expect("always an answer");
            assert_eq!(list.provenance().source, Source::Personal, "{user}");
        }
        // The items that only events have named were solved meanwhile, which their listeners must not feel.
        assert!(
            (0..20_u64).any(|item| view.user(0_u64).estimate([item])[0].is_some_and(|score| score != 0.0))
        );
        for row in 0..model.users().ids.len() {
            let user = view.user(model.users().ids[row].clone());
            let vector = model.users().factors.get(row).expect("a row for each id");
            for (item, id) in model.items().ids.iter().enumerate() {
                let score = user.estimate([id.clone()])[0].expect("an item of the model");
                let expected = product(vector, model.items().factors.get(item).expect("a row"));
                assert!((f64::from(score) - expected).abs() < TIE, "{} and {id}", user.id());
            }
        }
    }
}

#[test]
fn a_listen_changes_its_user_and_nobody_else() {
    let model = model(9, 0..60, 0..150);
    let mut engine = open(small());
    engine.adopt(model.clone()).expect("a sound model");
    let generation = engine.reader().view().generation();
    let heard =
        |view: &View| view.user(5_u64).estimate([33_u64, 34]).into_iter().flatten().collect::<Vec<_>>();
    // Who is asked for later is seen as they are by then, whatever the view.
    let before = heard(&engine.reader().view());
    engine.apply(Event::listen(5_u64, 33_u64)).expect("well formed");
    engine.pump();
    let view = engine.reader().view();
    assert_eq!(view.generation(), generation);
    assert_ne!(heard(&view), before);
    assert!(heard(&view)[0] > 0.0, "{:?}", heard(&view));
    assert!(view.user(5_u64).recommend().run().expect("an answer").ids().all(|item| *item != 33_u64.into()));
    for row in (0..60).filter(|&row| row != 5) {
        assert_serves(&view, &model, row);
    }
    // Somebody new is folded in against the same items.
    engine.apply(Event::listen("somebody new", 33_u64)).expect("well formed");
    engine.pump();
    let view = engine.reader().view();
    assert_eq!(view.user("somebody new").estimate([33_u64])[0], Some(heard(&view)[0]));
}

/// The vector of a listener by the objective's normal equations, `(a0·YᵀY + λ(Σc + a0·n)·I + Σ c y yᵀ) x = Σ c p y`, in `f64`.
fn solved(items: &Factors, history: &[(usize, f64, f64)], als: &AlsParams) -> Vec<f64> {
    let a0 = f64::from(als.unobserved_weight());
    let row = |item: usize| items.get(item).expect("a row for each id").iter().map(|&value| f64::from(value));
    let mut matrix = vec![vec![0.0; N_FACTORS + 1]; N_FACTORS];
    let mut add = |item: usize, weight: f64, preference: f64| {
        let row: Vec<f64> = row(item).collect();
        for (line, &at) in matrix.iter_mut().zip(&row) {
            line.iter_mut().zip(&row).for_each(|(element, value)| *element += weight * at * value);
            line[N_FACTORS] += preference * at;
        }
    };
    (0..items.n_rows()).for_each(|item| add(item, a0, 0.0));
    for &(item, preference, confidence) in history {
        add(item, confidence, confidence * preference);
    }
    let total: f64 = history.iter().map(|(.., confidence)| confidence).sum();
    let n_items = f64::from(u32::try_from(items.n_rows()).expect("small"));
    let regularization = f64::from(als.regularization()) * (total + a0 * n_items);
    (0..N_FACTORS).for_each(|at| matrix[at][at] += regularization);
    // Gauss and Jordan, without pivoting: the matrix is positive definite.
    for at in 0..N_FACTORS {
        let pivot: Vec<f64> = matrix[at].iter().map(|value| value / matrix[at][at]).collect();
        for (line, elements) in matrix.iter_mut().enumerate() {
            let times = elements[at];
            if line == at {
                elements.clone_from(&pivot);
            } else {
                elements.iter_mut().zip(&pivot).for_each(|(element, pivot)| *element -= times * pivot);
            }
        }
    }
    matrix.iter().map(|line| line[N_FACTORS]).collect()
}

#[test]
fn who_does_something_is_solved_against_its_items() {
    let model = model(9, 0..60, 0..150);
    let als = AlsParams::builder().n_factors(N_FACTORS).regularization(0.02).unobserved_weight(0.1).build();
    let als = als.expect("usable settings");
    let mut engine = open(small().als(als.clone()).saturation(Saturation::None));
    engine.adopt(model.clone()).expect("a sound model");
    for user in ["5", "somebody new"] {
        for event in [Event::listen(user, 33_u64), Event::like(user, 34_u64), Event::skip(user, 7_u64)] {
            engine.apply(event).expect("well formed");
        }
        engine.pump();
        let view = engine.reader().view();
        let history: Vec<_> = view
            .user(user)
            .history()
            .iter()
            .map(|entry| {
                let item = entry.item.as_u64().and_then(|item| usize::try_from(item).ok()).expect("a number");
                (item, f64::from(entry.preference), f64::from(entry.confidence))
            })
            .collect();
        assert_eq!(history.len(), 3);
        let truth = solved(&model.items().factors, &history, &als);
        for item in 0..150_usize {
            let row = model.items().factors.get(item).expect("a row for each id");
            let expected: f64 = row.iter().zip(&truth).map(|(&y, x)| f64::from(y) * x).sum();
            let score = view.user(user).estimate([item as u64])[0].expect("known");
            assert!((f64::from(score) - expected).abs() < TIE, "{user}, {item}: {score}, not {expected}");
        }
    }
}

#[test]
fn what_happens_while_it_is_taken_in_is_not_lost() {
    let model = model(10, 0..2_000, 0..500);
    let engine = small().open().expect("usable settings");
    let adopted = engine.adopt(model.clone()).expect("running");
    let sender = engine.sender();
    for user in 0..50_u64 {
        sender.send(Event::listen(user, 1_000 + user)).expect("running");
    }
    adopted.wait().expect("a sound model");
    let receipt = sender.send_tracked(Event::listen(50_u64, 3_u64)).expect("running");
    let view = engine.reader().view_after(&receipt, PATIENCE).expect("in time");
    for user in 0..51_u64 {
        assert_eq!(view.user(user).history().len(), 1, "{user}");
    }
    assert_serves(&view, &model, 1_999);
}

#[test]
fn it_is_there_again_when_the_store_is_opened() {
    // It has all items of the histories, as the gate minds lost ones.
    let model = model(11, 20..90, 0..200);
    let storage = MemoryStorage::new();
    let mut engine = lived(stored(&storage));
    engine.sweep().expect("there is something to learn");
    engine.adopt(model.clone()).expect("a sound model");
    engine.apply(Event::listen(30_u64, 25_u64)).expect("well formed");
    engine.pump();
    engine.forget_user(31_u64);
    engine.merge_users(32_u64, 33_u64);
    engine.merge_users(34_u64, "somebody new");
    let others = |view: &View| {
        (0..70)
            .filter(|row| ![10, 11, 12, 13, 14].contains(row))
            .for_each(|row| assert_serves_known(view, &model, row));
    };
    others(&engine.reader().view());
    let digest = engine.digest();
    engine.flush().expect("in memory");

    // From the journal alone, from a checkpoint alone, and from a checkpoint before it and the journal since.
    let mut again = open(stored(&copy(&storage)));
    assert_eq!(again.digest(), digest);
    others(&again.reader().view());
    again.checkpoint().expect("in memory");
    let digest = again.digest();
    drop(again);
    engine.checkpoint().expect("in memory");
    assert_eq!(engine.digest(), digest);
    engine.forget_item(150_u64);
    engine.sweep().expect_err("of the items most would lose their rows");
    engine.adopt(model.clone()).expect("once more");
    let digest = engine.digest();
    engine.flush().expect("in memory");
    let mut again = open(stored(&copy(&storage)));
    assert_eq!(again.digest(), digest);
    again.checkpoint().expect("in memory");
    let mut again = open(stored(&storage_of(again, &storage)));
    assert_eq!(again.digest(), digest);
    assert_serves_known(&again.reader().view(), &model, 60);
    // They can go as everybody else.
    assert!(matches!(again.forget_user(80_u64), Outcome::Applied(_)));
    assert!(!again.reader().view().user(80_u64).is_known());
}

/// The storage of an engine that has ended.
fn storage_of(engine: ManualEngine, storage: &MemoryStorage) -> MemoryStorage {
    drop(engine);
    copy(storage)
}

/// As [`assert_serves`], where other items may be among the best.
fn assert_serves_known(view: &View, model: &ForeignModel, row: usize) {
    let user = view.user(model.users().ids[row].clone());
    let vector = model.users().factors.get(row).expect("a row for each id");
    for (item, id) in model.items().ids.iter().enumerate() {
        let expected = product(vector, model.items().factors.get(item).expect("a row for each id"));
        let score = f64::from(user.estimate([id.clone()])[0].expect("an item of the model"));
        // A forgotten item that has come back has its row, too.
        assert!((score - expected).abs() < TIE, "{} and {id}: {score}, not {expected}", user.id());
    }
}

#[test]
fn a_moment_of_it_can_be_replayed() {
    let storage = MemoryStorage::new();
    let clock = segue::ManualClock::at(now());
    let builder = || stored(&storage).keep_journal().clock(clock.clone());
    let mut engine = open(builder());
    let model = model(12, 0..40, 0..60);
    engine.adopt(model.clone()).expect("a sound model");
    let then = now();
    clock.advance(Duration::from_secs(60));
    engine.apply(Event::listen(3_u64, 4_u64)).expect("well formed");
    engine.pump();
    engine.flush().expect("in memory");
    let past = builder().replay_until(then).expect("the journal reaches back");
    assert_serves_all(&past.reader().view(), &model);
}

#[test]
fn a_journal_that_ends_anywhere_has_all_of_it_or_none() {
    let model = model(13, 20..200, 20..300);
    let storage = MemoryStorage::new();
    let mut engine = lived(stored(&storage));
    engine.flush().expect("in memory");
    let name = storage.list().expect("in memory").into_iter().find(|name| name.starts_with("journal-"));
    let name = name.expect("there is a journal");
    let n_before = storage.contents(&name).expect("listed").len();
    let before = engine.digest();
    engine.adopt(model.clone()).expect("a sound model");
    engine.flush().expect("in memory");
    let after = engine.digest();
    let whole = storage.contents(&name).expect("listed");
    drop(engine);
    assert!(whole.len() > n_before + 4 * N_FACTORS * 460, "the rows are in it");

    let mut n_published = 0;
    let cuts = (n_before..whole.len()).step_by(397).chain(whole.len() - 150..=whole.len());
    for cut in cuts {
        let left = MemoryStorage::new();
        left.insert(name.clone(), &whole[..cut]);
        let mut engine = open(stored(&left));
        let found = engine.digest();
        let is_published = engine.reader().view().has_model();
        n_published += usize::from(is_published);
        if is_published {
            assert_eq!(found.users, after.users, "{cut} bytes");
        } else if engine.reader().view().user(199_u64).is_known() {
            // The freeze is there: its users are known, and nothing more.
            assert!(engine.reader().view().user(199_u64).history().is_empty());
        } else {
            assert_eq!(found.histories, before.histories, "{cut} bytes");
        }
        // What was cut off does no harm to the next.
        engine.adopt(model.clone()).expect("a sound model");
        assert_serves_known(&engine.reader().view(), &model, 179);
        let digest = engine.digest();
        engine.flush().expect("in memory");
        drop(engine);
        assert_eq!(open(stored(&left)).digest(), digest, "{cut} bytes");
    }
    assert!(n_published > 0);
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let storage = MemoryStorage::new();
    let mut limits = Limits::default();
    (limits.max_users, limits.max_items) = (50, 60);
    let mut engine = lived(stored(&storage).limits(limits));
    let before = engine.digest();
    let mut random = Random::new(3);
    let other = ForeignModel::new(
        ForeignSide { ids: vec!["ana".into()], factors: factors(&mut random, 1, 9) },
        ForeignSide { ids: vec!["muse".into()], factors: factors(&mut random, 1, 9) },
    );
    let other = other.expect("distinct ids");
    let refused = engine.adopt(other.clone()).expect_err("nine factors");
    assert_eq!(refused, TrainingError::OtherFactors { model: 9, engine: 8 });
    assert_eq!(
        refused.to_string(),
        "the model has 9 factors and the engine 8; train it with 8, or retune the engine"
    );
    let refused = engine.adopt(model(1, 0..51, 0..60)).expect_err("a user too many");
    assert_eq!(refused, TrainingError::Full(Refusal::TooManyUsers { limit: 50 }));
    let refused = engine.adopt(model(1, 0..50, 0..61)).expect_err("an item too many");
    assert_eq!(refused, TrainingError::Full(Refusal::TooManyItems { limit: 60 }));
    assert_eq!(engine.digest(), before);
    engine.flush().expect("in memory");
    assert_eq!(open(stored(&copy(&storage)).limits(limits)).digest(), before);
    engine.adopt(model(1, 0..50, 0..60)).expect("just as many");
    drop(engine);

    // A row that is no number cannot be made, so cannot be adopted; one that is too large is refused.
    let nan = ndarray::array![[f32::NAN]];
    assert!(matches!(Factors::from_array(nan.view()), Err(FactorsError::NonFinite { .. })));
    let huge = Factors::from_array(Array2::from_elem((1, N_FACTORS), 1e30).view()).expect("finite");
    let items = ForeignSide { ids: vec!["muse".into()], factors: huge };
    let users = ForeignSide { ids: vec!["ana".into()], factors: Factors::zeros(1, N_FACTORS) };
    let mut engine = lived(small());
    engine.sweep().expect("there is something to learn");
    let generation = engine.reader().view().generation();
    let huge = ForeignModel::new(users, items).expect("distinct ids");
    assert!(matches!(engine.adopt(huge), Err(TrainingError::Refused(_))));
    assert_eq!(engine.reader().view().generation(), generation);

    let engine = small().open().expect("usable settings");
    let handle = engine.adopt(other).expect("running");
    assert_eq!(handle.wait(), Err(TrainingError::OtherFactors { model: 9, engine: 8 }));
}

#[test]
fn calls_for_models_are_answered_in_their_order() {
    let (first, second) = (model(14, 0..30, 0..40), model(15, 0..30, 0..40));
    let engine = Engine::builder().als(small_als()).sweep_policy(NeverSweep).open().expect("usable settings");
    let handles: Vec<_> =
        [&first, &second].map(|model| engine.adopt(model.clone()).expect("running")).into_iter().collect();
    let swept = engine.sweep_now().expect("running");
    let generations: Vec<u64> =
        handles.into_iter().map(|handle| handle.wait().expect("sound").generation.get()).collect();
    assert_eq!(generations, [1, 2]);
    assert_eq!(swept.wait(), Err(TrainingError::NothingToLearn));
    assert_serves_all(&engine.reader().view(), &second);
}

fn small_als() -> segue::AlsParams {
    segue::AlsParams::builder().n_factors(N_FACTORS).build().expect("usable settings")
}
