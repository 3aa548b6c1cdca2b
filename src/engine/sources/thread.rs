//! The threads of sources.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded, select};

use super::driver::{Driver, Sink, Then};
use super::learn::SourcePart;
use super::stats::SourceMeters;
use crate::engine::queue::{EventSender, Queued, RowsAtSending};
use crate::guard::fenced;
use crate::ingest::{EventSource, Interaction, InvalidEvent, SourceWaker};
use crate::journal::FlushError;
use crate::model::Receipt;
use crate::types::Event;

/// How long a source that the engine is done with may take to hear what became of what it gave, and how long it is waited
/// for on a drop.
const LAST_CALL: Duration = Duration::from_secs(2);
/// The longest wait, for those that want to wait for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// The threads of an engine's sources.
#[derive(Debug, Default)]
pub(in crate::engine) struct SourceThreads(Vec<SourceThread>);

#[derive(Debug)]
struct SourceThread {
    thread: JoinHandle<()>,
    /// Its other end is gone once the thread has ended.
    ended: Receiver<Infallible>,
}

/// The way from a source's thread to the writer.
struct ToWriter(EventSender);

impl SourceThreads {
    /// Starts a thread that asks `source` until the engine stops, from behind `from` on.
    pub(in crate::engine) fn start(
        &mut self,
        source: Box<dyn EventSource>,
        meters: Arc<SourceMeters>,
        from: Option<u64>,
        sender: EventSender,
    ) -> io::Result<()> {
        let (waker, woken) = SourceWaker::pair();
        let (alive, ended) = bounded::<Infallible>(0);
        let name = format!("segue-source-{}", meters.name.replace('\0', "?"));
        let driver = Driver::new(source, meters, waker, from);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let meters = Arc::clone(driver.meters());
            if let Err(message) = fenced(|| run(driver, ToWriter(sender), &woken)) {
                meters.watch.failed(format!("its thread panicked: {message}"));
            }
            drop(alive);
        })?;
        self.0.push(SourceThread { thread, ended });
        Ok(())
    }

    /// Once the engine has stopped: waits for the threads until `deadline`, and a moment at least. Says how many are in a
    /// call that they have not come back from; those end when they do.
    pub(in crate::engine) fn join(&mut self, deadline: Option<Instant>) -> usize {
        let last_call = Instant::now() + LAST_CALL;
        let deadline = deadline.map_or(last_call, |deadline| deadline.max(last_call));
        let mut n_left = 0;
        for SourceThread { thread, ended } in self.0.drain(..) {
            match ended.recv_deadline(deadline) {
                Ok(never) => match never {},
                // It catches its own panics, so joining it cannot fail.
                Err(RecvTimeoutError::Disconnected) => drop(thread.join()),
                Err(RecvTimeoutError::Timeout) => {
                    tracing::error!(
                        target: "segue::source",
                        thread = thread.thread().name(),
                        "a source does not come back; it is left"
                    );
                    n_left += 1;
                }
            }
        }
        n_left
    }
}

fn run(mut driver: Driver, mut sink: ToWriter, woken: &Receiver<()>) {
    let stopped = sink.0.stopped().clone();
    // Nothing is ever sent there: what comes is that the other end is gone.
    while !sink.0.is_stopped() && !sink.0.is_read_only() {
        match driver.step(&mut sink).then {
            Then::Again => {}
            Then::Wait(time) => select! {
                recv(stopped) -> _ => break,
                recv(woken) -> _ => {}
                default(time.min(LONGEST_WAIT)) => {}
            },
            Then::BackOff(time) => match stopped.recv_timeout(time) {
                Ok(never) => match never {},
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            },
            Then::Over => break,
        }
    }
    driver.end(&mut sink, LAST_CALL / 2);
}

impl Sink for ToWriter {
    fn admit(&self, event: Event) -> Result<Interaction, Box<InvalidEvent>> {
        self.0.admission().admit(event)
    }

    fn rows(&self, event: &Event) -> RowsAtSending {
        self.0.rows(event)
    }

    fn put(&mut self, part: SourcePart) -> Option<Receipt> {
        let (done, receipt) = self.0.new_receipt();
        self.0.send_queued(Queued::Source { part, done }).ok().map(|()| receipt)
    }

    fn flush(&mut self) {
        let (done, flush) = bounded(1);
        if self.0.send_queued(Queued::Flush { done }).is_err() {
            return;
        }
        if let Ok(Ok(flush)) = flush.recv()
            && let Err(FlushError::Failed(failure)) = flush.wait(LAST_CALL)
        {
            tracing::warn!(target: "segue::source", ?failure, "what a source gave could not be made durable");
        }
    }
}
