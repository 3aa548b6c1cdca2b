//! How soon an event is visible, and how many events a second are.
//!
//! Run with `cargo bench --bench stream`; add `-- pump`, `-- thread`, `-- flood`, `-- city` or `-- load` for one part
//! alone. Takes about four minutes and 4 GB of memory. Nothing else should run on the machine.
//!
//! | part | what is measured |
//! |---|---|
//! | `pump` | one event without threads: validate, weigh, change the history, solve the user, publish. 5,000 users of some 50 artists each, in random order, so that no history is at hand in a cache |
//! | `thread` | one event through an engine with nothing else to do: from before `send_tracked` until `view_after` has returned. Both threads are asleep before and in between, so the scheduler is in it twice |
//! | `flood` | a bounded queue filled as fast as it is taken, for ten seconds, with sweeps in the course of it; every event is folded in |
//! | `city` | the same for 100,000 listeners who know 50 of 20,000 artists each, without sweeps, the events made before the clock starts. As in the Last.fm data of HetRec 2011 the most active tenth sends 41 % of them; four of five are of an artist in the listener's history, where Last.fm has rather more |
//! | `load` | 1,000 queries of the city a second at moments that fall in step with nothing, by a thread that sleeps in between, with nothing else to do, and while 50,000 events/s, made before, come in and sweeps follow each other without a pause: from when a query was due, which has a timer and the scheduler in it, and from when it began |
//!
//! On two cores `load` is limited by the scheduler. A thread that wakes often waits for the core it slept on until whoever runs
//! there has had a time slice of some milliseconds, be the other core idle or not: the writer pauses for that reason after
//! every 50 µs, and sweeps run as `SCHED_IDLE`, which gives way at once. What is left is to wait for the rest of those 50 µs, for
//! what takes a thread longer than that in one piece, and for whatever else the machine does.
//!
//! One solve covers all that a user did in a batch. The demo world's days pass in seconds here, so that whole sessions
//! fall into one batch: that flatters. The city does not.
//!
//! 64 factors everywhere.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use segue::demo::DemoWorld;
use segue::plugin::PublishAlways;
use segue::{
    AlsParams, Engine, Event, EventSender, ItemId, ManualEngine, NeverSweep, SimdPath, SweepEvery,
    SweepPolicy, UserId,
};

const N_FACTORS: usize = 64;
const N_USERS: usize = 5_000;
const N_ITEMS: usize = 2_000;
/// Artists in each history before the measurement.
const HISTORY: usize = 50;
/// Between two queries of a loaded engine on average; each takes some ten microseconds.
const QUERY_EVERY: Duration = Duration::from_millis(1);
/// Beside them.
const EVENTS_A_SECOND: u64 = 50_000;
/// Bounds how far behind the writer can be: at 100,000 events a second, half a second.
const QUEUE: usize = 50_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    // `cargo bench` adds `--bench` of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let n_cores = std::thread::available_parallelism()?;
    println!("{n_cores} cores, {} instructions, {N_FACTORS} factors\n", SimdPath::detect());
    if is_wanted("pump") {
        pump()?;
    }
    if is_wanted("thread") {
        thread()?;
    }
    if is_wanted("flood") {
        flood()?;
    }
    if is_wanted("city") {
        city()?;
    }
    if is_wanted("load") {
        load()?;
    }
    Ok(())
}

/// One event at a time, on this thread alone.
fn pump() -> Result<(), Failure> {
    const N_EVENTS: usize = 50_000;
    let mut plays = Plays::new(1);
    let builder = ManualEngine::builder().als(params()?).sweep_policy(NeverSweep);
    let mut engine = builder.open_manual()?;
    engine.import(plays.histories());
    engine.sweep()?;

    let mut latencies = Vec::with_capacity(N_EVENTS);
    for _ in 0..N_EVENTS {
        let event = plays.next_event();
        let before = Instant::now();
        engine.apply(event)?;
        engine.pump();
        latencies.push(before.elapsed());
    }
    let stats = engine.stats();
    print_latencies("pump: one event by hand", "at most 8 µs", latencies);
    println!("  {} item batches with {} solves are in it\n", stats.item_batches, stats.item_folds);
    Ok(())
}

/// One event at a time, through the queue to the writer's thread and back.
fn thread() -> Result<(), Failure> {
    const N_EVENTS: usize = 3_000;
    /// Long enough for the writer to be asleep again.
    const PAUSE: Duration = Duration::from_millis(1);
    let mut plays = Plays::new(2);
    let engine = Engine::builder().als(params()?).sweep_policy(NeverSweep).open()?;
    engine.import(plays.histories())?;
    engine.sweep_now()?.wait()?;

    let (sender, reader) = (engine.sender(), engine.reader());
    let mut latencies = Vec::with_capacity(N_EVENTS);
    for _ in 0..N_EVENTS {
        std::thread::sleep(PAUSE);
        let event = plays.next_event();
        let before = Instant::now();
        let receipt = sender.send_tracked(event)?;
        reader.view_after(&receipt, Duration::from_secs(1))?;
        latencies.push(before.elapsed());
    }
    print_latencies("thread: send, wait, see it", "at most 60 µs", latencies);
    let alone = engine.stats().event_to_visible;
    println!("  of these, from `send` to visible: p50 {:.1?}, p99 {:.1?}\n", alone.p50, alone.p99);
    Ok(())
}

/// As fast as the queue takes them.
fn flood() -> Result<(), Failure> {
    /// About five days of the world: histories of some fifty artists.
    const N_BEFORE: usize = 400_000;
    let world = DemoWorld::builder().build()?;
    let mut events = world.events();
    let before: Vec<Event> = events.by_ref().take(N_BEFORE).collect();
    let share = 100.0 * share_of_most_active(&before);
    flood_with(
        &format!("the demo world, a tenth of its users send {share:.0} % of the events"),
        QUEUE,
        often(),
        before,
        events,
    )
}

fn often() -> impl SweepPolicy {
    SweepEvery::time(Duration::from_secs(4))
}

/// Many listeners, some of them busy.
fn city() -> Result<(), Failure> {
    const N_EVENTS: usize = 6_000_000;
    let mut plays = Plays::of_a_city();
    let histories = plays.histories();
    let by_rank = activity(plays.users.len());
    let events: Vec<Event> =
        std::iter::repeat_with(|| plays.next_event_of(&by_rank)).take(N_EVENTS).collect();
    let share = 100.0 * share_of_most_active(&events);
    let what = format!("a city, a tenth of its users send {share:.0} % of the events");
    flood_with(&what, QUEUE, NeverSweep, histories, events.into_iter())
}

/// Queries beside everything else.
fn load() -> Result<(), Failure> {
    const ROUNDS: usize = 3;
    const DURATION: Duration = Duration::from_secs(6);
    let mut plays = Plays::of_a_city();
    // Nobody in the city has a taste, so there is nothing for a gate to judge by.
    let engine =
        Engine::builder().als(params()?).sweep_policy(NeverSweep).sweep_gate(PublishAlways).open()?;
    engine.import(plays.histories())?;
    engine.sweep_now()?.wait()?;
    let (mut idle, mut busy) = (Asked::default(), Asked::default());
    let (mut n_sent, mut n_sweeps, mut sending) = (0, 0, Duration::ZERO);
    let by_rank = activity(plays.users.len());
    for _ in 0..ROUNDS {
        // More than are due.
        let n_events = usize::try_from(2 * DURATION.as_secs() * EVENTS_A_SECOND)?;
        let events: Vec<Event> =
            std::iter::repeat_with(|| plays.next_event_of(&by_rank)).take(n_events).collect();
        ask_for(DURATION, &engine, &mut plays, &mut idle)?;
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let (sender, done) = (engine.sender(), &done);
            let sends = scope.spawn(move || send_at_a_rate(events, &sender, done));
            let sweeps = scope.spawn(|| {
                let mut n_sweeps = 0;
                while !done.load(Ordering::Relaxed) {
                    engine.sweep_now().expect("it runs").wait().expect("there is enough to learn from");
                    n_sweeps += 1;
                }
                n_sweeps
            });
            let began = Instant::now();
            ask_for(DURATION, &engine, &mut plays, &mut busy)?;
            done.store(true, Ordering::Relaxed);
            sending += began.elapsed();
            n_sent += sends.join().expect("sending does not panic");
            n_sweeps += sweeps.join().expect("sweeping does not panic");
            Ok::<_, Failure>(())
        })?;
    }
    let rate = as_f64(n_sent) / sending.as_secs_f64();
    println!(
        "load: a query every {QUERY_EVERY:.0?} or so; then beside {rate:.0} events/s and {n_sweeps} sweeps (p99 should at most double)"
    );
    for (when, asked) in [("idle", &mut idle), ("load", &mut busy)] {
        for (since, latencies) in
            [("from when it was due", &mut asked.due), ("from when it began  ", &mut asked.begun)]
        {
            latencies.sort_unstable();
            let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
            println!("  {when}, {since}  p50 {:8.1?}, p99 {:8.1?}  ({})", at(50), at(99), latencies.len());
        }
    }
    let visible = engine.stats().event_to_visible;
    println!("  load, from `send` to visible: p50 {:.1?}, p99 {:.1?}\n", visible.p50, visible.p99);
    Ok(())
}

/// How long queries took.
#[derive(Default)]
struct Asked {
    due: Vec<Duration>,
    begun: Vec<Duration>,
}

fn ask(engine: &Engine, plays: &mut Plays) -> Result<(), Failure> {
    let user = plays.below(plays.users.len());
    engine.reader().view().user(plays.users[user].clone()).recommend().limit(10).run()?;
    Ok(())
}

/// Asks at moments that fall in step with nothing, whether or not the last query took longer: who comes late waits in line.
fn ask_for(duration: Duration, engine: &Engine, plays: &mut Plays, asked: &mut Asked) -> Result<(), Failure> {
    let began = Instant::now();
    let mut due = began;
    while due - began < duration {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let begun = Instant::now();
        ask(engine, plays)?;
        asked.due.push(due.elapsed());
        asked.begun.push(begun.elapsed());
        // Between a half and three halves.
        let part = u32::try_from(plays.below(1_000))?;
        due += QUERY_EVERY / 2 + QUERY_EVERY * part / 1_000;
    }
    Ok(())
}

/// Sends events, [`EVENTS_A_SECOND`], a millisecond's at a time, until `done`; gives their number.
fn send_at_a_rate(events: Vec<Event>, sender: &EventSender, done: &AtomicBool) -> u64 {
    let mut due = Instant::now();
    let mut n_sent = 0;
    let mut events = events.into_iter();
    while !done.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        for _ in 0..EVENTS_A_SECOND / 1_000 {
            let Some(event) = events.next() else { return n_sent };
            if sender.send(event).is_err() {
                return n_sent;
            }
            n_sent += 1;
        }
        due += Duration::from_millis(1);
    }
    n_sent
}

fn flood_with(
    what: &str,
    queue: usize,
    policy: impl SweepPolicy,
    before: Vec<Event>,
    events: impl Iterator<Item = Event>,
) -> Result<(), Failure> {
    const DURATION: Duration = Duration::from_secs(10);
    let engine = Engine::builder().als(params()?).sweep_policy(policy).queue_capacity(queue).open()?;
    engine.import(before)?;
    engine.sweep_now()?.wait()?;

    let before = engine.stats();
    let (n_sent, duration) = send_for(DURATION, events, &engine)?;
    let after = engine.stats();
    let visible = after.event_to_visible;
    println!("flood: {what} (p99 should be at most 1 s)");
    println!(
        "  {:.0} events/s for {duration:.1?}, visible after p50 {:.1?}, p99 {:.1?}",
        as_f64(n_sent) / duration.as_secs_f64(),
        visible.p50,
        visible.p99,
    );
    let user_folds = after.user_folds - before.user_folds;
    println!(
        "  one user solve for {:.1} events, {} item batches with {} solves, {} sweeps\n",
        as_f64(n_sent) / as_f64(user_folds),
        after.item_batches - before.item_batches,
        after.item_folds - before.item_folds,
        after.sweeps - before.sweeps,
    );
    Ok(())
}

/// Sends for `duration`, as far as there are events, and until the queue is worked off; returns the number of events and how long they
/// took.
fn send_for(
    duration: Duration,
    mut events: impl Iterator<Item = Event>,
    engine: &Engine,
) -> Result<(u64, Duration), Failure> {
    /// Looking at the clock for each event would be a part of what is measured.
    const AT_ONCE: usize = 256;
    let sender = engine.sender();
    let mut n_sent = 0;
    let began = Instant::now();
    while began.elapsed() < duration {
        let before = n_sent;
        for event in events.by_ref().take(AT_ONCE) {
            sender.send(event)?;
            n_sent += 1;
        }
        if n_sent == before {
            break;
        }
    }
    // Once this one is visible, everything before it is.
    let last = sender.send_tracked(Event::listen("the-last", "the-last"))?;
    engine.reader().view_after(&last, Duration::from_secs(60))?;
    Ok((n_sent + 1, began.elapsed()))
}

/// The sums of shares that fall as 1 / (rank + 3 % of all ranks).
fn activity(n: usize) -> Vec<u64> {
    let shift = n as u64 * 3 / 100;
    (1..=n as u64)
        .scan(0, |sum, rank| {
            *sum += (1 << 40) / (rank + shift);
            Some(*sum)
        })
        .collect()
}

/// What share of `events` the most active tenth of the users sends.
fn share_of_most_active(events: &[Event]) -> f64 {
    let mut counts = HashMap::<&UserId, u64>::new();
    for event in events {
        *counts.entry(event.user()).or_default() += 1;
    }
    let mut counts: Vec<u64> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    as_f64(counts.iter().take(counts.len() / 10).sum()) / as_f64(counts.iter().sum())
}

fn params() -> Result<AlsParams, Failure> {
    Ok(AlsParams::builder().n_factors(N_FACTORS).build()?)
}

fn print_latencies(what: &str, target: &str, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    let mean = latencies.iter().sum::<Duration>() / u32::try_from(latencies.len()).unwrap_or(u32::MAX);
    println!("{what} (target: p50 {target})");
    println!("  p50 {:.1?}, p99 {:.1?}, mean {mean:.1?} over {} events", at(50), at(99), latencies.len());
}

#[expect(clippy::cast_precision_loss, reason = "counts of events are far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Listeners with histories of one length, and random plays of theirs.
struct Plays {
    users: Vec<UserId>,
    items: Vec<ItemId>,
    /// [`HISTORY`] artists of each listener, one listener after the other.
    known: Vec<usize>,
    random: u64,
}

impl Plays {
    fn new(seed: u64) -> Self {
        let user = |number| format!("listener-{number:04}").into();
        Self::of(N_USERS, N_ITEMS, seed, user, |number| format!("an-artist-{number:04}").into())
    }

    fn of_a_city() -> Self {
        Self::of(100_000, 20_000, 4, Into::into, Into::into)
    }

    fn of(
        n_users: usize,
        n_items: usize,
        seed: u64,
        user: impl Fn(u64) -> UserId,
        item: impl Fn(u64) -> ItemId,
    ) -> Self {
        let users = (0..n_users as u64).map(user).collect();
        Self { users, items: (0..n_items as u64).map(item).collect(), known: Vec::new(), random: seed }
    }

    /// [`HISTORY`] different artists for everybody, few of them popular.
    fn histories(&mut self) -> Vec<Event> {
        let mut events = Vec::with_capacity(self.users.len() * HISTORY);
        for user in 0..self.users.len() {
            let mut artists = BTreeSet::new();
            while artists.len() < HISTORY {
                artists.insert(self.artist());
            }
            self.known.extend(&artists);
            events.extend(
                artists.into_iter().map(|artist| Event::listen(&self.users[user], &self.items[artist])),
            );
        }
        events
    }

    /// Somebody plays something, often something new to them.
    fn next_event(&mut self) -> Event {
        let (user, artist) = (self.below(self.users.len()), self.artist());
        Event::listen(&self.users[user], &self.items[artist])
    }

    /// Somebody, as likely as `shares`, summed up, says, plays something, four times of five something they know.
    fn next_event_of(&mut self, shares: &[u64]) -> Event {
        let total = usize::try_from(*shares.last().expect("not empty")).expect("64 bits");
        let drawn = self.below(total) as u64;
        let user = shares.partition_point(|&sum| sum <= drawn);
        let artist = if self.below(5) == 0 {
            self.artist()
        } else {
            let place = self.below(HISTORY);
            self.known[user * HISTORY + place]
        };
        Event::listen(&self.users[user], &self.items[artist])
    }

    /// Smaller numbers are more likely: a tenth of the artists gets 60 % of the plays.
    fn artist(&mut self) -> usize {
        let scale = self.below(self.items.len()) + 1;
        let scale = self.below(scale) + 1;
        self.below(scale)
    }

    /// Steele, Lea & Flood's `SplitMix64`, brought below a bound.
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let wide = u128::from(z ^ (z >> 31)) * bound as u128;
        usize::try_from(wide >> 64).expect("below a usize")
    }
}
