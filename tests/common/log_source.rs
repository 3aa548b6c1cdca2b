//! A source in memory: a list of events, whose places are its offsets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use segue::Event;
use segue::plugin::{EventSource, Pull, SourceBatch, SourceError, SourceWaker};

/// What was asked of it and told to it, shared with the test.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) begun_from: Vec<Option<u64>>,
    pub(crate) kept: Vec<u64>,
}

/// Gives the events of a list, so many at a time.
#[derive(Debug, Clone)]
pub(crate) struct LogSource {
    events: Arc<Vec<Event>>,
    at_a_time: usize,
    next: usize,
    pub(crate) asked: Arc<Mutex<Asked>>,
}

impl LogSource {
    pub(crate) fn new(events: Vec<Event>, at_a_time: usize) -> Self {
        Self { events: Arc::new(events), at_a_time, next: usize::MAX, asked: Arc::default() }
    }
}

impl EventSource for LogSource {
    fn name(&self) -> &'static str {
        "log"
    }

    fn begin(&mut self, from: Option<u64>, _: SourceWaker) -> Result<(), SourceError> {
        self.asked.lock().expect("no panic").begun_from.push(from);
        self.next = usize::try_from(from.unwrap_or(0))?;
        Ok(())
    }

    fn pull(&mut self, batch: &mut SourceBatch) -> Result<Pull, SourceError> {
        for event in self.events[self.next..].iter().take(self.at_a_time.min(batch.room())) {
            self.next += 1;
            batch.push(event.clone(), self.next as u64);
        }
        let is_over = self.next == self.events.len();
        Ok(if is_over { Pull::Idle { at_most: Duration::from_secs(3_600) } } else { Pull::More })
    }

    fn kept(&mut self, offset: u64) -> Result<(), SourceError> {
        self.asked.lock().expect("no panic").kept.push(offset);
        Ok(())
    }
}
