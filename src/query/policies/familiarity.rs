//! How much of a list its listener knows already.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::request::{Candidate, Heard, Request};
use super::super::slate::SlatePolicy;
use super::error::{PolicyError, in_range};

/// Mixes what its listener knows with what is new to them, and lets forgotten favourites come back: a dial from
/// "surprise me" to "play what I love".
///
/// Of the first n places, `share` × n, rounded, go to items the listener knows, for every n: the two kinds are spread
/// evenly. Of the known ones' places a share goes to *forgotten favourites*: liked, heard often enough, and not for
/// long. Within a kind the best come first. Where there are none left of a kind, others fill in, so a list is never shorter
/// for it; what its listener has skipped comes last.
///
/// A request can bring a dial of its own, which goes before the engine's: [`ItemQuery::with`](crate::ItemQuery::with) takes one.
///
/// Acts where known items may be shown at all, by [`ItemQuery::allow_known`](crate::ItemQuery::allow_known); there it gets the
/// best known and the best new items, as many of each as there would be of all. Elsewhere it changes nothing.
///
/// ```
/// use segue::plugin::Familiarity;
/// use segue::{Engine, Event};
/// use std::time::Duration;
///
/// // Three of ten are known, and every second of those was loved and not heard for two months.
/// let day = Duration::from_secs(24 * 3_600);
/// let dial = Familiarity::new(0.3)?.forgotten_share(0.5)?.forgotten_after(60 * day);
/// let engine = Engine::builder().slate(dial).open()?;
/// engine.import([Event::listen("ana", "portishead"), Event::listen("ben", "tricky")])?;
/// let view = engine.reader().view();
/// let picks = view.user("ana").recommend().allow_known().limit(1).with(Familiarity::new(1.0)?).run()?;
/// assert_eq!(picks.ids().next(), Some(&"portishead".into()), "she wants what she knows");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Familiarity {
    share: f32,
    forgotten_share: f32,
    forgotten_after: Duration,
    favourite_from: u32,
}

impl Familiarity {
    /// So much of a list is known: 0 nothing, 1 everything.
    ///
    /// # Errors
    /// [`PolicyError::OutOfRange`] unless `share` is between 0 and 1.
    pub fn new(share: f32) -> Result<Self, PolicyError> {
        let share = in_range("share", share, 0.0, 1.0)?;
        let forgotten_after = Duration::from_secs(30 * 24 * 3_600);
        Ok(Self { share, forgotten_share: 0.25, forgotten_after, favourite_from: 3 })
    }

    /// So much of what is known goes to forgotten favourites; default 0.25, between 0 and 1.
    ///
    /// # Errors
    /// [`PolicyError::OutOfRange`] unless it is.
    pub fn forgotten_share(self, share: f32) -> Result<Self, PolicyError> {
        Ok(Self { forgotten_share: in_range("forgotten_share", share, 0.0, 1.0)?, ..self })
    }

    /// A favourite is forgotten once it was not heard for so long; default 30 days.
    #[must_use]
    pub fn forgotten_after(self, time: Duration) -> Self {
        Self { forgotten_after: time, ..self }
    }

    /// What was heard or liked so many times, and on the whole with pleasure (a preference from 0.5 on), is a
    /// favourite; default 3.
    #[must_use]
    pub fn favourite_from(self, events: u32) -> Self {
        Self { favourite_from: events, ..self }
    }

    fn kind_of(&self, request: &Request<'_>, heard: Option<Heard>) -> Kind {
        /// From this on an item was enjoyed on the whole.
        const LIKED: f32 = 0.5;
        let Some(heard) = heard else { return Kind::New };
        let is_favourite = heard.preference >= LIKED && heard.events >= self.favourite_from;
        if heard.preference < 0.0 {
            Kind::Skipped
        } else if is_favourite && request.at.saturating_since(heard.last_seen) >= self.forgotten_after {
            Kind::Forgotten
        } else {
            Kind::Known
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    New,
    Known,
    Forgotten,
    Skipped,
}

impl Kind {
    const COUNT: usize = 4;

    /// What takes its place when there are none left, itself first.
    fn and_instead(self) -> [Self; Self::COUNT] {
        match self {
            Self::New => [Self::New, Self::Known, Self::Forgotten, Self::Skipped],
            Self::Known => [Self::Known, Self::Forgotten, Self::New, Self::Skipped],
            Self::Forgotten => [Self::Forgotten, Self::Known, Self::New, Self::Skipped],
            Self::Skipped => [Self::Skipped, Self::New, Self::Known, Self::Forgotten],
        }
    }
}

impl SlatePolicy for Familiarity {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        let dial = request.get::<Self>().unwrap_or(self);
        let mut left: [VecDeque<usize>; Kind::COUNT] = Default::default();
        for (place, candidate) in ranked.iter().enumerate() {
            left[dial.kind_of(request, candidate.heard) as usize].push_back(place);
        }
        let mut n_known = 0;
        let next = |at: usize| {
            let wanted = if !is_due(at, dial.share) {
                Kind::New
            } else if is_due(n_known, dial.forgotten_share) {
                Kind::Forgotten
            } else {
                Kind::Known
            };
            n_known += usize::from(wanted != Kind::New);
            wanted.and_instead().into_iter().find_map(|kind| left[kind as usize].pop_front())
        };
        (0..request.limit.min(ranked.len())).map_while(next).collect()
    }

    fn mixes_known(&self) -> bool {
        true
    }
}

/// Whether place `at` is one of a kind that has `share` of all places, spread evenly.
#[expect(clippy::cast_precision_loss, reason = "lists are far shorter than 2^52")]
fn is_due(at: usize, share: f32) -> bool {
    let of_first = |n: usize| (n as f64).mul_add(f64::from(share), 0.5).floor();
    of_first(at + 1) > of_first(at)
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "lists are short")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::{TestRequest, candidate, heard};
    use crate::types::Timestamp;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    /// Heard so many times, last `ago` before the request, and liked so much.
    fn heard_ago(events: u32, ago: Duration, preference: f32) -> Heard {
        let at = TestRequest::new(0).request().at.unix_ms();
        heard(
            events,
            Timestamp::from_unix_ms(at - i64::try_from(ago.as_millis()).expect("short")),
            preference,
        )
    }

    /// Of every kind in turn, so many in all.
    fn candidates(n: u64) -> Vec<Candidate> {
        let known = [heard_ago(5, DAY, 1.0), heard_ago(5, 90 * DAY, 1.0), heard_ago(2, DAY, -0.5)];
        let facts = [None, Some(known[0]), Some(known[1]), Some(known[2])];
        let one = |(item, heard)| Candidate { heard, ..candidate(item, 1.0) };
        (0..n).zip(facts.into_iter().cycle()).map(one).collect()
    }

    #[test]
    fn known_and_new_are_spread_evenly_and_favourites_come_back() {
        let dial = Familiarity::new(0.5).and_then(|dial| dial.forgotten_share(0.5)).expect("in range");
        // Known from place 0 on, every second; of those every second forgotten, beginning with the first.
        assert_eq!(dial.arrange(&TestRequest::new(8).request(), &candidates(40)), [2, 0, 1, 4, 6, 8, 5, 12]);
        let all_new = Familiarity::new(0.0).expect("in range");
        assert_eq!(all_new.arrange(&TestRequest::new(3).request(), &candidates(40)), [0, 4, 8]);
        assert_eq!(
            all_new.arrange(&TestRequest::new(5).request(), &candidates(4)),
            [0, 1, 2, 3],
            "never shorter for it"
        );
    }

    #[test]
    fn a_request_brings_a_dial_of_its_own() {
        let (all_new, all_known) =
            (Familiarity::new(0.0).expect("in range"), Familiarity::new(1.0).expect("in range"));
        let asked = TestRequest::new(2).with(all_known);
        let list = all_new.arrange(&asked.request(), &candidates(40));
        assert_eq!(list, all_known.arrange(&TestRequest::new(2).request(), &candidates(40)));
        assert_ne!(list, all_new.arrange(&TestRequest::new(2).request(), &candidates(40)));
    }

    #[test]
    fn what_is_no_favourite_is_never_a_forgotten_one() {
        let dial = Familiarity::new(1.0).and_then(|dial| dial.forgotten_share(1.0)).expect("in range");
        let kinds = |events, ago, preference| {
            dial.kind_of(&TestRequest::new(1).request(), Some(heard_ago(events, ago, preference)))
        };
        assert_eq!(kinds(3, 30 * DAY, 0.5), Kind::Forgotten);
        assert_eq!(kinds(2, 30 * DAY, 0.5), Kind::Known);
        assert_eq!(kinds(3, 29 * DAY, 0.5), Kind::Known);
        assert_eq!(kinds(3, 30 * DAY, 0.4), Kind::Known);
        assert_eq!(kinds(9, 90 * DAY, -0.1), Kind::Skipped);
    }

    #[test]
    fn shares_out_of_range_are_refused() {
        for got in [-0.1, 1.1, f32::NAN] {
            assert!(matches!(Familiarity::new(got), Err(PolicyError::OutOfRange { setting: "share", .. })));
            let dial = Familiarity::new(0.5).expect("in range").forgotten_share(got);
            assert!(matches!(dial, Err(PolicyError::OutOfRange { setting: "forgotten_share", .. })));
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_list_has_its_share(share in 0.0_f32..=1.0, limit in 0_usize..60) {
            let dial = Familiarity::new(share).expect("in range");
            let ranked = candidates(240);
            let list = dial.arrange(&TestRequest::new(limit).request(), &ranked);
            prop_assert_eq!(list.len(), limit);
            for n in 0..=limit {
                let known = list[..n].iter().filter(|&&place| ranked[place].heard.is_some()).count();
                let wanted = n as f64 * f64::from(share);
                prop_assert!((known as f64 - wanted).abs() <= 0.5 + 1e-9, "{} of {}, wanted {}", known, n, wanted);
            }
            // The best of a kind come first.
            for kind in [Kind::New, Kind::Known, Kind::Forgotten] {
                let of_kind = list.iter().filter(|&&place| dial.kind_of(&TestRequest::new(1).request(), ranked[place].heard) == kind);
                prop_assert!(of_kind.is_sorted());
            }
        }
    }
}
