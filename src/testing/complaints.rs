//! What a plug-in did wrong, gathered while it is at work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::guard::fenced;

/// What was complained of, each once.
#[derive(Debug, Clone, Default)]
pub(super) struct Complaints(Arc<Mutex<BTreeSet<String>>>);

impl Complaints {
    pub(super) fn add(&self, complaint: String) {
        self.0.lock().insert(complaint);
    }

    /// Calls the plug-in, twice: a panic or two slow calls are complained of. Gives both answers.
    pub(super) fn twice<T>(&self, budget: Duration, mut call: impl FnMut() -> T) -> Option<(T, T)> {
        let mut timed = || {
            let began = Instant::now();
            let answer = fenced(&mut call);
            (answer, began.elapsed())
        };
        let ((first, took_first), (second, took_second)) = (timed(), timed());
        // One slow call may be the scheduler's.
        let took = took_first.min(took_second);
        if took > budget {
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
        let complaints = self.0.lock();
        let text: Vec<&str> = complaints.iter().map(String::as_str).collect();
        assert!(text.is_empty(), "the {seam} breaks its contract:\n  {}", text.join("\n  "));
    }
}
