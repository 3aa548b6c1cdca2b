//! A model, what it was trained on, and the histories of users it has not met.

use std::collections::HashMap;

use sprs::CsMatViewI;
use thiserror::Error;

use super::interaction::weighed;
use super::{Confidence, Interaction, WeighError};
use crate::als::{FoldInError, Pair, TrainedModel, TrainingInput};
use crate::kernel::{AlignedVec, SimdPath};
use crate::types::{ItemIdx, UserIdx};

/// Ranks with a trained model for the users of a test part.
///
/// Results do not depend on the number of threads or on the CPU.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use segue::eval::{Confidence, Evaluation, Interaction, train, training_input};
/// use segue::{AlsParams, ItemIdx, SweepSolver, UserIdx};
///
/// let line = |user, item| Interaction { user: UserIdx::new(user), item: ItemIdx::new(item), value: 1.0 };
/// let heard = [line(0, 0), line(0, 1), line(1, 0), line(1, 1), line(1, 2), line(2, 3)];
/// let input = training_input(3, 4, &heard, Confidence::Ones)?;
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
/// let params = AlsParams::builder().n_factors(4).build()?;
/// let trained = train(params, SweepSolver::Exact, &input, 8, &pool, |_| ())?;
///
/// let one = NonZeroUsize::new(1).expect("not zero");
/// let evaluation = Evaluation::new(&trained.model, &input)?;
/// let report = evaluation.rank_all(&[line(0, 2)], &[one], &pool)?;
/// assert_eq!(report.mean.at(one).expect("one user").hit_rate, 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Evaluation<'a> {
    pub(super) model: &'a TrainedModel,
    pub(super) path: SimdPath,
    by_user: CsMatViewI<'a, Pair, u32, usize>,
    /// Ascending by item, each once.
    histories: HashMap<UserIdx, Vec<(ItemIdx, Pair)>>,
}

/// Why a model could not be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The model was not trained on this input.
    #[error(
        "the model has {got_users} users and {got_items} items, the input {n_users} and {n_items}; \
         give what it was trained on"
    )]
    ShapeMismatch {
        /// The users of the input.
        n_users: usize,
        /// The items of the input.
        n_items: usize,
        /// The users of the model.
        got_users: usize,
        /// The items of the model.
        got_items: usize,
    },
    /// A user's history could not be folded in.
    #[error("user {} could not be folded in", user.get())]
    FoldIn {
        /// The user's row.
        user: UserIdx,
        /// Why not.
        source: FoldInError,
    },
}

/// Where a user's vector comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Trained,
    FoldedIn,
    Unknown,
}

impl<'a> Evaluation<'a> {
    /// Evaluates `model` on users of `train`, the input it was trained on.
    ///
    /// # Errors
    /// [`EvaluationError::ShapeMismatch`] if they have different numbers of users or items.
    pub fn new(model: &'a TrainedModel, train: &'a TrainingInput) -> Result<Self, EvaluationError> {
        let (n_users, n_items) = (train.n_users(), train.n_items());
        let (got_users, got_items) = (model.user_factors().n_rows(), model.item_factors().n_rows());
        if (n_users, n_items) != (got_users, got_items) {
            return Err(EvaluationError::ShapeMismatch { n_users, n_items, got_users, got_items });
        }
        Ok(Self { model, path: SimdPath::detect(), by_user: train.by_user(), histories: HashMap::new() })
    }

    /// Also evaluates on users without training pairs, folding in what `history` has of them.
    ///
    /// Items that the model does not know are left out of the history. The history of a user with training
    /// pairs is not used.
    ///
    /// # Errors
    /// [`WeighError::Value`] if a value has no confidence.
    pub fn with_histories(
        mut self,
        history: &[Interaction],
        confidence: Confidence,
    ) -> Result<Self, WeighError> {
        self.histories.clear();
        for (user, item, pair) in weighed(history, confidence)? {
            if !self.is_trained(user) && self.knows(item) {
                self.histories.entry(user).or_default().push((item, pair));
            }
        }
        Ok(self)
    }

    /// Whether the model has a row for `item`.
    pub(super) fn knows(&self, item: ItemIdx) -> bool {
        item.index() < self.by_user.cols()
    }

    /// What the user is known to have: in training, or else in the history.
    pub(super) fn known_items(&self, user: UserIdx) -> impl Iterator<Item = ItemIdx> {
        let trained = self.trained_items(user).iter().map(|&item| ItemIdx::new(item));
        let history = self.histories.get(&user).into_iter().flatten().map(|&(item, _)| item);
        trained.chain(history)
    }

    /// Writes the user's vector to `out`, which is as long as a padded row.
    pub(super) fn user_vector(
        &self,
        user: UserIdx,
        out: &mut AlignedVec,
    ) -> Result<Standing, EvaluationError> {
        if self.is_trained(user) {
            out.copy_from_slice(self.model.user_factors().row(user.index()));
            return Ok(Standing::Trained);
        }
        let Some(history) = self.histories.get(&user) else {
            return Ok(Standing::Unknown);
        };
        let vector =
            self.model.fold_in(history).map_err(|source| EvaluationError::FoldIn { user, source })?;
        // The padding is zero from the start and stays so.
        out[..vector.len()].copy_from_slice(&vector);
        Ok(Standing::FoldedIn)
    }

    fn is_trained(&self, user: UserIdx) -> bool {
        !self.trained_items(user).is_empty()
    }

    fn trained_items(&self, user: UserIdx) -> &[u32] {
        if user.index() >= self.by_user.rows() {
            return &[];
        }
        let range = self.by_user.indptr().outer_inds_sz(user.index());
        &self.by_user.indices()[range]
    }
}
