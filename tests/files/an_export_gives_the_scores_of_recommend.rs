//! What is exported gives the scores that the view itself gives: of users as the sweep left them, changed since, or new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::common::temp::TempDir;
use crate::common::{random_events, small};
use segue::export::Export;
use segue::import::ForeignModel;
use segue::{Event, HistoryEntry, ItemId, ManualEngine, UserId, View};

const USERS: u64 = 25;
const ITEMS: u64 = 40;

/// A world in which everything has happened: a sweep, events after it, new items and users, ids of all kinds, users and
/// items that were forgotten, an item that nobody has heard.
fn world() -> ManualEngine {
    let mut engine = small().open_manual().expect("usable settings");
    engine.import(random_events(11, 600, USERS, ITEMS));
    let named = ["ana, \"the\" one", "björk", " blank ", "007"].map(|user| Event::listen(user, "a,b"));
    engine.import(named);
    engine.sweep().expect("there is something to learn");
    engine.import(random_events(12, 60, USERS + 5, ITEMS + 5));
    engine.pump();
    engine.apply(Event::listen(3_u64, 7_u64)).expect("well formed");
    engine.add_items(["unheard"]).expect("there is room");
    engine.forget_user(4_u64);
    engine.forget_item(5_u64);
    engine.pump();
    engine
}

/// The scores of two rows, summed exactly enough.
fn dot(user: &[f32], item: &[f32]) -> f64 {
    user.iter().zip(item).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn assert_scores(model: &ForeignModel, view: &View) {
    let (users, items) = (model.users(), model.items());
    let mut n_personal = 0;
    for (row, user) in users.ids.iter().enumerate() {
        let vector = users.factors.get(row).expect("every id has a row");
        let estimates = view.user(user).estimate(items.ids.iter().cloned());
        for (item, estimate) in estimates.into_iter().enumerate() {
            let score = dot(vector, items.factors.get(item).expect("every id has a row"));
            // Nothing to go on is a row of zeros.
            let estimate = f64::from(estimate.unwrap_or(0.0));
            // Eight products of numbers near 1, summed in f32.
            assert!((score - estimate).abs() < 1e-6, "{user} and {item}: {score}, not {estimate}");
        }
        n_personal += usize::from(vector.iter().any(|&value| value != 0.0));
    }
    assert!(n_personal > 20, "only {n_personal} users have a vector");
}

#[test]
fn rows_of_all_users_and_items_give_their_scores() {
    let engine = world();
    let view = engine.reader().view();
    let (folder, export) = (TempDir::new(), Export::of(&view));
    export.save(folder.path().join("out")).expect("there is room");
    let model = ForeignModel::open_dir(folder.path().join("out")).expect("what we write we read");
    assert_eq!((model.n_factors(), export.n_factors()), (8, Some(8)));
    assert_eq!(model.users().ids.len(), export.n_users());
    assert_eq!(model.items().ids.len(), export.n_items());

    let users: BTreeSet<_> = model.users().ids.iter().cloned().collect();
    let named = ["ana, \"the\" one", "björk", " blank ", "007"].map(UserId::from);
    let expected = (0..USERS + 5).filter(|&user| user != 4).map(UserId::from).chain(named);
    let expected: BTreeSet<_> = expected.filter(|user| view.user(user).is_known()).collect();
    assert_eq!(users, expected);
    let items: BTreeSet<_> = model.items().ids.iter().cloned().collect();
    let expected: BTreeSet<_> = view
        .popular()
        .limit(usize::MAX)
        .run()
        .expect("always an answer")
        .into_iter()
        .map(|pick| pick.item)
        .collect();
    assert!(items.is_superset(&expected) && !items.contains(&5.into()), "{items:?}");
    assert!(items.contains(&"a,b".into()));
    assert_scores(&model, &view);
}

#[test]
fn a_view_that_is_no_longer_current_is_exported_as_it_was() {
    let mut engine = world();
    let reader = engine.reader();
    let view = reader.view();
    let export = Export::of(&view);
    let mut before = [Vec::new(), Vec::new()];
    export.write_item_factors(&mut before[0]).expect("memory takes it");
    export.write_user_factors(&mut before[1]).expect("memory takes it");
    // Everybody changes, a new generation comes, somebody goes.
    engine.import(random_events(13, 900, USERS + 9, ITEMS + 9));
    engine.sweep().expect("there is something to learn");
    engine.forget_user(3_u64);
    engine.pump();
    assert_ne!(reader.view().generation(), view.generation());
    let mut after = [Vec::new(), Vec::new()];
    export.write_item_factors(&mut after[0]).expect("memory takes it");
    export.write_user_factors(&mut after[1]).expect("memory takes it");
    assert!(before == after, "what was pinned has changed");

    // Pinned only now: the users of today against the items of then.
    let folder = TempDir::new();
    Export::of(&view).save(folder.path().join("late")).expect("there is room");
    let model = ForeignModel::open_dir(folder.path().join("late")).expect("what we write we read");
    assert_scores(&model, &view);
    let known: BTreeSet<_> = model.items().ids.iter().collect();
    let pairs = read_csv(&folder.path().join("late/histories.csv"));
    assert!(pairs[1..].iter().all(|[_, item, ..]| known.contains(&ItemId::from(item.as_str()))));
}

#[test]
fn histories_in_csv_are_those_of_the_view() {
    let engine = world();
    let view = engine.reader().view();
    let folder = TempDir::new();
    Export::of(&view).save(folder.path().join("out")).expect("there is room");
    let mut lines = read_csv(&folder.path().join("out/histories.csv")).into_iter();
    let headings = ["user", "item", "n_events", "preference", "confidence", "last_seen_ms"];
    assert_eq!(lines.next().expect("a header"), headings);
    let mut found: BTreeMap<UserId, Vec<[String; 5]>> = BTreeMap::new();
    for [user, rest @ ..] in lines {
        found.entry(user.into()).or_default().push(rest);
    }
    assert!(found.contains_key(&"ana, \"the\" one".into()) && found.len() > 25);
    for (user, pairs) in found {
        let expected = view.user(&user).history().into_iter().map(
            |HistoryEntry { item, events, preference, confidence, last_seen, .. }| {
                let last_seen = last_seen.unix_ms().to_string();
                [
                    item.to_string(),
                    events.to_string(),
                    preference.to_string(),
                    confidence.to_string(),
                    last_seen,
                ]
            },
        );
        assert_eq!(pairs, expected.collect::<Vec<_>>(), "{user}");
    }
}

/// Reads RFC 4180 by its grammar, with no help from the writer.
fn read_csv(path: &Path) -> Vec<[String; 6]> {
    let text = fs::read_to_string(path).expect("the file was written");
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => {
                assert_eq!(chars.next(), Some('\n'));
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record).try_into().expect("six fields"));
            }
            other => field.push(other),
        }
    }
    assert!(field.is_empty() && record.is_empty() && !is_quoted, "the last line is not whole");
    records
}
