//! Who goes first when there are more threads than cores.

use std::time::Duration;

/// Lets other threads, of this process and of others, go before the calling one, where the system allows it: on Linux, by
/// niceness. A system that refuses has everybody equal, as others have. Nobody may wait for such a thread in a hurry.
#[cfg(target_os = "linux")]
pub(crate) fn step_back() {
    /// A third of the share of an ordinary thread, where both want all of a core.
    const STEPS: i32 = 5;
    let thread = Some(rustix::thread::gettid());
    // Linux keeps the niceness of each thread by itself. From where the host has put its process, never forward of it.
    if let Ok(niceness) = rustix::process::getpriority_process(thread)
        && let Err(error) = rustix::process::setpriority_process(thread, (niceness + STEPS).min(19))
    {
        tracing::debug!(target: "segue::engine", %error, "the pool runs at the priority of everybody");
    }
}

/// Other systems have no such call that asks for no rights.
#[cfg(not(target_os = "linux"))]
pub(crate) fn step_back() {}

/// Has the calling thread run only where nobody else would, for good, where the system has such threads: on Linux those of the
/// scheduling policy `SCHED_IDLE`, whose core counts as idle for whoever wakes. Where every core is busy they have about
/// 0.3 % of one, so nothing that others wait for may depend on them, such as a lock.
#[cfg(target_os = "linux")]
pub(crate) fn step_aside() {
    use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id, thread_schedule_policy};
    use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};

    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let outcome = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    // Of a process that the host has put back it gives an error, as the niceness may not be taken from it; the policy, by
    // which that is of no account, has been set by then.
    if thread_schedule_policy().ok() != Some(idle) {
        tracing::debug!(target: "segue::engine", ?outcome, "sweeps run at a low priority and not on idle cores");
        step_back();
    }
}

/// Whether [`step_aside`] has an effect.
pub(crate) const CAN_STEP_ASIDE: bool = cfg!(target_os = "linux");

#[cfg(not(target_os = "linux"))]
pub(crate) fn step_aside() {}

/// How long the calling thread has had a core since it began; always nothing where nobody can step aside.
#[cfg(target_os = "linux")]
pub(crate) fn has_run() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn has_run() -> Duration {
    Duration::ZERO
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// What `test` gives on a thread of its own, which is what it changes.
    fn on_a_thread<T: Send + 'static>(test: fn() -> T) -> T {
        std::thread::spawn(test).join().expect("it does not panic")
    }

    #[test]
    fn a_thread_steps_back_alone() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("ours");
        let before = niceness();
        let stepped_back = on_a_thread(|| {
            step_back();
            rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("ours")
        });
        assert_eq!(stepped_back, (before + 5).min(19));
        assert_eq!(niceness(), before);
    }

    #[test]
    fn a_thread_steps_aside_alone() {
        use thread_priority::unix::thread_schedule_policy;
        use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};

        let before = thread_schedule_policy().expect("ours");
        let stepped_aside = on_a_thread(|| {
            step_aside();
            thread_schedule_policy().expect("ours")
        });
        assert_eq!(stepped_aside, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle));
        assert_eq!(thread_schedule_policy().expect("ours"), before);
    }

    #[test]
    fn the_time_a_thread_has_run_goes_on_while_it_runs() {
        let (before, began) = (has_run(), std::time::Instant::now());
        while has_run() == before && began.elapsed() < Duration::from_secs(10) {}
        assert!(has_run() > before);
        assert!(on_a_thread(has_run) < has_run() + began.elapsed());
    }
}
