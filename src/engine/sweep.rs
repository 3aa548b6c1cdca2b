//! The writer's part in a sweep: the freeze before it, the publication after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::gramians::Gramians;
use super::writer::{Training, Writer};
use crate::als::ModelParts;
use crate::guard::fenced;
use crate::model::{Generation, ItemRows, ItemSide, UserSide};
use crate::publish::{Freeze, Published};
use crate::training::{Candidate, Job, SweepContext, SweepDecision, SweepReport, TrainingError};
use crate::types::{ItemVersion, UserIdx};

impl Writer {
    /// Whether the policy wants a sweep now.
    pub(super) fn wants_sweep(&mut self) -> bool {
        if self.training.is_some() {
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
        let decision = fenced(|| self.policy.decide(&context)).unwrap_or_else(|message| {
            self.meters.plugin_panicked("sweep policy", message);
            SweepDecision::Wait
        });
        decision == SweepDecision::Sweep
    }

    /// Freezes the input of a sweep. The job runs elsewhere; the writer goes on.
    pub(super) fn begin_sweep(&mut self) -> Job {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before a freeze");
        let freeze = Arc::new(Freeze::new(self.seq));
        let cancel = Arc::new(AtomicBool::new(false));
        self.training = Some(Training { freeze: Arc::clone(&freeze), cancel: Arc::clone(&cancel) });
        let now = self.now();
        self.last_freeze = Some((self.seq, now));
        self.meters.set_sweeping(true);
        let has_model = self.generation.users.is_some();
        Job {
            shared: Arc::clone(&self.shared),
            freeze,
            params: self.settings.als.clone(),
            path: self.settings.path,
            weighing: self.settings.weighing,
            // One event from a clock that is ahead must not make everything before it look old.
            as_of: self.stream_time.min(now),
            n_users: self.shared.user_ids.len(),
            n_items: self.by_item.n_items(),
            items: self.generation.items.load().rows.clone(),
            n_sweeps: if has_model { self.settings.warm_sweeps } else { self.settings.first_sweeps },
            norm_before: self.norm_of_model,
            confidences: self.by_item.confidences(),
            cancel,
            began: Instant::now(),
        }
    }

    /// Publishes what a sweep has found, or records why it has found nothing.
    pub(super) fn end_sweep(
        &mut self,
        result: Result<Candidate, TrainingError>,
    ) -> Result<SweepReport, TrainingError> {
        debug_assert_eq!(self.drafts.len(), 0, "drafts are published before a generation");
        let training = self.training.take();
        self.meters.set_sweeping(false);
        match result {
            Ok(candidate) => {
                let touched = training.map(|training| training.freeze.touched()).unwrap_or_default();
                Ok(self.accept(candidate, touched))
            }
            Err(error) => {
                self.meters.sweep_failed(&error);
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

    fn accept(&mut self, candidate: Candidate, touched: Vec<u32>) -> SweepReport {
        let ModelParts { users, items, user_base } = candidate.model.into_parts();
        let items = ItemSide {
            version: ItemVersion::ZERO,
            rows: ItemRows::from_factors(&items, self.by_item.n_items()),
            popularity: self.by_item.popularity().into(),
        };
        let generation = Arc::new(Generation {
            id: self.generation.id.next(),
            frozen_at: candidate.frozen_at,
            as_of: candidate.as_of,
            users: Some(UserSide {
                base: user_base,
                factors: users,
                weighing: self.settings.weighing,
                path: self.settings.path,
            }),
            items: Published::new(Arc::new(items)),
        });
        self.retired.push(self.shared.current.replace(Arc::clone(&generation)));
        self.gramians = Some(Gramians::new(candidate.user_gramian, candidate.item_gramian));
        self.by_item.solved_by_sweep(&candidate.confidences);
        // Of these, whatever the sweep has not solved well enough is due again now.
        self.items_to_fold.clear();
        self.norm_of_model = Some(candidate.norm);
        // Whoever did something during the sweep is not in its rows; so is nobody who came after.
        self.to_refold = touched.into_iter().map(UserIdx::new).collect();
        let report = SweepReport { generation: generation.id, ..candidate.report };
        self.generation = generation;
        self.items_stale = true;
        self.meters.sweep_published(&report);
        report
    }
}
