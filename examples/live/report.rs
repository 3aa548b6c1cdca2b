//! What is printed at the end.

use std::fmt;
use std::time::Duration;

use segue::{ItemId, SimdPath, Stats};

use crate::ask::Asked;
use crate::five::Five;
use crate::flood::Flood;
use crate::latency::Latencies;
use crate::source::Source;
use crate::steady::{self, HitRate, Steady};

/// Everything that was measured.
pub(crate) struct Report<'a> {
    pub(crate) source: &'a Source,
    pub(crate) stats: Stats,
    pub(crate) flood: Flood,
    pub(crate) asked_in_flood: Asked,
    pub(crate) steady: Steady,
    pub(crate) asked_in_steady: Asked,
    pub(crate) five: Option<Five>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.flood(f)?;
        self.steady(f)?;
        self.queries(f)?;
        self.hit_rates(f)?;
        self.five.as_ref().map_or(Ok(()), |five| self.five(f, five))
    }
}

impl Report<'_> {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { n_users, n_items, sweeps, n_bytes, .. } = self.stats;
        let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        writeln!(f, "segue, live: {}, seed {}", self.source.name(), self.source.seed())?;
        writeln!(f, "  {n_users} listeners, {n_items} artists, {} MB; {sweeps} sweeps", n_bytes / 1_000_000)?;
        writeln!(f, "  {n_cores} cores, {} instructions", SimdPath::detect())
    }

    fn flood(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flood { n_events, rate, duration, visible, sweeps, user_folds } = &self.flood;
        let seconds = duration.as_secs_f64();
        match rate {
            Some(rate) => writeln!(f, "\nflood, at most {rate} events/s")?,
            None => writeln!(
                f,
                "\nflood, as fast as it goes; the queue is full, so an event waits for those before it"
            )?,
        }
        writeln!(f, "  {:.0} events/s: {n_events} in {seconds:.1} s", ratio(*n_events, 1) / seconds)?;
        writeln!(f, "  visible after p50 {:.1?}, p99 {:.1?}", visible.p50, visible.p99)?;
        writeln!(
            f,
            "  {sweeps} sweeps; one solve of a listener for {:.1} events",
            ratio(*n_events, usize::try_from(*user_folds).unwrap_or(usize::MAX))
        )
    }

    fn steady(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Steady { n_events, visible, .. } = &self.steady;
        writeln!(f, "\nsteady, {} events/s, {n_events} events; queries and sweeps go on", steady::RATE)?;
        writeln!(f, "  visible to the sender after {}", percentiles(visible))
    }

    fn queries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nqueries, each a whole view().user(..).recommend().limit(10).run()")?;
        for (load, asked) in [("flood", &self.asked_in_flood), ("steady", &self.asked_in_steady)] {
            writeln!(f, "  {load:<6}  no sweep      {}", percentiles(&asked.idle))?;
            writeln!(f, "  {load:<6}  during sweep  {}", percentiles(&asked.sweeping))?;
        }
        Ok(())
    }

    fn hit_rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Steady { plays, discoveries, .. } = &self.steady;
        writeln!(f, "\nhit rate@{}: each play of the steady part was tested, then learned", steady::SHOWN)?;
        writeln!(f, "  {:<42} {:>6} {:>8} {:>8}", "", "tested", "segue", "popular")?;
        hit_rate(f, "all plays, known artists allowed", plays)?;
        hit_rate(f, "discoveries: artists new to the listener", discoveries)
    }

    fn five(&self, f: &mut fmt::Formatter<'_>, five: &Five) -> fmt::Result {
        let played: Vec<_> = five.played.iter().map(|artist| self.source.name_of(artist)).collect();
        writeln!(
            f,
            "\n{} knows {} artists, none of {:?}, and plays five of it:",
            five.listener, five.n_known, five.genre
        )?;
        writeln!(f, "  {}", played.join(", "))?;
        writeln!(f, "  {:<42}   after (+ is new)", "before")?;
        for (before, after) in five.before.iter().zip(&five.after) {
            let mark = if five.before.contains(after) { ' ' } else { '+' };
            writeln!(f, "  {:<42} {mark} {}", self.titled(before), self.titled(after))?;
        }
        Ok(())
    }

    /// Name and genre, in at most 42 characters.
    fn titled(&self, artist: &ItemId) -> String {
        let title = match self.source.genre_of(artist) {
            Some(genre) => format!("{} ({genre})", self.source.name_of(artist)),
            None => self.source.name_of(artist),
        };
        title.chars().take(42).collect()
    }
}

fn hit_rate(f: &mut fmt::Formatter<'_>, what: &str, rate: &HitRate) -> fmt::Result {
    let percent = |hits| 100.0 * f64::from(hits) / f64::from(rate.tested.max(1));
    let (personal, popular) = (percent(rate.personal), percent(rate.popular));
    writeln!(f, "  {what:<42} {:>6} {personal:>6.1} % {popular:>6.1} %", rate.tested)
}

fn percentiles(latencies: &Latencies) -> String {
    let shown = |percent| {
        latencies.percentile(percent).map_or_else(|| "-".to_owned(), |at: Duration| format!("{at:.1?}"))
    };
    format!("p50 {:>7}, p99 {:>7}  ({})", shown(50), shown(99), latencies.len())
}

#[expect(clippy::cast_precision_loss, reason = "numbers of events are far below 2^53")]
fn ratio(events: usize, of: usize) -> f64 {
    events as f64 / of.max(1) as f64
}
