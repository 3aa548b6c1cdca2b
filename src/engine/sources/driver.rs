//! Asking a source, step by step.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::learn::SourcePart;
use super::stats::SourceMeters;
use crate::engine::queue::RowsAtSending;
use crate::guard::{fenced, with_causes};
use crate::ingest::{
    EventSource, Given, Interaction, InvalidEvent, Pull, SourceBatch, SourceError, SourceWaker,
};
use crate::model::{DurableError, Outcome, Receipt};
use crate::types::Event;

/// Events that are learned together at most: what somebody else may have to wait for.
const PART: usize = 1_024;
/// Parts that were handed on and not learned yet: one is learned while the next is being made.
const PARTS_ON_THEIR_WAY: usize = 2;
/// The pause after a first failure; it doubles with each one more, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What has not become durable by itself after this is flushed, for the source to let go of it.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// How often an idle source looks whether what it gave is durable by now.
const DURABLE_TICK: Duration = Duration::from_millis(100);
/// Steps of one source in one call of a manual engine at most: one that wants more and gives nothing ends some time.
pub(in crate::engine) const MAX_STEPS: usize = 10_000;

/// Where a driver hands on what its source gives.
pub(in crate::engine) trait Sink {
    fn admit(&self, event: Event) -> Result<Interaction, Box<InvalidEvent>>;
    fn rows(&self, event: &Event) -> RowsAtSending;
    /// `None` if nobody takes it any more.
    fn put(&mut self, part: SourcePart) -> Option<Receipt>;
    /// Makes what was put durable, if that can be.
    fn flush(&mut self);
}

/// What came of asking a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Step {
    /// Events that were handed on.
    pub(in crate::engine) events: usize,
    pub(in crate::engine) then: Then,
}

/// What to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Then {
    /// The next one.
    Again,
    /// Wait until the source is woken, or that long.
    Wait(Duration),
    /// Wait that long, whoever wakes it.
    BackOff(Duration),
    /// There will be nothing more.
    Over,
}

impl Then {
    fn after(self, events: usize) -> Step {
        Step { events, then: self }
    }
}

/// Asks one source.
#[derive(Debug)]
pub(in crate::engine) struct Driver {
    source: Box<dyn EventSource>,
    meters: Arc<SourceMeters>,
    waker: SourceWaker,
    has_begun: bool,
    has_ended: bool,
    /// Behind the last event that was handed on.
    position: Option<u64>,
    /// What may not be learned yet.
    on_its_way: VecDeque<Sent>,
    /// What is learned and may not be durable yet: the first such, which becomes so first, and the last.
    learned: Option<Sent>,
    learned_last: Option<Sent>,
    /// What is durable.
    kept: Option<u64>,
    n_failures: u32,
}

#[derive(Debug)]
struct Sent {
    offset: u64,
    at: Instant,
    receipt: Receipt,
}

impl Driver {
    pub(in crate::engine) fn new(
        source: Box<dyn EventSource>,
        meters: Arc<SourceMeters>,
        waker: SourceWaker,
        from: Option<u64>,
    ) -> Self {
        Self {
            source,
            meters,
            waker,
            has_begun: false,
            has_ended: false,
            position: from,
            on_its_way: VecDeque::new(),
            learned: None,
            learned_last: None,
            // What an engine was opened with is durable.
            kept: from,
            n_failures: 0,
        }
    }

    pub(super) fn meters(&self) -> &Arc<SourceMeters> {
        &self.meters
    }

    /// Asks the source once, and hands on what it gives.
    pub(in crate::engine) fn step(&mut self, sink: &mut impl Sink) -> Step {
        if !self.make_room() {
            return Then::Over.after(0);
        }
        let step = self.tell_what_is_kept(sink).and_then(|()| self.begin()).and_then(|()| self.pull(sink));
        step.unwrap_or_else(|Failed| self.back_off())
    }

    /// Waits until there is room for another part. Says whether anything is still being learned.
    fn make_room(&mut self) -> bool {
        while let Some(first) = self.on_its_way.front() {
            // The engine decides it, be it by stopping.
            let is_full = self.on_its_way.len() >= PARTS_ON_THEIR_WAY;
            let outcome = if is_full { first.receipt.wait(Duration::MAX) } else { first.receipt.outcome() };
            match outcome {
                Some(Outcome::Applied(_)) => self.is_learned(),
                Some(_) => return false,
                None => break,
            }
        }
        true
    }

    fn is_learned(&mut self) {
        let sent = self.on_its_way.pop_front();
        if self.learned.is_none() { self.learned = sent } else { self.learned_last = sent }
    }

    /// Tells the source what it may let go of.
    fn tell_what_is_kept(&mut self, sink: &mut impl Sink) -> Result<(), Failed> {
        if !self.has_begun {
            return Ok(());
        }
        while let Some(first) = &self.learned {
            match first.receipt.wait_durable(Duration::ZERO) {
                Ok(_) | Err(DurableError::MemoryOnly) => {}
                Err(DurableError::TimedOut { .. }) if first.at.elapsed() >= FLUSH_AFTER => {
                    sink.flush();
                    // What a flush could not do will not be done a moment later either.
                    if first.receipt.wait_durable(Duration::ZERO).is_err() {
                        break;
                    }
                }
                Err(_) => break,
            }
            let offset = first.offset;
            self.learned = self.learned_last.take();
            self.kept = Some(offset);
            self.meters.kept(offset);
            self.call(|source| source.kept(offset))?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Failed> {
        if !self.has_begun && !self.has_ended {
            let (from, waker) = (self.position, self.waker.clone());
            self.call(|source| source.begin(from, waker))?;
            self.has_begun = true;
            if let Some(kept) = self.kept {
                self.call(|source| source.kept(kept))?;
            }
        }
        Ok(())
    }

    fn pull(&mut self, sink: &mut impl Sink) -> Result<Step, Failed> {
        if self.has_ended {
            let is_done = self.on_its_way.is_empty() && self.learned.is_none();
            return Ok((if is_done { Then::Over } else { Then::Wait(DURABLE_TICK) }).after(0));
        }
        let mut batch = SourceBatch::new(PART);
        let pulled = self.meters.watch.call(|| self.source.pull(&mut batch)).ok_or(Failed)?;
        let (events, is_over) = self.hand_on(batch, sink)?;
        if is_over {
            return Ok(Then::Over.after(events));
        }
        let pull = pulled.map_err(|error| self.failed(error))?;
        self.n_failures = 0;
        self.meters.watch.works_again();
        let then = match pull {
            Pull::More => Then::Again,
            Pull::Idle { at_most } => {
                let is_kept = self.on_its_way.is_empty() && self.learned.is_none();
                Then::Wait(if is_kept { at_most } else { at_most.min(DURABLE_TICK) })
            }
            Pull::Ended => {
                self.has_ended = true;
                Then::Again
            }
        };
        Ok(then.after(events))
    }

    /// Puts what was given into parts, and these where they are learned. Gives the number of events, and whether nobody
    /// takes anything any more.
    fn hand_on(&mut self, batch: SourceBatch, sink: &mut impl Sink) -> Result<(usize, bool), Failed> {
        let mut given = batch.into_given().into_iter().peekable();
        let mut n_events = 0;
        while given.peek().is_some() {
            let mut part = SourcePart { meters: Arc::clone(&self.meters), events: Vec::new(), offset: 0 };
            let (mut last, mut fell) = (None, None);
            for (what, offset) in given.by_ref().take(PART) {
                let before = last.or(self.position);
                if let Some(before) = before.filter(|&before| offset < before) {
                    fell = Some((before, offset));
                    break;
                }
                self.take_in(what, offset, &mut part, sink)?;
                last = Some(offset);
            }
            if let Some(offset) = last
                && (!part.events.is_empty() || self.position != last)
            {
                n_events += part.events.len();
                part.offset = offset;
                if !self.make_room() {
                    return Ok((n_events, true));
                }
                let Some(receipt) = sink.put(part) else { return Ok((n_events, true)) };
                self.on_its_way.push_back(Sent { offset, at: Instant::now(), receipt });
                self.position = last;
            }
            if let Some((before, offset)) = fell {
                self.meters
                    .watch
                    .nonsense(format!("with offset {offset} after {before}; offsets never fall"));
                return Err(Failed);
            }
        }
        Ok((n_events, false))
    }

    fn take_in(
        &mut self,
        what: Given,
        offset: u64,
        part: &mut SourcePart,
        sink: &impl Sink,
    ) -> Result<(), Failed> {
        match what {
            // The host's clock is asked.
            Given::Event(event) => match fenced(|| sink.admit(event)) {
                Ok(Ok(interaction)) => {
                    let rows = sink.rows(interaction.event());
                    part.events.push((interaction, rows, offset));
                }
                Ok(Err(invalid)) => {
                    let error = &invalid.error;
                    let place = self.meters.watch.call(|| self.source.refused(offset, error));
                    let place = place.unwrap_or_else(|| format!("offset {offset}"));
                    self.meters.malformed(format!("{place}: {error}"));
                }
                Err(message) => {
                    self.meters.watch.failed(format!("the clock panicked: {message}"));
                    return Err(Failed);
                }
            },
            Given::Refused(what) => self.meters.malformed(what),
            Given::Nothing => {}
        }
        Ok(())
    }

    /// Calls the source behind the fence.
    fn call(
        &mut self,
        call: impl FnOnce(&mut dyn EventSource) -> Result<(), SourceError>,
    ) -> Result<(), Failed> {
        let source = &mut *self.source;
        match self.meters.watch.call(|| call(source)) {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(self.failed(error)),
            None => Err(Failed),
        }
    }

    fn failed(&self, error: SourceError) -> Failed {
        let told = fenced(|| with_causes(&*error));
        let freed = fenced(|| drop(error));
        let message = told.and_then(|message| freed.map(|()| message));
        self.meters.watch.failed(message.unwrap_or_else(|panic| format!("an error that panicked: {panic}")));
        Failed
    }

    fn back_off(&mut self) -> Step {
        self.has_begun = false;
        let pause = FIRST_PAUSE.saturating_mul(1 << self.n_failures.min(16)).min(LONGEST_PAUSE);
        self.n_failures = self.n_failures.saturating_add(1);
        Then::BackOff(pause).after(0)
    }

    /// The engine stops: tells the source what became of what it gave, waiting at most `patience` for that.
    pub(in crate::engine) fn end(mut self, sink: &mut impl Sink, patience: Duration) {
        let deadline = Instant::now().checked_add(patience);
        while let Some(first) = self.on_its_way.front() {
            let left = deadline.map_or(patience, |end| end.saturating_duration_since(Instant::now()));
            match first.receipt.wait(left) {
                Some(Outcome::Applied(_)) => self.is_learned(),
                Some(_) | None => break,
            }
        }
        if let Some(last) = self.learned_last.as_ref().or(self.learned.as_ref()) {
            let left = deadline.map_or(patience, |end| end.saturating_duration_since(Instant::now()));
            // The last thing an engine does is to make everything durable.
            let _ = last.receipt.wait_durable(left);
        }
        let _ = self.tell_what_is_kept(sink);
        // The source is the host's, and so is what freeing it does.
        let Self { source, meters, .. } = self;
        meters.watch.call(|| drop(source));
    }
}

/// It is counted and named already.
struct Failed;
