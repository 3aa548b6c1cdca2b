//! What is true of every state: asked before it is written and after it is read.

use super::error::Unsound;
use crate::als::Gramian;
use crate::model::{Cell, ItemRecord, Recent};
use crate::types::{EventSeq, ItemIdx, ItemVersion, MAX_ID_BYTES};

/// `holds`, or else `what` is unsound.
pub(super) fn ensure(holds: bool, what: &'static str) -> Result<(), Unsound> {
    if holds { Ok(()) } else { Err(Unsound(what)) }
}

/// Not NaN and not infinite.
pub(super) fn finite(values: &[f32], what: &'static str) -> Result<(), Unsound> {
    // Without an early end the loop runs over whole registers.
    ensure(values.iter().fold(true, |all, value| all & value.is_finite()), what)
}

/// Counts of listeners: finite and not below 0.
pub(super) fn popularity(counts: &[f32]) -> Result<(), Unsound> {
    ensure(counts.iter().all(|count| (0.0..=f32::MAX).contains(count)), "the popularity of an item")
}

pub(super) fn cells(cells: &[Cell], n_items: u32) -> Result<(), Unsound> {
    let sound = |cell: &Cell| cell.is_sound() && cell.item().get() < n_items;
    ensure(cells.iter().all(sound), "a cell of a history")
}

pub(super) fn recent(recent: &Recent, n_items: u32) -> Result<(), Unsound> {
    let mut events = recent.standing().iter().chain(recent.ring());
    ensure(events.all(|event| event.item().get() < n_items), "the item of a recent event")
}

pub(super) fn seq(seq: EventSeq, latest: EventSeq, what: &'static str) -> Result<(), Unsound> {
    ensure(seq <= latest, what)
}

/// Versions are counted on from it.
pub(super) fn item_version(version: ItemVersion) -> Result<(), Unsound> {
    ensure(version.get() <= u64::MAX / 2, "the version of the items")
}

pub(super) fn id_len(len_bytes: usize) -> Result<(), Unsound> {
    ensure((1..=MAX_ID_BYTES).contains(&len_bytes), "the length of an id")
}

pub(super) fn item_record(record: &ItemRecord) -> Result<(), Unsound> {
    let sums = [record.confidence, record.solved_at_confidence];
    ensure(sums.iter().all(|sum| (0.0..=f64::MAX).contains(sum)), "the confidence of an item")
}

pub(super) fn gramian(gramian: &Gramian, n_factors: usize) -> Result<(), Unsound> {
    ensure(gramian.n_factors() == n_factors && gramian.is_finite(), "a Gramian")
}

/// An item to be folded has a row and is there once: `may_come` says of each row whether it may still come.
pub(super) fn to_fold(item: ItemIdx, may_come: &mut [bool]) -> Result<(), Unsound> {
    let may_come = may_come.get_mut(item.index()).is_some_and(std::mem::take);
    ensure(may_come, "an item to be folded")
}

/// How far a Gramian has moved: not NaN; infinite if it was nothing before.
pub(super) fn items_moved(moved: Option<f64>) -> Result<(), Unsound> {
    ensure(moved.is_none_or(|moved| moved >= 0.0), "how far the items have moved")
}
