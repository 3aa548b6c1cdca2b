//! Questions and answers: from a pinned view to recommendations.
//!
//! Layer 3. Everything here runs on the thread that asks, apart from batches, which run on the pool.

mod answer;
mod item_index;
mod items;
mod reader;
mod taste;
mod user;
mod view;

pub use answer::{
    ColdCause, HistoryEntry, Provenance, QueryError, Recommendation, Recommendations, SimilarUser, Source,
};
pub use item_index::{ItemIndex, SearchError};
pub use items::ItemQuery;
pub use reader::{Reader, ViewAfterError};
pub use taste::TasteError;
pub(crate) use user::FactOf;
pub use user::UserView;
pub use view::View;
