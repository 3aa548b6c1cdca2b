//! What a plug-in did wrong, gathered while it is at work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::guard::fenced;

/// What was complained of, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Complaints {
    said: Arc<Mutex<BTreeSet<String>>>,
    n_slow: Arc<AtomicU32>,
}

impl Complaints {
    pub(super) fn add(&self, complaint: String) {
        self.said.lock().insert(complaint);
    }

    /// Whether it has been slow again and again: it is not waited for any more.
    pub(super) fn is_slow(&self) -> bool {
        const OFTEN: u32 = 10;
        // ORDERING: one call more or less changes no complaint.
        self.n_slow.load(Ordering::Relaxed) >= OFTEN
    }

    /// Calls the plug-in, twice: a panic or two slow calls are complained of. Gives both answers; `None` if it panicked, or
    /// was slow so often that it is not asked.
    pub(super) fn twice<T>(&self, budget: Duration, mut call: impl FnMut() -> T) -> Option<(T, T)> {
        if self.is_slow() {
            return None;
        }
        let mut timed = || {
            let began = Instant::now();
            let answer = fenced(&mut call);
            (answer, began.elapsed())
        };
        let ((first, took_first), (second, took_second)) = (timed(), timed());
        // One slow call may be the scheduler's.
        let took = took_first.min(took_second);
        if took > budget {
            self.n_slow.fetch_add(1, Ordering::Relaxed);
            self.add(format!("it took {took:?}, and may take {budget:?}"));
        }
        match (first, second) {
            (Ok(first), Ok(second)) => Some((first, second)),
            (Err(message), _) | (_, Err(message)) => {
                self.add(format!("it panicked: {message}"));
                None
            }
        }
    }

    /// Panics if there were any.
    #[track_caller]
    pub(super) fn raise(&self, seam: &str) {
        /// Of many complaints the first will do.
        const MOST: usize = 10;
        let complaints = self.said.lock();
        let mut text: Vec<String> = complaints.iter().take(MOST).cloned().collect();
        if complaints.len() > MOST {
            text.push(format!("and {} complaints more", complaints.len() - MOST));
        }
        assert!(text.is_empty(), "the {seam} breaks its contract:\n  {}", text.join("\n  "));
    }
}
