//! Not the same artist again so soon.

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt};

use super::super::filter::{Filter, ItemFilter};
use super::super::request::{Candidate, Request};
use super::super::rescorer::{ItemRescorer, Rescorer};
use super::error::{PolicyError, in_range};
use crate::types::ItemId;

/// Keeps back what its listener has heard within a time, and whatever is of the same group (an artist, an album).
///
/// Whatever was done counts as heard: a skip too, as who has just skipped an artist wants the next one least. For items
/// alone [`NotHeardFor`](super::NotHeardFor) is the same and quicker; by group it also keeps back songs that are new to
/// the listener. Once a request it looks at the listener's whole history, a few nanoseconds an item, and asks for the groups of what is within the time.
///
/// [`softly`](Self::softly) makes a [`Rescorer`] of it, which lets them sink instead.
///
/// ```
/// use segue::plugin::CoolDown;
/// use segue::{Engine, ItemId};
/// use std::time::Duration;
///
/// // Tracks are called "artist/title".
/// let artist = |item: &ItemId| item.to_string().split_once('/').map(|(artist, _)| artist.to_owned());
/// let hour = Duration::from_secs(3_600);
/// let engine = Engine::builder()
///     .filter(CoolDown::of_items(24 * hour))
///     .rescorer(CoolDown::of_groups(2 * hour, artist).softly(0.5)?)
///     .open()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CoolDown<F = fn(&ItemId) -> Option<ItemId>> {
    window: Duration,
    group_of: F,
}

impl CoolDown {
    /// By item: none that was heard less than `window` before the request.
    pub fn of_items(window: Duration) -> Self {
        Self::of_groups(window, |item| Some(item.clone()))
    }
}

impl<F> CoolDown<F> {
    /// By the group that `group_of` tells of an item: none of which anything was heard less than `window` before the
    /// request. Items without a group are in nobody's way.
    pub fn of_groups(window: Duration, group_of: F) -> Self {
        Self { window, group_of }
    }

    /// Takes up to `penalty` from the scores instead: all of it from what was heard just now, half of it from what was
    /// heard half the window ago, nothing beyond it. Scores of a model lie around 1 for what somebody loves.
    ///
    /// # Errors
    /// [`PolicyError::OutOfRange`] unless `penalty` is between 0 and 1e9.
    pub fn softly(self, penalty: f32) -> Result<SoftCoolDown<F>, PolicyError> {
        Ok(SoftCoolDown { cool_down: self, penalty: in_range("penalty", penalty, 0.0, 1e9)? })
    }
}

impl<G: Eq + Hash, F: Fn(&ItemId) -> Option<G>> CoolDown<F> {
    /// How much of the window has still to pass, by group: 1 just heard, 0 over.
    fn warmth(&self, request: &Request<'_>) -> HashMap<G, f32> {
        let mut warmth = HashMap::new();
        for (item, heard) in request.heard_within(self.window) {
            let Some(group) = (self.group_of)(&item) else { continue };
            // Within the window, so that is not empty.
            let passed =
                request.at.saturating_since(heard.last_seen).as_secs_f32() / self.window.as_secs_f32();
            let left = warmth.entry(group).or_insert(0.0_f32);
            *left = left.max(1.0 - passed.min(1.0));
        }
        warmth
    }
}

impl<F> fmt::Debug for CoolDown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoolDown").field("window", &self.window).finish_non_exhaustive()
    }
}

impl<G: Eq + Hash + 'static, F: Fn(&ItemId) -> Option<G> + Send + Sync + 'static> Filter for CoolDown<F> {
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        let warmth = self.warmth(request);
        Box::new(move |candidates: &[Candidate], keep: &mut [bool]| {
            if warmth.is_empty() {
                return;
            }
            for (keep, candidate) in keep.iter_mut().zip(candidates) {
                *keep = (self.group_of)(&candidate.item).is_none_or(|group| !warmth.contains_key(&group));
            }
        })
    }
}

/// Lets what its listener has heard of late sink, and the less the longer ago it is: see [`CoolDown::softly`].
#[derive(Clone)]
pub struct SoftCoolDown<F = fn(&ItemId) -> Option<ItemId>> {
    cool_down: CoolDown<F>,
    penalty: f32,
}

impl<F> fmt::Debug for SoftCoolDown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftCoolDown")
            .field("window", &self.cool_down.window)
            .field("penalty", &self.penalty)
            .finish_non_exhaustive()
    }
}

impl<G: Eq + Hash + 'static, F: Fn(&ItemId) -> Option<G> + Send + Sync + 'static> Rescorer
    for SoftCoolDown<F>
{
    fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        let warmth = self.cool_down.warmth(request);
        Box::new(move |candidates: &[Candidate], scores: &mut [f32]| {
            if warmth.is_empty() {
                return;
            }
            for (score, candidate) in scores.iter_mut().zip(candidates) {
                let group = (self.cool_down.group_of)(&candidate.item);
                let left = group.and_then(|group| warmth.get(&group)).copied().unwrap_or(0.0);
                *score -= self.penalty * left;
            }
        })
    }
}
