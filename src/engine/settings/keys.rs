//! Every setting by its key: one table for files, checks, differences and the documentation.

use std::time::Duration;

use super::live::{LiveSettings, SettingError};
use crate::als::AlsParams;
use crate::training::{QualityGate, SweepEvery};

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// Section and name, as in a file.
    pub(super) name: &'static str,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) whole: bool,
    /// `None` if the place is taken by a plug-in of the host's own.
    pub(super) get: fn(&LiveSettings) -> Option<f64>,
    /// Sets a value in range; nothing if the place is taken.
    #[cfg_attr(not(feature = "reload"), expect(dead_code, reason = "values come from files"))]
    pub(super) set: fn(&mut LiveSettings, f64),
}

impl Key {
    pub(super) fn check(&self, got: f64) -> Result<(), SettingError> {
        let Self { name: key, least, most, whole, .. } = *self;
        // False for NaN.
        let fits = got >= least && got <= most && !(whole && got.fract() != 0.0);
        if fits { Ok(()) } else { Err(SettingError::OutOfRange { key, got, least, most, whole }) }
    }

    /// What takes the place of the built-in plug-in that has this setting.
    pub(super) fn seam(&self) -> &'static str {
        match self.name.split_once('.') {
            Some(("gate", _)) => "sweep gate",
            Some(("weigher", _)) => "weigher",
            _ => "sweep policy",
        }
    }
}

/// The most of whatever is counted: far beyond use, and exact as a float.
const MANY: f64 = 1e9;

/// A number of the weigher's.
macro_rules! of_weigher {
    ($field:ident, $least:expr, $most:expr) => {
        Key {
            name: concat!("weigher.", stringify!($field)),
            least: $least,
            most: $most,
            whole: false,
            get: |all| Some(shortest(all.weigher?.$field)),
            set: |all, value| {
                if let Some(weigher) = &mut all.weigher {
                    weigher.$field = single(value);
                }
            },
        }
    };
}

/// A number of the gate's that need not be whole.
macro_rules! of_gate {
    ($field:ident, $least:expr, $most:expr) => {
        Key {
            name: concat!("gate.", stringify!($field)),
            least: $least,
            most: $most,
            whole: false,
            get: |all| Some(all.gate?.$field),
            set: |all, value| with_gate(all, |gate| gate.$field = value),
        }
    };
}

/// All of them; `docs::settings` explains each.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "als.n_factors",
        least: 1.0,
        most: float(AlsParams::MAX_FACTORS),
        whole: true,
        get: |all| Some(float(all.n_factors)),
        set: |all, value| all.n_factors = count(value),
    },
    Key {
        name: "als.regularization",
        least: 1e-37,
        most: 1e6,
        whole: false,
        get: |all| Some(shortest(all.regularization)),
        set: |all, value| all.regularization = single(value),
    },
    Key {
        name: "als.unobserved_weight",
        least: 0.0,
        most: 1e6,
        whole: false,
        get: |all| Some(shortest(all.unobserved_weight)),
        set: |all, value| all.unobserved_weight = single(value),
    },
    Key {
        name: "als.frequency_exponent",
        least: 0.0,
        most: 2.0,
        whole: false,
        get: |all| Some(shortest(all.frequency_exponent)),
        set: |all, value| all.frequency_exponent = single(value),
    },
    Key {
        name: "limits.max_history",
        least: 1.0,
        most: MANY,
        whole: true,
        get: |all| Some(float(all.max_history)),
        set: |all, value| all.max_history = count(value),
    },
    Key {
        name: "limits.recent_events",
        least: 0.0,
        most: MANY,
        whole: true,
        get: |all| Some(float(all.recent_events)),
        set: |all, value| all.recent_events = count(value),
    },
    Key {
        name: "limits.dedupe_window",
        least: 0.0,
        most: MANY,
        whole: true,
        get: |all| Some(float(all.dedupe_window)),
        set: |all, value| all.dedupe_window = count(value),
    },
    Key {
        name: "sweeps.first",
        least: 1.0,
        most: 1_000.0,
        whole: true,
        get: |all| Some(float(all.first_sweeps)),
        set: |all, value| all.first_sweeps = count(value),
    },
    Key {
        name: "sweeps.later",
        least: 1.0,
        most: 1_000.0,
        whole: true,
        get: |all| Some(float(all.later_sweeps)),
        set: |all, value| all.later_sweeps = count(value),
    },
    Key {
        name: "sweeps.every_seconds",
        least: 0.0,
        most: MANY,
        whole: false,
        get: |all| Some(all.sweep_every?.period().map_or(0.0, |period| period.as_secs_f64())),
        set: |all, value| {
            with_policy(all, |policy| policy.with_period(Some(Duration::from_secs_f64(value))));
        },
    },
    Key {
        name: "sweeps.every_events",
        least: 0.0,
        most: 1e15,
        whole: true,
        get: |all| Some(wide(all.sweep_every?.n_events().unwrap_or(0))),
        set: |all, value| with_policy(all, |policy| policy.with_n_events(Some(whole(value)))),
    },
    Key {
        name: "sweeps.gramian_moved",
        least: 0.0,
        most: 1e6,
        whole: false,
        get: |all| Some(all.sweep_every?.movement().unwrap_or(0.0)),
        set: |all, value| with_policy(all, |policy| policy.with_movement(Some(value))),
    },
    Key {
        name: "sweeps.first_after_events",
        least: 1.0,
        most: 1e15,
        whole: true,
        get: |all| Some(wide(all.sweep_every?.events_before_first())),
        set: |all, value| with_policy(all, |policy| policy.first_after(whole(value))),
    },
    Key {
        name: "items.batch_every_ms",
        least: 0.0,
        most: MANY,
        whole: false,
        get: |all| Some(all.item_batch_every.as_secs_f64() * 1e3),
        set: |all, value| all.item_batch_every = Duration::from_secs_f64(value / 1e3),
    },
    of_gate!(t_limit, 0.0, 1e6),
    of_gate!(tolerated_loss, 0.0, 1.0),
    Key {
        name: "gate.min_trials",
        least: 2.0,
        most: MANY,
        whole: true,
        get: |all| Some(float(all.gate?.min_trials)),
        set: |all, value| with_gate(all, |gate| gate.min_trials = count(value)),
    },
    of_gate!(max_norm_growth, 1.0, 1e6),
    of_gate!(min_coverage, 0.0, 1.0),
    of_gate!(min_overlap, 0.0, 1.0),
    of_gate!(old_until, 1.0, 1e6),
    of_weigher!(mostly_heard, 0.0, 1.0),
    of_weigher!(barely_heard, 0.0, 1.0),
    of_weigher!(listen, 0.0, 1_000.0),
    of_weigher!(half_heard, 0.0, 1.0),
    of_weigher!(skip_preference, -1.0, 0.0),
    of_weigher!(skip, 0.0, 1_000.0),
    of_weigher!(skip_discount, 0.0, 1.0),
    of_weigher!(late_skip, 0.0, 1_000.0),
    of_weigher!(like, 0.0, 1_000.0),
    of_weigher!(save, 0.0, 1_000.0),
    of_weigher!(dislike_preference, -16.0, 0.0),
    of_weigher!(dislike, 0.0, 1_000.0),
    of_weigher!(custom, 0.0, 1_000.0),
    of_weigher!(typical_length_s, 1.0, 86_400.0),
];

fn with_policy(all: &mut LiveSettings, change: impl FnOnce(SweepEvery) -> SweepEvery) {
    all.sweep_every = all.sweep_every.map(change);
}

fn with_gate(all: &mut LiveSettings, change: impl FnOnce(&mut QualityGate)) {
    if let Some(gate) = &mut all.gate {
        change(gate);
    }
}

/// What a person would write for a single: 0.003, not its neighbour 0.003000000026.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

#[expect(clippy::cast_possible_truncation, reason = "a value in range is in that of f32")]
fn single(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a setting need not be told to the last unit")]
const fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "as above")]
fn wide(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number in range")]
fn count(value: f64) -> usize {
    value as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number in range")]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineBuilder;

    #[test]
    fn the_documentation_has_every_key_with_its_range_and_default() {
        let page = include_str!("../../docs/settings.md");
        let engine = EngineBuilder::default().threads(1).open_manual().expect("usable settings");
        let settings = engine.settings();
        let rows: Vec<Vec<&str>> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        assert_eq!(rows.len(), KEYS.len());
        for (row, key) in rows.iter().zip(KEYS) {
            assert_eq!(row[0], format!("`{}`", key.name));
            let bounds: Vec<f64> =
                row[3].split(" to ").map(|bound| bound.parse().expect("a number")).collect();
            assert_eq!(bounds, [key.least, key.most], "{}", key.name);
            let default: f64 = row[4].parse().expect("a number");
            assert_eq!(Some(default), (key.get)(&settings), "{}", key.name);
        }
    }

    #[test]
    fn what_is_set_is_what_is_got_and_nothing_else_changes() {
        let engine = EngineBuilder::default().threads(1).open_manual().expect("usable settings");
        for key in KEYS {
            let before = engine.settings();
            for value in [key.least.max(-8.0), key.least.max(1.0).min(key.most), key.most.min(1_000.0)] {
                let mut after = before.clone();
                (key.set)(&mut after, value);
                assert_eq!((key.get)(&after), Some(value), "{}", key.name);
                assert!(
                    before.changes_to(&after).iter().all(|change| change.key == key.name),
                    "{}",
                    key.name
                );
            }
        }
    }
}
