//! Reports as people read them.

use std::fmt;

use super::repair::{DroppedTail, Repair};
use super::report::{CheckpointInfo, FileState, OpeningForecast, SegmentInfo, StoreReport};

impl fmt::Display for StoreReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for checkpoint in &self.checkpoints {
            writeln!(f, "{checkpoint}")?;
        }
        for segment in &self.segments {
            writeln!(f, "{segment}")?;
        }
        match &self.opening {
            Ok(opening) => write!(f, "{opening}"),
            Err(error) => write!(f, "opening is refused: {error}"),
        }
    }
}

impl fmt::Display for CheckpointInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.state)?;
        let Some(contents) = &self.contents else { return Ok(()) };
        write!(
            f,
            ", {} bytes, {} users, {} items, {} pairs, {} factors, taken at {} ms",
            contents.n_bytes,
            contents.n_users,
            contents.n_items,
            contents.n_pairs,
            contents.n_factors,
            contents.taken_at.unix_ms(),
        )
    }
}

impl fmt::Display for SegmentInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {} bytes", self.file, self.state, self.n_bytes)?;
        match &self.records {
            Some(records) => write!(f, ", records {} to {}", records.start(), records.end())?,
            None => write!(f, ", no records")?,
        }
        for (kind, count) in &self.kinds {
            write!(f, ", {count} {kind}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Foreign => f.write_str("not a file of this crate"),
            Self::Newer { found } => write!(f, "of the later format {found}"),
            Self::Bad { offset, what } => write!(f, "bad from byte {offset} on ({what})"),
        }
    }
}

impl fmt::Display for OpeningForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, why) in &self.skipped_checkpoints {
            writeln!(f, "opening passes over {file}: {why}")?;
        }
        let start = self.checkpoint.as_deref().unwrap_or("nothing");
        let Self { records, events, sweeps, last_record, .. } = self;
        write!(
            f,
            "opening begins with {start}, replays {records} records ({events} events, {sweeps} sweeps), and ends \
             with record {last_record}"
        )?;
        match &self.torn {
            Some(torn) => write!(
                f,
                "\nopening cuts off {} bytes ({} events) from byte {} of {} on, which were never durable",
                torn.n_bytes, torn.n_events, torn.offset, torn.file
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_needed() {
            return f.write_str("there is nothing to repair: what opening reads is whole");
        }
        for (file, why) in self.dropped_checkpoints() {
            writeln!(f, "remove {file}: {why}")?;
        }
        if let Some(damage) = self.damage() {
            writeln!(f, "{damage}")?;
        }
        if let Some(tail) = self.dropped_tail() {
            writeln!(f, "{tail}")?;
        }
        let start = self.checkpoint().unwrap_or("the first record");
        write!(f, "what is kept begins with {start} and ends with record {}", self.last_record())
    }
}

impl fmt::Display for DroppedTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, n_bytes, n_records, n_events, .. } = self;
        match offset {
            0 => writeln!(f, "remove {file}")?,
            _ => writeln!(f, "cut {file} off at byte {offset}")?,
        }
        for file in &self.removed {
            writeln!(f, "remove {file}")?;
        }
        write!(
            f,
            "that is {n_bytes} bytes, with {n_records} records that can still be read, {n_events} of them events"
        )
    }
}
