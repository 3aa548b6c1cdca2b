//! A histogram of durations that threads fill without locking.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Each power of two of nanoseconds is split into this many equal parts, so a percentile is read to
/// within 1/16 of its value.
const PARTS: usize = 16;
/// Powers of two covered: up to 2^40 ns, some 18 minutes; longer counts as that.
const POWERS: usize = 40;

/// Counts durations in logarithmic buckets.
pub(crate) struct LatencyHistogram {
    buckets: Box<[AtomicU64]>,
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self { buckets: (0..=POWERS * PARTS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl fmt::Debug for LatencyHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary().fmt(f)
    }
}

impl LatencyHistogram {
    pub(crate) fn record(&self, duration: Duration) {
        // ORDERING: a statistic publishes nothing but its own value.
        self.buckets[bucket_of(duration)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn summary(&self) -> LatencySummary {
        let counts = self.counts();
        let count = counts.iter().sum();
        LatencySummary {
            count,
            total: total(&counts),
            p50: percentile(&counts, count, 50),
            p99: percentile(&counts, count, 99),
            max: percentile(&counts, count, 100),
            by_power: ByPower::of(&counts),
        }
    }

    fn counts(&self) -> Vec<u64> {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect()
    }
}

/// What a histogram of latencies says. Percentiles are upper edges of buckets, 1/16 wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LatencySummary {
    /// How many were measured.
    pub count: u64,
    /// All of them together, to within 1/32.
    pub total: Duration,
    /// Half were at most this long.
    pub p50: Duration,
    /// 99 of 100 were at most this long.
    pub p99: Duration,
    /// All were at most this long.
    pub max: Duration,
    by_power: ByPower,
}

/// How many there are from each power of two of nanoseconds to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ByPower([u64; POWERS + 1]);

impl LatencySummary {
    /// The histogram itself: how many were shorter than each power of two of nanoseconds, but not shorter than the one before.
    /// The last, without an edge ([`Duration::MAX`]), are those of eighteen minutes and more.
    ///
    /// ```
    /// # let stats = segue::Engine::builder().open()?.stats();
    /// let below_a_millisecond: u64 = (stats.stages.query.buckets())
    ///     .filter(|(edge, _)| edge.as_nanos() <= 1 << 20)
    ///     .map(|(_, n)| n)
    ///     .sum();
    /// assert!(below_a_millisecond <= stats.stages.query.count);
    /// # Ok::<(), segue::BuildError>(())
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + use<> {
        let edge = |power: usize| {
            if power < POWERS { Duration::from_nanos(1 << (power + 1)) } else { Duration::MAX }
        };
        self.by_power.0.into_iter().enumerate().map(move |(power, n)| (edge(power), n))
    }
}

impl ByPower {
    fn of(counts: &[u64]) -> Self {
        let mut by_power = Self::default();
        for (sum, parts) in by_power.0.iter_mut().zip(counts.chunks(PARTS)) {
            *sum = parts.iter().sum();
        }
        by_power
    }
}

impl Default for ByPower {
    fn default() -> Self {
        Self([0; POWERS + 1])
    }
}

impl fmt::Debug for ByPower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = self.0.iter().enumerate().filter(|&(_, &n)| n > 0);
        f.debug_map().entries(some).finish()
    }
}

fn bucket_of(duration: Duration) -> usize {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1);
    let power = nanos.ilog2() as usize;
    if power >= POWERS {
        return POWERS * PARTS;
    }
    // The bits below the leading one, as a share of PARTS.
    let within = (u128::from(nanos - (1 << power)) * PARTS as u128) >> power;
    power * PARTS + usize::try_from(within).expect("below PARTS")
}

fn upper_edge(bucket: usize) -> Duration {
    let (power, part) = (bucket / PARTS, bucket % PARTS);
    let nanos = (1_u128 << power) * (PARTS + part + 1) as u128 / PARTS as u128;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The sum, as if each were in the middle of its bucket.
fn total(counts: &[u64]) -> Duration {
    let nanos = counts.iter().enumerate().map(|(bucket, &count)| {
        let upper = upper_edge(bucket).as_nanos();
        let width = (1_u128 << (bucket / PARTS)) / PARTS as u128;
        (upper - width / 2) * u128::from(count)
    });
    Duration::from_nanos(u64::try_from(nanos.sum::<u128>()).unwrap_or(u64::MAX))
}

fn percentile(counts: &[u64], total: u64, percent: u64) -> Duration {
    let wanted = (u128::from(total) * u128::from(percent)).div_ceil(100);
    let mut seen = 0_u128;
    for (bucket, &count) in counts.iter().enumerate() {
        seen += u128::from(count);
        if count > 0 && seen >= wanted {
            return upper_edge(bucket);
        }
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_sixteenth() {
        let histogram = LatencyHistogram::default();
        for micros in 1..=10_000_u64 {
            histogram.record(Duration::from_micros(micros));
        }
        let summary = histogram.summary();
        assert_eq!(summary.count, 10_000);
        for (got, exact) in [(summary.p50, 5_000.0), (summary.p99, 9_900.0), (summary.max, 10_000.0)] {
            let micros = got.as_secs_f64() * 1e6;
            assert!((exact..=exact * 17.0 / 16.0).contains(&micros), "{micros} for {exact}");
        }
        let (total, exact) = (summary.total.as_secs_f64(), 10_000.0 * 10_001.0 / 2.0 * 1e-6);
        assert!((total - exact).abs() < exact / 32.0, "{total} for {exact}");
    }

    #[test]
    fn those_below_a_power_of_two_are_counted_exactly() {
        let histogram = LatencyHistogram::default();
        for nanos in 0..5_000_u64 {
            histogram.record(Duration::from_nanos(nanos));
        }
        histogram.record(Duration::MAX);
        let summary = histogram.summary();
        let below = |nanos: u64| {
            let edge = Duration::from_nanos(nanos);
            summary.buckets().filter(|bucket| bucket.0 <= edge).map(|(_, n)| n).sum::<u64>()
        };
        assert_eq!([0, 1 << 10, 1 << 12, 1 << 40].map(below), [0, 1_024, 4_096, 5_000]);
        assert_eq!(summary.buckets().last(), Some((Duration::MAX, 1)));
        assert_eq!(summary.buckets().map(|(_, n)| n).sum::<u64>(), summary.count);
    }

    #[test]
    fn extremes_have_a_bucket_and_nothing_is_nothing() {
        let histogram = LatencyHistogram::default();
        assert_eq!(histogram.summary(), LatencySummary::default());
        histogram.record(Duration::ZERO);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.summary().count, 2);
    }
}
