//! A list for a market holds what is available there and nothing else, and is full whenever there is enough.

use crate::common::Random;
use crate::common::lists::{N_ITEMS, N_USERS, all, builder, numbers, open};
use segue::plugin::{Market, Markets};
use segue::{Context, Event};

const CODES: [&str; 5] = ["DE", "FR", "GB", "JP", "US"];

/// Song 0 everywhere, 1 in all but the first, ...
fn is_available(item: u64, market: usize) -> bool {
    !(item + market as u64).is_multiple_of(market as u64 + 2)
}

fn markets() -> Markets {
    let markets = Markets::new();
    markets.set((0..N_ITEMS).map(|item| {
        let there = (0..CODES.len()).filter(move |&market| is_available(item, market));
        (item, there.map(|market| CODES[market]))
    }));
    markets
}

#[test]
fn a_list_for_a_market_is_the_models_without_what_is_not_available_there() {
    let engine = open(builder().filter(markets()));
    let view = engine.reader().view();
    for user in [0, 7, 33] {
        let model: Vec<u64> = all(&engine, user).into_iter().map(|(item, _)| item).collect();
        let query = |limit| view.user(user).recommend().allow_known().limit(limit);
        assert_eq!(numbers(&query(500).run().expect("always")), model, "no market, no say");
        for (market, code) in CODES.into_iter().enumerate() {
            let expected: Vec<u64> =
                model.iter().copied().filter(|&item| is_available(item, market)).collect();
            for limit in [1, 10, 100, 500] {
                let list = query(limit).in_market(code).run().expect("always");
                assert_eq!(numbers(&list), expected[..limit.min(expected.len())], "{code}");
            }
        }
        assert!(query(500).in_market("nowhere").run().expect("always").is_empty());
    }
}

#[test]
fn batches_and_lists_of_every_kind_are_for_a_market_too() {
    let engine = open(builder().filter(markets()));
    let view = engine.reader().view();
    let users: Vec<segue::UserId> = (0..N_USERS).map(Into::into).collect();
    let lists = view.recommend_batch_with(&users, |query| query.limit(20).in_market("fr")).expect("always");
    for (user, list) in users.iter().zip(&lists) {
        let alone = view.user(user.clone()).recommend().limit(20).in_market("FR").run().expect("always");
        assert_eq!((list.len(), list), (20, &alone));
        assert!(numbers(list).into_iter().all(|item| is_available(item, 1)));
    }
    for list in
        [view.similar(3).limit(50).in_market("GB").run(), view.popular().limit(50).in_market("GB").run()]
    {
        let list = numbers(&list.expect("a known item"));
        assert_eq!(list.len(), 50);
        assert!(list.into_iter().all(|item| is_available(item, 2)));
    }
}

#[test]
fn items_that_come_later_are_shown_where_they_are_said_to_be() {
    let markets = markets();
    markets.set([("late", ["JP"])]);
    let mut engine = open(builder().filter(markets.clone()));
    for item in ["late", "unlicensed"] {
        engine.apply(Event::listen(5, item)).expect("well formed");
    }
    engine.pump();
    let view = engine.reader().view();
    let shown = |item: &str, code: &str| {
        let list = view.popular().limit(500).in_market(code).run().expect("always");
        list.ids().any(|id| id.as_str() == Some(item))
    };
    assert!(shown("late", "JP") && !shown("late", "DE") && !shown("unlicensed", "JP"));
    markets.set([("unlicensed", ["DE", "JP"]), ("late", ["DE", "DE"])]);
    assert!(shown("late", "DE") && !shown("late", "JP") && shown("unlicensed", "JP"));
}

#[test]
fn a_market_may_be_told_by_the_circumstances() {
    let by_device = markets().chosen_by(|request| {
        let device = request.context?.device.as_ref()?;
        device.as_str().strip_prefix("set-top-").map(Market::from)
    });
    let engine = open(builder().filter(by_device));
    let view = engine.reader().view();
    let mut random = Random::new(3);
    for _ in 0..20 {
        let user = random.below(N_USERS);
        let at_home = view.user(user).recommend().context(Context::new().device("set-top-de"));
        let told = view.user(user).recommend().in_market("DE");
        let list = told.run().expect("always");
        assert_eq!(at_home.run().expect("always"), list);
        let both = view.user(user).recommend().context(Context::new().device("set-top-de")).in_market("JP");
        let abroad = view.user(user).recommend().in_market("JP").run();
        assert_eq!(both.run(), abroad, "what the request says counts");
    }
}
