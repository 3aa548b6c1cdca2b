//! Calls for another model, which wait for what is under way.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::rollback::ModelBefore;
use crate::exchange::ForeignModel;
use crate::training::{SweepReport, TrainingError};

/// Where the answer to a call for a sweep goes.
pub(super) type SweepReply = Sender<Result<SweepReport, TrainingError>>;

/// A call for another model.
#[derive(Debug)]
pub(super) enum Call {
    /// One sweep for all who have called since the last.
    Sweep(Vec<SweepReply>),
    /// One that nobody has called for: the settings ask for another number of factors. They may have changed since.
    OtherFactors,
    Adopt(Box<ForeignModel>, SweepReply),
    /// To the model before the one in use when it was called for, whatever is published until it is its turn.
    Rollback(Arc<ModelBefore>, Vec<SweepReply>),
}

/// Those that wait, in the order of their turns.
#[derive(Debug, Default)]
pub(super) struct Calls(VecDeque<Call>);

impl Calls {
    /// The one whose turn it is.
    pub(super) fn take_next(&mut self) -> Option<Call> {
        self.0.pop_front()
    }

    /// Whether a rollback waits, for which everything under way is given up.
    pub(super) fn has_rollback(&self) -> bool {
        matches!(self.0.front(), Some(Call::Rollback(..)))
    }

    /// One sweep for all who call, unless another model is called for in between.
    pub(super) fn sweep(&mut self, mut replies: Vec<SweepReply>) {
        match self.0.back_mut() {
            Some(Call::Sweep(waiting)) => waiting.append(&mut replies),
            Some(call @ Call::OtherFactors) => *call = Call::Sweep(replies),
            Some(Call::Adopt(..) | Call::Rollback(..)) | None => self.0.push_back(Call::Sweep(replies)),
        }
    }

    /// Any sweep will do it.
    pub(super) fn other_factors(&mut self) {
        let does_it = |call: &Call| matches!(call, Call::Sweep(_) | Call::OtherFactors);
        if !self.0.iter().any(does_it) {
            self.0.push_back(Call::OtherFactors);
        }
    }

    /// A model that waits to be taken in makes way for the newer one: they are large, and each would be in use for a moment.
    pub(super) fn adopt(&mut self, model: Box<ForeignModel>, reply: SweepReply) {
        let mut wants_other_factors = false;
        for call in std::mem::take(&mut self.0) {
            match call {
                Call::Sweep(waiting) => self.sweep(waiting),
                Call::OtherFactors => wants_other_factors = true,
                Call::Adopt(_, reply) => tell_all([reply], &Err(TrainingError::Superseded)),
                Call::Rollback(..) => self.0.push_back(call),
            }
        }
        self.0.push_back(Call::Adopt(model, reply));
        if wants_other_factors {
            // Behind it, as it may have them, and may be refused.
            self.other_factors();
        }
    }

    /// Whoever goes back wants it now, and nothing that was called for before.
    pub(super) fn rollback(&mut self, before: Arc<ModelBefore>, reply: SweepReply) {
        let mut replies = vec![reply];
        for call in std::mem::take(&mut self.0) {
            match call {
                Call::Sweep(waiting) => tell_all(waiting, &Err(TrainingError::Superseded)),
                Call::OtherFactors => {}
                Call::Adopt(_, reply) => tell_all([reply], &Err(TrainingError::Superseded)),
                Call::Rollback(_, earlier) => replies.extend(earlier),
            }
        }
        self.0.push_back(Call::Rollback(before, replies));
    }

    /// Tells everybody why there will be no model.
    pub(super) fn refuse_all(&mut self, error: &TrainingError) {
        let waiting = self.0.drain(..).flat_map(|call| match call {
            Call::Sweep(waiting) | Call::Rollback(_, waiting) => waiting,
            Call::Adopt(_, reply) => vec![reply],
            Call::OtherFactors => Vec::new(),
        });
        tell_all(waiting, &Err(error.clone()));
    }
}

/// Whoever waits may have gone away.
pub(super) fn tell_all(
    replies: impl IntoIterator<Item = SweepReply>,
    result: &Result<SweepReport, TrainingError>,
) {
    for reply in replies {
        let _ = reply.try_send(result.clone());
    }
}
