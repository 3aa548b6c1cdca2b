//! What an event means: the first policy a host will want to change.

use std::any::Any;
use std::fmt;

use crate::model::SkipRates;
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
    /// How often the item is skipped by anybody: the share of skips among its listens and skips before this event, drawn
    /// to the share over all items as by 20 events of it. 0 where nothing was ever skipped, and in a private session.
    pub item_skip_rate: f32,
    /// How often anything is skipped in these circumstances (the part of the day, and the device), drawn to the share over
    /// all in the same way.
    pub context_skip_rate: f32,
}

impl<'a> EventFacts<'a> {
    pub(crate) fn new(event: &'a Event, action: &'a ActionKind, at: Timestamp, rates: SkipRates) -> Self {
        Self {
            user: event.user(),
            item: event.item(),
            action,
            played: event.how_far(),
            at,
            context: event.circumstances(),
            item_skip_rate: rates.of_item,
            context_skip_rate: rates.of_context,
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
pub trait Weigher: Any + fmt::Debug + Send + Sync {
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
        Signal::new(preference, 1.0).expect("constants in range")
    }
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
