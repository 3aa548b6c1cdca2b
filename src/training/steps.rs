//! Which threads a sweep runs on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::ThreadPool;

use crate::guard::{courtesy, priority};

/// How long a step may wait for idle cores, beyond [`WAITS_AT_MOST`], before the sweep asks for its share of busy ones.
const PATIENCE: Duration = Duration::from_millis(100);
/// What is no waiting: threads that run for one of so many moments.
const WAITS_AT_MOST: u32 = 4;
/// What each idle thread runs at most to see whether there is a core for it: more than a time slice of some milliseconds,
/// which even such a thread has at once when it wakes.
const MAX_TRIAL: Duration = Duration::from_millis(10);
/// For how long at most what runs among usual threads leaves its core to others now and then.
const NO_HURRY: Duration = Duration::from_secs(10);

/// The pools of an engine's sweeps.
#[derive(Debug, Clone)]
pub(crate) struct SweepPools {
    /// For what holds locks, and for everything where there are no idle threads or too few idle cores.
    pub(crate) usual: Arc<ThreadPool>,
    /// Threads that run where nobody else would, if the system has such.
    pub(crate) idle: Option<Arc<ThreadPool>>,
}

impl SweepPools {
    /// One pool for everything.
    pub(crate) fn shared(pool: Arc<ThreadPool>) -> Self {
        Self { usual: pool, idle: None }
    }

    /// Frees what may take a while, somewhere where nobody waits for it.
    pub(crate) fn free<T: Send + 'static>(
        &self,
        garbage: impl IntoIterator<Item = T, IntoIter: Send + 'static>,
    ) {
        let garbage = garbage.into_iter();
        if self.idle.is_none() {
            // A pool of the host's may have other things to do for long.
            garbage.for_each(drop);
        } else if garbage.size_hint().1 != Some(0) {
            let pools = self.clone();
            self.usual.spawn(move || {
                pools.run_with_pauses(|| {
                    for one in garbage {
                        courtesy::after_you();
                        drop(one);
                    }
                });
            });
        }
    }

    /// Runs `step`, which takes locks that others need, on the calling thread.
    fn run_with_pauses<T>(&self, step: impl FnOnce() -> T) -> T {
        // A pool of the host's is left alone.
        courtesy::pause_until(self.idle.is_some().then(|| Instant::now() + NO_HURRY));
        let result = step();
        courtesy::pause_until(None);
        result
    }

    /// A sweep that has not begun.
    pub(crate) fn begin(&self) -> Steps<'_> {
        Steps { pools: self, idle: self.idle.as_deref(), trial: Duration::ZERO }
    }
}

/// The steps of one sweep.
///
/// They run on idle threads: a thread of any other kind can be in the way of queries for a whole time slice. On a machine
/// that has no idle core such threads hardly run at all, and no thread may become a usual one again; so they are tried before
/// the first step, and a sweep that has mostly waited in one goes on with other threads. Which threads run a step changes
/// nothing of what it gives.
#[derive(Debug)]
pub(crate) struct Steps<'a> {
    pools: &'a SweepPools,
    /// `None` where there are none, and once there was no core for them.
    idle: Option<&'a ThreadPool>,
    /// What each of its threads is to run first.
    trial: Duration,
}

impl Steps<'_> {
    /// Runs `step` on a thread of the pool that it is given, and waits for it.
    pub(crate) fn run<T: Send>(&mut self, step: impl FnOnce(&ThreadPool) -> T + Send) -> T {
        self.try_idle_threads();
        let Some(idle) = self.idle else {
            let usual = &self.pools.usual;
            return usual.install(|| step(usual));
        };
        let before = idle.broadcast(|_| priority::has_run());
        let began = Instant::now();
        // Before the calling thread goes on, which may have something else in hand by now.
        let (result, took) = idle.install(|| (step(idle), began.elapsed()));
        let after = idle.broadcast(|_| priority::has_run());
        let ran = before.into_iter().zip(after).map(|(before, after)| after.saturating_sub(before)).max();
        self.note_wait(took, ran.unwrap_or_default());
        result
    }

    /// Runs `step`, which takes locks that others need and comes first, on the calling thread.
    pub(crate) fn run_here<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = self.pools.run_with_pauses(step);
        // Of a small world no step is long, so that little is lost without a trial.
        self.trial = began.elapsed().min(MAX_TRIAL);
        result
    }

    /// Has every idle thread run for as long as the trial is, once.
    fn try_idle_threads(&mut self) {
        let trial = std::mem::take(&mut self.trial);
        let Some(idle) = self.idle.filter(|_| !trial.is_zero()) else { return };
        let began = Instant::now();
        let took = idle.broadcast(|_| {
            let before = priority::has_run();
            while priority::has_run().saturating_sub(before) < trial && began.elapsed() < PATIENCE {}
            began.elapsed()
        });
        self.note_wait(took.into_iter().max().unwrap_or_default(), trial);
    }

    /// Goes on with other threads if something took that long of which the busiest idle thread ran for so long.
    fn note_wait(&mut self, took: Duration, ran: Duration) {
        if took.saturating_sub(ran) > PATIENCE && took > WAITS_AT_MOST * ran {
            tracing::debug!(target: "segue::sweep", ?took, ?ran, "no core is idle: the sweep takes its share of busy ones");
            self.idle = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    fn pool(name: &'static str) -> Arc<ThreadPool> {
        let builder = ThreadPoolBuilder::new().num_threads(2).thread_name(move |_| name.to_owned());
        Arc::new(builder.build().expect("threads"))
    }

    fn name_of_thread(_: &ThreadPool) -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_sweep_leaves_idle_threads_that_have_mostly_waited_and_the_next_tries_them_anew() {
        let pools = SweepPools { usual: pool("usual"), idle: Some(pool("idle")) };
        for (took, ran, name) in [(800, 100, "usual"), (3_000, 2_000, "idle"), (90, 0, "idle")] {
            let mut steps = pools.begin();
            steps.note_wait(Duration::from_millis(took), Duration::from_millis(ran));
            assert_eq!(steps.run(name_of_thread), name, "{took} ms, of which it ran {ran}");
        }
    }

    #[test]
    fn a_shared_pool_has_all_steps() {
        let pools = SweepPools::shared(pool("shared"));
        assert_eq!(pools.begin().run(name_of_thread), "shared");
    }

    #[test]
    fn garbage_is_freed_elsewhere_and_all_of_it() {
        struct Garbage(crossbeam_channel::Sender<String>);
        impl Drop for Garbage {
            fn drop(&mut self) {
                let name = std::thread::current().name().unwrap_or_default().to_owned();
                self.0.send(name).expect("the test waits");
            }
        }
        let (kept, dropped) = crossbeam_channel::unbounded();
        let pools = SweepPools { usual: pool("usual"), idle: Some(pool("idle")) };
        pools.free((0..3).map(|_| Garbage(kept.clone())).collect::<Vec<_>>());
        drop(kept);
        assert_eq!(dropped.into_iter().collect::<Vec<_>>(), ["usual"; 3]);
    }
}
