//! From the histories at one moment to the input of a sweep.

use crate::als::TrainingInput;
use crate::model::{Shared, UserState, Weighing};
use crate::publish::Freeze;
use crate::types::{Timestamp, UserIdx};

/// The histories of users `0..n_users` as they were at the freeze, weighed as of `as_of`.
///
/// Runs on the pool while the writer goes on; reads each user's slot once.
pub(crate) fn freeze_input(
    shared: &Shared,
    freeze: &Freeze<UserState>,
    (n_users, n_items): (u32, usize),
    weighing: Weighing,
    as_of: Timestamp,
) -> TrainingInput {
    let mut row_ends = Vec::with_capacity(n_users as usize + 1);
    row_ends.push(0);
    let (mut items, mut pairs) = (Vec::new(), Vec::new());
    for row in 0..n_users {
        if let Some(state) = freeze.read(row, shared.slot(UserIdx::new(row))) {
            let factor = weighing.common_factor(state.history.landmark(), as_of);
            for cell in state.history.cells() {
                items.push(cell.item().get());
                pairs.push(weighing.pair(cell, factor));
            }
        }
        row_ends.push(pairs.len());
    }
    TrainingInput::from_sorted_rows(n_items, row_ends, items, pairs)
}
