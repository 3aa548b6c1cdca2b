//! Play counts as a stream of listens.

use std::time::Duration;

use crate::kernel::{AliasTable, SplitMix64};
use crate::types::{Event, Timestamp};

use super::Plays;

/// Listens drawn in proportion to play counts: what [`LastFm2k::listens`](super::LastFm2k::listens) gives.
///
/// Each listen is drawn for itself, so a pair with twice the plays comes up twice as often, in no
/// particular order. The time stamps rise evenly over a period, by default the year before the set was
/// published.
///
/// ```no_run
/// use segue::Timestamp;
/// use segue::import::LastFm2k;
/// use std::time::Duration;
///
/// let lastfm = LastFm2k::open("data/hetrec2011-lastfm-2k")?;
/// let (new_year, day) = (Timestamp::from_unix_seconds(1_735_689_600), Duration::from_secs(86_400));
/// for event in lastfm.listens(1, 86_400).over(new_year, day) {
///     // One a second.
///     # let _ = event;
/// }
/// # Ok::<(), segue::import::ImportError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Listens<'a> {
    plays: &'a [Plays],
    /// `None` if there is nothing to draw from.
    table: Option<AliasTable>,
    random: SplitMix64,
    start: Timestamp,
    period: Duration,
    total: usize,
    drawn: usize,
}

/// 2010-05-01 00:00 UTC: a year before the first version of the set was published, in May 2011.
const DEFAULT_START: i64 = 1_272_672_000;
const DEFAULT_PERIOD: Duration = Duration::from_secs(365 * 24 * 3_600);

impl<'a> Listens<'a> {
    pub(super) fn new(plays: &'a [Plays], seed: u64, n_listens: usize) -> Self {
        let weights: Vec<f64> = plays.iter().map(|plays| f64::from(plays.count)).collect();
        let table = AliasTable::new(&weights);
        Self {
            plays,
            total: if table.is_some() { n_listens } else { 0 },
            table,
            random: SplitMix64::new(seed),
            start: Timestamp::from_unix_seconds(DEFAULT_START),
            period: DEFAULT_PERIOD,
            drawn: 0,
        }
    }

    /// With time stamps from `start` on that would reach `start + period` with the listen after the last:
    /// listen `i` of `n` happens at `start + period · i / n`, rounded down to a millisecond.
    #[must_use]
    pub fn over(self, start: Timestamp, period: Duration) -> Self {
        Self { start, period, ..self }
    }
}

impl Iterator for Listens<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.drawn == self.total {
            return None;
        }
        let since_start = self.period.as_millis() * self.drawn as u128 / self.total as u128;
        let since_start = Duration::from_millis(u64::try_from(since_start).unwrap_or(u64::MAX));
        self.drawn += 1;
        let plays = &self.plays[self.table.as_ref()?.sample(&mut self.random)];
        Some(Event::listen(&plays.user, &plays.item).at(self.start.saturating_add(since_start)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.total - self.drawn;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Listens<'_> {}

impl std::iter::FusedIterator for Listens<'_> {}
