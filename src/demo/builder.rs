//! Settings of an invented world.

use std::time::Duration;

use thiserror::Error;

use crate::types::Timestamp;

use super::DemoWorld;

/// Collects the settings of a [`DemoWorld`]; [`build`](Self::build) checks them.
///
/// ```
/// use segue::demo::{DemoWorld, DemoWorldError};
///
/// let village = DemoWorld::builder().n_artists(40).n_listeners(12).build()?;
/// assert_eq!((village.artists().len(), village.listeners().len()), (40, 12));
/// assert_eq!(
///     DemoWorld::builder().n_listeners(0).build().unwrap_err(),
///     DemoWorldError::NListeners { got: 0 },
/// );
/// # Ok::<(), DemoWorldError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct DemoWorldBuilder {
    pub(super) seed: u64,
    pub(super) n_artists: u32,
    pub(super) n_listeners: u32,
    pub(super) start: Timestamp,
    pub(super) taste_life: Duration,
    pub(super) context_share: f64,
}

/// Why there is no world with these settings.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DemoWorldError {
    /// No artists, or too many.
    #[error("n_artists must be between 1 and 1000000, got {got}")]
    NArtists {
        /// The refused value.
        got: u32,
    },
    /// No listeners, or too many.
    #[error("n_listeners must be between 1 and 10000000, got {got}")]
    NListeners {
        /// The refused value.
        got: u32,
    },
    /// Tastes that change within an hour, or never within a life.
    #[error("taste_life must be between an hour and a hundred years, got {got:?}")]
    TasteLife {
        /// The refused value.
        got: Duration,
    },
    /// Not a share.
    #[error("context_share must be between 0 and 1, got {got}")]
    ContextShare {
        /// The refused value.
        got: f64,
    },
}

const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Default for DemoWorldBuilder {
    fn default() -> Self {
        Self {
            seed: 1,
            n_artists: 2_000,
            n_listeners: 5_000,
            // 2025-01-01 00:00 UTC.
            start: Timestamp::from_unix_seconds(1_735_689_600),
            taste_life: 240 * DAY,
            context_share: 0.2,
        }
    }
}

impl DemoWorldBuilder {
    /// What everything is drawn from: equal settings give equal worlds and events. Default 1.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// How many artists, 1 to 1,000,000. Default 2,000.
    #[must_use]
    pub fn n_artists(self, n_artists: u32) -> Self {
        Self { n_artists, ..self }
    }

    /// How many listeners, 1 to 10,000,000. Default 5,000: about 75,000 events a day of the world's time.
    /// Each takes some 600 bytes of memory, most of it in [`DemoEvents`](super::DemoEvents).
    #[must_use]
    pub fn n_listeners(self, n_listeners: u32) -> Self {
        Self { n_listeners, ..self }
    }

    /// When the events begin. Default 2025-01-01 00:00 UTC.
    #[must_use]
    pub fn start(self, start: Timestamp) -> Self {
        Self { start, ..self }
    }

    /// How long a taste lives before another takes its place, an hour to a hundred years. Each listener
    /// has four, which change one at a time. Default 240 days: a quarter of what a listener loves is new
    /// every 60 days.
    #[must_use]
    pub fn taste_life(self, taste_life: Duration) -> Self {
        Self { taste_life, ..self }
    }

    /// The share of listeners whose events carry a [`Context`](crate::Context), 0 to 1. Default 0.2.
    #[must_use]
    pub fn context_share(self, context_share: f64) -> Self {
        Self { context_share, ..self }
    }

    /// Invents the world. With the defaults it takes milliseconds.
    ///
    /// # Errors
    /// [`DemoWorldError`] names the first setting that is out of range.
    pub fn build(self) -> Result<DemoWorld, DemoWorldError> {
        if !(1..=1_000_000).contains(&self.n_artists) {
            return Err(DemoWorldError::NArtists { got: self.n_artists });
        }
        if !(1..=10_000_000).contains(&self.n_listeners) {
            return Err(DemoWorldError::NListeners { got: self.n_listeners });
        }
        if !(DAY / 24..=36_525 * DAY).contains(&self.taste_life) {
            return Err(DemoWorldError::TasteLife { got: self.taste_life });
        }
        if !(0.0..=1.0).contains(&self.context_share) {
            return Err(DemoWorldError::ContextShare { got: self.context_share });
        }
        Ok(DemoWorld::invent(&self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_a_world_are_refused_by_name() {
        let world = DemoWorld::builder;
        let refusal = |builder: DemoWorldBuilder| builder.build().expect_err("out of range");
        assert_eq!(refusal(world().n_artists(0)), DemoWorldError::NArtists { got: 0 });
        assert_eq!(refusal(world().n_artists(1_000_001)), DemoWorldError::NArtists { got: 1_000_001 });
        assert_eq!(refusal(world().n_listeners(0)), DemoWorldError::NListeners { got: 0 });
        let got = Duration::from_secs(3_599);
        assert_eq!(refusal(world().taste_life(got)), DemoWorldError::TasteLife { got });
        assert_eq!(
            refusal(world().taste_life(Duration::MAX)),
            DemoWorldError::TasteLife { got: Duration::MAX }
        );
        for got in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(refusal(world().context_share(got)), DemoWorldError::ContextShare { .. }));
        }
    }
}
