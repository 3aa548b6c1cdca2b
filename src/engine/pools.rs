//! The pools of an engine that shares none of the host's.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::guard::courtesy::shorten_pauses;
use crate::guard::priority::{CAN_STEP_ASIDE, step_aside, step_back};
use crate::training::SweepPools;

/// Those of sweeps, whose threads stand behind others, and one for what somebody waits for.
pub(super) fn own_pools(
    threads: Option<usize>,
) -> Result<(SweepPools, Arc<ThreadPool>), ThreadPoolBuildError> {
    let threads = threads.unwrap_or_else(|| {
        // One core is left to the writer and the queries.
        std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
    });
    let pool = |name: &'static str| {
        ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(move |number| format!("segue-{name}-{number}"))
    };
    let usual = pool("sweep").start_handler(|_| {
        shorten_pauses();
        step_back();
    });
    let idle = if CAN_STEP_ASIDE {
        // Sweeps can do without them.
        pool("idle").start_handler(|_| step_aside()).build().ok().map(Arc::new)
    } else {
        None
    };
    Ok((SweepPools { usual: Arc::new(usual.build()?), idle }, Arc::new(pool("hand").build()?)))
}
