//! What is read is what was written, to the bit.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::world::World;
use crate::checkpoint::{Restored, Snapshot, StateDigest, StateParts, list, read, verify, write};
use crate::kernel::SimdPath;
use crate::model::{Generation, RowsOf, UserState};
use crate::storage::MemoryStorage;
use crate::types::{EventSeq, ItemIdx, UserId, UserIdx};

fn written(snapshot: &Snapshot) -> (MemoryStorage, String) {
    let storage = MemoryStorage::new();
    let report = write(snapshot, &storage, &AtomicBool::new(false)).expect("memory takes everything");
    (storage, report.file)
}

fn read_back(snapshot: &Snapshot) -> Restored {
    let (storage, name) = written(snapshot);
    read(&storage, &name, &World::limits(), SimdPath::detect()).expect("it was just written")
}

fn worlds() -> impl Iterator<Item = World> {
    (0..20).flat_map(|seed| {
        [true, false].into_iter().flat_map(move |has_model| {
            [(14, 2, 5), (60, 17, 0), (9, 16, 64)].map(|(n_users, n_factors, recent_events)| World {
                seed,
                n_users,
                n_factors,
                recent_events,
                // Either alone asks for the later version.
                n_skips: if seed % 3 == 0 { 0 } else { 300 },
                has_model,
                rows_of: if seed % 2 == 0 { RowsOf::Foreigners } else { RowsOf::Sweep },
                n_events: 40,
                n_items: 90,
                has_gaps: true,
            })
        })
    })
}

#[test]
fn every_part_of_a_state_comes_back_to_the_bit() {
    for world in worlds() {
        let snapshot = world.snapshot();
        let restored = read_back(&snapshot);
        assert_eq!((restored.position, restored.erases), (snapshot.position, snapshot.erases));
        assert_eq!(restored.settings, snapshot.settings);
        assert_eq!(restored.seq, snapshot.seq);
        assert_eq!(restored.stream_time, snapshot.stream_time);
        assert_eq!(restored.taken_at, snapshot.taken_at);
        assert_eq!(restored.last_freeze, snapshot.last_freeze);
        assert_eq!(restored.norm_of_model, snapshot.norm_of_model);
        assert_eq!(restored.items_to_fold, snapshot.items_to_fold);
        assert_eq!(restored.skips, snapshot.skips);
        assert_eq!(restored.source_offsets, snapshot.source_offsets);
        assert_eq!(restored.actions.custom(), snapshot.actions.custom());
        assert!(restored.dedupe.keys().eq(snapshot.dedupe.keys()));
        assert_eq!(restored.by_item.records(), snapshot.item_records);
        assert_eq!(restored.shared.decay, snapshot.settings.weighing.decay);
        assert_eq!(restored.shared.applied.reached(), EventSeq::ZERO);
        check_users(&restored, &snapshot);
        check_listeners(&restored);
        check_generation(&restored, &snapshot);
        check_gramians(&restored, &snapshot);
        let records = restored.by_item.records();
        assert_eq!(StateDigest::of(&restored.parts(&records)), StateDigest::of(&snapshot.parts()));
    }
}

fn check_users(restored: &Restored, snapshot: &Snapshot) {
    let (ours, theirs) = (&restored.shared, &snapshot.shared);
    assert_eq!((ours.user_ids.len(), ours.item_ids.len()), (snapshot.n_users, snapshot.n_items));
    for row in 0..snapshot.n_items {
        assert_eq!(ours.item_ids.key(row), theirs.item_ids.key(row));
        assert_eq!(theirs.item_ids.key(row).map_or(Some(row), |id| ours.item_ids.get(&id)), Some(row));
    }
    let mut n_bytes = 0;
    for row in 0..snapshot.n_users {
        let user = UserIdx::new(row);
        let id = theirs.user_ids.key(row);
        assert_eq!(ours.user_ids.key(row), id);
        let (Some(id), Some(expected)) = (id, theirs.user(user)) else {
            assert!(ours.user(user).is_none());
            continue;
        };
        assert_eq!(ours.user_ids.get(&id), Some(row));
        let state = ours.user(user).expect("a user with a state keeps it");
        assert_eq!(
            (state.seq, &state.history, &state.recent),
            (expected.seq, &expected.history, &expected.recent)
        );
        let vector = |state: &UserState| {
            state.folded.as_ref().map(|folded| (folded.generation, folded.vector.clone()))
        };
        let current = vector(&expected).filter(|&(generation, _)| generation == snapshot.generation.id);
        assert_eq!(vector(&state), current.filter(|_| snapshot.generation.users.is_some()));
        n_bytes += state.n_bytes() as u64;
    }
    assert_eq!(restored.n_state_bytes, n_bytes);
}

fn check_listeners(restored: &Restored) {
    let users = || (0..restored.shared.user_ids.len()).map(UserIdx::new);
    for item in (0..restored.shared.item_ids.len()).map(ItemIdx::new) {
        let has_it = |&user: &UserIdx| {
            restored.shared.user(user).is_some_and(|state| state.history.cell(item).is_some())
        };
        let expected: Vec<_> = users().filter(has_it).collect();
        assert_eq!(restored.by_item.listeners(item), expected);
    }
}

fn check_generation(restored: &Restored, snapshot: &Snapshot) {
    let (ours, theirs) = (restored.shared.current.load(), &snapshot.generation);
    assert_eq!((ours.id, ours.frozen_at, ours.as_of), (theirs.id, theirs.frozen_at, theirs.as_of));
    let (items, expected) = (ours.items.load(), &snapshot.items);
    assert_eq!((items.version, &items.popularity), (expected.version, &expected.popularity));
    assert_eq!(items.rows.n_items(), expected.rows.n_items());
    assert!(items.rows.chunks().eq(expected.rows.chunks()));
    assert_eq!(ours.users.is_some(), theirs.users.is_some());
    if let (Some(side), Some(expected)) = (&ours.users, &theirs.users) {
        assert_eq!(
            (&side.base, side.weighing, side.path, side.rows_of),
            (&expected.base, expected.weighing, expected.path, expected.rows_of)
        );
        assert_eq!(side.factors.n_rows(), expected.factors.n_rows());
        check_swept_rows(&ours, theirs, |row| snapshot.shared.user_ids.key(row));
    }
}

fn check_swept_rows(ours: &Generation, theirs: &Generation, id: impl Fn(u32) -> Option<UserId>) {
    let n_rows = ours.users.as_ref().map_or(0, |side| side.factors.n_rows());
    for user in (0..).map(UserIdx::new).take(n_rows) {
        let row = ours.swept_row(user).expect("there are so many");
        if id(user.get()).is_some() {
            assert_eq!(Some(row), theirs.swept_row(user));
        } else {
            assert!(row.iter().all(|value| value.to_bits() == 0), "nothing is left of who was forgotten");
        }
    }
}

fn check_gramians(restored: &Restored, snapshot: &Snapshot) {
    assert_eq!(restored.running.is_some(), snapshot.running.is_some());
    if let (Some(ours), Some(theirs)) = (&restored.running, &snapshot.running) {
        assert_eq!((&ours.users, &ours.items), (&theirs.users, &theirs.items));
        assert_eq!(ours.items_at_sweep, theirs.items_at_sweep);
        assert_eq!(ours.items_moved.to_bits(), theirs.items_moved.to_bits());
    }
}

#[test]
fn what_happens_after_the_freeze_is_not_in_it() {
    let snapshot = World::SMALL.snapshot();
    let before = StateDigest::of(&snapshot.parts());
    let shared = &snapshot.shared;
    for user in [0, 1, 2].map(UserIdx::new) {
        let old = shared.user(user).expect("the first users have states");
        // Solved anew without an event, and forgotten.
        drop(snapshot.freeze.replace(user.get(), shared.slot(user), Arc::new(old.draft())));
        drop(snapshot.freeze.replace(user.get(), shared.slot(user), Arc::default()));
    }
    shared.user_ids.remove(&shared.user_ids.key(2).expect("nobody has removed it"));
    shared.item_ids.remove(&shared.item_ids.key(1).expect("nobody has removed it"));
    let restored = read_back(&snapshot);
    assert_eq!(StateDigest::of(&restored.parts(&restored.by_item.records())), before);
    let now = StateParts { freeze: None, ..snapshot.parts() };
    let now = StateDigest::of(&now);
    assert!(now.histories != before.histories && now.users != before.users, "{now} against {before}");
}

#[test]
fn an_empty_engine_comes_back_empty() {
    let world = World { n_users: 0, n_items: 0, has_model: false, ..World::SMALL };
    let mut snapshot = World { n_users: 1, ..world }.snapshot();
    snapshot.n_users = 0;
    snapshot.dedupe = crate::model::DedupeWindow::new(100);
    let restored = read_back(&snapshot);
    assert_eq!((restored.shared.user_ids.len(), restored.by_item.n_items()), (0, 0));
}

#[test]
fn verifying_counts_what_reading_finds() {
    let snapshot = World::SMALL.snapshot();
    let (storage, name) = written(&snapshot);
    let summary = verify(&storage, &name).expect("it was just written");
    assert_eq!(crate::checkpoint::head(&storage, &name).expect("it was just written"), summary.head);
    assert_eq!(summary.head.position, snapshot.position);
    assert_eq!(summary.n_bytes, storage.contents(&name).map_or(0, |bytes| bytes.len() as u64));
    let restored = read(&storage, &name, &World::limits(), SimdPath::detect()).expect("it was just written");
    let states: Vec<_> =
        (0..snapshot.n_users).filter_map(|row| restored.shared.user(UserIdx::new(row))).collect();
    let n_cells: usize = states.iter().map(|state| state.history.cells().len()).sum();
    let n_events: usize =
        states.iter().map(|state| state.recent.ring().len() + state.recent.standing().len()).sum();
    assert_eq!((summary.n_cells, summary.n_events), (n_cells as u64, n_events as u64));
    assert_eq!((summary.n_users, summary.n_keys), (12, 12));
    assert_eq!(list(&storage).expect("memory does not fail")[0].name, name);
}

#[test]
fn each_number_of_a_digest_tells_of_its_own_part() {
    let digest = |snapshot: &Snapshot| StateDigest::of(&snapshot.parts());
    let mut snapshot = World::SMALL.snapshot();
    let before = digest(&snapshot);
    snapshot.item_records[0].confidence += 1.0;
    let after = digest(&snapshot);
    assert_eq!((after.histories, after.users), (before.histories, before.users));
    assert_ne!(after.items, before.items);

    let user = UserIdx::new(0);
    let mut state = UserState::clone(&snapshot.shared.user(user).expect("she has one"));
    let folded = state.folded.as_mut().expect("every third is folded");
    folded.vector[0] += 1.0;
    drop(snapshot.shared.slot(user).replace(Arc::new(state)));
    let last = digest(&snapshot);
    assert_eq!((last.histories, last.items), (after.histories, after.items));
    assert_ne!(last.users, after.users);
    assert_eq!(last.to_string().len(), "histories 01234567, items 01234567, users 01234567".len());
}
