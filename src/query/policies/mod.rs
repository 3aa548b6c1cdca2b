//! Filters, rescorers and slate policies that a music app wants, ready made: one file each.

mod block_list;
mod cool_down;
mod error;
mod familiarity;
mod flags;
mod live_set;
mod markets;
mod mmr;
mod not_among_last;
mod not_heard_for;
mod popularity_debias;
mod spaced_by;

pub use block_list::{AllowList, BlockList};
pub use cool_down::{CoolDown, SoftCoolDown};
pub use error::PolicyError;
pub use familiarity::Familiarity;
pub use flags::{FlagFilter, Flags};
#[cfg(feature = "reload")]
pub(crate) use live_set::LiveSet;
pub use markets::{Market, Markets};
pub use mmr::{Mmr, VectorCosine};
pub use not_among_last::NotAmongLast;
pub use not_heard_for::NotHeardFor;
pub use popularity_debias::PopularityDebias;
pub use spaced_by::SpacedBy;
