//! Whatever is blocked is in no list asked for after that, of whichever kind and view, and lists are as long as before.

use crate::common::Random;
use crate::common::lists::{N_ITEMS, N_USERS, all, artist_of, builder, numbers, open};
use segue::plugin::{AllowList, BlockList};
use segue::{Event, Recommendations, View};

/// One list of every kind, known songs allowed, so long that all that may be is in it.
fn every_kind(view: &View, limit: usize) -> Vec<(&'static str, Recommendations)> {
    let users = [0_u64, 1, 2].map(Into::into);
    let ana = view.user(0);
    let run = |query: segue::ItemQuery<'_>| query.allow_known().limit(limit).run().expect("known items");
    let mut lists = vec![
        ("personal", run(ana.recommend())),
        ("of a taste", run(view.taste([(30_u64, 1.0)]).expect("a number"))),
        ("similar", run(view.similar(50))),
        ("popular", run(view.popular())),
        ("cold", run(view.user("nobody").recommend())),
    ];
    let batch = view.recommend_batch(&users, limit).expect("no item is asked about");
    lists.extend(batch.into_iter().map(|list| ("of a batch", list)));
    lists
}

#[test]
fn a_blocked_item_is_in_no_list_of_any_kind_even_of_a_view_taken_before() {
    let blocked = BlockList::new();
    let engine = open(builder().filter(blocked.clone()));
    let view = engine.reader().view();
    let before = every_kind(&view, 500);
    assert!(before.iter().all(|(_, list)| numbers(list).contains(&77)));
    blocked.block(77);
    for ((kind, before), (_, after)) in before.iter().zip(every_kind(&view, 500)) {
        let expected: Vec<u64> = numbers(before).into_iter().filter(|&item| item != 77).collect();
        assert_eq!(numbers(&after), expected, "{kind}");
    }
    blocked.unblock(77);
    for ((kind, before), (_, after)) in before.iter().zip(every_kind(&view, 500)) {
        assert_eq!(*before, after, "{kind}");
    }
}

#[test]
fn an_item_may_be_blocked_before_anybody_has_heard_of_it() {
    let blocked = BlockList::new();
    blocked.block("leaked");
    let mut engine = open(builder().filter(blocked.clone()));
    engine.apply(Event::listen(0, "leaked")).expect("well formed");
    engine.pump();
    let list = || engine.reader().view().popular().limit(500).run().expect("always");
    assert!(list().ids().all(|item| item.as_str() != Some("leaked")));
    blocked.replace([3_u64]);
    assert!(list().ids().any(|item| item.as_str() == Some("leaked")));
}

#[test]
fn blocking_an_artist_blocks_all_songs_of_theirs() {
    let artists = BlockList::of_groups(|item| artist_of(item).map(Into::into));
    let engine = open(builder().filter(artists.clone()));
    artists.block_all([0_u64, 3, 19]);
    let model: Vec<u64> = all(&engine, 0).into_iter().map(|(item, _)| item).collect();
    let expected: Vec<u64> = model.into_iter().filter(|item| ![0, 3, 19].contains(&(item / 10))).collect();
    for limit in [1, 10, 500] {
        let list =
            engine.reader().view().user(0).recommend().allow_known().limit(limit).run().expect("always");
        assert_eq!(numbers(&list), expected[..limit.min(expected.len())]);
    }
}

#[test]
fn only_what_is_allowed_is_shown_and_lists_are_full() {
    let (items, artists) = (AllowList::new(), AllowList::of_groups(|item| artist_of(item).map(Into::into)));
    let engine = open(builder().filter(items.clone()).filter(artists.clone()));
    let list = || numbers(&engine.reader().view().user(0).recommend().limit(12).run().expect("always"));
    items.allow_all(0..N_ITEMS);
    assert_eq!(list(), [0_u64; 0], "no artist is allowed yet");
    artists.allow_all([9_u64, 14]);
    let mut shown = list();
    assert_eq!(shown.len(), 12, "there are twenty");
    items.disallow(shown[0]);
    shown.remove(0);
    assert_eq!(list()[..11], shown);
    items.replace([shown[4]]);
    assert_eq!((list(), items.len(), artists.contains(9)), (vec![shown[4]], 1, true));
}

/// Random changes against a plain set, each followed by a list.
#[test]
fn a_live_list_is_what_a_plain_set_would_be() {
    let blocked = BlockList::new();
    let engine = open(builder().filter(blocked.clone()));
    let mut naive = std::collections::BTreeSet::new();
    let mut random = Random::new(7);
    for _ in 0..200 {
        let item = random.below(N_ITEMS);
        match random.below(10) {
            0 => {
                naive = (0..item).step_by(3).collect();
                blocked.replace(naive.iter().copied());
            }
            1..4 => {
                naive.remove(&item);
                blocked.unblock(item);
            }
            _ => {
                naive.extend([item, (item + 1) % N_ITEMS]);
                blocked.block_all([item, (item + 1) % N_ITEMS]);
            }
        }
        assert_eq!(blocked.len(), naive.len());
        let user = random.below(N_USERS);
        let expected: Vec<u64> = all(&engine, user)
            .into_iter()
            .map(|(item, _)| item)
            .filter(|item| !naive.contains(item))
            .take(9)
            .collect();
        let list =
            engine.reader().view().user(user).recommend().allow_known().limit(9).run().expect("always");
        assert_eq!(numbers(&list), expected);
    }
}

#[test]
fn lists_made_while_the_list_changes_go_by_one_moment_of_it() {
    let blocked = BlockList::new();
    let (even, odd) = (|| (0..N_ITEMS).step_by(2), || (1..N_ITEMS).step_by(2));
    blocked.replace(even());
    let engine = open(builder().filter(blocked.clone()));
    let view = engine.reader().view();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0..2_000 {
                if turn % 2 == 0 { blocked.replace(odd()) } else { blocked.replace(even()) }
            }
        });
        for _ in 0..300 {
            let list = numbers(&view.popular().limit(500).run().expect("always"));
            assert_eq!(list.len(), 100);
            assert!(list.iter().all(|item| item % 2 == list[0] % 2), "{list:?}");
        }
    });
}
