//! A diverse list is what the greedy choice of Carbonell and Goldstein makes of scores and similarities asked for one by one.

use std::collections::HashMap;

use crate::common::lists::{N_ITEMS, all, builder, numbers, open};
use segue::plugin::Mmr;

#[test]
fn by_vectors_it_is_the_choice_made_from_the_engines_own_answers() {
    let plain = open(builder());
    let view = plain.reader().view();
    let similarity: HashMap<u64, HashMap<u64, f32>> = (0..N_ITEMS)
        .map(|item| {
            let list = view.similar(item).limit(500).run().expect("every item was heard");
            (item, list.iter().map(|pick| (pick.item.as_u64().expect("a number"), pick.score)).collect())
        })
        .collect();
    for lambda in [0.0, 0.3, 0.7, 1.0] {
        let mmr = Mmr::by_vectors(lambda).expect("in range");
        let engine = open(builder().rescore_pool(60).slate(mmr));
        for user in [0, 5, 41] {
            let pool = &all(&plain, user)[..60];
            let (most, least) = (pool[0].1, pool[59].1);
            let mut expected: Vec<u64> = Vec::new();
            while expected.len() < 12 {
                let worth = |&(item, score): &(u64, f32)| {
                    let likest = expected.iter().map(|&other| similarity[&item][&other]).reduce(f32::max);
                    lambda * (score - least) / (most - least) - (1.0 - lambda) * likest.unwrap_or(0.0)
                };
                let left = pool.iter().filter(|(item, _)| !expected.contains(item));
                let best = left.rev().max_by(|a, b| worth(a).total_cmp(&worth(b)));
                expected.push(best.expect("sixty are enough").0);
            }
            let query = engine.reader().view().user(user).recommend().allow_known().limit(12).run();
            assert_eq!(numbers(&query.expect("always")), expected, "lambda {lambda}, user {user}");
        }
    }
}

#[test]
fn the_less_scores_count_the_less_alike_a_list_is() {
    let plain = open(builder());
    let view = plain.reader().view();
    let mut before = f32::INFINITY;
    for lambda in [1.0, 0.7, 0.4, 0.0] {
        let engine = open(builder().rescore_pool(100).slate(Mmr::by_vectors(lambda).expect("in range")));
        let mut likest = 0.0;
        for user in 0..20 {
            let list = engine.reader().view().user(user).recommend().limit(10).run().expect("always");
            for item in numbers(&list) {
                let others = numbers(&list);
                let close = view.similar(item).only(others).limit(1).run().expect("every item was heard");
                likest += close.items()[0].score;
            }
        }
        assert!(likest <= before, "{likest} at {lambda}, {before} at the one before");
        before = likest;
    }
}
