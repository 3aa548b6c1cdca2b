//! What a receipt promises about a power cut, and how the journal may fail to keep it.

use std::io;
use std::time::Duration;

use crate::guard::fenced;
use crate::storage::StorageFailure;

/// When an event is safe, and from what.
///
/// Whichever it is, an event is in the journal before its receipt is completed and before any query can see
/// it, and the order of events is kept: what survives is always a front part of what was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Handed to the operating system before the receipt completes: it survives the end of the process by any
    /// means, a kill included, but a power cut or a crash of the system only once the system has written it,
    /// which may take half a minute. Nothing is synced but for a flush, a full segment, and at the end.
    Buffered,
    /// As [`Buffered`](Self::Buffered), and what has come in is synced in the background no later than this
    /// after it came, plus what the device takes: a power cut costs about so much of the latest events. The
    /// writer never waits for the device.
    Interval(Duration),
    /// Synced before the receipt completes: a completed receipt survives a power cut. Events that are taken in
    /// together are synced together, so many senders wait for one sync; a single one gets no further than a few
    /// hundred events a second.
    Immediate,
}

/// Asks the storage for something. It may be the host's: a panic in it is a failure like any other.
pub(super) fn asked<T>(
    operation: &'static str,
    file: &str,
    call: impl FnOnce() -> io::Result<T>,
) -> Result<T, StorageFailure> {
    let (kind, message) = match fenced(call) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => (error.kind(), error.to_string()),
        Err(panic) => (io::ErrorKind::Other, format!("the storage panicked: {panic}")),
    };
    Err(StorageFailure { operation, file: file.to_owned(), kind, message })
}
