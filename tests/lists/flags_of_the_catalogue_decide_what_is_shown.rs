//! A flag of the catalogue keeps back what has it, where the request is one that it concerns, and a new catalogue counts at once.

use crate::common::lists::{N_ITEMS, all, builder, numbers, open};
use segue::plugin::Flags;
use segue::{Catalogue, CatalogueEntry};

#[derive(Debug, PartialEq)]
enum Profile {
    Adult,
    Child,
}

/// Every third song is explicit, every second live; the last twenty are in no catalogue.
fn catalogue(explicit: u64) -> Catalogue {
    let entry = |item: u64| {
        let entry = CatalogueEntry::new(format!("song {item}"));
        let entry = if item.is_multiple_of(explicit) { entry.tag("explicit") } else { entry };
        if item.is_multiple_of(2) { entry.tag("live") } else { entry }
    };
    (0..N_ITEMS - 20).map(|item| (item.into(), entry(item))).collect()
}

#[test]
fn a_child_hears_nothing_explicit_and_lists_are_as_long_as_an_adults() {
    let flags = Flags::new(catalogue(3));
    let for_children = flags.without("explicit").when(|request| request.get() == Some(&Profile::Child));
    let engine = open(builder().filter(for_children));
    let view = engine.reader().view();
    let model: Vec<u64> = all(&engine, 0).into_iter().map(|(item, _)| item).collect();
    let list = |profile, limit| {
        let query = view.user(0).recommend().allow_known().limit(limit).with(profile);
        numbers(&query.run().expect("always"))
    };
    for limit in [10, 500] {
        assert_eq!(list(Profile::Adult, limit), model[..limit.min(model.len())]);
        let clean = |explicit| -> Vec<u64> {
            let is_clean = |&item: &u64| item >= N_ITEMS - 20 || item % explicit != 0;
            model.iter().copied().filter(is_clean).take(limit).collect()
        };
        assert_eq!(list(Profile::Child, limit), clean(3));
        flags.replace(catalogue(7));
        assert_eq!(list(Profile::Child, limit), clean(7), "the new catalogue counts at once");
        flags.replace(catalogue(3));
    }
}

#[test]
fn what_the_catalogue_does_not_know_can_be_kept_back_as_well() {
    let flags = Flags::new(catalogue(3));
    let shown = |filter| {
        let engine = open(builder().filter(filter));
        let mut list = numbers(&engine.reader().view().popular().limit(500).run().expect("always"));
        list.sort_unstable();
        list
    };
    let expected = |keep: fn(u64) -> bool| (0..N_ITEMS).filter(|&item| keep(item)).collect::<Vec<_>>();
    assert_eq!(shown(flags.without("explicit").hide_unknown()), expected(|item| item < 180 && item % 3 != 0));
    assert_eq!(shown(flags.only("live")), expected(|item| item < 180 && item % 2 == 0));
    assert_eq!(shown(flags.without("no such flag")), expected(|_| true));
    assert_eq!(shown(flags.only("no such flag")), expected(|_| false));
    assert_eq!(
        shown(flags.only("live").when(|_| true).when(|request| request.limit < 5)),
        expected(|_| true)
    );
}
