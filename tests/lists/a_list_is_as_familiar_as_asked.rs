//! A list holds as much of what its listener knows as the dial says, the best of each kind, and favourites long not heard
//! come back.

use std::collections::HashSet;
use std::time::Duration;

use crate::common::lists::{HOUR, all, builder, hours_ago, numbers, open};
use segue::plugin::{Familiarity, SpacedBy};
use segue::{EngineBuilder, Event, ManualEngine};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// User 0 knows songs 0 to 99: each was heard four times, those from 60 on fifty days ago; 90 to 99 were skipped at once.
fn open_with_history(builder: EngineBuilder) -> ManualEngine {
    let mut engine = open(builder);
    engine.import((0..100_u64).flat_map(|item| {
        (0..4).map(move |nth| match item {
            0..60 => Event::listen(0, item).at(hours_ago(nth + 1)),
            60..90 => Event::listen(0, item).at(hours_ago(50 * 24 + nth)),
            _ => Event::skip(0, item).at(hours_ago(24)),
        })
    }));
    engine.sweep().expect("there is something to learn");
    engine.pump();
    engine
}

fn is_forgotten(item: u64) -> bool {
    (60..90).contains(&item)
}

#[test]
fn the_share_is_kept_even_where_known_items_score_far_better() {
    for tenths in [0_u8, 2, 5, 8, 10] {
        let share = f32::from(tenths) / 10.0;
        let dial = Familiarity::new(share).and_then(|dial| dial.forgotten_share(0.5)).expect("in range");
        let engine = open_with_history(builder().slate(dial.forgotten_after(30 * DAY)));
        let view = engine.reader().view();
        let model = all(&engine, 0);
        for limit in [1, 5, 10, 40] {
            let list = numbers(&view.user(0).recommend().allow_known().limit(limit).run().expect("always"));
            assert_eq!(list.len(), limit);
            let known: Vec<u64> = list.iter().copied().filter(|&item| item < 100).collect();
            let wanted = (limit * usize::from(tenths) + 5) / 10;
            assert_eq!(known.len(), wanted, "{share} of {limit}");
            assert!(known.iter().all(|&item| item < 90), "what was skipped is not what she loves");
            let forgotten = known.iter().filter(|&&item| is_forgotten(item)).count();
            assert_eq!(forgotten, known.len().div_ceil(2), "{share} of {limit}");
            // The best of each kind, in order.
            let kinds: [fn(u64) -> bool; 3] = [|item| item < 60, is_forgotten, |item| item >= 100];
            for is_kind in kinds {
                let of_kind: Vec<u64> = list.iter().copied().filter(|&item| is_kind(item)).collect();
                let best = model.iter().map(|&(item, _)| item).filter(|&item| is_kind(item));
                assert_eq!(of_kind, best.take(of_kind.len()).collect::<Vec<_>>(), "{share} of {limit}");
            }
        }
    }
}

#[test]
fn what_a_request_leaves_out_is_in_neither_part_and_the_parts_fill_each_other() {
    let dial = Familiarity::new(0.5).expect("in range").forgotten_after(HOUR * 10_000);
    let engine = open_with_history(
        builder()
            .slate(dial)
            .filter_with(|_, candidate| candidate.item.as_u64().is_some_and(|item| item % 2 == 0)),
    );
    let view = engine.reader().view();
    let query = || view.user(0).recommend().allow_known().limit(20);
    let list = numbers(&query().exclude([0_u64, 2, 150]).run().expect("always"));
    assert!(list.iter().all(|item| item % 2 == 0 && ![0, 2, 150].contains(item)) && list.len() == 20);
    assert_eq!(list.iter().filter(|&&item| item < 100).count(), 10);
    let few_new = numbers(&query().only((0..100_u64).chain([150, 152])).run().expect("always"));
    assert_eq!((few_new.len(), few_new.iter().filter(|&&item| item >= 100).count()), (20, 2));
    let users = vec![0_u64.into(); 20];
    let batch = view.recommend_batch_with(&users, |query| query.allow_known().limit(20)).expect("always");
    assert!(batch.iter().all(|list| *list == query().run().expect("always")));
}

#[test]
fn where_known_items_are_not_allowed_it_changes_nothing() {
    let dial = Familiarity::new(0.5).expect("in range");
    let (with, without) = (open_with_history(builder().slate(dial)), open_with_history(builder()));
    let list =
        |engine: &ManualEngine| engine.reader().view().user(0).recommend().limit(30).run().expect("always");
    assert_eq!(list(&with), list(&without));
}

#[test]
fn several_slate_policies_act_one_after_the_other() {
    let dial = Familiarity::new(0.5).expect("in range");
    let artist = |item: &segue::ItemId| item.as_u64().map(|item| item / 10);
    let engine = open_with_history(builder().rescore_pool(100).slate(dial).slate(SpacedBy::new(2, artist)));
    let list = engine.reader().view().user(0).recommend().allow_known().limit(20).run().expect("always");
    let list = numbers(&list);
    for three in list.windows(3) {
        assert_eq!(three.iter().map(|item| item / 10).collect::<HashSet<_>>().len(), 3, "{list:?}");
    }
    let known = list.iter().filter(|&&item| item < 100).count();
    assert!((6..=14).contains(&known), "spacing moves some: {known} of 20 are known");
}
