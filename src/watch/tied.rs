//! A thread that ends with whoever began it.

use std::convert::Infallible;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// A thread that is told to end when this is dropped.
#[derive(Debug)]
pub(crate) struct TiedThread {
    stop: Option<Sender<Infallible>>,
    ended: Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
    last_call: Option<Duration>,
}

impl TiedThread {
    /// Runs on a thread called `name` until it ends by itself; it should end once the other end of the channel it is given is
    /// gone. A drop waits for that, `last_call` at most if there is one.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub(crate) fn begin(
        name: &str,
        last_call: Option<Duration>,
        run: impl FnOnce(&Receiver<Infallible>) + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let (alive, ended) = bounded::<Infallible>(0);
        let run = move || {
            run(&stopped);
            drop(alive);
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { stop: Some(stop), ended, thread: Some(thread), last_call })
    }
}

impl Drop for TiedThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ends_in = |time| self.ended.recv_timeout(time) == Err(RecvTimeoutError::Disconnected);
        let is_waited_for = self.last_call.is_none_or(ends_in);
        if let Some(thread) = self.thread.take().filter(|_| is_waited_for) {
            // What it calls of a host's is behind a fence, and it has nothing else to panic about.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_drop_waits_for_what_it_was_told_to_wait_for() {
        let is_done = Arc::new(AtomicBool::new(false));
        let sets = Arc::clone(&is_done);
        let thread = TiedThread::begin("tied", None, move |stopped| {
            assert!(stopped.recv().is_err(), "nothing is ever sent");
            sets.store(true, Ordering::Relaxed);
        });
        drop(thread.expect("there are threads"));
        assert!(is_done.load(Ordering::Relaxed));
    }

    #[test]
    fn a_drop_leaves_one_that_does_not_end() {
        let (let_go, held) = bounded::<Infallible>(0);
        let (ends, ended) = bounded(1);
        let thread = TiedThread::begin("tied", Some(Duration::from_millis(1)), move |_| {
            let _ = held.recv();
            ends.send(()).expect("the test listens");
        });
        drop(thread.expect("there are threads"));
        assert!(ended.is_empty(), "it was not waited for");
        drop(let_go);
        ended.recv().expect("it ends by itself");
    }
}
