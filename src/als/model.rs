//! What a training run leaves.

use thiserror::Error;

use super::base::UserBase;
use super::half_sweep::Gathered;
use super::row::RowScratch;
use super::{AlsParams, Factors, Pair};
use crate::kernel::{AlignedVec, SimdPath, dot};
use crate::types::{ItemIdx, UserIdx};

/// Both sides' factors in the eigenbasis of the items, and what folds further histories in.
///
/// See [`Als`](crate::Als) for an example.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    path: SimdPath,
    users: Factors,
    items: Factors,
    user_base: UserBase,
    user_prior: Option<Factors>,
    item_prior: Option<Factors>,
}

/// The parts of a [`TrainedModel`], all in one basis.
#[derive(Debug)]
pub(crate) struct ModelParts {
    pub(crate) users: Factors,
    pub(crate) items: Factors,
    pub(crate) user_base: UserBase,
}

/// Why a history could not be folded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FoldInError {
    /// The history names an item that the model does not have.
    #[error(
        "item {got} of the history is not below n_items, {n_items}; leave out what the model does not know"
    )]
    ItemOutOfRange {
        /// The row it names.
        got: u32,
        /// How many items the model has.
        n_items: usize,
    },
    /// The prior mean has another length than the model's vectors.
    #[error("the prior mean must have {expected} factors, got {got}")]
    PriorLength {
        /// The factors of the model.
        expected: usize,
        /// The length given.
        got: usize,
    },
    /// The result is NaN or infinite.
    #[error("the user vector is not finite; look for confidences of extreme size")]
    NonFinite,
}

impl TrainedModel {
    pub(super) fn new(
        path: SimdPath,
        users: Factors,
        items: Factors,
        user_base: UserBase,
        user_prior: Option<Factors>,
        item_prior: Option<Factors>,
    ) -> Self {
        Self { path, users, items, user_base, user_prior, item_prior }
    }

    /// The users, (`n_users`, k).
    pub fn user_factors(&self) -> &Factors {
        &self.users
    }

    /// The items, (`n_items`, k).
    pub fn item_factors(&self) -> &Factors {
        &self.items
    }

    /// What turns a history into a user vector.
    pub fn user_base(&self) -> &UserBase {
        &self.user_base
    }

    /// The settings it was trained with.
    pub fn params(&self) -> &AlsParams {
        self.user_base.params()
    }

    /// What users shrink towards, in the basis of this model; `None` if towards zero.
    pub fn user_prior(&self) -> Option<&Factors> {
        self.user_prior.as_ref()
    }

    /// What items shrink towards, in the basis of this model; `None` if towards zero.
    pub fn item_prior(&self) -> Option<&Factors> {
        self.item_prior.as_ref()
    }

    /// How much `user` should like `item`; `None` if the model does not have both.
    pub fn score(&self, user: UserIdx, item: ItemIdx) -> Option<f32> {
        let known = user.index() < self.users.n_rows() && item.index() < self.items.n_rows();
        known.then(|| dot(self.path, self.users.row(user.index()), self.items.row(item.index())))
    }

    /// The k factors of somebody with this history, in any order; what is known of one item twice is added
    /// up.
    ///
    /// For the pairs that a user was trained with, and without a prior mean, this is the row of
    /// [`user_factors`](Self::user_factors), bit for bit.
    ///
    /// # Errors
    /// [`FoldInError`] if the history names an unknown item, or if the result is not finite.
    pub fn fold_in(&self, history: &[(ItemIdx, Pair)]) -> Result<Vec<f32>, FoldInError> {
        self.fold_in_padded(history, None)
    }

    /// As [`fold_in`](Self::fold_in), but shrinking towards `prior`, k factors in the basis of this model.
    ///
    /// # Errors
    /// [`FoldInError`] as there, and if `prior` does not have k factors.
    pub fn fold_in_with_prior(
        &self,
        history: &[(ItemIdx, Pair)],
        prior: &[f32],
    ) -> Result<Vec<f32>, FoldInError> {
        let expected = self.items.n_factors();
        if prior.len() != expected {
            return Err(FoldInError::PriorLength { expected, got: prior.len() });
        }
        let mut padded = AlignedVec::zeros(self.items.stride());
        padded[..expected].copy_from_slice(prior);
        self.fold_in_padded(history, Some(&padded))
    }

    pub(crate) fn into_parts(self) -> ModelParts {
        let Self { users, items, user_base, .. } = self;
        ModelParts { users, items, user_base }
    }

    fn fold_in_padded(
        &self,
        history: &[(ItemIdx, Pair)],
        prior: Option<&[f32]>,
    ) -> Result<Vec<f32>, FoldInError> {
        let n_items = self.items.n_rows();
        if let Some((item, _)) = history.iter().find(|(item, _)| item.index() >= n_items) {
            return Err(FoldInError::ItemOutOfRange { got: item.get(), n_items });
        }
        let mut sorted = history.to_vec();
        // Stable, so that equal items are added in the order they came.
        sorted.sort_by_key(|(item, _)| *item);
        sorted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = kept.1 + later.1;
            }
            same
        });
        let (indices, pairs): (Vec<u32>, Vec<Pair>) =
            sorted.into_iter().map(|(item, pair)| (item.get(), pair)).unzip();
        let rows = Gathered { factors: &self.items, indices: &indices };
        let mut out = AlignedVec::zeros(self.items.stride());
        self.user_base.fold_in(self.path, &rows, &pairs, prior, &mut RowScratch::default(), &mut out);
        let vector = out[..self.items.n_factors()].to_vec();
        if vector.iter().all(|value| value.is_finite()) { Ok(vector) } else { Err(FoldInError::NonFinite) }
    }
}
