//! The writer's part in a sweep: the freeze before it, the publication after it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::gramians::Gramians;
use super::observer::Notice;
use super::writer::{Training, Writer};
use crate::journal::Record;
use crate::model::{Generation, ItemSide, UserSide};
use crate::publish::{Freeze, Published};
use crate::training::{
    Candidate, Foreign, Forgotten, FreezeSize, Job, SweepContext, SweepDecision, SweepReport, TrainingError,
};
use crate::types::{ItemVersion, Timestamp, UserIdx};

impl Writer {
    /// One reader of all users at a time, and users of one generation: who is brought into it during a sweep would
    /// count as changed by then, and how far that has come is no fact that a replay could know.
    pub(super) fn may_sweep(&self) -> bool {
        self.freeze.is_none() && self.to_refold.is_empty()
    }

    /// Whether the policy wants a sweep now.
    pub(super) fn wants_sweep(&mut self) -> bool {
        // A sweep over nothing fails at once, and would be asked for again at once.
        let is_nothing_new = self.seq == self.nothing_to_learn_at;
        if is_nothing_new || !self.may_sweep() || self.check_writable().is_err() {
            return false;
        }
        let now = self.now();
        if let Some((_, at)) = &mut self.last_freeze {
            // A clock that was set back would otherwise stop sweeps until it has caught up.
            *at = now.min(*at);
        }
        let since = self.last_freeze.map_or(0, |(seq, _)| seq.get());
        let context = SweepContext {
            events_since: self.seq.get() - since,
            time_since: self.last_freeze.map(|(_, at)| now.saturating_since(at)),
            gramian_moved: self.gramians.as_ref().map_or(0.0, Gramians::items_moved),
        };
        self.watches.sweep_policy.call(|| self.policy.decide(&context)) == Some(SweepDecision::Sweep)
    }

    /// Freezes the input of a sweep. The job runs elsewhere; the writer goes on.
    pub(super) fn begin_sweep(&mut self) -> Job {
        let began = Instant::now();
        let now = self.now();
        // One event from a clock that is ahead must not make everything before it look old.
        let as_of = self.stream_time.min(now);
        let is_warm = self.generation.n_factors() == Some(self.n_factors_to_come());
        let n_sweeps = if is_warm { self.settings.warm_sweeps } else { self.settings.first_sweeps };
        self.log(|| Record::Freeze { as_of, at: now, n_sweeps: u32::try_from(n_sweeps).unwrap_or(u32::MAX) });
        let job = self.perform_freeze(as_of, now, n_sweeps, None);
        self.meters.sweep_began(Arc::clone(&job.progress), n_sweeps);
        self.meters.stages.freeze.record(began.elapsed());
        job
    }

    /// Freezes the input of a training, or of a model from elsewhere that is to take its place.
    pub(super) fn perform_freeze(
        &mut self,
        as_of: Timestamp,
        now: Timestamp,
        n_sweeps: usize,
        foreign: Option<Foreign>,
    ) -> Job {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before a freeze");
        debug_assert!(self.may_sweep(), "whoever begins one has asked");
        let freeze = Arc::new(Freeze::new(self.seq));
        let cancel = Arc::new(AtomicBool::new(false));
        self.freeze = Some(Arc::clone(&freeze));
        self.training = Some(Training { cancel: Arc::clone(&cancel) });
        self.last_freeze = Some((self.seq, now));
        let als = &self.settings.learning.als;
        // A model that comes back is as long as it was, whatever the next one will be.
        let n_factors = foreign.as_ref().map_or(als.n_factors(), |foreign| foreign.item_factors.n_factors());
        // Another library's norms are of another size, and so are those of other factors.
        let is_alike = foreign.is_none() && self.generation.n_factors() == Some(n_factors);
        Job {
            shared: Arc::clone(&self.shared),
            freeze,
            params: als.with_n_factors(n_factors),
            path: self.settings.path,
            weighing: self.settings.learning.weighing,
            as_of,
            size: FreezeSize {
                users: self.shared.user_ids.len(),
                items: self.by_item.n_items(),
                pairs: self.by_item.n_pairs(),
            },
            before: Arc::clone(&self.generation),
            items: self.generation.items.load().rows.clone(),
            n_sweeps,
            norm_before: self.norm_of_model.filter(|_| is_alike),
            foreign,
            gate: Some(Arc::clone(&self.gate)),
            confidences: self.by_item.confidences(),
            cancel,
            progress: Arc::default(),
            began: Instant::now(),
        }
    }

    /// Publishes what a sweep has found, or records why it has found nothing.
    pub(super) fn end_sweep(
        &mut self,
        result: Result<Candidate, TrainingError>,
    ) -> Result<SweepReport, TrainingError> {
        self.meters.sweep_ended();
        match result {
            // What the journal cannot say has happened must not happen.
            Ok(candidate) => {
                let generation = self.generation.id.next();
                self.log(|| Record::Published { generation });
                if let Err(failure) = self.commit() {
                    self.give_up_sweep();
                    return Err(TrainingError::ReadOnly(failure));
                }
                let began = Instant::now();
                let report = self.perform_publication(candidate);
                self.meters.stages.swap.record(began.elapsed());
                self.meters.sweep_published(&report);
                self.observer.tell(&Notice::Published(&report));
                self.worked(report.duration);
                Ok(report)
            }
            Err(error) => {
                if let (TrainingError::NothingToLearn, Some((seq, _))) = (&error, self.last_freeze) {
                    self.nothing_to_learn_at = seq;
                }
                self.log(|| Record::NotPublished { reason: reason_of(&error) });
                self.give_up_sweep();
                self.meters.sweep_failed(&error);
                self.observer.tell(&Notice::SweepFailed(&error));
                Err(error)
            }
        }
    }

    /// Asks a running sweep to stop at its next chunk.
    pub(super) fn cancel_sweep(&self) {
        if let Some(training) = &self.training {
            training.cancel.store(true, Ordering::Relaxed);
        }
    }

    /// The sweep under way gives nothing.
    pub(super) fn give_up_sweep(&mut self) {
        self.training = None;
        self.sweep_pools.free(self.freeze.take());
        self.forgotten = Forgotten::default();
    }

    pub(super) fn perform_publication(&mut self, mut candidate: Candidate) -> SweepReport {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before a generation");
        let (touched, replaced) = self.freeze.take().map(|freeze| freeze.end()).unwrap_or_default();
        self.sweep_pools.free(replaced);
        self.training = None;
        candidate.forget(std::mem::take(&mut self.forgotten), self.settings.path);
        // Of a model from elsewhere it says nothing of what a sweep will give.
        let norm = (candidate.report.n_sweeps > 0).then(|| candidate.norm());
        self.model_begun_at = self.last_freeze.map(|(_, at)| at);
        self.keep_model();
        let mut rows = candidate.items;
        let as_published = Some(rows.clone());
        rows.grow_to(self.by_item.n_items());
        rows.settle();
        let items =
            ItemSide { version: ItemVersion::ZERO, rows, popularity: self.by_item.popularity().into() };
        let generation = Arc::new(Generation {
            id: self.generation.id.next(),
            frozen_at: candidate.frozen_at,
            as_of: candidate.as_of,
            users: Some(UserSide {
                base: candidate.user_base,
                factors: candidate.users,
                weighing: candidate.weighing,
                path: self.settings.path,
                rows_of: candidate.rows_of,
            }),
            items: Published::new(Arc::new(items)),
            as_published,
        });
        self.retired.push(self.shared.current.replace(Arc::clone(&generation)));
        let gramians = Gramians::new(candidate.user_gramian, candidate.item_gramian);
        self.sweep_pools.free(self.gramians.replace(gramians));
        self.by_item.solved_by_sweep(&candidate.confidences);
        // Of these, whatever the sweep has not solved well enough is due again now.
        self.items_to_fold.clear();
        self.norm_of_model = norm;
        // Whoever did something during the sweep is not in its rows; so is nobody who came after.
        self.to_refold = touched.into_iter().map(UserIdx::new).collect();
        self.generation_published_at = self.seq;
        let report = SweepReport { generation: generation.id, ..candidate.report };
        self.generation = generation;
        self.items_stale = true;
        report
    }
}

/// An error with its causes, in so many bytes that it fits into a record.
fn reason_of(error: &TrainingError) -> String {
    const MAX_BYTES: usize = 1_000;
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        reason = format!("{reason}: {error}");
        cause = error.source();
    }
    let end = (0..=MAX_BYTES.min(reason.len())).rev().find(|&end| reason.is_char_boundary(end));
    reason.truncate(end.unwrap_or(0));
    reason
}
