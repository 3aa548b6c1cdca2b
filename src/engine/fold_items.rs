//! New and grown items into published vectors, a batch at a time.

use std::sync::Arc;

use rayon::prelude::*;

use super::writer::Writer;
use crate::als::{ItemBase, Pair, RowScratch, Rows};
use crate::kernel::AlignedVec;
use crate::model::{Generation, Shared, is_usable};
use crate::types::{ItemIdx, UserIdx};

/// Listeners of a newly solved item who are solved anew with it; more would be an established item.
const MAX_REFOLDS_PER_NEW_ITEM: usize = 256;

impl Writer {
    /// Publishes what has changed of the items: solves those that are new or have grown, counts listeners
    /// anew, and solves the listeners of items that had no vector before.
    pub(super) fn fold_items(&mut self) {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before items are solved");
        self.items_stale = false;
        let items = self.generation.items.load();
        let mut next = (*items).clone();
        next.rows.grow_to(self.by_item.n_items());
        next.popularity = self.by_item.popularity().into();
        let mut newcomers = Vec::new();
        if let Some(gramians) = &mut self.gramians {
            let due = self.by_item.take_due();
            let side = self.generation.users.as_ref().expect("a generation with Gramians has a user side");
            let users = gramians.users(&self.generation, &self.shared, self.settings.path);
            let base = ItemBase::new(side.base.params().clone(), users, side.factors.n_rows());
            let mut solved = self.solve_items(&base, &due);
            let gramians = self.gramians.as_mut().expect("it was there above");
            let old: Vec<_> = due.iter().map(|&item| AlignedVec::from(next.rows.row(item))).collect();
            for (row, old) in solved.iter_mut().zip(&old) {
                // One such row would spoil every list and, through the warm start, every later sweep.
                if !is_usable(row) {
                    row.clone_from(old);
                    self.meters.unusable_item_folds.add(1);
                }
            }
            gramians.replace_items(
                self.settings.path,
                old.iter().map(|row| &**row),
                solved.iter().map(|row| &**row),
            );
            for ((&item, row), old) in due.iter().zip(&solved).zip(&old) {
                next.rows.set_row(item, row);
                if old.iter().all(|&value| value == 0.0) {
                    newcomers.extend(self.by_item.listeners(item).iter().take(MAX_REFOLDS_PER_NEW_ITEM));
                }
            }
            next.version = next.version.next();
            self.meters.item_folds.add(due.len() as u64);
            self.meters.item_batches.add(1);
        }
        drop(self.generation.items.replace(Arc::new(next)));
        newcomers.sort_unstable();
        newcomers.dedup();
        self.refold(&newcomers);
    }

    fn solve_items(&self, base: &ItemBase, due: &[ItemIdx]) -> Vec<AlignedVec> {
        let solve = |scratch: &mut ItemScratch, item: &ItemIdx| {
            let mut listeners = self.by_item.listeners(*item).to_vec();
            // Sums of floats depend on their order; that of arrival is not the sweep's.
            listeners.sort_unstable();
            scratch.gather(&self.generation, &self.shared, *item, &listeners);
            scratch.solve(&self.generation, base)
        };
        if due.len() > 1 && self.pool_is_free() {
            self.pool.install(|| due.par_iter().map_init(ItemScratch::default, solve).collect())
        } else {
            let mut scratch = ItemScratch::default();
            due.iter().map(|item| solve(&mut scratch, item)).collect()
        }
    }
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
        for &user in listeners {
            let Some(state) = shared.user(user) else { continue };
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
        &self.rows[j * self.stride..(j + 1) * self.stride]
    }
}
