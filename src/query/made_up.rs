//! Requests and candidates out of nothing, for the unit tests of whoever writes a policy.

use std::any::Any;

use super::answer::Source;
use super::extras::Extras;
use super::request::{About, Candidate, Heard, Request};
use crate::types::{Context, ItemId, ItemIdx, Timestamp, UserId};

/// A [`Request`] made up for a unit test of a filter, a rescorer or a slate policy.
///
/// Nobody has heard anything in it and no item has a vector: what goes by [`Request::heard_within`], by
/// [`Request::nth_latest`] or by [`Request::similarity`] wants a [`World`](crate::testing::World). What a candidate's listener
/// has done with it is in [`Candidate::heard`].
///
/// ```
/// use segue::plugin::{Familiarity, SlatePolicy};
/// use segue::testing::{TestRequest, candidate, heard};
///
/// let asked = TestRequest::new(2).user("ana");
/// let mut known = candidate("portishead", 0.9);
/// known.heard = Some(heard(5, asked.request().at, 1.0));
/// let ranked = [known, candidate("tricky", 0.8), candidate("air", 0.7)];
///
/// let dial = Familiarity::new(0.0)?; // "surprise me"
/// assert_eq!(dial.arrange(&asked.request(), &ranked), [1, 2]);
/// # Ok::<(), segue::plugin::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TestRequest {
    user: Option<UserId>,
    at: Timestamp,
    context: Option<Context>,
    limit: usize,
    source: Source,
    extras: Extras,
}

impl TestRequest {
    /// For nobody in particular, of `limit` items, on 14 November 2023 at 22:13:20 UTC.
    pub fn new(limit: usize) -> Self {
        Self {
            user: None,
            at: Timestamp::from_unix_seconds(1_700_000_000),
            context: None,
            limit,
            source: Source::Personal,
            extras: Extras::default(),
        }
    }

    /// Who asks.
    #[must_use]
    pub fn user(self, user: impl Into<UserId>) -> Self {
        Self { user: Some(user.into()), ..self }
    }

    /// When.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }

    /// In which circumstances.
    #[must_use]
    pub fn context(self, context: Context) -> Self {
        Self { context: Some(context), ..self }
    }

    /// What the scores are; default [`Source::Personal`].
    #[must_use]
    pub fn source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// With something that the policy asks for by its type, as [`ItemQuery::with`](crate::ItemQuery::with).
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.extras.set(value);
        self
    }

    /// What the policy is told.
    pub fn request(&self) -> Request<'_> {
        Request {
            user: self.user.as_ref(),
            at: self.at,
            context: self.context.as_ref(),
            limit: self.limit,
            source: self.source,
            about: About { extras: Some(&self.extras), ..About::default() },
        }
    }
}

/// A [`Candidate`] with one listener, which nobody meant has heard. Its fields can be changed.
pub fn candidate(item: impl Into<ItemId>, score: f32) -> Candidate {
    Candidate { item: item.into(), score, listeners: 1.0, heard: None, idx: ItemIdx::new(0) }
}

/// What a listener has done with an item: so many events, the latest of them then, and how much they liked it, on average.
pub fn heard(events: u32, last_seen: Timestamp, preference: f32) -> Heard {
    Heard { events, last_seen, preference }
}
