//! A model from elsewhere, made into a candidate.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::ThreadPool;
use rayon::prelude::*;

use super::gate::GateRefusal;
use super::job::TrainingError;
use crate::als::{
    AlsParams, Factors, Gathered, Gramian, ModelParts, Pair, RowScratch, TrainingInput, UserBase,
};
use crate::kernel::{AlignedVec, SimdPath};
use crate::model::is_usable;
use crate::types::{ItemIdx, UserIdx};

/// Users that one thread takes at a time.
const USERS_OF_A_SHARE: usize = 64;

/// The rows of a model from elsewhere, and whose they are. No two are of one user or item.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) users: Vec<UserIdx>,
    pub(crate) user_factors: Factors,
    pub(crate) items: Vec<ItemIdx>,
    pub(crate) item_factors: Factors,
}

/// What a model from elsewhere is placed among.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) path: SimdPath,
    pub(super) params: &'a AlsParams,
    pub(super) input: &'a TrainingInput,
    pub(super) cancel: &'a AtomicBool,
    pub(super) pool: &'a ThreadPool,
}

impl Foreign {
    /// Of each of `n_items` what counts as solved. Of those the model has nothing to say of nothing, so that they are due. Of
    /// the others more than there ever is: who has listened to them elsewhere is not known, so their rows stay as they are.
    pub(super) fn solved(&self, n_items: usize) -> Vec<f64> {
        let mut solved = vec![0.0; n_items];
        for (row, item) in self.items.iter().enumerate() {
            if self.item_factors.row(row).iter().any(|&value| value != 0.0) {
                solved[item.index()] = f64::MAX;
            }
        }
        solved
    }

    /// Both sides in the eigenbasis of the items, every row at its place. Users whom the model does not know are solved from
    /// their histories; its own users keep its rows, whatever their histories say.
    pub(super) fn place(&self, place: &Place<'_>) -> Result<ModelParts, TrainingError> {
        let Place { path, params, input, pool, .. } = *place;
        let mut users = Factors::zeros(input.n_users(), params.n_factors());
        let mut items = Factors::zeros(input.n_items(), params.n_factors());
        for (row, user) in self.users.iter().enumerate() {
            users.row_mut(user.index()).copy_from_slice(self.user_factors.row(row));
        }
        for (row, item) in self.items.iter().enumerate() {
            items.row_mut(item.index()).copy_from_slice(self.item_factors.row(row));
        }
        let gramian = Gramian::of(path, &items, pool);
        if !is_usable(users.values()) || !is_usable(items.values()) || !gramian.is_finite() {
            return Err(GateRefusal::NotFinite.into());
        }
        let basis = gramian.eigen();
        basis.rotate(path, &mut items, pool);
        basis.rotate(path, &mut users, pool);
        let user_base = UserBase::new(params.clone(), &basis, input.n_items());
        for (user, vector) in self.fold_in_others(place, &user_base, &items)? {
            users.row_mut(user.index()).copy_from_slice(&vector);
        }
        Ok(ModelParts { users, items, user_base })
    }

    /// The users with a history whom the model does not know, solved against its `items`.
    fn fold_in_others(
        &self,
        place: &Place<'_>,
        base: &UserBase,
        items: &Factors,
    ) -> Result<Vec<(UserIdx, AlignedVec)>, TrainingError> {
        let mut has_row = vec![false; place.input.n_users()];
        self.users.iter().for_each(|user| has_row[user.index()] = true);
        let others: Vec<UserIdx> = (0..)
            .map(UserIdx::new)
            .zip(has_row)
            .filter(|&(user, has_row)| !has_row && !place.input.of_user(user).1.is_empty())
            .map(|(user, _)| user)
            .collect();
        let share = |users: &[UserIdx]| {
            // ORDERING: the flag says nothing of any other memory.
            if place.cancel.load(Ordering::Relaxed) {
                return Err(TrainingError::Cancelled);
            }
            let mut scratch = RowScratch::default();
            let solve = |&user: &UserIdx| {
                let (indices, pairs) = place.input.of_user(user);
                let observed = Gathered { factors: items, indices };
                (user, fold_in(place.path, base, observed, pairs, &mut scratch))
            };
            Ok(users.iter().map(solve).collect::<Vec<_>>())
        };
        let solved: Result<Vec<_>, _> =
            place.pool.install(|| others.par_chunks(USERS_OF_A_SHARE).map(share).collect());
        Ok(solved?.into_iter().flatten().collect())
    }
}

fn fold_in(
    path: SimdPath,
    base: &UserBase,
    observed: Gathered<'_>,
    pairs: &[Pair],
    scratch: &mut RowScratch,
) -> AlignedVec {
    let mut vector = AlignedVec::zeros(observed.factors.stride());
    base.fold_in(path, &observed, pairs, None, scratch, &mut vector);
    if !is_usable(&vector) {
        // It says nothing, as elsewhere.
        vector.fill(0.0);
    }
    vector
}
