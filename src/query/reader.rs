//! Where a host's threads get their views from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::ThreadPool;
use thiserror::Error;

use super::chain::QueryPolicies;
use super::view::View;
use crate::kernel::SimdPath;
use crate::model::{Outcome, Receipt, Refusal, Shared};
use crate::publish::Waited;
use crate::types::EventSeq;

/// A handle to ask the engine with: clone it freely, give one to each thread.
///
/// It outlives its engine and then goes on answering from the last model.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    pool: Arc<ThreadPool>,
    path: SimdPath,
    policies: Arc<QueryPolicies>,
}

/// Why [`Reader::view_after`] gives no view.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ViewAfterError {
    /// The event was not learned within the time. It may still be.
    #[error("the event was not learned within {timeout:?}; wait longer, or take `view()` as it is")]
    TimedOut {
        /// The time that was given.
        timeout: Duration,
    },
    /// The event was refused, so there is no moment after it.
    #[error("the event was refused: {0}")]
    Rejected(#[source] Refusal),
    /// The engine stopped before it came to the event.
    #[error("the engine stopped before it came to the event; open it again")]
    Stopped,
    /// The store failed while the event was being written, so it is not visible.
    #[error("the store failed while the event was being written; see `health()`, then open the engine again")]
    StoreFailed,
}

impl Reader {
    pub(crate) fn new(
        shared: Arc<Shared>,
        pool: Arc<ThreadPool>,
        path: SimdPath,
        policies: Arc<QueryPolicies>,
    ) -> Self {
        Self { shared, pool, path, policies }
    }

    /// The model as it is now. Never waits for the writer or for a sweep.
    pub fn view(&self) -> View {
        View::new(Arc::clone(&self.shared), Arc::clone(&self.pool), self.path, Arc::clone(&self.policies))
    }

    /// The model after an event: waits, as [`Receipt::wait`] does, until the event that `receipt` belongs to is
    /// visible, at most `timeout`, then takes a view. For a duplicate, that is the event it duplicates.
    ///
    /// # Errors
    /// [`ViewAfterError`] if it took too long or the event was not learned.
    pub fn view_after(&self, receipt: &Receipt, timeout: Duration) -> Result<View, ViewAfterError> {
        // INVARIANT: the writer completes a receipt after it has published what the event changed, so a
        // view taken from here on has it.
        match receipt.wait(timeout) {
            Some(Outcome::Applied(_) | Outcome::Duplicate) => Ok(self.view()),
            Some(Outcome::Rejected(refusal)) => Err(ViewAfterError::Rejected(refusal)),
            Some(Outcome::Stopped) => Err(ViewAfterError::Stopped),
            Some(Outcome::StoreFailed) => Err(ViewAfterError::StoreFailed),
            None => Err(ViewAfterError::TimedOut { timeout }),
        }
    }

    /// The model after everything up to event `seq`; as [`view_after`](Self::view_after), for an event
    /// that another thread or another part of the host has sent.
    ///
    /// # Errors
    /// [`ViewAfterError::TimedOut`] if the engine has not come that far within the time,
    /// [`ViewAfterError::Stopped`] if it stopped before.
    pub fn view_at(&self, seq: EventSeq, timeout: Duration) -> Result<View, ViewAfterError> {
        let deadline = Instant::now().checked_add(timeout).unwrap_or_else(far_future);
        match self.shared.applied.wait_awake_for(seq, deadline) {
            Waited::Reached => Ok(self.view()),
            Waited::TimedOut => Err(ViewAfterError::TimedOut { timeout }),
            Waited::Closed => Err(ViewAfterError::Stopped),
        }
    }

    /// The last event whose effect is visible.
    pub fn applied(&self) -> EventSeq {
        self.shared.applied.reached()
    }
}

/// A deadline that nobody lives to see, for timeouts beyond the end of time.
fn far_future() -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
    Instant::now() + CENTURY
}
