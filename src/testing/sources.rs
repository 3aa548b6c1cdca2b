//! A source of events, read to its end and from every place again.

use std::time::Instant;

use super::complaints::Complaints;
use crate::engine::SOURCE_BUDGET;
use crate::guard::fenced;
use crate::ingest::{EventError, EventSource, Given, Pull, SourceBatch, SourceError, SourceWaker};
use crate::types::{Event, MAX_ID_BYTES};

/// Entries that a batch has room for.
const ROOM: usize = 64;
/// Entries after which a source is not asked any more.
const ENOUGH: usize = 10_000;
/// Once it has given nothing so often in a row, though it wants to be asked again, it has come to its end.
const NOTHING: usize = 5;

/// Puts a source to the test. It must have some events; none may come in while it is read. It must not panic, fail or be
/// slow; its name must be one; offsets must not fall; and begun again from any place, it must give what is behind that place:
/// nothing twice, and nothing less. In the end it is told that all of it is kept, and must then give nothing any more.
///
/// # Panics
/// With what it did wrong.
#[track_caller]
pub fn check_event_source(mut source: impl EventSource) {
    let complaints = Complaints::default();
    let mut reading = Reading { source: &mut source, complaints: &complaints, n_slow: 0 };
    reading.check();
    complaints.raise("event source");
}

struct Reading<'s> {
    source: &'s mut dyn EventSource,
    complaints: &'s Complaints,
    n_slow: usize,
}

impl Reading<'_> {
    fn check(&mut self) {
        self.check_name();
        let Some(all) = self.read_from(None) else { return };
        let Some(&(_, last)) = all.last() else {
            self.complaints.add("it has no event; give it some".to_owned());
            return;
        };
        let mut places: Vec<u64> = all.iter().map(|(_, offset)| *offset).collect();
        places.dedup();
        let step = places.len().div_ceil(5);
        for &place in places.iter().step_by(step).chain([&last]) {
            let Some(again) = self.read_from(Some(place)) else { return };
            if let Some((_, offset)) = again.iter().find(|(_, offset)| *offset <= place) {
                self.complaints.add(format!("begun from {place}, it gives offset {offset} again"));
            } else if !again.iter().eq(all.iter().filter(|(_, offset)| *offset > place)) {
                self.complaints
                    .add(format!("begun from {place}, it gives something else than the first time"));
            }
        }
        self.call("refused", |source| {
            source.refused(last, &EventError::EmptyItemId);
            Ok(())
        });
        self.call("kept", |source| source.kept(last));
        if self.read_from(Some(last)).is_some_and(|more| !more.is_empty()) {
            self.complaints.add("it gives more once all of it was kept".to_owned());
        }
    }

    fn check_name(&mut self) {
        let name = || fenced(|| self.source.name().to_owned());
        match (name(), name()) {
            (Ok(first), Ok(second)) if first != second => {
                self.complaints.add(format!("it has two names, {first:?} and {second:?}"));
            }
            (Ok(name), _) if !(1..=MAX_ID_BYTES).contains(&name.len()) => {
                self.complaints.add(format!("its name is {} bytes long", name.len()));
            }
            (Ok(_), Ok(_)) => {}
            (Err(message), _) | (_, Err(message)) => self.complaints.add(format!("it panicked: {message}")),
        }
    }

    /// All events from there on, each with its offset; `None` if it does not get that far.
    fn read_from(&mut self, from: Option<u64>) -> Option<Vec<(Event, u64)>> {
        self.call("begin", |source| source.begin(from, SourceWaker::nobody()))?;
        let (mut events, mut offset, mut n_entries, mut n_nothing) = (Vec::new(), from.unwrap_or(0), 0, 0);
        while n_entries < ENOUGH && n_nothing < NOTHING {
            let mut batch = SourceBatch::new(ROOM);
            let then = self.call("pull", |source| source.pull(&mut batch))?;
            n_nothing = if batch.is_empty() { n_nothing + 1 } else { 0 };
            n_entries += batch.len();
            for (given, next) in batch.into_given() {
                if next < offset {
                    self.complaints.add(format!("offset {next} comes after {offset}"));
                }
                offset = next;
                if let Given::Event(event) = given {
                    events.push((event, next));
                }
            }
            match then {
                Pull::More => {}
                Pull::Idle { .. } | Pull::Ended => break,
            }
        }
        Some(events)
    }

    /// What it answers, unless it panics or fails.
    fn call<T>(
        &mut self,
        which: &str,
        call: impl FnOnce(&mut dyn EventSource) -> Result<T, SourceError>,
    ) -> Option<T> {
        let began = Instant::now();
        let answer = fenced(|| call(self.source));
        let took = began.elapsed();
        self.n_slow += usize::from(took > SOURCE_BUDGET);
        // One slow call may be the scheduler's.
        if took > SOURCE_BUDGET && self.n_slow > 1 {
            self.complaints.add(format!("`{which}` took {took:?}, and may take {SOURCE_BUDGET:?}"));
        }
        match answer {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => self.complaints.add(format!("`{which}` failed: {error}")),
            Err(message) => self.complaints.add(format!("it panicked in `{which}`: {message}")),
        }
        None
    }
}
