//! A list is what scoring every item, leaving out what may not be in it, and sorting gives.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{random_events, small};
use proptest::prelude::*;
use segue::{Event, ItemId, ManualEngine, Recommendations, Source, View};

const USERS: u64 = 25;
const ITEMS: u64 = 40;

/// What a list may hold.
#[derive(Debug, Clone)]
struct Wish {
    limit: usize,
    allow_known: bool,
    exclude: Vec<u64>,
    only: Option<Vec<u64>>,
    odd: bool,
}

fn wishes() -> impl Strategy<Value = Wish> {
    let items = || proptest::collection::vec(0..ITEMS + 5, 0..30);
    let limit = prop_oneof![Just(0), Just(1), 2..20_usize, Just(44), Just(usize::MAX)];
    (limit, any::<bool>(), items(), proptest::option::of(items()), any::<bool>())
        .prop_map(|(limit, allow_known, exclude, only, odd)| Wish { limit, allow_known, exclude, only, odd })
}

impl Wish {
    fn allows(&self, item: &ItemId, known: &BTreeSet<ItemId>) -> bool {
        let number = item.as_u64().expect("items are numbers");
        (self.allow_known || !known.contains(item))
            && !self.exclude.contains(&number)
            && self.only.as_ref().is_none_or(|only| only.contains(&number))
            && (!self.odd || number % 2 == 1)
    }

    fn ask(&self, query: segue::ItemQuery<'_>) -> Recommendations {
        let mut query = query.limit(self.limit).exclude(self.exclude.iter().copied());
        if self.allow_known {
            query = query.allow_known();
        }
        if let Some(only) = &self.only {
            query = query.only(only.iter().copied());
        }
        if self.odd {
            query = query.filter(|item| item.as_u64().is_some_and(|number| number % 2 == 1));
        }
        query.run().expect("always an answer")
    }
}

/// A trained world. Some items are twins: heard by the same users in the same way, so that scores tie.
/// Returns its items in the order they came.
fn world(seed: u64) -> (ManualEngine, Vec<ItemId>) {
    let mut engine = small().open_manual().expect("usable settings");
    let mut items = Vec::new();
    let twins = (0..40).map(|at| Event::listen(at % 5, 100 + (at / 5) % 4));
    for event in random_events(seed, 400, USERS, ITEMS).into_iter().chain(twins) {
        let item = event.item().clone();
        let learned = engine.apply(event).expect("well formed");
        if matches!(learned, segue::Outcome::Applied(_)) && !items.contains(&item) {
            items.push(item);
        }
    }
    // The clock stands still, so that no item batch comes after this one.
    engine.pump();
    engine.sweep().expect("there is something to learn");
    (engine, items)
}

/// Sorted as a list is: best first, of equal scores the item that came first.
fn brute_force(scored: Vec<(ItemId, f32)>, limit: usize) -> Vec<(ItemId, u32)> {
    let mut scored = scored;
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(limit);
    scored.into_iter().map(|(item, score)| (item, score.to_bits())).collect()
}

fn listed(list: Recommendations) -> Vec<(ItemId, u32)> {
    list.into_iter().map(|pick| (pick.item, pick.score.to_bits())).collect()
}

fn known_of(view: &View, user: u64) -> BTreeSet<ItemId> {
    view.user(user).history().into_iter().map(|entry| entry.item).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_personal_list_is_all_estimates_sorted(seed in 0..10_000_u64, user in 0..USERS, wish in wishes()) {
        let (engine, items) = world(seed);
        let view = engine.reader().view();
        let ana = view.user(user);
        prop_assume!(ana.is_known());
        let list = wish.ask(ana.recommend());
        prop_assert_eq!(list.provenance().source, Source::Personal);
        let known = known_of(&view, user);
        let allowed: Vec<_> = items.into_iter().filter(|item| wish.allows(item, &known)).collect();
        let scores = ana.estimate(&allowed);
        let scored = allowed.into_iter().zip(scores.into_iter().map(|score| score.expect("known item")));
        prop_assert_eq!(listed(list), brute_force(scored.collect(), wish.limit));
    }

    #[test]
    fn the_popular_are_those_with_the_most_listeners(seed in 0..10_000_u64, wish in wishes()) {
        let mut engine = small().open_manual().expect("usable settings");
        // The naive count: who has an event with an item that was not taken back.
        let mut events_of: BTreeMap<(u64, u64), i64> = BTreeMap::new();
        let mut items: Vec<ItemId> = Vec::new();
        for event in random_events(seed, 300, USERS, ITEMS) {
            let pair = (event.user().as_u64().expect("a number"), event.item().as_u64().expect("a number"));
            let item = event.item().clone();
            let change = if matches!(event.action(), segue::Action::Undo(_)) { -1 } else { 1 };
            if let segue::Outcome::Applied(_) = engine.apply(event).expect("well formed") {
                *events_of.entry(pair).or_default() += change;
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        engine.fold_items();
        let view = engine.reader().view();
        let mut counts: BTreeMap<ItemId, f32> = BTreeMap::new();
        for ((_, item), events) in events_of {
            if events > 0 {
                *counts.entry(item.into()).or_default() += 1.0;
            }
        }
        let none = BTreeSet::new();
        let scored = items.into_iter().filter(|item| wish.allows(item, &none));
        let scored = scored.map(|item| { let count = counts.get(&item).copied().unwrap_or(0.0); (item, count) });
        prop_assert_eq!(listed(wish.ask(view.popular())), brute_force(scored.collect(), wish.limit));
    }

    #[test]
    fn a_taste_is_a_user_with_the_same_history(
        seed in 0..10_000_u64,
        taste in proptest::collection::vec((0..ITEMS, 1..2_048_u16), 1..25),
        wish in wishes(),
    ) {
        let (mut engine, items) = world(seed);
        // Weights in steps of 1/1024: they add up without rounding, in any order.
        let taste: Vec<(ItemId, f32)> = taste
            .into_iter()
            .map(|(item, weight)| (ItemId::from(item), f32::from(weight) / 1_024.0))
            .filter(|(item, _)| items.contains(item))
            .collect();
        prop_assume!(!taste.is_empty());
        for (item, weight) in &taste {
            // A listen of a half to the whole weighs its fraction; several add up.
            let mut left = *weight;
            while left > 0.0 {
                let one = left.min(1.0);
                left -= one;
                let event = if one >= 0.5 { Event::listen("ana", item).fraction(one) }
                    else if one >= 0.125 { Event::skip("ana", item).at_fraction((4.0 * one).min(1.0)) }
                    else { Event::listen("ana", item).fraction(0.5) };
                // What no event can say is left out on both sides below.
                let _ = engine.apply(event).expect("well formed");
            }
        }
        engine.pump();
        let view = engine.reader().view();
        let heard: Vec<_> =
            view.user("ana").history().into_iter().map(|entry| (entry.item, entry.confidence)).collect();
        let by_taste = view.taste(heard).expect("finite weights");
        let by_taste = wish.ask(by_taste);
        prop_assert_eq!(by_taste.provenance().source, Source::Taste);
        prop_assert_eq!(listed(by_taste), listed(wish.ask(view.user("ana").recommend())));
    }
}

#[test]
fn a_list_is_as_long_as_asked_whenever_so_many_items_are_allowed() {
    let (engine, items) = world(5);
    let view = engine.reader().view();
    let known = known_of(&view, 0).len();
    let new = items.len() - known;
    for limit in [0, 1, new - 1, new, new + 1, 10_000, usize::MAX] {
        let list = view.user(0).recommend().limit(limit).run().expect("always an answer");
        assert_eq!(list.len(), limit.min(new));
        let list = view.user(0).recommend().allow_known().limit(limit).run().expect("always an answer");
        assert_eq!(list.len(), limit.min(items.len()));
        let odd = |item: &ItemId| item.as_u64().is_some_and(|number| number % 2 == 1);
        let n_odd = items.iter().filter(|item| odd(item)).count();
        let list = view.popular().filter(odd).limit(limit).run().expect("always an answer");
        assert_eq!(list.len(), limit.min(n_odd));
    }
}

#[test]
fn a_batch_is_the_lists_of_its_users_one_by_one() {
    let (engine, _) = world(6);
    let view = engine.reader().view();
    let users: Vec<segue::UserId> = (0..USERS + 3).rev().map(Into::into).collect();
    let batch = view.recommend_batch(&users, 7).expect("always an answer");
    for (user, list) in users.iter().zip(batch) {
        assert_eq!(list, view.user(user).recommend().limit(7).run().expect("always an answer"));
    }
}
