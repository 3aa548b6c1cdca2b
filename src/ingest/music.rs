//! What listens, skips and likes mean to a music service.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::weigher::{EventFacts, Weigher};
use crate::types::{ActionKind, Played, Signal};

/// What listens, skips and likes mean to a music service: the default weigher. Every number is one of its
/// [settings](MusicSettings); with the defaults:
///
/// | action | preference | confidence |
/// |---|---|---|
/// | listen, at least half | 1 | the fraction played |
/// | listen, 30 % to half | 1 | half the fraction played |
/// | listen below 30 %, skip before half | −0.5 | 0.25 × (1 − fraction) × (1 − 0.5 × base rate) |
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
/// more confidence would hardly move anything. It says the less the later it comes, and the less the more everybody skips there:
/// the *base rate* is the larger of the [item's](EventFacts::item_skip_rate) and the
/// [context's](EventFacts::context_skip_rate), as either alone explains a skip that is no opinion.
///
/// Replays add up, and saturate where they meet, in the history: see [`Saturation`](crate::Saturation).
///
/// ```
/// use segue::{Engine, MusicSettings, MusicWeigher};
///
/// let mut settings = MusicSettings::default();
/// settings.like = 5.0;
/// settings.skip_discount = 0.8;
/// let engine = Engine::builder().weigher(MusicWeigher::new(settings)?).open()?;
///
/// settings.skip_discount = 80.0;
/// let error = MusicWeigher::new(settings).unwrap_err();
/// assert_eq!(error.to_string(), "skip_discount must be between 0 and 1, got 80");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MusicWeigher {
    /// INVARIANT: in range.
    settings: MusicSettings,
}

/// The numbers of a [`MusicWeigher`], which checks them.
///
/// In a file, what is left out has its default and what is misspelt is refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MusicSettings {
    /// From this fraction on somebody has heard most of it: a listen counts in full, and a skip is no rejection. Default
    /// 0.5, 0 to 1.
    pub mostly_heard: f32,
    /// Below this fraction a listen says the same as a skip. Default 0.3, 0 to `mostly_heard`: music players take a skip
    /// before 30 % for a dislike.
    pub barely_heard: f32,
    /// The confidence of a whole listen; a part of one has its fraction of that. Default 1, the unit of all others; 0 to
    /// 1,000.
    pub listen: f32,
    /// What part of that a listen between `barely_heard` and `mostly_heard` has. Default 0.5, 0 to 1.
    pub half_heard: f32,
    /// The score that a skip aims at. Default −0.5, −1 to 0. With a quarter of a listen's confidence −0.5 takes 28 % of the skipped
    /// out of the top 20 for 1 % of recall, −1 takes 46 % for 3 %, and 0 hardly any.
    pub skip_preference: f32,
    /// The confidence of a skip at once; a later one has what is left of the item of that. Default 0.25, 0 to 1,000.
    pub skip: f32,
    /// How much less a skip says where everybody skips: it has (1 − this × the base rate) of its confidence. Default 0.5, 0 to
    /// 1: where half of all is skipped, a quarter less. 0 does without, 1 takes a skip for nothing where nothing but skips is known.
    pub skip_discount: f32,
    /// The confidence of a skip after `mostly_heard`, which aims at 1, times the fraction. Default 0.25, 0 to 1,000.
    pub late_skip: f32,
    /// The confidence of a like. Default 3 (listens), 0 to 1,000.
    pub like: f32,
    /// The confidence of a save to a collection. Default 4 (listens), 0 to 1,000: it takes more than a like.
    pub save: f32,
    /// The score that a dislike aims at. Default −1, −16 to 0: as far below an unheard item as a like is above it.
    pub dislike_preference: f32,
    /// The confidence of a dislike. Default 2 (listens), 0 to 1,000.
    pub dislike: f32,
    /// The confidence of the host's own actions, which aim at 1. Default 1, 0 to 1,000.
    pub custom: f32,
    /// What a played time without a length is a fraction of, in seconds. Default 180, a typical track; 1 to 86,400.
    pub typical_length_s: f32,
}

impl Default for MusicSettings {
    fn default() -> Self {
        Self {
            mostly_heard: 0.5,
            barely_heard: 0.3,
            listen: 1.0,
            half_heard: 0.5,
            skip_preference: -0.5,
            skip: 0.25,
            skip_discount: 0.5,
            late_skip: 0.25,
            like: 3.0,
            save: 4.0,
            dislike_preference: -1.0,
            dislike: 2.0,
            custom: 1.0,
            typical_length_s: 180.0,
        }
    }
}

/// Why settings make no [`MusicWeigher`].
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum MusicSettingsError {
    /// A number is NaN or not in its range.
    #[error("{setting} must be between {min} and {max}, got {got}")]
    OutOfRange {
        /// Which one.
        setting: &'static str,
        /// The least it may be.
        min: f32,
        /// The most it may be.
        max: f32,
        /// The refused value.
        got: f32,
    },
}

impl MusicSettings {
    /// The largest confidence of one action.
    const MAX_CONFIDENCE: f32 = 1e3;

    fn check(&self) -> Result<(), MusicSettingsError> {
        for (setting, got, min, max) in [
            ("mostly_heard", self.mostly_heard, 0.0, 1.0),
            // After that which it may not be above.
            ("barely_heard", self.barely_heard, 0.0, self.mostly_heard),
            ("listen", self.listen, 0.0, Self::MAX_CONFIDENCE),
            ("half_heard", self.half_heard, 0.0, 1.0),
            ("skip_preference", self.skip_preference, -1.0, 0.0),
            ("skip", self.skip, 0.0, Self::MAX_CONFIDENCE),
            ("skip_discount", self.skip_discount, 0.0, 1.0),
            ("late_skip", self.late_skip, 0.0, Self::MAX_CONFIDENCE),
            ("like", self.like, 0.0, Self::MAX_CONFIDENCE),
            ("save", self.save, 0.0, Self::MAX_CONFIDENCE),
            ("dislike_preference", self.dislike_preference, -Signal::MAX_PREFERENCE, 0.0),
            ("dislike", self.dislike, 0.0, Self::MAX_CONFIDENCE),
            ("custom", self.custom, 0.0, Self::MAX_CONFIDENCE),
            ("typical_length_s", self.typical_length_s, 1.0, 86_400.0),
        ] {
            // `contains` is false for NaN.
            if !(min..=max).contains(&got) {
                return Err(MusicSettingsError::OutOfRange { setting, min, max, got });
            }
        }
        Ok(())
    }
}

impl MusicWeigher {
    /// One that weighs by these numbers.
    ///
    /// # Errors
    /// [`MusicSettingsError`] names the first number that is not in its range.
    pub fn new(settings: MusicSettings) -> Result<Self, MusicSettingsError> {
        settings.check().map(|()| Self { settings })
    }

    /// The numbers it weighs by.
    pub fn settings(&self) -> MusicSettings {
        self.settings
    }

    fn moved_on(&self, fraction: f32, facts: &EventFacts<'_>) -> Signal {
        let MusicSettings { skip_preference, skip, skip_discount, .. } = self.settings;
        let base_rate = facts.item_skip_rate.max(facts.context_skip_rate).clamp(0.0, 1.0);
        signal(skip_preference, skip * (1.0 - fraction) * (1.0 - skip_discount * base_rate))
    }
}

impl Weigher for MusicWeigher {
    fn weigh(&self, facts: &EventFacts<'_>) -> Signal {
        let settings = &self.settings;
        let fraction = match facts.played {
            Played::Fraction(fraction) => Some(fraction),
            Played::Time(time) => Some(time.as_secs_f32() / settings.typical_length_s),
            Played::Unknown => None,
        };
        let fraction = fraction.map(|fraction| fraction.clamp(0.0, 1.0));
        match facts.action {
            ActionKind::Listen => match fraction.unwrap_or(1.0) {
                fraction if fraction >= settings.mostly_heard => signal(1.0, settings.listen * fraction),
                fraction if fraction >= settings.barely_heard => {
                    signal(1.0, settings.listen * fraction * settings.half_heard)
                }
                fraction => self.moved_on(fraction, facts),
            },
            ActionKind::Skip => match fraction.unwrap_or(0.0) {
                fraction if fraction >= settings.mostly_heard => signal(1.0, settings.late_skip * fraction),
                fraction => self.moved_on(fraction, facts),
            },
            ActionKind::Like => signal(1.0, settings.like),
            ActionKind::Save => signal(1.0, settings.save),
            ActionKind::Dislike => signal(settings.dislike_preference, settings.dislike),
            ActionKind::Custom(_) => signal(1.0, settings.custom),
        }
    }
}

fn signal(preference: f32, confidence: f32) -> Signal {
    Signal::new(preference, confidence).expect("checked settings times fractions of at most 1")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::SkipRates;
    use crate::types::{Action, Event, Timestamp};

    fn weigh_by(settings: MusicSettings, event: &Event, of_item: f32, of_context: f32) -> (f32, f32) {
        let (Action::Do(kind) | Action::Undo(kind)) = event.action();
        let rates = SkipRates { of_item, of_context };
        let facts = EventFacts::new(event, kind, Timestamp::default(), rates);
        let signal = MusicWeigher::new(settings).expect("in range").weigh(&facts);
        (signal.preference(), signal.confidence())
    }

    fn weigh(event: &Event) -> (f32, f32) {
        weigh_by(MusicSettings::default(), event, 0.0, 0.0)
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

    #[test]
    fn a_skip_says_less_where_everybody_skips() {
        let skip = Event::skip(1, 2).at_fraction(0.25);
        let by = |item, context| weigh_by(MusicSettings::default(), &skip, item, context);
        assert_eq!(by(0.0, 0.0), (-0.5, 0.1875));
        assert_eq!(by(0.5, 0.0), (-0.5, 0.140_625));
        assert_eq!(by(0.25, 0.5), (-0.5, 0.140_625), "the larger one explains it");
        assert_eq!(by(1.0, 1.0), (-0.5, 0.093_75));
        let all = MusicSettings { skip_discount: 1.0, ..MusicSettings::default() };
        assert_eq!(weigh_by(all, &skip, 1.0, 0.0), (-0.5, 0.0));
        let none = MusicSettings { skip_discount: 0.0, ..MusicSettings::default() };
        assert_eq!(weigh_by(none, &skip, 1.0, 0.0), (-0.5, 0.1875));
        let liked = weigh_by(MusicSettings::default(), &Event::like(1, 2), 1.0, 1.0);
        assert_eq!(liked, (1.0, 3.0), "a like is a like");
    }

    #[test]
    fn the_first_number_out_of_range_is_named() {
        let with = |change: fn(&mut MusicSettings)| {
            let mut settings = MusicSettings::default();
            change(&mut settings);
            let MusicSettingsError::OutOfRange { setting, .. } =
                MusicWeigher::new(settings).expect_err("not in range");
            setting
        };
        assert_eq!(with(|settings| settings.like = f32::NAN), "like");
        assert_eq!(with(|settings| settings.skip_preference = 0.1), "skip_preference");
        assert_eq!(with(|settings| settings.barely_heard = 0.6), "barely_heard");
        assert_eq!(with(|settings| settings.mostly_heard = f32::INFINITY), "mostly_heard");
        assert_eq!(with(|settings| settings.typical_length_s = 0.0), "typical_length_s");
        assert_eq!(with(|settings| settings.save = 1_000.1), "save");
    }

    #[test]
    fn settings_come_from_a_file_with_defaults_for_the_rest_and_none_misspelt() {
        let some: MusicSettings = serde_json::from_str("{\"like\": 5.0}").expect("one of them");
        assert_eq!(some, MusicSettings { like: 5.0, ..MusicSettings::default() });
        let text = serde_json::to_string(&some).expect("plain numbers");
        assert_eq!(serde_json::from_str::<MusicSettings>(&text).expect("its own"), some);
        let misspelt = serde_json::from_str::<MusicSettings>("{\"likes\": 5.0}").expect_err("no such number");
        assert!(misspelt.to_string().contains("likes"), "{misspelt}");
    }

    proptest! {
        /// What a listen or a skip pulls a score by, however far it got: never less the more was heard, never NaN, and
        /// never with a confidence below 0.
        #[test]
        fn the_more_was_heard_the_better(
            fractions in (0.0_f32..1.5, 0.0_f32..1.5),
            rates in (-1.0_f32..2.0, -1.0_f32..2.0),
            numbers in (0.0_f32..1.0, 0.0_f32..1.0, -1.0_f32..0.0, 0.0_f32..=1.0, 0.0_f32..=1.0),
        ) {
            let (a, b, skip_preference, skip_discount, half_heard) = numbers;
            let settings = MusicSettings {
                barely_heard: a.min(b),
                mostly_heard: a.max(b),
                skip_preference,
                skip_discount,
                half_heard,
                ..MusicSettings::default()
            };
            let (less, more) = (fractions.0.min(fractions.1), fractions.0.max(fractions.1));
            let pull = |event: Event| {
                let (preference, confidence) = weigh_by(settings, &event, rates.0, rates.1);
                assert!(confidence >= 0.0 && confidence.is_finite());
                preference * confidence
            };
            prop_assert!(pull(Event::listen(1, 2).fraction(less)) <= pull(Event::listen(1, 2).fraction(more)));
            prop_assert!(pull(Event::skip(1, 2).at_fraction(less)) <= pull(Event::skip(1, 2).at_fraction(more)));
        }

        #[test]
        fn the_higher_the_base_rate_the_weaker_a_skip(
            rates in (0.0_f32..1.0, 0.0_f32..1.0),
            fraction in 0.0_f32..0.5,
            other in 0.0_f32..1.0,
        ) {
            let (low, high) = (rates.0.min(rates.1), rates.0.max(rates.1));
            let skip = Event::skip(1, 2).at_fraction(fraction);
            let weight = |item, context| weigh_by(MusicSettings::default(), &skip, item, context).1;
            prop_assert!(weight(high, other) <= weight(low, other));
            prop_assert!(weight(other, high) <= weight(other, low));
            // Mild: a skip never loses more than half.
            prop_assert!(weight(high, other) * 2.0 >= weight(0.0, 0.0) * 0.999_99);
        }
    }
}
