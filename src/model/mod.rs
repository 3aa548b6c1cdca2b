//! What is known: histories, who listened to what, the published model.
//!
//! Layer 2. Histories are the truth; vectors are a cache of what solving them gives.

mod by_item;
mod clock;
mod dedupe;
mod generation;
mod history;
mod item_side;
mod limits;
mod receipt;
mod recent;
mod settings;
mod skips;
mod state;
mod user;
mod weighing;

pub(crate) use by_item::{ByItem, ItemRecord};
pub(crate) use clock::WatchedClock;
#[cfg(any(test, feature = "testing"))]
pub(crate) use clock::is_sensible;
pub(crate) use dedupe::DedupeWindow;
pub(crate) use generation::{FoldScratch, Generation, RowsOf, UserSide, is_usable};
pub(crate) use history::{Cell, CellParts, Fact, History};
pub(crate) use item_side::{ItemRows, ItemSide};
pub use limits::{Limits, Refusal};
pub(crate) use receipt::Completer;
pub use receipt::{Durable, DurableError, Outcome, Receipt};
pub(crate) use recent::{ActionCode, ActionNames, RawEvent, Recent};
pub(crate) use settings::LearningSettings;
pub(crate) use skips::{SkipCount, SkipCounts, SkipRates};
pub(crate) use state::Shared;
pub(crate) use user::{Change, Folded, Solve, UserLimits, UserState};
pub use weighing::Saturation;
pub(crate) use weighing::{Decay, Weighing};

#[cfg(test)]
mod tests;
