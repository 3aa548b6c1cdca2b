//! One trained model, published by a single pointer swap.

use super::history::{Cell, History};
use super::item_side::{ItemRows, ItemSide};
use super::user::UserState;
use super::weighing::Weighing;
use crate::als::{Factors, Pair, RowScratch, Rows, UserBase};
use crate::kernel::{AlignedVec, SimdPath, prefetch, stride_of};
use crate::publish::{Published, VectorSource, vector_source};
use crate::types::{EventSeq, GenerationId, ItemIdx, Timestamp, UserIdx};

/// Everything a query needs of a trained model. All but the item side is frozen for its life.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: GenerationId,
    /// The last event the sweep has seen.
    pub(crate) frozen_at: EventSeq,
    /// The moment that decay is reckoned at, for sweeps and fold-ins alike.
    pub(crate) as_of: Timestamp,
    /// `None` before the first sweep: there is no model yet.
    pub(crate) users: Option<UserSide>,
    pub(crate) items: Published<ItemSide>,
    /// The items as the sweep left them, which share what has not changed with those in use; `None` if there was none since
    /// the engine was opened.
    pub(crate) as_published: Option<ItemRows>,
}

/// What users are solved against, and the rows the sweep solved them to.
#[derive(Debug)]
pub(crate) struct UserSide {
    pub(crate) base: UserBase,
    pub(crate) factors: Factors,
    pub(crate) weighing: Weighing,
    pub(crate) path: SimdPath,
    pub(crate) rows_of: RowsOf,
}

/// Where the rows of a generation's users come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowsOf {
    /// A sweep: each is what its history folds in to.
    Sweep,
    /// A model from elsewhere: only its users know what they are made of.
    Foreigners,
}

/// Where a solve keeps its numbers between calls, so that none of them allocates.
#[derive(Debug, Default)]
pub(crate) struct FoldScratch {
    pairs: Vec<Pair>,
    solver: RowScratch,
}

impl Generation {
    /// k of the model; `None` if there is none.
    pub(crate) fn n_factors(&self) -> Option<usize> {
        self.users.as_ref().map(|side| side.base.params().n_factors())
    }

    /// Memory of the users' rows.
    pub(crate) fn n_bytes_of_users(&self) -> u64 {
        let floats = |users: &UserSide| users.factors.n_rows() * stride_of(users.factors.n_factors());
        (self.users.as_ref().map_or(0, floats) * size_of::<f32>()) as u64
    }

    /// Before the first sweep.
    pub(crate) fn empty(items: ItemSide) -> Self {
        Self {
            id: GenerationId::ZERO,
            frozen_at: EventSeq::ZERO,
            as_of: Timestamp::default(),
            users: None,
            items: Published::new(std::sync::Arc::new(items)),
            as_published: None,
        }
    }

    /// The vector of `user` in this generation, by the read rule; solved against `items` where need be.
    /// `None` if there is no model yet.
    pub(crate) fn vector_of(
        &self,
        user: UserIdx,
        state: &UserState,
        items: &ItemRows,
        scratch: &mut FoldScratch,
    ) -> Option<AlignedVec> {
        let side = self.users.as_ref()?;
        let folded = state.folded.as_ref();
        let source =
            vector_source(folded.map(|folded| folded.generation), state.seq, self.id, self.frozen_at);
        Some(match (source, folded) {
            (VectorSource::Folded, Some(folded)) => folded.vector.clone(),
            (VectorSource::Swept, _) if user.index() < side.factors.n_rows() => {
                AlignedVec::from(side.factors.row(user.index()))
            }
            _ => side.fold_in(&state.history, self.as_of, items, scratch),
        })
    }

    /// The vector that `history` gives in this generation, solved against `items`; `None` if there is no model yet.
    pub(crate) fn solve(
        &self,
        history: &History,
        items: &ItemRows,
        scratch: &mut FoldScratch,
    ) -> Option<AlignedVec> {
        Some(self.users.as_ref()?.fold_in(history, self.as_of, items, scratch))
    }

    /// As [`vector_of`](Self::vector_of), but only what is at hand: nothing is solved.
    pub(crate) fn vector_at_hand<'a>(&'a self, user: UserIdx, state: &'a UserState) -> Option<&'a [f32]> {
        match &state.folded {
            Some(folded) if folded.generation == self.id => Some(&folded.vector),
            _ => self.swept_row(user),
        }
    }

    /// Whether `user` is served a row of a model from elsewhere, which no history gives again.
    pub(crate) fn serves_foreign_row(&self, user: UserIdx, state: &UserState) -> bool {
        let is_foreign =
            |side: &UserSide| side.rows_of == RowsOf::Foreigners && user.index() < side.factors.n_rows();
        state.seq <= self.frozen_at && self.users.as_ref().is_some_and(is_foreign)
    }

    /// The row the sweep published for `user`.
    pub(crate) fn swept_row(&self, user: UserIdx) -> Option<&[f32]> {
        let factors = &self.users.as_ref()?.factors;
        (user.index() < factors.n_rows()).then(|| factors.row(user.index()))
    }
}

impl UserSide {
    /// Solves a history against `items`.
    pub(crate) fn fold_in(
        &self,
        history: &History,
        as_of: Timestamp,
        items: &ItemRows,
        scratch: &mut FoldScratch,
    ) -> AlignedVec {
        let mut vector = AlignedVec::default();
        self.fold_in_to(history, None, as_of, items, scratch, &mut vector);
        vector
    }

    /// As [`fold_in`](Self::fold_in), into `vector`, by somebody who is going to solve `next` after it: memory is asked for
    /// what that needs.
    pub(crate) fn fold_in_to(
        &self,
        history: &History,
        next: Option<&History>,
        as_of: Timestamp,
        items: &ItemRows,
        scratch: &mut FoldScratch,
        vector: &mut AlignedVec,
    ) {
        // Items that came after this version have no row in it: they are left to a later solve.
        let cells = &history.cells()[..known(history.cells(), items.n_items())];
        let factor = self.weighing.common_factor(history.landmark(), as_of);
        scratch.pairs.clear();
        self.weighing.add_pairs(cells, factor, &mut scratch.pairs);
        let next = next.map_or(&[][..], |next| &next.cells()[..known(next.cells(), items.n_items())]);
        self.solve(&CellRows { cells, next, items }, scratch, items.stride(), vector);
    }

    /// Solves a taste nobody has a history for; `pairs` in order of `items`.
    pub(crate) fn fold_in_taste(
        &self,
        taste: &[(ItemIdx, Pair)],
        items: &ItemRows,
        scratch: &mut FoldScratch,
    ) -> AlignedVec {
        scratch.pairs.clear();
        scratch.pairs.extend(taste.iter().map(|&(_, pair)| pair));
        let mut vector = AlignedVec::default();
        self.solve(&TasteRows { taste, items }, scratch, items.stride(), &mut vector);
        vector
    }

    fn solve(&self, rows: &impl Rows, scratch: &mut FoldScratch, stride: usize, vector: &mut AlignedVec) {
        debug_assert_eq!(stride, stride_of(self.factors.n_factors()));
        vector.resize(stride);
        self.base.fold_in(self.path, rows, &scratch.pairs, None, &mut scratch.solver, vector);
        if !is_usable(vector) {
            // It says nothing: the answer is cold, as for somebody nothing is known of.
            vector.fill(0.0);
        }
    }
}

/// Whether a solved vector may be published: finite, and so far from the end of `f32` that its product with
/// any other such vector is finite too. Solving gives others only if the regularization is next to nothing.
pub(crate) fn is_usable(vector: &[f32]) -> bool {
    const MAX_FACTOR: f32 = 1e15;
    // False for NaN.
    vector.iter().all(|value| value.abs() <= MAX_FACTOR)
}

/// Cells of items below `n_items`: a prefix, as cells are in order of item.
fn known(cells: &[Cell], n_items: usize) -> usize {
    match cells.last() {
        Some(last) if last.item().index() >= n_items => {
            cells.partition_point(|cell| cell.item().index() < n_items)
        }
        _ => cells.len(),
    }
}

struct CellRows<'a> {
    cells: &'a [Cell],
    /// What is solved after them.
    next: &'a [Cell],
    items: &'a ItemRows,
}

impl Rows for CellRows<'_> {
    fn row(&self, j: usize) -> &[f32] {
        self.items.row(self.cells[j].item())
    }

    fn prefetch(&self, j: usize) {
        let cell = self.cells.get(j).or_else(|| self.next.get(j - self.cells.len()));
        if let Some(cell) = cell {
            prefetch(self.items.row(cell.item()));
        }
    }
}

struct TasteRows<'a> {
    taste: &'a [(ItemIdx, Pair)],
    items: &'a ItemRows,
}

impl Rows for TasteRows<'_> {
    fn row(&self, j: usize) -> &[f32] {
        self.items.row(self.taste[j].0)
    }
}
