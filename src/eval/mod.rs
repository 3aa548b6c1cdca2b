//! Offline evaluation: read a data set, train on one part of it, rank for the users of the other.
//!
//! The parts in the order they are used:
//!
//! 1. [`read_pairs`], [`read_lists`] and [`read_ncf_negatives`] read files; [`Ids`] numbers what they name.
//!    [`Split`] makes two parts of one file.
//! 2. [`training_input`] weighs interactions by a [`Confidence`]; [`train`] runs sweeps over them.
//! 3. [`Evaluation`] ranks by one of two protocols and gives a [`RankingReport`]:
//!    [`rank_all`](Evaluation::rank_all) every item, [`rank_given`](Evaluation::rank_given) one positive among
//!    given negatives.
//! 4. [`save_model`] and [`write_npy`] leave the factors to other programs.
//!
//! Rank all items wherever a figure should mean something: metrics over sampled negatives can order methods
//! differently (Krichene & Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020). The given negatives
//! are there because published results can be compared with.
//!
//! # Who and what the model does not know
//!
//! * A **test user without training pairs** is folded in if a history is given for it, else left out and
//!   counted.
//! * A **test item without a row** in the model is relevant all the same and no list ever holds it. Leaving it
//!   out would flatter a model that was trained on fewer items.
//! * All ways in which test data was not what it seems are counted in the report.

mod evaluation;
mod ids;
mod interaction;
mod rank_all;
mod rank_given;
mod read;
mod report;
mod save;
mod split;
mod training;

pub use crate::exchange::write_npy;
pub use evaluation::{Evaluation, EvaluationError};
pub use ids::Ids;
pub use interaction::{Confidence, GivenNegatives, Interaction, WeighError, training_input};
pub use rank_given::{MismatchedNegatives, SeenNegatives, check_negatives};
pub use read::{FileFormat, LineProblem, ReadError, read_lists, read_ncf_negatives, read_pairs};
pub use report::RankingReport;
pub use save::{SaveError, save_model};
pub use split::Split;
pub use training::{SweepRecord, Trained, train};
