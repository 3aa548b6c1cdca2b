//! The demo world is the same for the same seed, keeps order of time, and looks like listening does.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use segue::demo::{DemoArtist, DemoEvents, DemoListener, DemoWorld, DemoWorldBuilder};
use segue::{Action, ActionKind, Event, Played, Tag, Timestamp, UserId};

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn small() -> DemoWorldBuilder {
    DemoWorld::builder().seed(11).n_artists(500).n_listeners(300)
}

fn world() -> DemoWorld {
    small().build().expect("the settings are in range")
}

fn time_of(event: &Event) -> Timestamp {
    event.timestamp().expect("every event has a time")
}

/// The local hour of the listener, 0 to 23.
fn local_hour(world: &DemoWorld, event: &Event) -> i64 {
    let listener = world.listeners().iter().find(|listener| listener.id() == event.user());
    let offset = listener.expect("events are of the world's listeners").utc_offset();
    (time_of(event).unix_ms() / 60_000 + i64::from(offset.minutes())).rem_euclid(24 * 60) / 60
}

#[test]
fn equal_settings_give_equal_worlds_and_events() {
    let (one, other) = (world(), world());
    assert_eq!(one.artists(), other.artists());
    assert_eq!(one.catalogue(), other.catalogue());
    assert_eq!(one.listeners(), other.listeners());
    assert!(one.events().zip(other.events()).take(20_000).all(|(a, b)| a == b));
    assert!(one.events().zip(one.events()).take(1_000).all(|(a, b)| a == b), "each call starts anew");
}

#[test]
fn another_seed_gives_another_world() {
    let other = small().seed(12).build().expect("in range");
    assert_ne!(world().artists(), other.artists());
    let same = world().events().zip(other.events()).take(1_000).filter(|(a, b)| a == b).count();
    assert_eq!(same, 0);
}

#[test]
fn a_listener_does_the_same_however_many_others_there_are() {
    let fewer = small().n_listeners(3).build().expect("in range");
    let of_first_three =
        world().events().filter(|event| fewer.listeners().iter().any(|l| l.id() == event.user()));
    assert!(of_first_three.zip(fewer.events()).take(500).all(|(a, b)| a == b));
}

#[test]
fn events_come_in_order_of_time_from_the_start_on() {
    let start = Timestamp::from_unix_seconds(1_000_000_000);
    let world = small().start(start).build().expect("in range");
    let times: Vec<Timestamp> = world.events().take(50_000).map(|event| time_of(&event)).collect();
    assert!(times.is_sorted());
    assert!(times[0] >= start);
    assert!(times[0].saturating_since(start) < DAY);
}

#[test]
fn fractions_are_shares_and_only_plays_have_them() {
    for event in world().events().take(100_000) {
        match (event.action(), event.how_far()) {
            (Action::Do(ActionKind::Listen | ActionKind::Skip), Played::Fraction(fraction)) => {
                assert!((0.0..=1.0).contains(&fraction), "{event:?}");
            }
            (Action::Do(kind) | Action::Undo(kind), Played::Unknown)
                if matches!(kind, ActionKind::Like | ActionKind::Save | ActionKind::Dislike) => {}
            _ => panic!("unlikely in this world: {event:?}"),
        }
    }
}

#[test]
fn kinds_of_events_have_plausible_shares() {
    let mut counts: HashMap<Action, f64> = HashMap::new();
    for event in world().events().take(200_000) {
        *counts.entry(event.action().clone()).or_default() += 1.0;
    }
    let share = |action: Action| counts[&action] / 200_000.0;
    assert!((0.70..0.90).contains(&share(Action::Do(ActionKind::Listen))), "{counts:?}");
    assert!((0.08..0.25).contains(&share(Action::Do(ActionKind::Skip))), "{counts:?}");
    assert!((0.005..0.05).contains(&share(Action::Do(ActionKind::Like))), "{counts:?}");
    assert!((0.002..0.03).contains(&share(Action::Do(ActionKind::Save))), "{counts:?}");
    assert!((0.001..0.02).contains(&share(Action::Do(ActionKind::Dislike))), "{counts:?}");
    assert!((0.0001..0.003).contains(&share(Action::Undo(ActionKind::Like))), "{counts:?}");
}

#[test]
fn what_is_undone_was_done_before() {
    let mut stands: HashSet<(UserId, segue::ItemId, ActionKind)> = HashSet::new();
    let mut n_undone = 0;
    for event in world().events().take(200_000) {
        let said = |kind: &ActionKind| (event.user().clone(), event.item().clone(), kind.clone());
        match event.action() {
            Action::Do(kind) => {
                stands.insert(said(kind));
            }
            Action::Undo(kind) => {
                n_undone += 1;
                assert!(stands.remove(&said(kind)), "{event:?}");
            }
        }
    }
    assert!(n_undone > 50);
}

#[test]
fn few_artists_have_much_of_the_listening() {
    let world = world();
    assert!(world.artists().is_sorted_by(|a, b| a.popularity() >= b.popularity()));
    let total: f64 = world.artists().iter().map(DemoArtist::popularity).sum();
    // 500 additions of numbers below 1 round to about 1e-13.
    assert!((total - 1.0).abs() < 1e-12, "{total}");

    let mut plays: HashMap<_, f64> = HashMap::new();
    for event in world.events().take(200_000) {
        *plays.entry(event.item().clone()).or_default() += 1.0;
    }
    let mut plays: Vec<f64> = plays.into_values().collect();
    plays.sort_by(|a, b| b.total_cmp(a));
    let top_tenth = plays[..50].iter().sum::<f64>() / plays.iter().sum::<f64>();
    assert!((0.25..0.75).contains(&top_tenth), "{top_tenth}");
    assert!(plays.len() > 475, "nearly everybody is heard at some time: {}", plays.len());
}

#[test]
fn the_more_it_pleases_the_less_it_is_skipped() {
    let world = world();
    let mut skipped = [(0.0, 0.0); 3];
    for event in world.events().take(200_000) {
        if event.how_far() == Played::Unknown {
            continue; // Not a play.
        }
        let is_skip = f64::from(u8::from(*event.action() == Action::Do(ActionKind::Skip)));
        let affinity =
            world.true_affinity(event.user(), event.item(), time_of(&event)).expect("both live here");
        assert!((0.0..=1.0).contains(&affinity));
        let band = match affinity {
            low if low < 0.2 => 0,
            middle if middle < 0.6 => 1,
            _ => 2,
        };
        skipped[band].0 += is_skip;
        skipped[band].1 += 1.0;
    }
    let [low, middle, high] = skipped.map(|(skips, plays)| skips / plays);
    assert!(low > middle + 0.1 && middle > high + 0.05, "{low} {middle} {high}");
}

#[test]
fn listeners_return_to_artists_and_discover_others() {
    let mut known = HashSet::new();
    let listens = world().events().filter(|event| *event.action() == Action::Do(ActionKind::Listen));
    let of_second_half = listens.take(100_000).enumerate().filter_map(|(nth, event)| {
        let is_new = known.insert((event.user().clone(), event.item().clone()));
        (nth >= 50_000).then_some(is_new)
    });
    let n_new = of_second_half.filter(|is_new| *is_new).count();
    assert!((2_500..25_000).contains(&n_new), "{n_new} of 50,000");
}

#[test]
fn tastes_drift_slowly() {
    let world = small().taste_life(100 * DAY).build().expect("in range");
    let favourite = |listener: &UserId, at: Timestamp| {
        let affinity = |id| world.true_affinity(listener, id, at).expect("both live here");
        world.artists().iter().map(DemoArtist::id).max_by(|a, b| affinity(a).total_cmp(&affinity(b)))
    };
    let changed_after = |days: u32| {
        let later = world.start().saturating_add(days * DAY);
        let listeners = world.listeners().iter().map(DemoListener::id);
        listeners.filter(|id| favourite(id, world.start()) != favourite(id, later)).count()
    };
    let (after_a_day, after_a_life) = (changed_after(1), changed_after(100));
    assert!(after_a_day < 15, "{after_a_day} of 300 have another favourite after a day");
    assert!(after_a_life > 200, "{after_a_life} of 300 have another favourite after a life of a taste");
}

#[test]
fn a_listener_is_never_without_a_taste() {
    let world = small().taste_life(10 * DAY).build().expect("in range");
    for listener in world.listeners() {
        for hours in (0..600).step_by(13) {
            let at = world.start().saturating_add(hours * DAY / 24);
            let genres = world.true_genres(listener.id(), at).expect("lives here");
            assert!(genres[0].1 >= 0.6, "{genres:?} at {hours} h");
            assert!(genres.is_sorted_by(|(_, a), (_, b)| a >= b));
        }
    }
}

#[test]
fn the_truth_of_any_moment_can_be_asked() {
    let world = world();
    let (listener, artist) = (world.listeners()[0].id(), world.artists()[0].id());
    for at in [i64::MIN, -1, 0, i64::MAX].map(Timestamp::from_unix_ms) {
        let affinity = world.true_affinity(listener, artist, at).expect("both live here");
        assert!((0.0..=1.0).contains(&affinity));
    }
    assert_eq!(world.true_affinity(&"nobody".into(), artist, world.start()), None);
    assert_eq!(world.true_affinity(listener, &"nobody".into(), world.start()), None);
    assert_eq!(world.true_genres(&"nobody".into(), world.start()), None);
}

#[test]
fn nights_are_calm_and_mornings_lively() {
    let world = world();
    let energies: HashMap<_, f64> =
        world.artists().iter().map(|artist| (artist.id().clone(), artist.energy())).collect();
    let mut by_hour = [(0.0, 0.0); 24];
    for event in world.events().take(200_000) {
        let hour = usize::try_from(local_hour(&world, &event)).expect("0 to 23");
        by_hour[hour].0 += energies[event.item()];
        by_hour[hour].1 += 1.0;
    }
    let mean = |hours: std::ops::Range<usize>| {
        let (energy, plays) =
            by_hour[hours].iter().fold((0.0, 0.0), |sum, of_hour| (sum.0 + of_hour.0, sum.1 + of_hour.1));
        energy / plays
    };
    assert!(mean(7..9) > mean(1..4) + 0.15, "{} in the morning, {} at night", mean(7..9), mean(1..4));
}

#[test]
fn running_asks_for_energy() {
    let world = small().context_share(1.0).build().expect("in range");
    let energies: HashMap<_, f64> =
        world.artists().iter().map(|artist| (artist.id().clone(), artist.energy())).collect();
    let mean = |activity: &str| {
        let during = world.events().take(200_000).filter(|event| {
            let circumstances = event.circumstances().expect("everybody sends them in this world");
            circumstances.activity.as_ref().is_some_and(|known| known.as_str() == activity)
        });
        let (energy, n) =
            during.fold((0.0, 0.0), |(energy, n), event| (energy + energies[event.item()], n + 1.0));
        assert!(n > 1_000.0, "{activity}: {n}");
        energy / n
    };
    assert!(mean("running") > mean("reading") + 0.2);
}

#[test]
fn only_listeners_who_send_context_do() {
    let world = world();
    let sends: HashMap<_, bool> =
        world.listeners().iter().map(|listener| (listener.id().clone(), listener.sends_context())).collect();
    let n_senders = sends.values().filter(|sends| **sends).count();
    // 60 expected of 300, with a standard deviation of 7.
    assert!((25..95).contains(&n_senders), "{n_senders}");
    for event in world.events().take(20_000) {
        let circumstances = event.circumstances();
        assert_eq!(circumstances.is_some(), sends[event.user()]);
        if let Some(context) = circumstances {
            assert!(context.session.is_some() && context.utc_offset.is_some());
            assert_eq!(context.activity.is_some(), context.device.is_some());
        }
    }
}

#[test]
fn sessions_are_a_few_plays_without_a_long_pause() {
    let world = small().context_share(1.0).build().expect("in range");
    let mut sessions: HashMap<_, Vec<Timestamp>> = HashMap::new();
    let n_events = 100_000;
    for event in world.events().take(n_events) {
        let session =
            event.circumstances().and_then(|context| context.session.clone()).expect("everybody sends it");
        sessions.entry(session).or_default().push(time_of(&event));
    }
    let longest_pause = sessions
        .values()
        .flat_map(|times| times.windows(2))
        .map(|pair| pair[1].saturating_since(pair[0]))
        .max();
    assert!(longest_pause < Some(Duration::from_secs(400)), "{longest_pause:?}");
    let mean_events = n_events / sessions.len();
    assert!((6..14).contains(&mean_events), "{mean_events}");
}

#[test]
fn the_catalogue_tells_genres_and_moods_of_every_artist() {
    let world = world();
    assert_eq!(world.catalogue().len(), world.artists().len());
    for (artist, (id, entry)) in world.artists().iter().zip(world.catalogue().iter()) {
        assert_eq!((artist.id(), artist.name()), (id, &*entry.name));
        assert_eq!(id.as_str(), Some(&*artist.name().to_lowercase().replace(' ', "-")));
        let tags: Vec<&str> = entry.tags.iter().map(Tag::name).collect();
        let expected: Vec<&str> = artist.genres().chain(artist.moods()).collect();
        assert_eq!(tags, expected);
        assert!((0.0..=1.0).contains(&artist.energy()) && (50.0..=200.0).contains(&artist.tempo_bpm()));
    }
}

#[test]
fn the_smallest_world_has_events_too() {
    let world = DemoWorld::builder().n_artists(1).n_listeners(1).build().expect("in range");
    assert_eq!(
        world.events().take(1_000).filter(|event| event.item() == world.artists()[0].id()).count(),
        1_000
    );
}

#[test]
fn the_stream_can_move_to_another_thread() {
    fn is_portable<T: Send + 'static>(_: &T) {}
    let events: DemoEvents = world().events();
    is_portable(&events);
}
