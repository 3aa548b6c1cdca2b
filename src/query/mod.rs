//! Questions and answers: from a pinned view to recommendations.
//!
//! Layer 3. Everything here runs on the thread that asks, apart from batches, which run on the pool.

mod answer;
mod census;
mod chain;
mod extras;
mod filter;
mod item_index;
mod items;
#[cfg(any(test, feature = "testing"))]
mod made_up;
mod policies;
mod reader;
mod request;
mod rescorer;
mod slate;
mod taste;
mod user;
mod view;

pub use answer::{
    ColdCause, HistoryEntry, Provenance, QueryError, Recommendation, Recommendations, SimilarUser, Source,
};
pub(crate) use census::Census;
pub(crate) use chain::{Named, QueryPolicies, QueryWatches};
pub(crate) use filter::FilterWith;
pub use filter::{Filter, ItemFilter, KeepAll, OnPanic};
pub use item_index::{ItemIndex, SearchError};
pub use items::ItemQuery;
#[cfg(any(test, feature = "testing"))]
pub use made_up::{TestRequest, candidate, heard};
#[cfg(feature = "reload")]
pub(crate) use policies::LiveSet;
pub use policies::{
    AllowList, BlockList, CoolDown, Familiarity, FlagFilter, Flags, Market, Markets, Mmr, NotAmongLast,
    NotHeardFor, PolicyError, PopularityDebias, SoftCoolDown, SpacedBy, VectorCosine,
};
pub use reader::{Reader, ViewAfterError};
pub use request::{Candidate, Heard, Request};
pub(crate) use rescorer::RescoreWith;
pub use rescorer::{ItemRescorer, KeepScores, Rescorer};
pub(crate) use slate::ArrangeWith;
pub use slate::{SlatePolicy, TopRanked};
pub use taste::TasteError;
pub(crate) use user::FactOf;
pub use user::UserView;
pub use view::View;
