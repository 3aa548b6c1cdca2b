//! A candidate and the model in use, side by side before the same questions.

use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::gate::Trial;
use crate::als::{Pair, RowScratch, Rows, TrainingInput, UserBase};
use crate::kernel::{AlignedVec, SimdPath, count_as_f64, prefetch};
use crate::model::{Generation, ItemRows};
use crate::search::{Allowed, Hit};
use crate::types::{ItemIdx, UserIdx};

/// Places of a list that count; who is not among them is not found.
pub(super) const PLACES: usize = 100;
/// Places whose overlap tells how much lists have changed.
const PLACES_OF_OVERLAP: usize = 20;
/// Users whose lists are compared if nothing was held back.
const MAX_SAMPLED: usize = 500;
/// Users that one thread takes at a time.
const CASES_OF_A_SHARE: usize = 8;

/// What a candidate and its predecessor are asked, made before the training.
#[derive(Debug)]
pub(super) struct Exam {
    cases: Vec<Case>,
    before: Arc<Generation>,
    path: SimdPath,
}

/// A user as the training knew them.
#[derive(Debug)]
struct Case {
    /// What was held back of them.
    held_back: Option<ItemIdx>,
    items: Box<[u32]>,
    pairs: Box<[Pair]>,
}

/// How both have done.
#[derive(Debug, Default)]
pub(super) struct ExamResult {
    pub(super) trials: Vec<Trial>,
    /// The mean share of the best 20 of the one that are among the best 20 of the other.
    pub(super) overlap: Option<f64>,
    /// The share of the items with a vector before that have one now.
    pub(super) coverage: Option<f64>,
}

impl Exam {
    /// Asks about what was `held_back`, which is muted in `input`; if that is nothing, some users are compared all the same.
    pub(super) fn new(
        input: &TrainingInput,
        held_back: &[(UserIdx, ItemIdx)],
        before: Arc<Generation>,
        path: SimdPath,
    ) -> Self {
        let case = |user: UserIdx, held_back| {
            let (items, pairs) = input.of_user(user);
            Case { held_back, items: items.into(), pairs: pairs.into() }
        };
        let cases = if held_back.is_empty() {
            let every = input.n_users().div_ceil(MAX_SAMPLED).max(1);
            let users = (0..input.n_users()).step_by(every).map(row_idx);
            users.map(|user| case(user, None)).filter(|case| !case.items.is_empty()).collect()
        } else {
            held_back.iter().map(|&(user, item)| case(user, Some(item))).collect()
        };
        Self { cases, before, path }
    }

    /// Lets a candidate and its predecessor, whose items are `now` such, answer; nothing if there is no predecessor.
    ///
    /// The predecessor answers by the items as they were published: what was folded in since may have come from what was
    /// held back.
    pub(super) fn sit(
        self,
        base: &UserBase,
        rows: &ItemRows,
        now: &ItemRows,
        pool: &ThreadPool,
    ) -> ExamResult {
        let Some(side) = &self.before.users else { return ExamResult::default() };
        let coverage = coverage(now, rows);
        let published = self.before.as_published.as_ref();
        // Items as they are now know what was held back, but lists may be compared by them.
        let before = published.unwrap_or(now);
        let answer = |case: &Case, scratch: &mut RowScratch| {
            let before = case.answer(self.path, &side.base, before, scratch);
            let after = case.answer(self.path, base, rows, scratch);
            let trial = published
                .and(case.held_back)
                .map(|item| Trial { rank_before: rank_of(item, &before), rank_after: rank_of(item, &after) });
            (trial, overlap(&before, &after))
        };
        let answers: Vec<_> = pool.install(|| {
            let shares = self.cases.par_chunks(CASES_OF_A_SHARE);
            let share = |cases: &[Case]| {
                let mut scratch = RowScratch::default();
                cases.iter().map(|case| answer(case, &mut scratch)).collect::<Vec<_>>()
            };
            shares.flat_map_iter(share).collect()
        });
        // A list of nothing has changed by nothing.
        let overlaps: Vec<f64> = answers.iter().filter_map(|&(_, overlap)| overlap).collect();
        let mean = overlaps.iter().sum::<f64>() / count_as_f64(overlaps.len());
        ExamResult {
            trials: answers.iter().filter_map(|(trial, _)| *trial).collect(),
            overlap: (!overlaps.is_empty()).then_some(mean),
            coverage,
        }
    }
}

impl Case {
    /// The best that the user does not know of, what was held back among it.
    fn answer(&self, path: SimdPath, base: &UserBase, rows: &ItemRows, scratch: &mut RowScratch) -> Vec<Hit> {
        // Items that came later have no row in an older model.
        let n_known = self.items.partition_point(|&item| (item as usize) < rows.n_items());
        let mut vector = AlignedVec::zeros(rows.stride());
        let observed = ListedRows { items: &self.items[..n_known], rows };
        base.fold_in(path, &observed, &self.pairs[..n_known], None, scratch, &mut vector);
        rows.top_by_product(path, &vector, PLACES, Unknown(self))
    }
}

/// The place of `item`, from 1; `None` if it is not among the best.
fn rank_of(item: ItemIdx, list: &[Hit]) -> Option<usize> {
    list.iter().position(|&(_, row)| row == item.get()).map(|place| place + 1)
}

/// The share of the shorter beginning that is in both; `None` if a list is empty.
fn overlap(before: &[Hit], after: &[Hit]) -> Option<f64> {
    let beginning =
        |list: &[Hit]| -> Vec<u32> { list.iter().take(PLACES_OF_OVERLAP).map(|&(_, row)| row).collect() };
    let (before, after) = (beginning(before), beginning(after));
    let n_both = before.iter().filter(|row| after.contains(row)).count();
    let n = before.len().min(after.len());
    (n > 0).then(|| count_as_f64(n_both) / count_as_f64(n))
}

/// The share of the rows of `before` with anything in them that have something in `after`; `None` if there are none.
fn coverage(before: &ItemRows, after: &ItemRows) -> Option<f64> {
    let has_row = |rows: &ItemRows, item: ItemIdx| {
        item.index() < rows.n_items() && rows.row(item).iter().any(|&value| value != 0.0)
    };
    let had: Vec<ItemIdx> =
        (0..before.n_items()).map(row_idx).filter(|&item| has_row(before, item)).collect();
    let n_kept = had.iter().filter(|&&item| has_row(after, item)).count();
    (!had.is_empty()).then(|| count_as_f64(n_kept) / count_as_f64(had.len()))
}

fn row_idx<I: RowIdx>(row: usize) -> I {
    I::of(u32::try_from(row).expect("rows are numbered by u32"))
}

/// Either side's row.
trait RowIdx {
    fn of(row: u32) -> Self;
}

impl RowIdx for UserIdx {
    fn of(row: u32) -> Self {
        Self::new(row)
    }
}

impl RowIdx for ItemIdx {
    fn of(row: u32) -> Self {
        Self::new(row)
    }
}

struct ListedRows<'a> {
    items: &'a [u32],
    rows: &'a ItemRows,
}

impl Rows for ListedRows<'_> {
    fn row(&self, j: usize) -> &[f32] {
        self.rows.row(ItemIdx::new(self.items[j]))
    }

    fn prefetch(&self, j: usize) {
        if let Some(&item) = self.items.get(j) {
            prefetch(self.rows.row(ItemIdx::new(item)));
        }
    }
}

/// What is not in a history, or was taken out of it.
struct Unknown<'a>(&'a Case);

impl Allowed for Unknown<'_> {
    fn is_left_out(&self, row: u32) -> bool {
        self.0.held_back.map(ItemIdx::get) != Some(row) && self.0.items.binary_search(&row).is_ok()
    }

    fn is_wanted(&mut self, _row: u32) -> bool {
        true
    }
}
