//! The circumstances of a listen, as far as the host knows them.

use std::time::Duration;

use super::Timestamp;

/// The listener's offset from UTC, in whole minutes: what turns a time stamp into a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// Minutes a day has.
    const DAY_MINUTES: i16 = 24 * 60;

    /// `minutes` east of UTC; `None` outside ±24 hours.
    pub fn from_minutes(minutes: i16) -> Option<Self> {
        (-Self::DAY_MINUTES..=Self::DAY_MINUTES).contains(&minutes).then_some(Self(minutes))
    }

    /// Minutes east of UTC.
    pub fn minutes(self) -> i16 {
        self.0
    }
}

macro_rules! short_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(::std::sync::Arc<str>);

        impl $name {
            /// The name as the host gave it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}
pub(super) use short_name;

short_name! {
    /// What the listener is doing, in the host's own words: `"running"`, `"commuting"`.
    Activity
}
short_name! {
    /// What it plays on, in the host's own words: `"phone"`, `"car"`.
    Device
}
short_name! {
    /// The host's key of one sitting.
    SessionId
}

/// The circumstances of an event. Everything is optional.
///
/// ```
/// use segue::{Context, UtcOffset};
///
/// let context = Context::new()
///     .utc_offset(UtcOffset::from_minutes(120).expect("two hours"))
///     .activity("running")
///     .device("phone");
/// assert_eq!(context.activity.as_ref().map(|activity| activity.as_str()), Some("running"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Context {
    /// The listener's offset from UTC.
    pub utc_offset: Option<UtcOffset>,
    /// What the listener is doing.
    pub activity: Option<Activity>,
    /// What it plays on.
    pub device: Option<Device>,
    /// The sitting it belongs to.
    pub session: Option<SessionId>,
}

impl Context {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the listener's offset from UTC.
    #[must_use]
    pub fn utc_offset(self, offset: UtcOffset) -> Self {
        Self { utc_offset: Some(offset), ..self }
    }

    /// With what the listener is doing.
    #[must_use]
    pub fn activity(self, activity: impl Into<Activity>) -> Self {
        Self { activity: Some(activity.into()), ..self }
    }

    /// With what it plays on.
    #[must_use]
    pub fn device(self, device: impl Into<Device>) -> Self {
        Self { device: Some(device.into()), ..self }
    }

    /// With the sitting it belongs to.
    #[must_use]
    pub fn session(self, session: impl Into<SessionId>) -> Self {
        Self { session: Some(session.into()), ..self }
    }
}

/// One of the eight three-hour parts of a local day, 0 being midnight to three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayPart(u8);

impl DayPart {
    /// Parts of a day.
    pub(crate) const COUNT: usize = 8;

    /// The part that `at` falls into where the clock is `offset` from UTC.
    pub(crate) fn of(at: Timestamp, offset: UtcOffset) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        let day_ms = i64::try_from(DAY.as_millis()).expect("a day in milliseconds fits");
        let parts = i64::try_from(Self::COUNT).expect("eight fits");
        let local_ms = at.unix_ms().saturating_add(i64::from(offset.minutes()) * 60_000);
        let part = local_ms.rem_euclid(day_ms) / (day_ms / parts);
        Self(u8::try_from(part).expect("rem_euclid keeps the part below eight"))
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its number as a byte.
    pub(crate) fn get(self) -> u8 {
        self.0
    }

    /// Part number `part`; `None` if a day has fewer.
    pub(crate) fn new(part: u8) -> Option<Self> {
        (usize::from(part) < Self::COUNT).then_some(Self(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_hour_decides_the_day_part() {
        let midnight = Timestamp::from_unix_seconds(0);
        let east = UtcOffset::from_minutes(180).expect("in range");
        let west = UtcOffset::from_minutes(-1).expect("in range");
        assert_eq!(DayPart::of(midnight, UtcOffset::default()).index(), 0);
        assert_eq!(DayPart::of(midnight, east).index(), 1);
        assert_eq!(DayPart::of(midnight, west).index(), 7);
        assert_eq!(DayPart::of(Timestamp::from_unix_ms(i64::MIN), west).index() / 8, 0);
    }

    #[test]
    fn offsets_beyond_a_day_are_refused() {
        assert_eq!(UtcOffset::from_minutes(1_441), None);
    }
}
