//! New and grown items into published vectors, a batch at a time.

use std::sync::Arc;
use std::time::Instant;

use super::writer::Writer;
use crate::als::{ItemBase, Pair, RowScratch, Rows};
use crate::guard::courtesy::{after_you, with_pauses};
use crate::journal::Record;
use crate::kernel::{AlignedVec, prefetch};
use crate::model::{Generation, ItemSide, Shared, UserState, is_usable};
use crate::types::{ItemIdx, UserIdx};

/// Listeners of a newly solved item who are solved anew with it; more would be an established item.
const MAX_REFOLDS_PER_NEW_ITEM: usize = 256;

/// Listeners of the items that are solved between two batches of events: some milliseconds' work, so that no
/// event waits longer for the items. An item with more listeners is solved by itself.
const LISTENERS_AT_ONCE: usize = 8_192;

/// Users whose vectors have changed, before their sum is brought up to date though no item asks for it.
const MAX_USERS_TO_SETTLE: usize = 65_536;

/// Rows between two looks at the clock.
const ROWS_A_LOOK: usize = 64;

impl Writer {
    /// Publishes all that has changed of the items.
    pub(super) fn fold_items(&mut self) {
        self.begin_item_batch();
        while self.fold_some_items() {}
    }

    /// Publishes new items and everybody's popularity, and lines up the items that are new or have grown.
    pub(super) fn begin_item_batch(&mut self) {
        if self.check_writable().is_ok() {
            self.log(|| Record::ItemBatch);
            // INVARIANT: in the journal first, as in `publish`; the same below.
            if self.write_marks().is_ok() {
                self.perform_item_batch();
            }
        }
    }

    /// Solves and publishes some of the items of the batch, and the listeners of those that had no vector
    /// before; says whether more remain.
    pub(super) fn fold_some_items(&mut self) -> bool {
        if self.items_to_fold.is_empty() || self.check_writable().is_err() {
            return false;
        }
        self.log(|| Record::ItemPart);
        if self.write_marks().is_ok() {
            let began = Instant::now();
            self.perform_item_part();
            self.meters.stages.item_fold.record(began.elapsed());
        }
        !self.items_to_fold.is_empty()
    }

    pub(super) fn perform_item_batch(&mut self) {
        self.items_stale = false;
        let mut next = (*self.generation.items.load()).clone();
        next.rows.grow_to(self.by_item.n_items());
        next.popularity = self.by_item.popularity().into();
        if let Some(gramians) = &mut self.gramians {
            // Nothing may be due for long, and what waits takes memory.
            if gramians.n_changed() > MAX_USERS_TO_SETTLE {
                gramians.settle(self.settings.path);
            }
            next.rows.settle();
            self.items_to_fold.extend(self.by_item.take_due());
            // The new ones first: under a flood of events those that have merely grown wait. What was left of the batch before
            // may be due again.
            self.items_to_fold.sort_unstable_by_key(|&item| (!is_zero(next.rows.row(item)), item));
            self.items_to_fold.dedup();
            next.version = next.version.next();
            self.meters.item_batches.add(1);
        }
        drop(self.generation.items.replace(Arc::new(next)));
    }

    pub(super) fn perform_item_part(&mut self) {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before items are solved");
        debug_assert!(self.to_refold.is_empty(), "users are of this generation before items are solved");
        let due = self.take_items_to_fold();
        let (Some(gramians), false) = (&mut self.gramians, due.is_empty()) else { return };
        let mut next = (*self.generation.items.load()).clone();
        let side = self.generation.users.as_ref().expect("a generation with Gramians has a user side");
        let users = gramians.users(self.settings.path);
        let base = ItemBase::new(side.base.params().clone(), users, side.factors.n_rows());
        let mut solved = self.solve_items(base, &due);
        let row_of = |&item: &ItemIdx| AlignedVec::from(next.rows.row(item));
        let old: Vec<_> = with_pauses(&due, ROWS_A_LOOK).map(row_of).collect();
        for (row, old) in with_pauses(solved.iter_mut().zip(&old), ROWS_A_LOOK) {
            // One such row would spoil every list and, through the warm start, every later sweep.
            if !is_usable(row) {
                row.clone_from(old);
                self.meters.unusable_item_folds.add(1);
            }
        }
        let mut newcomers = Vec::new();
        for ((&item, row), old) in due.iter().zip(&solved).zip(&old) {
            after_you();
            next.rows.set_row(item, row);
            if is_zero(old) {
                let mut listeners = self.by_item.listeners(item).to_vec();
                // Which of them are solved anew must not depend on the order in which they came.
                listeners.sort_unstable();
                newcomers.extend(listeners.into_iter().take(MAX_REFOLDS_PER_NEW_ITEM));
            }
        }
        next.rows.settle();
        next.version = next.version.next();
        self.publish_items(next, &old, &solved);
        self.meters.item_folds.add(due.len() as u64);
        newcomers.sort_unstable();
        newcomers.dedup();
        self.refold(&newcomers);
    }

    /// Takes an item out of what readers see from now on.
    pub(super) fn unpublish_item(&mut self, item: ItemIdx) {
        let mut next = (*self.generation.items.load()).clone();
        // An item that came after the last batch is not there yet.
        if item.index() < next.n_items() {
            let old = AlignedVec::from(next.rows.row(item));
            let none = AlignedVec::zeros(old.len());
            next.rows.set_row(item, &none);
            next.popularity = self.by_item.popularity()[..next.n_items()].into();
            next.version = next.version.next();
            self.publish_items(next, &[old], &[none]);
        }
    }

    /// Publishes items of which some rows were `old` and are `new`.
    fn publish_items(&mut self, next: ItemSide, old: &[AlignedVec], new: &[AlignedVec]) {
        if let Some(gramians) = &mut self.gramians {
            gramians.replace_items(self.settings.path, old, new);
        }
        drop(self.generation.items.replace(Arc::new(next)));
    }

    /// As many items as [`LISTENERS_AT_ONCE`] allows, at least one if there is any.
    fn take_items_to_fold(&mut self) -> Vec<ItemIdx> {
        let mut n_listeners = 0;
        let fits = |&&item: &&ItemIdx| {
            let is_first = n_listeners == 0;
            n_listeners += self.by_item.listeners(item).len().max(1);
            is_first || n_listeners <= LISTENERS_AT_ONCE
        };
        let n_items = self.items_to_fold.iter().take_while(fits).count();
        self.items_to_fold.drain(..n_items).collect()
    }

    /// Every item is solved by itself, so who solves it changes no byte.
    fn solve_items(&self, base: ItemBase, due: &[ItemIdx]) -> Vec<AlignedVec> {
        let listeners = |&item: &ItemIdx| {
            after_you();
            let mut listeners = self.by_item.listeners(item).to_vec();
            // Sums of floats depend on their order; that of arrival is not the sweep's.
            listeners.sort_unstable();
            (item, listeners)
        };
        let (generation, shared) = (Arc::clone(&self.generation), Arc::clone(&self.shared));
        self.crew.share(
            due.iter().map(listeners).collect(),
            move |scratch: &mut ItemScratch, (item, listeners)| {
                scratch.gather(&generation, &shared, item, &listeners);
                scratch.solve(&generation, &base)
            },
        )
    }
}

/// Whether it is the row of an item that nobody has solved yet.
fn is_zero(row: &[f32]) -> bool {
    row.iter().all(|&value| value == 0.0)
}

/// The listeners of one item: their vectors, one after the other, and their pairs.
#[derive(Debug, Default)]
struct ItemScratch {
    stride: usize,
    rows: Vec<f32>,
    pairs: Vec<Pair>,
    solver: RowScratch,
}

impl ItemScratch {
    fn gather(&mut self, generation: &Generation, shared: &Shared, item: ItemIdx, listeners: &[UserIdx]) {
        self.rows.clear();
        self.pairs.clear();
        let Some(side) = &generation.users else { return };
        let ask = |user, state: &UserState| {
            state.history.prefetch();
            if let Some(vector) = generation.vector_at_hand(user, state) {
                prefetch(vector);
            }
        };
        for (user, state) in shared.states(listeners, ask) {
            after_you();
            let Some(state) = state else { continue };
            let (Some(cell), Some(vector)) =
                (state.history.cell(item), generation.vector_at_hand(user, &state))
            else {
                continue;
            };
            self.stride = vector.len();
            self.rows.extend_from_slice(vector);
            let factor = side.weighing.common_factor(state.history.landmark(), generation.as_of);
            self.pairs.push(side.weighing.pair(cell, factor));
        }
    }

    fn solve(&mut self, generation: &Generation, base: &ItemBase) -> AlignedVec {
        let side = generation.users.as_ref().expect("items are solved only where there is a model");
        let mut vector = AlignedVec::zeros(generation.items.load().rows.stride());
        let rows = Gathered { rows: &self.rows, stride: self.stride };
        base.fold_in(side.path, &rows, &self.pairs, None, &mut self.solver, &mut vector);
        vector
    }
}

struct Gathered<'a> {
    rows: &'a [f32],
    stride: usize,
}

impl Rows for Gathered<'_> {
    fn row(&self, j: usize) -> &[f32] {
        // The solver has no other place to pause at: it may need thousands of rows, several times each.
        if j.is_multiple_of(ROWS_A_LOOK) {
            after_you();
        }
        &self.rows[j * self.stride..(j + 1) * self.stride]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::LISTENERS_AT_ONCE;
    use crate::als::AlsParams;
    use crate::engine::ManualEngine;
    use crate::training::NeverSweep;
    use crate::types::{Event, ManualClock};

    const N_USERS: u64 = 300;
    const N_ITEMS: u64 = 60;
    const INTERVAL: Duration = Duration::from_secs(1);

    /// An engine whose next batch holds every item, each with all users as listeners.
    fn engine_with_everything_due() -> (ManualEngine, ManualClock) {
        let clock = ManualClock::default();
        let als = AlsParams::builder().n_factors(2).build().expect("in range");
        let mut engine = ManualEngine::builder()
            .als(als)
            .clock(clock.clone())
            .item_batch_every(INTERVAL)
            .sweep_policy(NeverSweep)
            .open_manual()
            .expect("usable settings");
        let plays = |weight: f32| {
            // Not everybody likes everything, or there would be nothing to tell the items apart by.
            let fraction =
                move |user: u64, item: u64| if (user + item).is_multiple_of(3) { 0.1 } else { weight };
            (0..N_USERS).flat_map(move |user| {
                (0..N_ITEMS).map(move |item| Event::listen(user, item).fraction(fraction(user, item)))
            })
        };
        engine.import(plays(1.0));
        engine.sweep().expect("there is something to learn");
        engine.pump();
        engine.import(plays(0.9));
        clock.advance(INTERVAL);
        (engine, clock)
    }

    fn lists(engine: &ManualEngine) -> Vec<Vec<u32>> {
        let view = engine.reader().view();
        let of = |user: u64| {
            let scores = view.user(user).estimate(0..N_ITEMS);
            scores.into_iter().map(|score| score.expect("known").to_bits()).collect()
        };
        (0..N_USERS).map(of).collect()
    }

    #[test]
    fn a_large_batch_is_spread_over_pumps_and_ends_as_if_done_at_once() {
        let (mut at_once, _) = engine_with_everything_due();
        let folds_before = at_once.stats().item_folds;
        at_once.fold_items();
        assert_eq!(at_once.stats().item_folds - folds_before, N_ITEMS);

        let (mut spread, _) = engine_with_everything_due();
        let an_item = usize::try_from(N_USERS).expect("small");
        let at_most = u64::try_from(LISTENERS_AT_ONCE / an_item).expect("small");
        let mut solved = spread.stats().item_folds;
        let folds_before = solved;
        let mut pumps = 0;
        while solved - folds_before < N_ITEMS {
            spread.pump();
            let now = spread.stats().item_folds;
            assert!((1..=at_most).contains(&(now - solved)), "{} items in one pump", now - solved);
            solved = now;
            pumps += 1;
        }
        assert!(pumps > 1, "the batch is too small for this test");
        assert!(lists(&spread) == lists(&at_once), "the same items in the same order give the same bytes");
        spread.pump();
        assert_eq!(spread.stats().item_folds, solved, "nothing is due any more");
    }

    #[test]
    fn a_sweep_takes_over_what_is_left_of_a_batch() {
        let (mut engine, _) = engine_with_everything_due();
        engine.pump();
        let solved = engine.stats().item_folds;
        assert!(solved < N_ITEMS, "the batch is too small for this test");
        engine.sweep().expect("there is something to learn");
        assert_eq!(engine.stats().item_folds, solved, "the sweep has solved them all");
    }
}
