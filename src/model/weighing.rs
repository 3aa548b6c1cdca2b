//! From what a history holds to what the solver takes: decay and saturation.

use std::time::Duration;

use super::history::Cell;
use crate::als::Pair;
use crate::kernel::log1p;
use crate::types::Timestamp;

/// The most confidence of a pair: sums of such over a history are still far from the end of `f32`.
const MAX_CONFIDENCE: f32 = 1e30;

/// How the confidence of repeated events adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Saturation {
    /// Ten plays count ten times one play.
    None,
    /// The sum `s` of confidences counts as `ln(1 + s)`: the tenth play says less than the first.
    #[default]
    Log,
}

/// Forward decay: an event weighs `2^(age of the landmark / half-life)` when it is added and everything
/// is divided by one common factor when it is read, so that time passing touches no cell.
///
/// Cormode, Shkapenyuk, Srivastava & Xu, "Forward Decay" (ICDE 2009).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decay {
    half_life_ms: Option<f64>,
}

impl Decay {
    pub(crate) fn new(half_life: Option<Duration>) -> Self {
        Self { half_life_ms: half_life.map(|half_life| half_life.as_secs_f64() * 1e3) }
    }

    /// The half-life in milliseconds; `None` without decay.
    pub(crate) fn half_life_ms(self) -> Option<f64> {
        self.half_life_ms
    }

    /// The decay that a store has kept; `None` if a half-life is not above 0 and finite.
    pub(crate) fn from_half_life_ms(half_life_ms: Option<f64>) -> Option<Self> {
        half_life_ms
            .is_none_or(|half_life| half_life > 0.0 && half_life.is_finite())
            .then_some(Self { half_life_ms })
    }

    /// Half-lives from `from` to `to`; 0 without decay.
    pub(super) fn half_lives(self, from: Timestamp, to: Timestamp) -> f64 {
        self.half_life_ms.map_or(0.0, |half_life| ms_between(from, to) / half_life)
    }

    /// The factor that brings sums kept at `landmark` to the moment `as_of`.
    pub(crate) fn common_factor(self, landmark: Timestamp, as_of: Timestamp) -> f32 {
        self.weight(as_of, landmark)
    }

    /// The weight at `landmark` of an event at `at`: 1 for the landmark itself, 2 a half-life later.
    pub(crate) fn weight(self, landmark: Timestamp, at: Timestamp) -> f32 {
        exp2(self.half_lives(landmark, at))
    }
}

/// What turns a [`Cell`] into the solver's [`Pair`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weighing {
    pub(crate) decay: Decay,
    pub(crate) saturation: Saturation,
}

impl Weighing {
    /// As [`Decay::common_factor`].
    pub(crate) fn common_factor(self, landmark: Timestamp, as_of: Timestamp) -> f32 {
        self.decay.common_factor(landmark, as_of)
    }

    /// The pair of one cell; `factor` comes from [`common_factor`](Self::common_factor).
    pub(crate) fn pair(self, cell: &Cell, factor: f32) -> Pair {
        self.saturate(decayed(cell, factor))
    }

    /// Adds the [pair](Self::pair) of each cell to `pairs`: several at a time, so rather than one after the other.
    pub(crate) fn add_pairs(self, cells: &[Cell], factor: f32, pairs: &mut Vec<Pair>) {
        let first = pairs.len();
        pairs.extend(cells.iter().map(|cell| decayed(cell, factor)));
        for pair in &mut pairs[first..] {
            *pair = self.saturate(*pair);
        }
    }

    /// The confidence of one cell before saturation.
    pub(crate) fn confidence(cell: &Cell, factor: f32) -> f32 {
        cell.confidence() * bounded(factor, cell)
    }

    /// A pair with its confidence saturated and its preference kept.
    pub(crate) fn saturate(self, pair: Pair) -> Pair {
        match self.saturation {
            Saturation::None => pair,
            Saturation::Log => {
                let confidence = pair.confidence();
                let saturated = log1p(confidence);
                let share = if confidence > 0.0 { saturated / confidence } else { 0.0 };
                Pair::from_sums(saturated, pair.weighted_preference() * share)
            }
        }
    }
}

/// What a cell holds as of the moment that `factor` brings it to, not saturated.
fn decayed(cell: &Cell, factor: f32) -> Pair {
    let factor = bounded(factor, cell);
    let confidence = cell.confidence() * factor;
    // Decayed to nothing; the other sum may not quite be.
    let weighted_preference = if confidence == 0.0 { 0.0 } else { cell.weighted_preference() * factor };
    Pair::from_sums(confidence, weighted_preference)
}

/// Events long after the moment decay is reckoned at weigh more the later they are, until the next sweep.
fn bounded(factor: f32, cell: &Cell) -> f32 {
    if cell.confidence() > 0.0 { factor.min(MAX_CONFIDENCE / cell.confidence()) } else { factor }
}

#[expect(clippy::cast_precision_loss, reason = "a millisecond more or less does not matter to decay")]
fn ms_between(from: Timestamp, to: Timestamp) -> f64 {
    to.unix_ms().saturating_sub(from.unix_ms()) as f64
}

/// Two to the power of `exponent`: 0 where that is below the least `f32`, and at most what a product with a
/// confidence survives.
#[expect(clippy::cast_possible_truncation, reason = "the clamp keeps it in the range of f32")]
fn exp2(exponent: f64) -> f32 {
    libm::exp2(exponent.clamp(-200.0, 60.0)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SplitMix64;
    use crate::model::CellParts;
    use crate::types::{DayPart, ItemIdx};

    fn weighing(saturation: Saturation) -> Weighing {
        Weighing { decay: Decay::new(None), saturation }
    }

    fn cells(n: u32) -> Vec<Cell> {
        let mut random = SplitMix64::new(7);
        let cell = |item| {
            let mut sum = |exponents: f64| exp2(exponents * (2.0 * random.uniform() - 1.0));
            let confidence = if item % 9 == 0 { 0.0 } else { sum(70.0) };
            let preference = if confidence == 0.0 { 0.0 } else { confidence * (sum(0.9) - 1.0) };
            Cell::from_parts(CellParts {
                item: ItemIdx::new(item),
                events: 1,
                weighted_preference: preference,
                confidence,
                last_seen: Timestamp::default(),
                day_parts: [0; DayPart::COUNT],
            })
            .expect("a sound cell")
        };
        (0..n).map(cell).collect()
    }

    #[test]
    fn many_cells_at_a_time_give_the_bytes_that_each_gives_by_itself() {
        for (saturation, factor) in [
            (Saturation::None, 0.3),
            (Saturation::None, 1e-44),
            (Saturation::Log, 1.0),
            (Saturation::Log, 1e12),
            (Saturation::Log, 1e-30),
            (Saturation::Log, 1e-44),
        ] {
            let (weighing, cells) = (weighing(saturation), cells(1_003));
            let mut together = vec![Pair::default()];
            weighing.add_pairs(&cells, factor, &mut together);
            assert_eq!(together.len(), 1 + cells.len());
            for (cell, pair) in cells.iter().zip(&together[1..]) {
                let alone = weighing.pair(cell, factor);
                assert_eq!(
                    (alone.confidence().to_bits(), alone.weighted_preference().to_bits()),
                    (pair.confidence().to_bits(), pair.weighted_preference().to_bits()),
                );
            }
        }
    }

    #[test]
    fn a_saturated_pair_has_the_logarithm_for_a_confidence_and_keeps_its_preference() {
        for cell in cells(1_000) {
            let pair = weighing(Saturation::Log).pair(&cell, 1.0);
            let expected = f64::from(cell.confidence()).ln_1p();
            assert!((f64::from(pair.confidence()) - expected).abs() <= 4e-7 * expected, "{cell:?}");
            if cell.confidence() > 0.0 {
                let preference = |sum: f32, confidence: f32| f64::from(sum) / f64::from(confidence);
                let had = preference(cell.weighted_preference(), cell.confidence());
                let has = preference(pair.weighted_preference(), pair.confidence());
                assert!((had - has).abs() <= 4e-7 * had.abs(), "{had}, {has}");
            } else {
                assert_eq!(pair, Pair::default());
            }
        }
    }
}
