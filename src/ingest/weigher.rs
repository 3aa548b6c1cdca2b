//! What an event means: the first policy a host will want to change.

use std::fmt;
use std::time::Duration;

use crate::types::{ActionKind, Context, Event, ItemId, Played, Signal, Timestamp, UserId};

/// What a [`Weigher`] is told of an event. Undone actions are never weighed: the engine takes back the
/// very signal that the action was given.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EventFacts<'a> {
    /// Who.
    pub user: &'a UserId,
    /// With what.
    pub item: &'a ItemId,
    /// Did what.
    pub action: &'a ActionKind,
    /// How far it got.
    pub played: Played,
    /// When.
    pub at: Timestamp,
    /// In which circumstances, if the host said so.
    pub context: Option<&'a Context>,
}

impl<'a> EventFacts<'a> {
    pub(crate) fn new(event: &'a Event, action: &'a ActionKind, at: Timestamp) -> Self {
        Self {
            user: event.user(),
            item: event.item(),
            action,
            played: event.how_far(),
            at,
            context: event.circumstances(),
        }
    }
}

/// Says what an event means, as a preference and a confidence.
///
/// Called on the writer thread, once an event, in order; it should take well under a microsecond, and must
/// not wait for the engine it belongs to (a `send` into a full queue would wait for ever). A panic
/// is caught and counted, and the event refused. A call of more than a millisecond is counted too, of those that are timed:
/// one in 16, and more once one was slow. A [`PrivateSession`](crate::PrivateSession) calls it on the thread
/// of the host that pushes, at the same time perhaps. A closure is given with
/// [`EngineBuilder::weigh_with`](crate::EngineBuilder::weigh_with).
#[diagnostic::on_unimplemented(note = "give a closure with `EngineBuilder::weigh_with`")]
pub trait Weigher: fmt::Debug + Send + Sync + 'static {
    /// The signal of one event.
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal;
}

/// Every action counts the same: preference 1, confidence 1; skips and dislikes preference 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnitWeigher;

impl Weigher for UnitWeigher {
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal {
        let preference = match facts.action {
            ActionKind::Skip | ActionKind::Dislike => 0.0,
            ActionKind::Listen | ActionKind::Like | ActionKind::Save | ActionKind::Custom(_) => 1.0,
        };
        signal(preference, 1.0)
    }
}

/// What listens, skips and likes mean to a music service: the default.
///
/// | action | preference | confidence |
/// |---|---|---|
/// | listen, at least half | 1 | the fraction played |
/// | listen, 30 % to half | 1 | half the fraction played |
/// | listen below 30 %, skip before half | −0.5 | 0.25 × (1 − fraction) |
/// | skip from half on | 1 | a quarter of the fraction played |
/// | like | 1 | 3 |
/// | save | 1 | 4 |
/// | dislike | −1 | 2 |
/// | custom | 1 | 1 |
///
/// A time without a length counts as a fraction of three minutes; an unknown fraction as a whole listen,
/// or as a skip at once.
///
/// A skip aims at a score *below* that of an item never heard: as those aim at 0 already, a mere zero with
/// more confidence would hardly move anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MusicWeigher;

impl MusicWeigher {
    /// The length that a time without one is measured by: that of a typical track.
    const TYPICAL_LENGTH: Duration = Duration::from_secs(180);
    /// Below this fraction a listen says the same as a skip.
    const BARELY_HEARD: f32 = 0.3;
    /// From this fraction on somebody has heard most of it.
    const MOSTLY_HEARD: f32 = 0.5;
}

impl Weigher for MusicWeigher {
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal {
        let fraction = match facts.played {
            Played::Fraction(fraction) => Some(fraction.min(1.0)),
            Played::Time(time) => Some((time.as_secs_f32() / Self::TYPICAL_LENGTH.as_secs_f32()).min(1.0)),
            Played::Unknown => None,
        };
        match facts.action {
            ActionKind::Listen => match fraction.unwrap_or(1.0) {
                fraction if fraction >= Self::MOSTLY_HEARD => signal(1.0, fraction),
                fraction if fraction >= Self::BARELY_HEARD => signal(1.0, fraction / 2.0),
                fraction => moved_on(fraction),
            },
            ActionKind::Skip => match fraction.unwrap_or(0.0) {
                fraction if fraction >= Self::MOSTLY_HEARD => signal(1.0, fraction / 4.0),
                fraction => moved_on(fraction),
            },
            ActionKind::Like => signal(1.0, 3.0),
            ActionKind::Save => signal(1.0, 4.0),
            ActionKind::Dislike => signal(-1.0, 2.0),
            ActionKind::Custom(_) => signal(1.0, 1.0),
        }
    }
}

fn moved_on(fraction: f32) -> Signal {
    signal(-0.5, 0.25 * (1.0 - fraction))
}

fn signal(preference: f32, confidence: f32) -> Signal {
    Signal::new(preference, confidence).expect("constants in range times a fraction of at most 1")
}

/// A closure as a weigher.
pub(crate) struct WeighWith<F>(pub(crate) F);

impl<F> fmt::Debug for WeighWith<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeighWith(closure)")
    }
}

impl<F: Fn(&EventFacts<'_>) -> Signal + Send + Sync + 'static> Weigher for WeighWith<F> {
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal {
        (self.0)(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weigh(event: &Event) -> (f32, f32) {
        let (crate::types::Action::Do(kind) | crate::types::Action::Undo(kind)) = event.action();
        let signal = MusicWeigher.weigh(&EventFacts::new(event, kind, Timestamp::default()));
        (signal.preference(), signal.confidence())
    }

    #[test]
    fn the_table_of_the_music_weigher_holds() {
        for (event, expected) in [
            (Event::listen(1, 2), (1.0, 1.0)),
            (Event::listen(1, 2).fraction(7.0), (1.0, 1.0)),
            (Event::listen(1, 2).fraction(0.4), (1.0, 0.2)),
            (Event::listen(1, 2).fraction(0.0), (-0.5, 0.25)),
            (Event::listen(1, 2).played(Duration::from_secs(90)), (1.0, 0.5)),
            (Event::skip(1, 2), (-0.5, 0.25)),
            (Event::skip(1, 2).at_fraction(0.8), (1.0, 0.2)),
            (Event::like(1, 2), (1.0, 3.0)),
            (Event::save(1, 2), (1.0, 4.0)),
            (Event::dislike(1, 2), (-1.0, 2.0)),
            (Event::custom(1, 2, "queued"), (1.0, 1.0)),
        ] {
            assert_eq!(weigh(&event), expected, "{event:?}");
        }
    }
}
