//! Who goes first when there are more threads than cores.

/// Lets other threads, of this process and of others, go before the calling one, where the system allows it: on Linux, by
/// niceness. A system that refuses has everybody equal, as others have. Nobody may wait for such a thread in a hurry.
#[cfg(target_os = "linux")]
pub(super) fn step_back() {
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
pub(super) fn step_back() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_steps_back_alone() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("ours");
        let before = niceness();
        let stepped_back = std::thread::spawn(move || {
            step_back();
            niceness()
        });
        assert_eq!(stepped_back.join().expect("it does not panic"), (before + 5).min(19));
        assert_eq!(niceness(), before);
    }
}
