//! The pool as a helping hand of the writer, who never waits for a hand that is not free.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use rayon::ThreadPool;

use crate::guard::{courtesy, fenced};

/// Shares jobs between the calling thread and whatever threads of a pool are idle, unless and for as long as the caller
/// [pauses](courtesy::pause_until): who has time for that needs no help, which would take other cores from queries.
///
/// Waiting for a pool that is busy with a sweep, or with work of the host's, would stall every event behind
/// it. So the caller works off the jobs itself, helpers take some if they come in time, and the caller waits
/// only for jobs that a helper has in hand.
#[derive(Debug)]
pub(super) struct Crew {
    pool: Arc<ThreadPool>,
    /// Helpers called for that have not started. While there are any, calling more would only pile them up.
    on_their_way: Arc<AtomicUsize>,
}

impl Crew {
    pub(super) fn new(pool: Arc<ThreadPool>) -> Self {
        Self { pool, on_their_way: Arc::default() }
    }

    /// What `work` makes of each of `jobs`, in their order. Each thread keeps a scratch of its own.
    pub(super) fn share<J, R, S>(
        &self,
        jobs: Vec<J>,
        work: impl Fn(&mut S, J) -> R + Send + Sync + 'static,
    ) -> Vec<R>
    where
        J: Send + 'static,
        R: Send + 'static,
        S: Default,
    {
        let n_jobs = jobs.len();
        let (todo_sender, todo) = bounded(n_jobs);
        let (done, results) = bounded(n_jobs);
        for job in jobs.into_iter().enumerate() {
            todo_sender.send(job).expect("there is room for every job");
        }
        drop(todo_sender);
        let work = Arc::new(work);
        let mut is_alone = true;
        work_off(&todo, &done, &*work, || {
            // It may have become late only now.
            if is_alone && !courtesy::is_pausing() {
                is_alone = false;
                self.call(&todo, &done, &work);
            }
        });
        drop(done);
        let mut results: Vec<(usize, R)> = results.iter().take(n_jobs).collect();
        assert_eq!(results.len(), n_jobs, "no job panics");
        results.sort_unstable_by_key(|&(place, _)| place);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Calls as many helpers as there is work for.
    fn call<J, R, S>(
        &self,
        todo: &Receiver<(usize, J)>,
        done: &Sender<(usize, R)>,
        work: &Arc<impl Fn(&mut S, J) -> R + Send + Sync + 'static>,
    ) where
        J: Send + 'static,
        R: Send + 'static,
        S: Default,
    {
        // ORDERING: only the number matters; a helper too few or too many changes no result.
        if self.on_their_way.load(Ordering::Relaxed) > 0 {
            return;
        }
        for _ in 0..self.pool.current_num_threads().min(todo.len()) {
            self.on_their_way.fetch_add(1, Ordering::Relaxed);
            let on_their_way = Arc::clone(&self.on_their_way);
            let (todo, done, work) = (todo.clone(), done.clone(), Arc::clone(work));
            self.pool.spawn(move || {
                on_their_way.fetch_sub(1, Ordering::Relaxed);
                // A panic leaves a result missing, which the caller notices.
                let _ = fenced(|| work_off(&todo, &done, &*work, || {}));
            });
        }
    }
}

/// Takes jobs until there are none left, and does something before each.
fn work_off<J, R, S: Default>(
    todo: &Receiver<(usize, J)>,
    done: &Sender<(usize, R)>,
    work: &impl Fn(&mut S, J) -> R,
    mut before_each: impl FnMut(),
) {
    let mut scratch = S::default();
    while let Ok((place, job)) = todo.try_recv() {
        before_each();
        let result = work(&mut scratch, job);
        done.send((place, result)).expect("the caller waits for every job that was taken");
    }
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    fn crew(threads: usize) -> Crew {
        Crew::new(Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")))
    }

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [1, 4] {
            let crew = crew(threads);
            for n in [0, 1, 2, 1_000] {
                let jobs: Vec<u64> = (0..n).collect();
                let squares = crew.share(jobs, |(): &mut (), job| job * job);
                assert_eq!(squares, (0..n).map(|job| job * job).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_pool_that_is_busy_is_not_waited_for() {
        let crew = crew(1);
        let (let_go, held) = bounded::<()>(0);
        crew.pool.spawn(move || assert!(held.recv().is_err(), "nothing is ever sent"));
        for _ in 0..100 {
            assert_eq!(crew.share(vec![1, 2, 3], |(): &mut (), job| job + 1), [2, 3, 4]);
        }
        assert_eq!(crew.on_their_way.load(Ordering::Relaxed), 1, "helpers do not pile up");
        drop(let_go);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nobody_is_called_while_there_is_time_to_pause() {
        use std::time::{Duration, Instant};
        let crew = crew(1);
        let (let_go, held) = bounded::<()>(0);
        crew.pool.spawn(move || assert!(held.recv().is_err(), "nothing is ever sent"));
        courtesy::pause_until(Some(Instant::now() + Duration::from_secs(3_600)));
        let on_their_way = Arc::clone(&crew.on_their_way);
        let n_called = crew.share(vec![1, 2, 3, 4], move |(): &mut (), job| {
            if job == 2 {
                // From now on somebody waits.
                courtesy::pause_until(None);
            }
            on_their_way.load(Ordering::Relaxed)
        });
        assert_eq!(n_called, [0, 0, 1, 1]);
        drop(let_go);
    }
}
