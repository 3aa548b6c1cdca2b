//! The clock of an engine, under watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::guard::Watch;
use crate::types::{Clock, Timestamp};

/// The first moment of the year 1 and the last of the year 9999: no clock shows another.
const SENSE: (i64, i64) = (-62_135_596_800_000, 253_402_300_799_999);

/// Whether there is such a time.
pub(crate) fn is_sensible(time: Timestamp) -> bool {
    (SENSE.0..=SENSE.1).contains(&time.unix_ms())
}

/// A clock that may be the host's. Clones are the same clock.
///
/// What panics, or shows a time that cannot be, is counted; the time it showed before is taken in its stead.
#[derive(Debug, Clone)]
pub(crate) struct WatchedClock {
    clock: Arc<dyn Clock>,
    watch: Arc<Watch>,
    /// What it showed last, in milliseconds; 1970 if it has never shown anything.
    last: Arc<AtomicI64>,
}

impl WatchedClock {
    pub(crate) fn new(clock: Arc<dyn Clock>, watch: Arc<Watch>) -> Self {
        Self { clock, watch, last: Arc::default() }
    }

    /// The time, as well as it is known.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.watch.call_often(|| self.clock.now());
        let sensible = now.filter(|&now| is_sensible(now)).map(Timestamp::unix_ms);
        if let (Some(now), None) = (now, sensible) {
            let ms = now.unix_ms();
            self.watch.nonsense(format!("{ms} ms after the beginning of 1970, which is no time"));
        }
        // ORDERING: a clock publishes nothing but its own value.
        let last = self.last.load(Ordering::Relaxed);
        let now = sensible.unwrap_or(last);
        if now != last {
            self.last.store(now, Ordering::Relaxed);
        }
        Timestamp::from_unix_ms(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::types::ManualClock;

    #[test]
    fn a_time_that_cannot_be_is_counted_and_the_one_before_is_taken() {
        let (clock, watch) = (ManualClock::default(), Arc::new(Watch::new("clock", Duration::from_secs(60))));
        let watched = WatchedClock::new(Arc::new(clock.clone()), Arc::clone(&watch));
        let show = |ms| {
            clock.set(Timestamp::from_unix_ms(ms));
            watched.now().unix_ms()
        };
        assert_eq!((show(5), show(i64::MAX), show(i64::MIN), show(-7)), (5, 5, 5, -7));
        assert_eq!(watch.stats().nonsense, 2);
    }
}
