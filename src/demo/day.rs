//! Hours of the day: when people listen, and to what.

use std::time::Duration;

use crate::kernel::SplitMix64;
use crate::types::{Timestamp, UtcOffset};

/// The energy that suits each local hour: calm at night, lively in the morning and early evening.
const ENERGY_BY_HOUR: [f64; 24] = [
    0.25, 0.20, 0.15, 0.15, 0.20, 0.35, 0.60, 0.80, 0.80, 0.70, 0.60, 0.55, 0.55, 0.55, 0.55, 0.60, 0.65,
    0.75, 0.75, 0.65, 0.55, 0.45, 0.35, 0.30,
];

/// How likely a session is to begin in each local hour, relative to the likeliest: habits of different
/// people.
pub(super) const HABITS: [[f64; 24]; 4] = [
    // On the way to work and back.
    [
        0.02, 0.01, 0.01, 0.01, 0.05, 0.25, 0.70, 1.00, 0.90, 0.40, 0.25, 0.25, 0.35, 0.25, 0.25, 0.35, 0.65,
        0.95, 0.80, 0.50, 0.40, 0.30, 0.15, 0.06,
    ],
    // At a desk.
    [
        0.02, 0.01, 0.01, 0.01, 0.02, 0.08, 0.25, 0.45, 0.80, 1.00, 1.00, 0.90, 0.60, 0.85, 0.95, 0.90, 0.75,
        0.45, 0.30, 0.30, 0.30, 0.25, 0.15, 0.06,
    ],
    // In the evening.
    [
        0.10, 0.04, 0.02, 0.01, 0.01, 0.03, 0.12, 0.20, 0.20, 0.20, 0.22, 0.25, 0.30, 0.28, 0.28, 0.32, 0.40,
        0.55, 0.75, 0.95, 1.00, 0.95, 0.65, 0.30,
    ],
    // Through the night.
    [
        0.95, 0.80, 0.60, 0.40, 0.25, 0.12, 0.08, 0.08, 0.10, 0.12, 0.15, 0.20, 0.25, 0.28, 0.30, 0.32, 0.35,
        0.40, 0.50, 0.60, 0.70, 0.85, 1.00, 1.00,
    ],
];

/// Something a listener does with music on, at its hours of the day.
#[derive(Debug)]
pub(super) struct Routine {
    pub(super) activity: &'static str,
    pub(super) device: &'static str,
    pub(super) hours: std::ops::Range<usize>,
    pub(super) energy: f64,
}

pub(super) static ROUTINES: [Routine; 5] = [
    Routine { activity: "running", device: "phone", hours: 6..10, energy: 0.92 },
    Routine { activity: "commuting", device: "car", hours: 7..10, energy: 0.65 },
    Routine { activity: "working", device: "desktop", hours: 9..17, energy: 0.40 },
    Routine { activity: "cooking", device: "speaker", hours: 17..21, energy: 0.60 },
    Routine { activity: "reading", device: "speaker", hours: 20..24, energy: 0.15 },
];

/// The hour, 0 to 23, that a clock `offset` from UTC shows at `at`.
pub(super) fn local_hour(at: Timestamp, offset: UtcOffset) -> usize {
    const HOUR_MS: i64 = 3_600_000;
    let local_ms = at.unix_ms().saturating_add(i64::from(offset.minutes()) * 60_000);
    usize::try_from(local_ms.div_euclid(HOUR_MS).rem_euclid(24)).expect("rem_euclid keeps it below 24")
}

pub(super) fn energy_at(hour: usize) -> f64 {
    ENERGY_BY_HOUR[hour]
}

/// A time span from milliseconds drawn evenly between two ends in seconds.
pub(super) fn between_seconds(from: usize, to: usize, random: &mut SplitMix64) -> Duration {
    let ms = from * 1_000 + random.below((to - from) * 1_000);
    Duration::from_millis(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_hour_follows_the_offset() {
        let east = UtcOffset::from_minutes(90).expect("in range");
        let west = UtcOffset::from_minutes(-60).expect("in range");
        let noon = Timestamp::from_unix_seconds(12 * 3_600 + 40 * 60);
        assert_eq!(local_hour(noon, UtcOffset::default()), 12);
        assert_eq!(local_hour(noon, east), 14);
        assert_eq!(local_hour(Timestamp::from_unix_seconds(0), west), 23);
    }

    #[test]
    fn habits_are_relative_to_their_likeliest_hour() {
        for habit in HABITS {
            assert!(habit.iter().copied().fold(0.0, f64::max).to_bits() == 1.0_f64.to_bits());
            assert!(habit.iter().all(|share| *share > 0.0), "or a listener might never come back");
        }
    }
}
