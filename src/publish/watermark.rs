//! How far the writer has come, and sleeping until it has come far enough.

use std::time::Instant;

use super::sync::{Condvar, Mutex, wait_until};
use crate::types::EventSeq;

/// The last event whose effect readers can see.
#[derive(Debug)]
pub(crate) struct Watermark {
    applied: Mutex<EventSeq>,
    advanced: Condvar,
}

impl Default for Watermark {
    fn default() -> Self {
        Self { applied: Mutex::new(EventSeq::ZERO), advanced: Condvar::new() }
    }
}

impl Watermark {
    /// Called by the writer once everything up to `seq` is published.
    pub(crate) fn advance(&self, seq: EventSeq) {
        let mut applied = self.applied.lock();
        debug_assert!(*applied <= seq, "the watermark never goes back");
        *applied = seq;
        drop(applied);
        self.advanced.notify_all();
    }

    pub(crate) fn applied(&self) -> EventSeq {
        *self.applied.lock()
    }

    /// Sleeps until event `seq` is visible; `false` if `deadline` came first.
    pub(crate) fn wait_for(&self, seq: EventSeq, deadline: Instant) -> bool {
        let mut applied = self.applied.lock();
        while *applied < seq {
            let in_time;
            (applied, in_time) = wait_until(&self.advanced, applied, deadline);
            if !in_time {
                return *applied >= seq;
            }
        }
        true
    }
}
