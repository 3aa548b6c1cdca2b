//! Items and artists that a listener has just heard are kept back, or sink, for as long as they are told to.

use std::collections::HashSet;
use std::time::Duration;

use crate::common::lists::{HOUR, all, artist_of, builder, now, numbers, open};
use segue::plugin::{CoolDown, NotAmongLast, NotHeardFor};
use segue::{Event, ManualEngine, Recommendations};

fn list(engine: &ManualEngine, user: u64) -> Recommendations {
    let view = engine.reader().view();
    view.user(user).recommend().allow_known().limit(500).run().expect("no item is asked about")
}

/// What a user heard and how many hours ago, by what their history says.
fn heard(engine: &ManualEngine, user: u64) -> Vec<(u64, f32)> {
    let history = engine.reader().view().user(user).history();
    let ago = |entry: &segue::HistoryEntry| now().saturating_since(entry.last_seen).as_secs_f32() / 3_600.0;
    history.iter().map(|entry| (entry.item.as_u64().expect("a number"), ago(entry))).collect()
}

#[test]
fn an_artist_heard_within_the_window_is_kept_back_with_all_songs_new_ones_too() {
    for hours in [0_u8, 1, 3, 11, 100] {
        let engine = open(builder().filter(CoolDown::of_groups(HOUR * u32::from(hours), artist_of)));
        for user in 0..20 {
            let warm: HashSet<u64> = heard(&engine, user)
                .into_iter()
                .filter(|(_, ago)| *ago < f32::from(hours))
                .map(|(item, _)| item / 10)
                .collect();
            let model = all(&engine, user).into_iter().map(|(item, _)| item);
            let expected: Vec<u64> = model.filter(|item| !warm.contains(&(item / 10))).collect();
            assert_eq!(numbers(&list(&engine, user)), expected, "user {user}, {hours} hours");
        }
    }
}

#[test]
fn by_item_it_is_the_same_as_not_heard_for() {
    let window = HOUR * 5;
    let by_item = open(builder().filter(CoolDown::of_items(window)));
    let not_heard_for = open(builder().filter(NotHeardFor(window)));
    for user in 0..20 {
        assert_eq!(list(&by_item, user), list(&not_heard_for, user));
    }
}

#[test]
fn softly_it_takes_less_the_longer_ago_it_was() {
    let soft = CoolDown::of_groups(HOUR * 8, artist_of).softly(2.0).expect("in range");
    let engine = open(builder().rescore_pool(500).rescorer(soft));
    for user in 0..20 {
        let heard = heard(&engine, user);
        let mut expected = all(&engine, user);
        for (item, score) in &mut expected {
            let of_artist = heard.iter().filter(|(other, _)| other / 10 == *item / 10).map(|&(_, ago)| ago);
            let ago = of_artist.fold(f32::INFINITY, f32::min);
            *score -= 2.0 * (1.0 - ago / 8.0).max(0.0);
        }
        expected.sort_by(|a, b| b.1.total_cmp(&a.1));
        let list = list(&engine, user);
        assert_eq!(list.len(), expected.len());
        for (pick, (_, score)) in list.iter().zip(&expected) {
            // Hours are reckoned in another order here.
            assert!((pick.score - score).abs() < 1e-5, "user {user}: {} for {score}", pick.score);
        }
    }
}

#[test]
fn the_latest_so_many_are_kept_back_however_long_ago_they_were() {
    for n in [0_u64, 1, 5, 12, 50] {
        let last = usize::try_from(n).expect("few");
        let engine = open(builder().filter(NotAmongLast(last)));
        // User 0 played songs 0 to 11, the latest first.
        let shown = numbers(&list(&engine, 0));
        for item in 0..20 {
            assert_eq!(shown.contains(&item), item >= n.min(12), "{item} of the last {n}");
        }
    }
}

#[test]
fn what_is_stamped_later_than_the_request_was_heard_just_now() {
    let mut engine = open(builder().filter(CoolDown::of_items(HOUR)));
    let later = now().saturating_add(Duration::from_secs(600));
    engine.apply(Event::listen(0, 11).at(later)).expect("well formed");
    engine.pump();
    assert!(!numbers(&list(&engine, 0)).contains(&11));
}

#[test]
fn lists_that_are_not_made_from_a_taste_cool_down_for_the_listener_they_are_for() {
    let engine = open(builder().filter(CoolDown::of_groups(HOUR, artist_of)));
    let view = engine.reader().view();
    let ana = view.user(0);
    assert_eq!(heard(&engine, 0).iter().filter(|(_, ago)| *ago < 1.0).count(), 1, "song 0, of artist 0");
    for (anybody, for_ana) in [
        (view.popular().limit(500).run(), view.popular().limit(500).for_listener(&ana).run()),
        (view.similar(50).limit(500).run(), view.similar(50).limit(500).for_listener(&ana).run()),
    ] {
        let expected: Vec<u64> =
            numbers(&anybody.expect("known")).into_iter().filter(|item| item / 10 != 0).collect();
        assert_eq!(numbers(&for_ana.expect("known")), expected);
    }
}
