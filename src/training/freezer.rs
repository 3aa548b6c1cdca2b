//! From the histories at one moment to the input of a sweep.

use super::hold_out::{Discovery, Frozen};
use crate::als::{Pair, TrainingInput};
use crate::guard::courtesy;
use crate::model::{History, Shared, UserState, Weighing};
use crate::publish::Freeze;
use crate::types::{Timestamp, UserIdx};

/// How many of each there are to freeze.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FreezeSize {
    pub(crate) users: u32,
    pub(crate) items: usize,
    /// Cells of all histories, for which room is made at once: to copy what there is into more takes milliseconds.
    pub(crate) pairs: usize,
}

/// The histories at one moment, one after the other.
#[derive(Debug)]
pub(crate) struct FrozenHistories {
    n_items: usize,
    row_ends: Vec<usize>,
    items: Vec<u32>,
    pairs: Vec<Pair>,
    discoveries: Vec<Discovery>,
}

/// The histories of the first users as they were at the freeze, weighed as of `as_of`, and of each the latest item that came
/// into it after `since`.
///
/// Runs while the writer goes on; reads each user's slot once, under locks that the writer takes too.
pub(crate) fn freeze_histories(
    shared: &Shared,
    freeze: &Freeze<UserState>,
    size: FreezeSize,
    weighing: Weighing,
    as_of: Timestamp,
    since: Timestamp,
) -> FrozenHistories {
    let mut row_ends = Vec::with_capacity(size.users as usize + 1);
    row_ends.push(0);
    let (mut items, mut pairs) = (Vec::with_capacity(size.pairs), Vec::with_capacity(size.pairs));
    let mut discoveries = Vec::new();
    for row in 0..size.users {
        let user = UserIdx::new(row);
        if let Some(state) = freeze.read(row, shared.slot(user)) {
            let factor = weighing.common_factor(state.history.landmark(), as_of);
            let cells = state.history.cells();
            items.extend(cells.iter().map(|cell| cell.item().get()));
            weighing.add_pairs(cells, factor, &mut pairs);
            discoveries.extend(latest_discovery(user, &state.history, since));
        }
        row_ends.push(pairs.len());
        courtesy::after_you();
    }
    debug_assert_eq!(pairs.len(), size.pairs, "the index by item has every cell");
    FrozenHistories { n_items: size.items, row_ends, items, pairs, discoveries }
}

impl FrozenHistories {
    /// By user and by item.
    pub(crate) fn into_input(self) -> Frozen {
        let Self { n_items, row_ends, items, pairs, discoveries } = self;
        Frozen { input: TrainingInput::from_sorted_rows(n_items, row_ends, items, pairs), discoveries }
    }
}

/// The item that came into a history last, once, and was liked; `None` if none has since `since`.
fn latest_discovery(user: UserIdx, history: &History, since: Timestamp) -> Option<Discovery> {
    let is_new = |cell: &&crate::model::Cell| {
        cell.events() == 1 && cell.last_seen() > since && cell.weighted_preference() > 0.0
    };
    // Of equally late ones the last in order of items.
    let latest = history.cells().iter().filter(is_new).max_by_key(|cell| cell.last_seen())?;
    Some(Discovery { user, item: latest.item(), at: latest.last_seen() })
}
