//! An event that has been found well formed.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::guard::Counter;
use crate::model::WatchedClock;
use crate::types::{
    Action, ActionKind, DayPart, Event, IdempotencyKey, ItemId, MAX_ID_BYTES, Played, Timestamp,
};

/// Why an event is not taken in. Nothing was queued and nothing has changed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum EventError {
    /// The user id is empty.
    #[error("the user id is empty; give every listener a key")]
    EmptyUserId,
    /// The item id is empty.
    #[error("the item id is empty; give every item a key")]
    EmptyItemId,
    /// An id, an idempotency key or a name is longer than [`MAX_ID_BYTES`].
    #[error("the {what} is {got} bytes long; at most {MAX_ID_BYTES} are taken")]
    TooLong {
        /// Which one.
        what: &'static str,
        /// Its length in bytes.
        got: usize,
    },
    /// The played fraction is NaN, infinite or negative.
    #[error("the played fraction must be a finite number of at least 0, got {got}")]
    Fraction {
        /// The refused value.
        got: f32,
    },
    /// The time stamp is further in the future than clocks are apart.
    #[error("the event is {ahead:?} in the future; check its unit (milliseconds) or the sender's clock")]
    Future {
        /// How far.
        ahead: Duration,
    },
}

impl EventError {
    /// A short name of the reason that stays the same: for logs and metrics.
    pub fn name(&self) -> &'static str {
        REASONS[self.reason()]
    }

    /// Its place in [`REASONS`].
    fn reason(&self) -> usize {
        match self {
            Self::EmptyUserId => 0,
            Self::EmptyItemId => 1,
            Self::TooLong { .. } => 2,
            Self::Fraction { .. } => 3,
            Self::Future { .. } => 4,
        }
    }
}

/// The names of all reasons.
const REASONS: [&str; 5] = ["empty_user_id", "empty_item_id", "too_long", "fraction", "future"];

/// An event that is not well formed, and why.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("the event is not well formed: {error}")]
#[non_exhaustive]
pub struct InvalidEvent {
    /// The event, as it was sent.
    pub event: Event,
    /// What is wrong with it.
    pub error: EventError,
}

/// A validated event with a definite time. [`Admission::admit`] makes one, or the journal that kept one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Interaction {
    event: Event,
    at: Timestamp,
}

impl Interaction {
    /// One that was admitted before.
    pub(crate) fn recovered(event: Event, at: Timestamp) -> Self {
        Self { event, at }
    }

    pub(crate) fn event(&self) -> &Event {
        &self.event
    }

    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn into_event(self) -> Event {
        self.event
    }

    /// The local part of the day, or that of UTC where the offset is not known.
    pub(crate) fn day_part(&self) -> DayPart {
        let offset = self.event.circumstances().and_then(|context| context.utc_offset);
        DayPart::of(self.at, offset.unwrap_or_default())
    }
}

/// What an event must satisfy to be taken in.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    clock: WatchedClock,
    max_ahead: Duration,
    invalid: Arc<InvalidCounts>,
}

/// Events that were not well formed, by reason.
#[derive(Debug, Default)]
pub(crate) struct InvalidCounts([Counter; REASONS.len()]);

impl InvalidCounts {
    /// The names of all reasons, and how many there were of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.into_iter().zip(self.0.iter().map(Counter::get))
    }
}

impl Admission {
    /// What is not admitted is counted in `invalid`.
    pub(crate) fn new(clock: WatchedClock, max_ahead: Duration, invalid: Arc<InvalidCounts>) -> Self {
        Self { clock, max_ahead, invalid }
    }

    /// Validates `event` and gives it a time; hands it back with the reason if it is not well formed.
    pub(crate) fn admit(&self, event: Event) -> Result<Interaction, Box<InvalidEvent>> {
        let now = self.clock.now();
        match check(&event, now, self.max_ahead) {
            Ok(()) => {
                let at = event.timestamp().unwrap_or(now);
                Ok(Interaction { event, at })
            }
            Err(error) => {
                self.invalid.0[error.reason()].add(1);
                Err(Box::new(InvalidEvent { event, error }))
            }
        }
    }
}

/// Whether an item may be added by this id.
pub(crate) fn check_item(item: &ItemId) -> Result<(), EventError> {
    match item.len_bytes() {
        0 => Err(EventError::EmptyItemId),
        got if got > MAX_ID_BYTES => Err(EventError::TooLong { what: "item id", got }),
        _ => Ok(()),
    }
}

fn check(event: &Event, now: Timestamp, max_ahead: Duration) -> Result<(), EventError> {
    if event.user().len_bytes() == 0 {
        return Err(EventError::EmptyUserId);
    }
    if event.item().len_bytes() == 0 {
        return Err(EventError::EmptyItemId);
    }
    let context = event.circumstances();
    let (Action::Do(kind) | Action::Undo(kind)) = event.action();
    let custom_name = match kind {
        ActionKind::Custom(name) => Some(name.as_str()),
        ActionKind::Listen | ActionKind::Skip | ActionKind::Like | ActionKind::Dislike | ActionKind::Save => {
            None
        }
    };
    let lengths = [
        ("user id", Some(event.user().len_bytes())),
        ("item id", Some(event.item().len_bytes())),
        ("idempotency key", event.idempotency_key().map(IdempotencyKey::len_bytes)),
        ("action name", custom_name.map(str::len)),
        ("activity", context.and_then(|context| context.activity.as_ref()).map(|name| name.as_str().len())),
        ("device", context.and_then(|context| context.device.as_ref()).map(|name| name.as_str().len())),
        ("session id", context.and_then(|context| context.session.as_ref()).map(|name| name.as_str().len())),
    ];
    for (what, length) in lengths {
        if let Some(got) = length.filter(|&length| length > MAX_ID_BYTES) {
            return Err(EventError::TooLong { what, got });
        }
    }
    if let Played::Fraction(got) = event.how_far()
        && !(got >= 0.0 && got.is_finite())
    {
        return Err(EventError::Fraction { got });
    }
    let ahead = event.timestamp().map_or(Duration::ZERO, |at| at.saturating_since(now));
    if ahead > max_ahead {
        return Err(EventError::Future { ahead });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Watch;
    use crate::types::{Context, ManualClock};

    fn admission() -> Admission {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_000)));
        let watch = Arc::new(Watch::new("clock", Duration::from_secs(60)));
        Admission::new(WatchedClock::new(clock, watch), Duration::from_secs(60), Arc::default())
    }

    fn error_of(event: Event) -> EventError {
        let refused = admission().admit(event.clone()).expect_err("refused");
        // Compared as text: a NaN fraction is not equal to itself.
        assert_eq!(format!("{:?}", refused.event), format!("{event:?}"));
        refused.error
    }

    #[test]
    fn malformed_events_are_handed_back_with_the_reason() {
        let long = "x".repeat(257);
        assert_eq!(error_of(Event::listen("", "b")), EventError::EmptyUserId);
        assert_eq!(error_of(Event::listen("a", "")), EventError::EmptyItemId);
        assert_eq!(
            error_of(Event::listen("a", long.as_str())),
            EventError::TooLong { what: "item id", got: 257 }
        );
        for event in [
            Event::listen(long.as_str(), "b"),
            Event::listen("a", "b").key(long.as_str()),
            Event::custom("a", "b", long.as_str()),
            Event::undo(Event::custom("a", "b", long.as_str())),
            Event::listen("a", "b").context(Context::new().session(long.as_str())),
        ] {
            assert!(matches!(error_of(event), EventError::TooLong { got: 257, .. }));
        }
        for fraction in [f32::NAN, -0.1, f32::INFINITY, f32::NEG_INFINITY] {
            let error = error_of(Event::skip("a", "b").at_fraction(fraction));
            assert!(matches!(error, EventError::Fraction { .. }), "{fraction}: {error}");
        }
        let late = Event::listen("a", "b").at(Timestamp::from_unix_seconds(1_061));
        assert_eq!(error_of(late), EventError::Future { ahead: Duration::from_secs(61) });
    }

    #[test]
    fn what_is_not_admitted_is_counted_by_reason() {
        let admission = admission();
        for event in [Event::listen("", "b"), Event::listen("", "c"), Event::skip("a", "b").at_fraction(-1.0)]
        {
            let refused = admission.clone().admit(event).expect_err("refused");
            assert!(["empty_user_id", "fraction"].contains(&refused.error.name()));
        }
        assert!(admission.admit(Event::listen("a", "b")).is_ok());
        let counted: Vec<_> = admission.invalid.iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counted, [("empty_user_id", 2), ("fraction", 1)]);
    }

    #[test]
    fn an_event_without_a_time_gets_the_present() {
        let admitted = admission().admit(Event::listen("a", "b")).expect("well formed");
        assert_eq!(admitted.at(), Timestamp::from_unix_seconds(1_000));
        let past = Event::listen("a", "b").at(Timestamp::from_unix_ms(i64::MIN));
        assert_eq!(admission().admit(past).expect("the past is fine").at().unix_ms(), i64::MIN);
    }
}
