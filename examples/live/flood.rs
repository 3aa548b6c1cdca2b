//! Events as fast as the queue takes them.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use segue::{Engine, Event, LatencySummary};

use crate::steady::Pace;
use crate::{Failure, PATIENCE};

/// How it went.
pub(crate) struct Flood {
    pub(crate) n_events: usize,
    pub(crate) rate: Option<u32>,
    /// Until the last event was visible.
    pub(crate) duration: Duration,
    pub(crate) visible: LatencySummary,
    pub(crate) sweeps: u64,
    pub(crate) user_folds: u64,
}

/// Sends `events`, at most `rate` a second, and waits until the last of them is visible.
pub(crate) fn run(
    engine: &Engine,
    events: impl Iterator<Item = Event>,
    rate: Option<u32>,
    bar: &ProgressBar,
) -> Result<Flood, Failure> {
    /// Often enough for a bar that moves, seldom enough to cost nothing.
    const BAR_EVERY: usize = 1_024;
    bar.set_message("flood");
    let sender = engine.sender();
    let mut pace = rate.map(Pace::new);
    let (mut n_events, mut last) = (0, None);
    let began = Instant::now();
    for event in events {
        // One behind, so that the very last event can be sent with a receipt.
        if let Some(event) = last.replace(event) {
            // A full queue makes `send` wait: that is the whole flow control.
            sender.send(event)?;
        }
        if let Some(pace) = &mut pace {
            pace.wait();
        }
        n_events += 1;
        if n_events % BAR_EVERY == 0 {
            bar.inc(BAR_EVERY as u64);
        }
    }
    if let Some(event) = last {
        sender.send_tracked(event)?.wait(PATIENCE).ok_or("the last event was not learned in time")?;
    }
    let stats = engine.stats();
    Ok(Flood {
        n_events,
        rate,
        duration: began.elapsed(),
        visible: stats.event_to_visible,
        sweeps: stats.sweeps,
        user_folds: stats.user_folds,
    })
}
