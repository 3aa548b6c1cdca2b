//! The writer's thread: what it waits for and in which order it does things.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};
use parking_lot::Mutex;

use super::calls::{Call, Calls, SweepReply, tell_all};
use super::handle::ShutdownReport;
use super::queue::{BulkOutcomes, CheckpointCall, Incoming, Queued, Reading, RowsAtSending};
use super::writer::Writer;
use crate::checkpoint::{CheckpointError, CheckpointReport};
use crate::guard::courtesy::{after_you, begin_turn, pause_until, shorten_pauses};
use crate::guard::fenced;
use crate::model::{Completer, Outcome, Solve};
use crate::training::{Candidate, Job, TrainingError};

/// Events learned and published together at most. Only a queue that has grown fills a batch, and everybody in it is solved
/// once, however much they did.
const MAX_BATCH: usize = 131_072;
/// How long a batch takes events at most. Solving and publishing takes about as long again, and nobody waits for more than
/// the batch before theirs and their own.
const MAX_TAKING: Duration = Duration::from_millis(150);
/// How old an event may be before it is written without pauses, and how long what is done between batches may have them.
const LATE: Duration = Duration::from_millis(50);
/// A writer that has waited for an event for so long has let others have their turn.
const REST: Duration = Duration::from_micros(20);
/// With so many in the queue there are no pauses in what is done between batches.
const EVENTS_THAT_PRESS: usize = 4_096;
/// Events between two looks at the clock.
const EVENTS_A_LOOK: usize = 64;
/// For as many events some users are brought into a new generation, and some items solved: so neither starves while
/// batches are long, nor do they take more than a part of the time.
const EVENTS_A_ROUND: usize = 16_384;
/// How often an idle writer looks whether its policy wants a sweep.
const IDLE_TICK: Duration = Duration::from_millis(250);

/// What the training under way is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnderWay {
    /// A sweep, or a model from elsewhere.
    Usual,
    /// See [`Call::OtherFactors`].
    OtherFactors,
    Rollback,
    /// Nobody wants what comes of it any more.
    GivenUp,
}

/// The writer's ends of all channels.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) writer: Writer,
    pub(super) reading: Reading,
    /// Nothing is ever sent: that the other end is gone is the message. So stopping needs no room in any
    /// queue.
    pub(super) stop: Receiver<Infallible>,
    /// Until when the queue is worked off once `stop` has come.
    pub(super) drain_until: Arc<Mutex<Option<Instant>>>,
    /// That deadline, once the queue is being worked off.
    draining_until: Option<Instant>,
    results: Receiver<Result<Candidate, TrainingError>>,
    result_sender: Sender<Result<Candidate, TrainingError>>,
    /// Those who wait for the running sweep, and what was called for after it.
    waiting: Vec<SweepReply>,
    calls: Calls,
    under_way: UnderWay,
    /// Those who wait until what they imported counts for what is popular.
    imports: Vec<Sender<()>>,
    /// Calls for checkpoints that were not begun.
    checkpoint_calls: VecDeque<CheckpointCall>,
    /// The thread that writes a checkpoint, and who waits for it.
    checkpoint: Option<(JoinHandle<()>, Option<CheckpointCall>)>,
    checkpoints: Receiver<Result<CheckpointReport, CheckpointError>>,
    checkpoint_sender: Sender<Result<CheckpointReport, CheckpointError>>,
    /// Receipts and send times of the events of this batch.
    batch: Vec<(Instant, Option<Completer>, Outcome)>,
    /// When it was begun.
    batch_began: Instant,
    /// Events taken since what is due between batches was done.
    events_since_tick: usize,
}

impl Worker {
    pub(super) fn new(
        writer: Writer,
        reading: Reading,
        stop: Receiver<Infallible>,
        drain_until: Arc<Mutex<Option<Instant>>>,
    ) -> Self {
        // One sweep at a time, so one place is enough and sending never waits.
        let (result_sender, results) = bounded(1);
        // The same holds for checkpoints.
        let (checkpoint_sender, checkpoints) = bounded(1);
        Self {
            writer,
            reading,
            stop,
            drain_until,
            draining_until: None,
            results,
            result_sender,
            waiting: Vec::new(),
            calls: Calls::default(),
            under_way: UnderWay::Usual,
            imports: Vec::new(),
            checkpoint_calls: VecDeque::new(),
            checkpoint: None,
            checkpoints,
            checkpoint_sender,
            batch: Vec::new(),
            batch_began: Instant::now(),
            events_since_tick: 0,
        }
    }

    /// Runs until `stop`.
    pub(super) fn run(mut self) -> ShutdownReport {
        shorten_pauses();
        self.ask_for_other_factors();
        let mut ended = Instant::now();
        while !self.is_told_to_stop() {
            let stop = self.stop.clone();
            select! {
                recv(self.reading.queue) -> first => if let Ok(first) = first {
                    if ended.elapsed() >= REST {
                        begin_turn();
                    }
                    let _ended = self.at_work(|worker| worker.take_batch(first));
                },
                recv(self.results) -> result => if let Ok(result) = result { self.end_sweep(result) },
                recv(self.checkpoints) -> result => if let Ok(result) = result { self.end_checkpoint(result) },
                recv(stop) -> _ => break,
                // Now and then, so that a failure in the background is noticed without an event too.
                default(self.patience()) => drop(self.writer.commit()),
            }
            ended = self.at_work(Self::tick);
            if self.reading.queue.is_empty() {
                self.writer.meters.was_idle(ended);
            }
        }
        self.finish()
    }

    /// Does something and takes note of how long it took; gives the moment at which it ended.
    fn at_work(&mut self, work: impl FnOnce(&mut Self)) -> Instant {
        let began = Instant::now();
        work(self);
        let ended = Instant::now();
        self.writer.worked(ended.saturating_duration_since(began));
        ended
    }

    /// How long to wait for an event before looking after other things.
    fn patience(&self) -> Duration {
        if !self.writer.to_refold.is_empty() || !self.writer.items_to_fold.is_empty() {
            Duration::ZERO
        } else if self.writer.items_stale {
            self.writer.settings.item_batch_every.min(IDLE_TICK)
        } else {
            IDLE_TICK
        }
    }

    /// Applies `first` and whatever waits behind it, then publishes.
    fn take_batch(&mut self, first: Queued) {
        let mut next = Some(first);
        while let Some(queued) = next.take() {
            if !matches!(queued, Queued::One(_)) {
                // Somebody waits for the answer.
                pause_until(None);
            }
            match queued {
                Queued::One(Incoming { interaction, rows, sent_at, receipt }) => {
                    self.events_since_tick += 1;
                    if self.batch.is_empty() {
                        self.batch_began = Instant::now();
                        pause_until(self.draining_until.is_none().then_some(sent_at + LATE));
                        self.writer.meters.batch_began(self.batch_began, sent_at);
                    }
                    let outcome = self.writer.apply(&interaction, rows, Solve::Now);
                    self.batch.push((sent_at, receipt, outcome));
                    next = self.next_queued();
                }
                // Each of the others ends its batch: a long import would leave no time for anything else.
                Queued::Bulk { interactions, done } => {
                    self.publish();
                    let mut outcomes: BulkOutcomes = interactions
                        .iter()
                        .map(|one| self.writer.apply(one, RowsAtSending::default(), Solve::OnRead))
                        .collect();
                    if self.writer.publish().is_err() {
                        self.writer.take_back(&mut outcomes);
                    }
                    // Whoever imports may have gone away; what was learned stays.
                    let _ = done.send(outcomes);
                }
                Queued::EndImport { done } => {
                    self.publish();
                    self.imports.push(done);
                }
                Queued::AddItems { items, done } => {
                    self.publish();
                    let added = self.writer.add_items(&items);
                    // Whoever is told that they were added may rely on it.
                    drop(self.writer.commit());
                    // Items are solved against users of one generation.
                    while self.writer.refold_some() {}
                    // Their rows are published at once; what else is due is solved between batches.
                    self.writer.begin_item_batch();
                    let is_kept = self.writer.check_writable();
                    let _ = done.send(added.and_then(|n_added| is_kept.map(|()| n_added)));
                }
                Queued::Change { change, done } => {
                    self.publish();
                    let outcome = self.writer.change(change);
                    done.complete(outcome, self.writer.seq);
                }
                Queued::Retune { settings, done } => {
                    self.publish();
                    let n_factors = self.writer.n_factors_to_come();
                    // Whoever asked may have gone away; the settings are in force all the same.
                    let _ = done.send(self.writer.retune(*settings));
                    if self.writer.n_factors_to_come() != n_factors {
                        self.give_up_other_factors();
                        self.ask_for_other_factors();
                    }
                }
                Queued::Source { part, done } => {
                    self.publish();
                    let outcome = self.writer.learn_part(&part);
                    done.complete(outcome, self.writer.seq);
                }
                Queued::Flush { done } => {
                    self.publish();
                    let _ = done.send(self.writer.flush());
                }
                Queued::Checkpoint(call) => {
                    self.publish();
                    self.checkpoint_calls.push_back(call);
                }
                Queued::Adopt { model, done } => {
                    self.publish();
                    match self.writer.check_adoption(&model) {
                        Ok(()) => self.calls.adopt(model, done),
                        // Whoever called may have gone away; the same below.
                        Err(error) => drop(done.try_send(Err(error))),
                    }
                }
                Queued::Rollback { done } => {
                    self.publish();
                    match self.writer.model_to_go_back_to() {
                        Ok(before) => {
                            self.writer.cancel_sweep();
                            self.calls.rollback(before, done);
                        }
                        Err(error) => drop(done.try_send(Err(error))),
                    }
                }
                Queued::Sweep { done } => {
                    self.publish();
                    self.calls.sweep(vec![done]);
                }
            }
        }
        self.publish();
    }

    /// A model of another length is trained at once, whatever the policy; the one in use is served meanwhile.
    fn ask_for_other_factors(&mut self) {
        if self.writer.wants_other_factors() {
            self.calls.other_factors();
        }
    }

    /// What is being trained for a number that is no longer asked for.
    fn give_up_other_factors(&mut self) {
        if self.under_way == UnderWay::OtherFactors {
            self.writer.cancel_sweep();
            self.under_way = UnderWay::GivenUp;
        }
    }

    /// What comes next in the batch.
    fn next_queued(&mut self) -> Option<Queued> {
        let is_full = self.batch.len() >= MAX_BATCH
            || self.batch.len().is_multiple_of(EVENTS_A_LOOK) && self.batch_began.elapsed() >= MAX_TAKING;
        if is_full || !self.may_go_on() {
            return None;
        }
        if self.batch.len().is_multiple_of(EVENTS_A_LOOK) {
            after_you();
        }
        self.reading.queue.try_recv().ok()
    }

    /// A stop is obeyed between two events, as a weigher of the host's may be slow.
    fn may_go_on(&self) -> bool {
        match self.draining_until {
            None => !self.is_told_to_stop(),
            Some(deadline) => Instant::now() < deadline,
        }
    }

    fn is_told_to_stop(&self) -> bool {
        matches!(self.stop.try_recv(), Err(TryRecvError::Disconnected))
    }

    fn publish(&mut self) {
        let published = self.writer.publish();
        let now = Instant::now();
        if let Some(&(sent_at, ..)) = self.batch.last() {
            self.writer.meters.batch_ended(sent_at);
        }
        for (sent_at, receipt, mut outcome) in self.batch.drain(..) {
            if published.is_err() {
                self.writer.take_back(std::slice::from_mut(&mut outcome));
            }
            if matches!(outcome, Outcome::Applied(_)) {
                self.writer.meters.visible_after(now.saturating_duration_since(sent_at));
            }
            // INVARIANT: after the publication, so that whoever has the outcome can see the effect.
            if let Some(receipt) = receipt {
                receipt.complete(outcome, self.writer.seq);
            }
        }
    }

    /// What is done between batches.
    fn tick(&mut self) {
        let few_wait = self.reading.queue.len() < EVENTS_THAT_PRESS;
        pause_until(few_wait.then(|| Instant::now() + LATE));
        let n_rounds = 1 + std::mem::take(&mut self.events_since_tick) / EVENTS_A_ROUND;
        for _ in 0..n_rounds {
            if !self.writer.to_refold.is_empty() {
                self.writer.refold_some();
            }
            if self.writer.may_fold_items() {
                if self.writer.item_batch_is_due() {
                    self.writer.begin_item_batch();
                    after_you();
                }
                self.writer.fold_some_items();
            }
        }
        self.answer_imports();
        if let Some(failure) = &self.writer.journal_failure {
            for call in self.checkpoint_calls.drain(..) {
                // Whoever called may have gone away.
                let _ = call.done.try_send(Err(failure.clone().into()));
            }
            self.calls.refuse_all(&TrainingError::ReadOnly(failure.clone()));
        }
        // Before a sweep: it waits for the end of one that is under way, and there may always be another.
        if self.writer.may_checkpoint()
            && (!self.checkpoint_calls.is_empty() || self.writer.wants_checkpoint())
        {
            self.begin_checkpoint();
        }
        // Before a sweep too, which takes the thread that frees.
        self.writer.free_retired();
        let call = if self.writer.may_sweep() { self.calls.take_next() } else { None };
        match call {
            Some(Call::Sweep(waiting)) => {
                self.waiting = waiting;
                self.begin_sweep();
            }
            Some(Call::Adopt(model, reply)) => {
                let job = self.writer.begin_adoption(*model);
                self.spawn_or_tell(job, vec![reply]);
            }
            Some(Call::OtherFactors) if self.writer.wants_other_factors() => {
                self.under_way = UnderWay::OtherFactors;
                self.begin_sweep();
            }
            Some(Call::Rollback(before, replies)) => {
                let job = self.writer.begin_rollback(&before);
                if job.is_ok() {
                    self.under_way = UnderWay::Rollback;
                } else {
                    // It has given up what was waited for.
                    self.ask_for_other_factors();
                }
                self.spawn_or_tell(job, replies);
            }
            None if self.writer.wants_sweep() => self.begin_sweep(),
            Some(Call::OtherFactors) | None => {}
        }
        self.writer.tell_bytes();
    }

    /// Has what was imported count for what is popular, once everybody is in the generation in use.
    fn answer_imports(&mut self) {
        if self.imports.is_empty()
            || !self.writer.to_refold.is_empty() && self.writer.check_writable().is_ok()
        {
            return;
        }
        if self.writer.items_stale {
            self.writer.begin_item_batch();
        }
        self.tell_imported();
    }

    fn tell_imported(&mut self) {
        for done in self.imports.drain(..) {
            // Whoever imports may have gone away.
            let _ = done.send(());
        }
    }

    fn begin_sweep(&mut self) {
        let job = self.writer.begin_sweep();
        self.spawn(job);
    }

    /// Runs what was begun, or tells who waits for it why it was not.
    fn spawn_or_tell(&mut self, job: Result<Job, TrainingError>, replies: Vec<SweepReply>) {
        match job {
            Ok(job) => {
                self.waiting = replies;
                self.spawn(job);
            }
            Err(error) => tell_all(replies, &Err(error)),
        }
    }

    fn spawn(&self, job: Job) {
        let (pools, results) = (self.writer.sweep_pools.clone(), self.result_sender.clone());
        self.writer.sweep_pools.usual.spawn(move || {
            let result = fenced(|| job.run(pools.begin()))
                .unwrap_or_else(|message| Err(TrainingError::Panicked { message }));
            // A worker that has ended takes no result.
            let _ = results.send(result);
        });
    }

    fn end_sweep(&mut self, result: Result<Candidate, TrainingError>) {
        // It may have been done before it was told to stop.
        let is_to_go_back = self.calls.has_rollback();
        let under_way = std::mem::replace(&mut self.under_way, UnderWay::Usual);
        let is_given_up = is_to_go_back || under_way == UnderWay::GivenUp;
        let result = if is_given_up { Err(TrainingError::Superseded) } else { result };
        let result = self.writer.end_sweep(result);
        let may_ask = match under_way {
            // The settings may have changed meanwhile. What has failed is left to the policy.
            UnderWay::Usual | UnderWay::OtherFactors => result.is_ok(),
            // Whoever goes back wants the model there was; it has given up what was waited for.
            UnderWay::Rollback => result.is_err() && !is_to_go_back,
            UnderWay::GivenUp => false,
        };
        if may_ask {
            self.ask_for_other_factors();
        }
        tell_all(self.waiting.drain(..), &result);
    }

    fn begin_checkpoint(&mut self) {
        let call = self.checkpoint_calls.pop_front();
        let backup = call.as_ref().and_then(|call| call.backup.clone());
        let begun = self.writer.begin_checkpoint(backup).and_then(|job| {
            let sender = self.checkpoint_sender.clone();
            let write = move || {
                let result =
                    fenced(|| job.run()).unwrap_or_else(|message| Err(CheckpointError::Panicked { message }));
                // There is one at a time, so there is room.
                let _ = sender.send(result);
            };
            std::thread::Builder::new().name("segue-checkpoint".to_owned()).spawn(write).map_err(|error| {
                CheckpointError::Io {
                    operation: "start",
                    file: "the thread segue-checkpoint".to_owned(),
                    source: Arc::new(error),
                }
            })
        });
        match begun {
            Ok(thread) => self.checkpoint = Some((thread, call)),
            Err(error) => self.answer_checkpoint(call, Err(error)),
        }
    }

    fn end_checkpoint(&mut self, result: Result<CheckpointReport, CheckpointError>) {
        let Some((thread, call)) = self.checkpoint.take() else { return };
        // It has sent its result, which is the last thing it does.
        let _ = thread.join();
        self.answer_checkpoint(call, result);
    }

    fn answer_checkpoint(
        &mut self,
        call: Option<CheckpointCall>,
        result: Result<CheckpointReport, CheckpointError>,
    ) {
        self.writer.end_checkpoint(&result);
        if let Some(call) = call {
            // Whoever called may have gone away.
            let _ = call.done.try_send(result);
        }
    }

    /// Works off the queue until the deadline, then tells what is left.
    fn finish(mut self) -> ShutdownReport {
        self.writer.cancel_sweep();
        let deadline = *self.drain_until.lock();
        self.draining_until = deadline;
        while deadline.is_some_and(|deadline| Instant::now() < deadline) {
            let Some(first) = self.reading.next_of_the_rest() else { break };
            self.take_batch(first);
        }
        // A sweep that does not stop in time ends by itself: it holds what it needs, and nobody takes its
        // result. Waiting longer could wait for ever, should the host drop its engine on the pool's thread.
        if self.writer.training.is_some()
            && let Ok(result) = self.results.recv_deadline(deadline.unwrap_or_else(Instant::now))
        {
            self.end_sweep(result);
        }
        self.writer.cancel_checkpoint();
        // Its thread stops at the next section: nobody may write to the store once the lock is gone.
        if self.checkpoint.is_some()
            && let Ok(result) = self.checkpoints.recv()
        {
            self.end_checkpoint(result);
        }
        self.tell_imported();
        let mut unprocessed = 0;
        while let Some(queued) = self.reading.next_of_the_rest() {
            unprocessed += match queued {
                Queued::One(_) => 1,
                Queued::Bulk { interactions, .. } => interactions.len(),
                Queued::Source { part, .. } => part.events.len(),
                Queued::AddItems { .. }
                | Queued::EndImport { .. }
                | Queued::Retune { .. }
                | Queued::Change { .. }
                | Queued::Flush { .. }
                | Queued::Checkpoint(_)
                | Queued::Adopt { .. }
                | Queued::Rollback { .. }
                | Queued::Sweep { .. } => 0,
            };
        }
        self.writer.tell_bytes();
        let durable = self.writer.close();
        self.writer.meters.stopped();
        ShutdownReport {
            applied: self.writer.shared.applied.reached(),
            unprocessed,
            durable,
            sources_left: 0,
        }
    }
}
