//! A consistent picture of the model.

use std::cell::RefCell;
use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::answer::{QueryError, Recommendations, Source};
use super::chain::QueryPolicies;
use super::items::{ItemQuery, Target};
use super::taste::{self, TasteError};
use super::user::{FactOf, UserView};
use crate::kernel::{AlignedVec, SimdPath};
use crate::model::{FoldScratch, Generation, ItemSide, Shared};
use crate::types::{GenerationId, ItemId, ItemIdx, ItemVersion, UserId, UserIdx};

/// Users of a batch whose searches go through the catalogue together.
const USERS_TOGETHER: usize = 16;

thread_local! {
    /// A reader that has to solve does so in memory it has used before.
    static SCRATCH: RefCell<FoldScratch> = RefCell::default();
}

/// The model at one moment: one generation and one version of its items, pinned until it is dropped.
///
/// Taking one costs some tens of nanoseconds, holding one costs the memory of its generation once that is
/// no longer current: take one a request. A view pins the items; a user is pinned by [`user`](Self::user),
/// so that everything asked of one [`UserView`] agrees, while two calls of `user` may see an event between
/// them.
#[derive(Debug, Clone)]
pub struct View {
    pub(super) generation: Arc<Generation>,
    pub(super) items: Arc<ItemSide>,
    pub(super) shared: Arc<Shared>,
    pub(super) pool: Arc<ThreadPool>,
    pub(super) path: SimdPath,
    pub(super) policies: Arc<QueryPolicies>,
}

impl View {
    pub(super) fn new(
        shared: Arc<Shared>,
        pool: Arc<ThreadPool>,
        path: SimdPath,
        policies: Arc<QueryPolicies>,
    ) -> Self {
        let generation = shared.current.load();
        let items = generation.items.load();
        Self { generation, items, shared, pool, path, policies }
    }

    /// The generation this view reads; zero before the first sweep.
    pub fn generation(&self) -> GenerationId {
        self.generation.id
    }

    /// The version of the items within the generation.
    pub fn item_version(&self) -> ItemVersion {
        self.items.version
    }

    /// Items this view knows.
    pub fn n_items(&self) -> usize {
        self.items.n_items()
    }

    /// Whether a sweep has been published: without one every answer is cold.
    pub fn has_model(&self) -> bool {
        self.generation.users.is_some()
    }

    /// A user as they are now, known or not.
    pub fn user(&self, user: impl Into<UserId>) -> UserView<'_> {
        UserView::new(self, user.into())
    }

    /// `user` as they are now with `facts` on top: of items that this view does not know nothing is taken over.
    pub(crate) fn user_with_facts(
        &self,
        user: &UserId,
        facts: impl Iterator<Item = FactOf>,
        max_history: usize,
    ) -> UserView<'_> {
        UserView::with_facts(self, user, facts, max_history)
    }

    /// Recommendations for a taste that belongs to nobody: items and how much each counts, in the unit of
    /// a listen's confidence. A negative weight says "nothing like this". Items not known are left out, and if none is known the list is cold;
    /// the items named are not recommended unless [`ItemQuery::allow_known`] is called.
    ///
    /// Solves on the calling thread, as a user's fold-in does.
    ///
    /// # Errors
    /// [`TasteError::Weight`] if a weight is not a number between -1e9 and 1e9.
    pub fn taste<I: Into<ItemId>>(
        &self,
        items: impl IntoIterator<Item = (I, f32)>,
    ) -> Result<ItemQuery<'_>, TasteError> {
        taste::query(self, items)
    }

    /// Items whose listeners are the listeners of `item`: by the cosine of their vectors.
    pub fn similar(&self, item: impl Into<ItemId>) -> ItemQuery<'_> {
        ItemQuery::new(self, Target::Similar(item.into()))
    }

    /// The items with the most listeners.
    pub fn popular(&self) -> ItemQuery<'_> {
        ItemQuery::new(self, Target::Popular(Source::Popularity))
    }

    /// `limit` recommendations for each of `users`, in their order, as by
    /// [`UserView::recommend`]. Runs on the pool of the hands, where the writer may have some work done, too, and blocks the
    /// calling thread. Sweeps have a pool of their own, unless the host has one [shared](crate::EngineBuilder::shared_pool).
    ///
    /// # Errors
    /// As [`ItemQuery::run`].
    pub fn recommend_batch(
        &self,
        users: &[UserId],
        limit: usize,
    ) -> Result<Vec<Recommendations>, QueryError> {
        self.recommend_batch_with(users, |query| query.limit(limit))
    }

    /// As [`recommend_batch`](Self::recommend_batch), with everything that a query can be told: `with` is given each
    /// user's, on the pool's threads.
    ///
    /// ```
    /// use segue::{Engine, Event, UserId};
    ///
    /// let engine = Engine::builder().open()?;
    /// engine.import((0..30_u64).map(|n| Event::listen(n % 7, n % 10)))?;
    /// let users: Vec<UserId> = (0..7_u64).map(Into::into).collect();
    /// let lists = engine.reader().view().recommend_batch_with(&users, |query| query.limit(3).in_market("DE"))?;
    /// assert_eq!(lists.len(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`ItemQuery::run`].
    pub fn recommend_batch_with(
        &self,
        users: &[UserId],
        with: impl for<'q> Fn(ItemQuery<'q>) -> ItemQuery<'q> + Sync,
    ) -> Result<Vec<Recommendations>, QueryError> {
        let share = |users: &[UserId]| {
            let query = |user| with(self.user(user).recommend());
            ItemQuery::run_all(&users.iter().map(query).collect::<Vec<_>>())
        };
        let lists: Result<Vec<_>, _> =
            self.pool.install(|| users.par_chunks(USERS_TOGETHER).map(share).collect());
        Ok(lists?.into_iter().flatten().collect())
    }

    /// What this view pins, for tests that check its answers from outside.
    #[cfg(test)]
    pub(crate) fn pinned(&self) -> (&Generation, &ItemSide) {
        (&self.generation, &self.items)
    }

    pub(super) fn item_idx(&self, item: &ItemId) -> Option<ItemIdx> {
        let row = self.shared.item_ids.get(item)?;
        // An item that came after this view was taken is not part of it.
        ((row as usize) < self.items.n_items()).then(|| ItemIdx::new(row))
    }

    /// The item's id; `None` if it was forgotten since this view was taken.
    pub(super) fn item_id(&self, item: ItemIdx) -> Option<ItemId> {
        self.shared.item_ids.key(item.get())
    }

    /// Whether the item has not been forgotten.
    pub(super) fn is_listed(&self, item: ItemIdx) -> bool {
        self.shared.item_ids.has_key(item.get())
    }

    /// The user's id; `None` if they were forgotten.
    pub(super) fn user_id(&self, user: UserIdx) -> Option<UserId> {
        self.shared.user_ids.key(user.get())
    }

    /// The item's vector; `None` if it has none yet.
    pub(super) fn item_vector(&self, item: ItemIdx) -> Option<&[f32]> {
        Some(self.items.rows.row(item)).filter(|row| !is_zero(row))
    }

    pub(super) fn with_scratch<T>(solve: impl FnOnce(&mut FoldScratch) -> T) -> T {
        SCRATCH.with_borrow_mut(solve)
    }
}

/// Whether a vector says nothing.
pub(super) fn is_zero(vector: &[f32]) -> bool {
    vector.iter().all(|&value| value == 0.0)
}

/// A vector that says something.
pub(super) fn telling(vector: AlignedVec) -> Option<AlignedVec> {
    (!is_zero(&vector)).then_some(vector)
}
