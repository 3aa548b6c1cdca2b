//! What a host tells the engine: somebody did something with an item.

use std::time::Duration;

use super::context::short_name;
use super::ids::host_id;
use super::{Context, ItemId, Timestamp, UserId};

short_name! {
    /// The name of an action of the host's own, e.g. `"added-to-queue"`.
    ActionName
}

host_id! {
    /// A key that makes an event safe to send twice: within the engine's dedupe window the second one
    /// changes nothing and is reported as a duplicate.
    IdempotencyKey
}

/// The kinds of things a listener does, without how far they got.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActionKind {
    /// Heard it, wholly or in part.
    Listen,
    /// Moved on from it.
    Skip,
    /// Said that they like it.
    Like,
    /// Said that they do not.
    Dislike,
    /// Put it into a playlist or library.
    Save,
    /// An action of the host's own; the weigher decides what it means.
    Custom(ActionName),
}

impl ActionKind {
    /// Whether it stands until it is taken back (a like), rather than happening (a listen).
    pub(crate) fn is_statement(&self) -> bool {
        match self {
            Self::Like | Self::Dislike | Self::Save => true,
            Self::Listen | Self::Skip | Self::Custom(_) => false,
        }
    }
}

/// What was done: an action, or the taking back of the latest one of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// It happened.
    Do(ActionKind),
    /// The listener's latest such action on the item is taken back.
    Undo(ActionKind),
}

/// How far a listen or a skip got.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Played {
    /// Not known.
    #[default]
    Unknown,
    /// As a share of the item's length, 0 to 1.
    Fraction(f32),
    /// As a time, of an item of unknown length.
    Time(Duration),
}

/// One thing a listener did, as the host reports it.
///
/// ```
/// use segue::{Context, Event, Timestamp};
///
/// let event = Event::listen("ana", "portishead")
///     .fraction(0.97)
///     .at(Timestamp::from_unix_seconds(1_700_000_000))
///     .context(Context::new().activity("reading"))
///     .key("play-81723");
/// let regret = Event::undo(Event::like("ana", "portishead"));
/// # let _ = (event, regret);
/// ```
///
/// Building one checks nothing; the engine does when it takes it in, and hands back what it refuses.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    user: UserId,
    item: ItemId,
    action: Action,
    played: Played,
    at: Option<Timestamp>,
    extras: Option<Box<Extras>>,
}

/// What most events do not carry; boxed to keep [`Event`] below 128 bytes, as send errors return it.
#[derive(Debug, Clone, PartialEq, Default)]
struct Extras {
    context: Context,
    key: Option<IdempotencyKey>,
}

impl Event {
    fn new(user: impl Into<UserId>, item: impl Into<ItemId>, kind: ActionKind) -> Self {
        Self {
            user: user.into(),
            item: item.into(),
            action: Action::Do(kind),
            played: Played::Unknown,
            at: None,
            extras: None,
        }
    }

    /// `user` listened to `item`. Say how far with [`fraction`](Self::fraction) or
    /// [`played`](Self::played); without it the listen counts as a whole one.
    pub fn listen(user: impl Into<UserId>, item: impl Into<ItemId>) -> Self {
        Self::new(user, item, ActionKind::Listen)
    }

    /// `user` skipped `item`. Say where with [`at_fraction`](Self::at_fraction).
    pub fn skip(user: impl Into<UserId>, item: impl Into<ItemId>) -> Self {
        Self::new(user, item, ActionKind::Skip)
    }

    /// `user` likes `item`.
    pub fn like(user: impl Into<UserId>, item: impl Into<ItemId>) -> Self {
        Self::new(user, item, ActionKind::Like)
    }

    /// `user` dislikes `item`.
    pub fn dislike(user: impl Into<UserId>, item: impl Into<ItemId>) -> Self {
        Self::new(user, item, ActionKind::Dislike)
    }

    /// `user` saved `item` to a playlist or library.
    pub fn save(user: impl Into<UserId>, item: impl Into<ItemId>) -> Self {
        Self::new(user, item, ActionKind::Save)
    }

    /// `user` did something of the host's own with `item`.
    pub fn custom(user: impl Into<UserId>, item: impl Into<ItemId>, name: impl Into<ActionName>) -> Self {
        Self::new(user, item, ActionKind::Custom(name.into()))
    }

    /// Takes back the listener's latest action of the kind of `event` on its item; how far that got and
    /// when it was need not be known. The taking back of a taking back is the action itself.
    ///
    /// It is an event of its own: an idempotency key of `event` is left behind. Give it another with
    /// [`key`](Self::key) if it may be sent twice.
    #[must_use]
    pub fn undo(event: Self) -> Self {
        let action = match event.action {
            Action::Do(kind) => Action::Undo(kind),
            Action::Undo(kind) => Action::Do(kind),
        };
        let without_key = |extras: Box<Extras>| Box::new(Extras { key: None, ..*extras });
        Self { action, extras: event.extras.map(without_key), ..event }
    }

    /// How much was played, as a share of the item's length. Above 1 counts as 1.
    #[must_use]
    pub fn fraction(self, fraction: f32) -> Self {
        Self { played: Played::Fraction(fraction), ..self }
    }

    /// Where a skip happened, as a share of the item's length: [`fraction`](Self::fraction) by a name
    /// that reads well.
    #[must_use]
    pub fn at_fraction(self, fraction: f32) -> Self {
        self.fraction(fraction)
    }

    /// How much was played, where the item's length is not known.
    #[must_use]
    pub fn played(self, time: Duration) -> Self {
        Self { played: Played::Time(time), ..self }
    }

    /// How much was played of an item that lasts `length`. A length of zero leaves the share unknown.
    #[must_use]
    pub fn played_of(self, time: Duration, length: Duration) -> Self {
        if length.is_zero() {
            return self.played(time);
        }
        self.fraction(time.as_secs_f32() / length.as_secs_f32())
    }

    /// When it happened; without it, the moment the engine takes it in.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    /// The circumstances.
    #[must_use]
    pub fn context(self, context: Context) -> Self {
        let extras = Extras { context, ..self.extras.map_or_else(Extras::default, |extras| *extras) };
        Self { extras: Some(Box::new(extras)), ..self }
    }

    /// A key that makes it safe to send the event again.
    #[must_use]
    pub fn key(self, key: impl Into<IdempotencyKey>) -> Self {
        let extras =
            Extras { key: Some(key.into()), ..self.extras.map_or_else(Extras::default, |extras| *extras) };
        Self { extras: Some(Box::new(extras)), ..self }
    }

    /// The same done by another user.
    pub(crate) fn of_user(self, user: UserId) -> Self {
        Self { user, ..self }
    }

    /// Who.
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// With what.
    pub fn item(&self) -> &ItemId {
        &self.item
    }

    /// Did what.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// How far it got.
    pub fn how_far(&self) -> Played {
        self.played
    }

    /// When, if the host said so.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.at
    }

    /// In which circumstances, if the host said so.
    pub fn circumstances(&self) -> Option<&Context> {
        self.extras.as_deref().map(|extras| &extras.context)
    }

    /// The key that makes it safe to send again, if the host gave one.
    pub fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.extras.as_deref().and_then(|extras| extras.key.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_below_128_bytes() {
        assert!(size_of::<Event>() < 128, "{} bytes", size_of::<Event>());
    }

    #[test]
    fn context_and_key_do_not_displace_each_other() {
        let event = Event::listen(1, 2).key("k").context(Context::new().device("car")).key("l");
        assert_eq!(event.idempotency_key(), Some(&IdempotencyKey::from("l")));
        assert!(event.circumstances().is_some_and(|context| context.device.is_some()));
    }

    #[test]
    fn undoing_an_undo_is_the_action_itself() {
        let like = Event::like("ana", "tricky");
        assert_eq!(Event::undo(Event::undo(like.clone())), like);
    }

    #[test]
    fn an_undo_leaves_the_key_of_what_it_undoes_behind() {
        let undo = Event::undo(Event::like(1, 2).key("k").context(Context::new().device("car")));
        assert_eq!(undo.idempotency_key(), None);
        assert!(undo.circumstances().is_some_and(|context| context.device.is_some()));
    }

    #[test]
    fn a_length_of_zero_leaves_the_share_unknown() {
        let event = Event::listen(1, 2).played_of(Duration::from_secs(3), Duration::ZERO);
        assert_eq!(event.how_far(), Played::Time(Duration::from_secs(3)));
    }
}
