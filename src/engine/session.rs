//! A session that leaves no trace.

use std::collections::VecDeque;
use std::sync::Arc;

use thiserror::Error;

use crate::guard::Watch;
use crate::ingest::{Admission, EventFacts, InvalidEvent, Weigher};
use crate::model::SkipRates;
use crate::publish::Published;
use crate::query::{FactOf, UserView, View};
use crate::types::{Action, ActionKind, Event, UserId};

/// What an engine makes private sessions of.
#[derive(Debug, Clone)]
pub(super) struct SessionMaker {
    pub(super) admission: Admission,
    pub(super) rules: Arc<Published<SessionRules>>,
    pub(super) watch: Arc<Watch>,
}

/// What sessions go by, which may change while they last.
#[derive(Debug)]
pub(super) struct SessionRules {
    pub(super) weigher: Arc<dyn Weigher>,
    pub(super) max_history: usize,
}

impl SessionMaker {
    pub(super) fn session(&self, user: UserId) -> PrivateSession {
        PrivateSession { maker: self.clone(), user, events: VecDeque::new() }
    }
}

/// A session of one user that leaves no trace: what is pushed shapes the answers of this session, on top of what the
/// engine has learned of the user, and is neither learned, journalled nor seen by anybody else. Dropping it forgets
/// it.
///
/// Made by [`Engine::private_session`](crate::Engine::private_session). The user need not be known.
///
/// ```
/// use segue::{Engine, Event};
///
/// let engine = Engine::builder().open()?;
/// engine.import([Event::listen("ana", "portishead"), Event::listen("ben", "abba")])?;
///
/// let mut party = engine.private_session("ana");
/// party.push(Event::listen("ana", "abba"))?;
/// let view = engine.reader().view();
/// assert_eq!(party.user(&view).history().len(), 2); // and so for her recommendations
/// assert_eq!(view.user("ana").history().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Threads, and what it costs
///
/// It belongs to the host, and no thread of the engine knows of it. [`push`](Self::push) validates and weighs on the
/// calling thread; it holds as many events as a history may have items ([`Limits::max_history`](crate::Limits)), some
/// 100 bytes each, and forgets the oldest beyond that. [`user`](Self::user) copies the user's history and adds the
/// session's events; the first question after that solves it, as for any user whose vector is not at hand:
/// microseconds. Nothing is kept between two calls of `user`, so each goes with the view it is given, whatever
/// generation that has.
#[derive(Debug, Clone)]
pub struct PrivateSession {
    maker: SessionMaker,
    user: UserId,
    events: VecDeque<SessionEvent>,
}

#[derive(Debug, Clone)]
struct SessionEvent {
    kind: ActionKind,
    fact: FactOf,
}

/// Why [`PrivateSession::push`] did not take an event. It is handed back.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum PrivateSessionError {
    /// The event is not well formed.
    #[error(transparent)]
    Invalid(#[from] Box<InvalidEvent>),
    /// The event is not of the session's user.
    #[error("the event is of another user; a private session has one")]
    AnotherUser(Event),
    /// There is no such action in this session to take back.
    #[error("there is no such action in the session to take back")]
    NothingToUndo(Event),
    /// The weigher panicked on the event.
    #[error("the weigher panicked on the event; see `stats().plugin_panics`")]
    WeigherPanicked(Event),
}

impl PrivateSessionError {
    /// The event, as it was pushed.
    pub fn into_event(self) -> Event {
        match self {
            Self::Invalid(invalid) => invalid.event,
            Self::AnotherUser(event) | Self::NothingToUndo(event) | Self::WeigherPanicked(event) => event,
        }
    }
}

impl PrivateSession {
    /// Whose it is.
    pub fn user_id(&self) -> &UserId {
        &self.user
    }

    /// Events in it.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Adds an event, or takes one of this session back. An item that the engine does not know shapes nothing until
    /// a view does. Idempotency keys mean nothing here.
    ///
    /// # Errors
    /// [`PrivateSessionError`], with the event; the session is as it was.
    pub fn push(&mut self, event: Event) -> Result<(), PrivateSessionError> {
        if *event.user() != self.user {
            return Err(PrivateSessionError::AnotherUser(event));
        }
        let interaction = self.maker.admission.admit(event)?;
        let rules = self.maker.rules.load();
        match interaction.event().action() {
            Action::Do(kind) => {
                let facts =
                    EventFacts::new(interaction.event(), kind, interaction.at(), SkipRates::default());
                let Some(signal) = self.maker.watch.call_often(|| rules.weigher.weigh(&facts)) else {
                    return Err(PrivateSessionError::WeigherPanicked(interaction.into_event()));
                };
                let item = interaction.event().item().clone();
                let fact = FactOf { item, at: interaction.at(), signal, day_part: interaction.day_part() };
                self.events.push_back(SessionEvent { kind: kind.clone(), fact });
                if self.events.len() > rules.max_history {
                    self.events.pop_front();
                }
                Ok(())
            }
            Action::Undo(kind) => {
                let item = interaction.event().item();
                let at = self.events.iter().rposition(|one| one.kind == *kind && one.fact.item == *item);
                match at {
                    Some(at) => {
                        self.events.remove(at);
                        Ok(())
                    }
                    None => Err(PrivateSessionError::NothingToUndo(interaction.into_event())),
                }
            }
        }
    }

    /// The user in `view` with the session on top: to be asked as any [`UserView`]. Items that the session has are
    /// known to it, so they are not recommended. Give it views of the engine that the session is of.
    pub fn user<'v>(&self, view: &'v View) -> UserView<'v> {
        let facts = self.events.iter().map(|event| event.fact.clone());
        view.user_with_facts(&self.user, facts, self.maker.rules.load().max_history)
    }
}
