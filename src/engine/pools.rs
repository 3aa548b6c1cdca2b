//! The pools of an engine that shares none of the host's.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::priority::step_back;

/// One for sweeps, whose threads step back behind others, and one for what somebody waits for.
pub(super) fn own_pools(
    threads: Option<usize>,
) -> Result<(Arc<ThreadPool>, Arc<ThreadPool>), ThreadPoolBuildError> {
    let threads = threads.unwrap_or_else(|| {
        // One core is left to the writer and the queries.
        std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
    });
    let pool = |name: &'static str| {
        ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(move |number| format!("segue-{name}-{number}"))
    };
    let sweeps = pool("sweep").start_handler(|_| step_back()).build()?;
    Ok((Arc::new(sweeps), Arc::new(pool("hand").build()?)))
}
