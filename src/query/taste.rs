//! Someone we have never met.

use thiserror::Error;

use super::answer::{ColdCause, Source};
use super::items::{ItemQuery, Target};
use super::view::{View, telling};
use crate::als::Pair;
use crate::types::{ItemId, Signal};

/// Why a taste cannot be solved.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TasteError {
    /// A weight is NaN, infinite, or beyond what a confidence may be.
    #[error("the weight of item {item} must be a finite number between -1e9 and 1e9, got {got}")]
    Weight {
        /// The item.
        item: ItemId,
        /// The refused weight.
        got: f32,
    },
}

pub(super) fn query<I: Into<ItemId>>(
    view: &View,
    items: impl IntoIterator<Item = (I, f32)>,
) -> Result<ItemQuery<'_>, TasteError> {
    let mut taste = Vec::new();
    for (item, weight) in items {
        let item = item.into();
        let signal = Signal::new(1.0_f32.copysign(weight), weight.abs());
        let signal = signal.map_err(|_| TasteError::Weight { item: item.clone(), got: weight })?;
        if let Some(idx) = view.item_idx(&item) {
            taste.push((idx, signal));
        }
    }
    taste.sort_by_key(|&(item, _)| item);
    let known = taste.iter().map(|&(item, _)| item).collect();
    let vector = view.generation.users.as_ref().map(|side| {
        let mut pairs: Vec<(_, Pair)> = Vec::with_capacity(taste.len());
        for (item, signal) in taste {
            let pair = Pair::from_signal(signal);
            match pairs.last_mut() {
                Some((last, sum)) if *last == item => *sum = *sum + pair,
                _ => pairs.push((item, pair)),
            }
        }
        for (_, pair) in &mut pairs {
            *pair = side.weighing.saturate(*pair);
        }
        View::with_scratch(|scratch| side.fold_in_taste(&pairs, &view.items.rows, scratch))
    });
    let target = match vector {
        None => Target::Popular(Source::Cold(ColdCause::NoModel)),
        Some(vector) => match telling(vector) {
            Some(vector) => Target::Taste(vector),
            None => Target::Popular(Source::Cold(ColdCause::NothingKnown)),
        },
    };
    Ok(ItemQuery::new(view, target).with_known(known))
}
