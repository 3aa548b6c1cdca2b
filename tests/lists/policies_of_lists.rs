//! Filters, rescorers and slate policies decide over lists as they say, and one that misbehaves is done without and named.

use std::collections::HashSet;
use std::time::Duration;

use segue::plugin::{
    Candidate, Filter, Incident, ItemFilter, ItemRescorer, KeepAll, KeepScores, NotAmongLast, NotHeardFor,
    OnPanic, PopularityDebias, Request, Rescorer, SlatePolicy, SpacedBy, TopRanked,
};
use segue::{
    AlsParams, Context, Degradation, Engine, EngineBuilder, Event, Health, ItemId, ManualClock, ManualEngine,
    NeverSweep, Recommendations, Timestamp,
};

const N_USERS: u64 = 60;
const N_ITEMS: u64 = 200;

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000)
}

fn builder() -> EngineBuilder {
    let als = AlsParams::builder().n_factors(16).build().expect("usable settings");
    Engine::builder().als(als).sweep_policy(NeverSweep).clock(ManualClock::at(now())).threads(1)
}

/// Everybody plays a dozen items; user 0 has played items 0 to 11.
fn open(builder: EngineBuilder) -> ManualEngine {
    let mut engine = builder.open_manual().expect("usable settings");
    engine.import((0..N_USERS).flat_map(|user| {
        (0..12).map(move |place| {
            let item = (user * 5 + place * (1 + user % 7)) % N_ITEMS;
            Event::listen(user, item)
                .at(Timestamp::from_unix_seconds(1_700_000_000 - i64::try_from(place).expect("few") * 3_600))
        })
    }));
    engine.sweep().expect("there is something to learn");
    engine.pump();
    engine
}

fn list(engine: &ManualEngine, limit: usize) -> Recommendations {
    engine.reader().view().user(0).recommend().limit(limit).run().expect("no item is asked about")
}

fn numbers(list: &Recommendations) -> Vec<u64> {
    list.ids().map(|id| id.as_u64().expect("numbers are ids here")).collect()
}

/// The model's list, all of it.
fn all(engine: &ManualEngine) -> Vec<(u64, f32)> {
    let view = engine.reader().view();
    let list = view.user(0).recommend().limit(usize::MAX).plain().run().expect("no item is asked about");
    list.iter().map(|pick| (pick.item.as_u64().expect("a number"), pick.score)).collect()
}

#[test]
fn those_that_do_nothing_change_nothing() {
    let plain = open(builder());
    let with = open(builder().filter(KeepAll).rescorer(KeepScores).slate(TopRanked));
    for limit in [0, 1, 10, 500] {
        assert_eq!(list(&plain, limit), list(&with, limit));
    }
}

#[test]
fn a_filter_acts_before_the_best_are_chosen() {
    let engine =
        open(builder().filter_with(|_, candidate| candidate.item.as_u64().is_some_and(|item| item % 3 == 0)));
    let expected: Vec<u64> =
        all(&engine).into_iter().map(|(item, _)| item).filter(|item| item % 3 == 0).collect();
    assert!(expected.len() > 30);
    for limit in [1, 10, 30, 500] {
        assert_eq!(numbers(&list(&engine, limit)), expected[..limit.min(expected.len())]);
    }
    let users: Vec<_> = (0..N_USERS).map(Into::into).collect();
    let view = engine.reader().view();
    let together = view.recommend_batch(&users, 10).expect("no item is asked about");
    for (user, list) in users.iter().zip(&together) {
        assert_eq!(*list, view.user(user.clone()).recommend().limit(10).run().expect("the same"));
        assert!(numbers(list).iter().all(|item| item % 3 == 0));
    }
    let similar = view.similar(3).limit(5).run().expect("it has a vector");
    assert!(numbers(&similar).iter().all(|item| item % 3 == 0) && similar.len() == 5);
    assert!(numbers(&view.popular().limit(5).run().expect("always")).iter().all(|item| item % 3 == 0));
}

#[test]
fn a_filter_is_told_of_the_request() {
    let engine = open(builder().filter_with(|request: &Request<'_>, candidate: &Candidate| {
        assert!(request.user.is_some_and(|user| user.as_u64() == Some(0)));
        assert_eq!(request.limit, 7);
        request.context.is_none() || candidate.listeners >= 5.0
    }));
    let view = engine.reader().view();
    let user = view.user(0);
    let with = user.recommend().limit(7).context(Context::default()).run().expect("no item is asked about");
    let without = user.recommend().limit(7).run().expect("no item is asked about");
    assert_ne!(with.items(), without.items());
    assert!(matches!(engine.health(), Health::Serving { .. }), "{:?}", engine.health());
}

#[test]
fn what_was_heard_of_late_is_kept_back() {
    let engine = open(builder().filter(NotHeardFor(Duration::from_secs(5 * 3_600))));
    let view = engine.reader().view();
    let picks = view.user(0).recommend().allow_known().limit(500).run().expect("no item is asked about");
    let shown: HashSet<u64> = numbers(&picks).into_iter().collect();
    // Played 0 to 11 hours ago, in order.
    for item in 0..12 {
        assert_eq!(shown.contains(&item), item >= 5, "{item}");
    }
    let later = Timestamp::from_unix_seconds(1_700_000_000 + 24 * 3_600);
    let tomorrow = view.user(0).recommend().allow_known().at(later).limit(500).run().expect("the same");
    assert!((0..12).all(|item| numbers(&tomorrow).contains(&item)));
}

/// The lower the better.
fn by_number(item: Option<u64>) -> f32 {
    -f32::from(u16::try_from(item.expect("a number")).expect("few"))
}

#[test]
fn a_rescorer_orders_the_list_and_nonsense_of_its_is_done_without() {
    let engine =
        open(builder().rescore_pool(500).rescore_with(|_, candidate| match candidate.item.as_u64() {
            Some(150) => f32::NAN,
            item => by_number(item),
        }));
    let mut expected: Vec<(u64, f32)> = all(&engine)
        .into_iter()
        .map(|(item, score)| (item, if item == 150 { score } else { by_number(Some(item)) }))
        .collect();
    expected.sort_by(|a, b| b.1.total_cmp(&a.1));
    let picks = list(&engine, 20);
    let got: Vec<(u64, f32)> = numbers(&picks).into_iter().zip(picks.iter().map(|pick| pick.score)).collect();
    assert_eq!(got, expected[..20]);
    assert_eq!(incident(&engine, "rescorer"), Incident::Nonsense { what: "a score of NaN".to_owned() });
    let stats = engine.stats().plugins;
    assert!(stats.iter().any(|stats| stats.seam == "rescorer" && stats.nonsense == 1 && stats.calls == 1));
}

#[test]
fn popular_items_fall_as_far_as_they_are_told_to() {
    let debias = PopularityDebias::new(1_000.0).expect("in range");
    let engine = open(builder().rescore_pool(500).rescorer(debias));
    let view = engine.reader().view();
    let popular = view.popular().limit(500).plain().run().expect("always");
    let listeners =
        |item: u64| popular.iter().find(|pick| pick.item.as_u64() == Some(item)).map(|pick| pick.score);
    let counts: Vec<_> = numbers(&list(&engine, 100)).into_iter().map(listeners).collect();
    assert!(
        counts.is_sorted_by(|a, b| a.partial_cmp(b).is_some_and(std::cmp::Ordering::is_le)),
        "{counts:?}"
    );
}

#[test]
fn a_slate_keeps_groups_apart_and_is_no_shorter_for_it() {
    let decade = |item: &ItemId| item.as_u64().map(|item| item / 50);
    let engine = open(builder().rescore_pool(500).slate(SpacedBy::new(2, decade)));
    let picks = numbers(&list(&engine, 12));
    assert_eq!(picks.len(), 12);
    assert_eq!(picks[0], all(&engine)[0].0, "the best is the best");
    for three in picks.windows(3) {
        let groups: HashSet<u64> = three.iter().map(|item| item / 50).collect();
        assert_eq!(groups.len(), 3, "{picks:?}");
    }
    let alone = open(builder().slate(SpacedBy::new(2, |_: &ItemId| Some(()))));
    assert_eq!(
        list(&alone, 10).ids().collect::<Vec<_>>(),
        list(&open(builder()), 10).ids().collect::<Vec<_>>()
    );
}

/// A filter at work that panics when it is let go of.
struct Tripwire;

impl ItemFilter for Tripwire {
    fn keep(&mut self, _candidates: &[Candidate], _keep: &mut [bool]) {}
}

impl Drop for Tripwire {
    fn drop(&mut self) {
        panic!("out of tune");
    }
}

#[derive(Debug)]
struct Trips;

impl Filter for Trips {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        Box::new(Tripwire)
    }
}

/// Panics at work, and again when it is let go of.
#[derive(Debug)]
struct TripsTwice;

impl ItemRescorer for Tripwire {
    fn rescore(&mut self, _candidates: &[Candidate], _scores: &mut [f32]) {
        panic!("out of tune");
    }
}

impl Rescorer for TripsTwice {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        Box::new(Tripwire)
    }
}

#[test]
fn a_rescorer_that_panics_while_it_panics_is_done_without() {
    let engine = open(builder().rescorer(TripsTwice));
    assert_eq!(list(&engine, 3), list(&open(builder()), 3));
    assert!(engine.stats().plugins.iter().any(|one| one.seam == "rescorer" && one.panics == 2));
}

#[test]
fn health_says_which_of_several_plug_ins_it_was() {
    let plain = open(builder());
    let which = |engine: &ManualEngine| {
        let health = engine.health();
        let Health::Degraded { why: Degradation::Plugin { plug_in: Some(name), .. } } = health else {
            panic!("{health:?}")
        };
        name
    };
    let engine = open(builder().filter(KeepAll).filter(Trips).filter_with(|_, _| true));
    assert_eq!(list(&engine, 3), list(&plain, 3));
    assert!(which(&engine).ends_with("policies_of_lists::Trips"), "{}", which(&engine));
    assert!(engine.health().to_string().contains("Trips misbehaved: it panicked: out of tune"));

    let engine = open(builder().filter(KeepAll).filter_with(|_, _| panic!("out of tune")));
    assert_eq!(list(&engine, 3), list(&plain, 3));
    assert!(which(&engine).contains("health_says_which_of_several_plug_ins_it_was"), "{}", which(&engine));

    let slow = Misbehaving(|| std::thread::sleep(Duration::from_millis(200)));
    let engine = open(builder().filter(KeepAll).filter(slow).filter(NotAmongLast(0)));
    assert_eq!(list(&engine, 3), list(&plain, 3));
    assert!(which(&engine).ends_with("::Misbehaving"), "{}", which(&engine));

    let engine = open(builder().rescorer(KeepScores).rescore_with(|_, _| f32::NAN));
    assert_eq!(list(&engine, 3), list(&plain, 3));
    assert!(which(&engine).contains("{{closure}}"), "{}", which(&engine));

    let engine = open(builder().slate(TopRanked).slate_with(|_, _| vec![7_777]));
    assert_eq!(list(&engine, 3), list(&plain, 3));
    assert!(which(&engine).contains("{{closure}}"), "{}", which(&engine));
}

/// What `health` says of the plug-in of this seam.
fn incident(engine: &ManualEngine, seam: &str) -> Incident {
    let health = engine.health();
    let Health::Degraded { why: Degradation::Plugin { seam: named, incident, .. } } = health else {
        panic!("{health:?}")
    };
    assert_eq!(named, seam);
    incident
}

#[derive(Debug)]
struct Misbehaving(fn());

impl Filter for Misbehaving {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
        Box::new(|_: &[Candidate], keep: &mut [bool]| {
            keep.fill(false);
            (self.0)();
            keep.fill(true);
        })
    }
}

impl Rescorer for Misbehaving {
    fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemRescorer + 'r> {
        Box::new(|_: &[Candidate], scores: &mut [f32]| {
            let before = scores.to_vec();
            scores.reverse();
            (self.0)();
            scores.copy_from_slice(&before);
        })
    }
}

impl SlatePolicy for Misbehaving {
    fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
        (self.0)();
        TopRanked.arrange(request, ranked)
    }
}

/// A policy that panics, one that sleeps for 200 ms: the list is the model's, and the seam is named.
fn check_misbehaviour(seam: &'static str, with: impl Fn(EngineBuilder, Misbehaving) -> EngineBuilder) {
    let plain = open(builder());
    for (misbehave, is_panic) in [
        ((|| panic!("out of tune")) as fn(), true),
        (|| std::thread::sleep(Duration::from_millis(200)), false),
    ] {
        let engine = open(with(builder(), Misbehaving(misbehave)));
        let picks = list(&engine, 3);
        assert_eq!(picks, list(&plain, 3), "{seam}");
        let incident = incident(&engine, seam);
        if is_panic {
            assert_eq!(incident, Incident::Panicked { message: "out of tune".to_owned() });
        } else {
            let Incident::Slow { took, .. } = incident else { panic!("{incident:?}") };
            assert!(took >= Duration::from_millis(200));
        }
        let stats = engine.stats();
        assert_eq!(stats.plugin_panics > 0, is_panic);
    }
}

#[test]
fn a_filter_that_misbehaves_is_done_without_and_named() {
    check_misbehaviour("filter", EngineBuilder::filter);
}

#[test]
fn a_rescorer_that_misbehaves_is_done_without_and_named() {
    check_misbehaviour("rescorer", EngineBuilder::rescorer);
}

#[test]
fn a_slate_policy_that_misbehaves_is_done_without_and_named() {
    check_misbehaviour("slate policy", EngineBuilder::slate);
}

#[test]
fn places_that_are_none_are_left_out_of_a_slate() {
    #[derive(Debug)]
    struct Nonsense;
    impl SlatePolicy for Nonsense {
        fn arrange(&self, _request: &Request<'_>, _ranked: &[Candidate]) -> Vec<usize> {
            vec![1, 1, usize::MAX, 0, 2, 3]
        }
    }
    let engine = open(builder().slate(Nonsense));
    let model: Vec<u64> = all(&engine).into_iter().map(|(item, _)| item).collect();
    assert_eq!(numbers(&list(&engine, 3)), [model[1], model[0], model[2]]);
    let stats = engine.stats().plugins;
    assert!(stats.iter().any(|stats| stats.seam == "slate policy" && stats.nonsense == 2));
    let what = format!("place {} of 53, or twice", usize::MAX);
    assert_eq!(incident(&engine, "slate policy"), Incident::Nonsense { what });
}

#[test]
fn a_slate_of_nothing_but_nonsense_is_done_without() {
    let engine = open(builder().slate_with(|_, ranked| vec![ranked.len(); 10]));
    let model: Vec<u64> = all(&engine).into_iter().map(|(item, _)| item).collect();
    assert_eq!(numbers(&list(&engine, 3)), model[..3]);
    assert!(matches!(incident(&engine, "slate policy"), Incident::Nonsense { .. }));
    // Who wants a list of nothing has it.
    let engine = open(builder().slate_with(|_, _| Vec::new()));
    assert!(list(&engine, 3).is_empty());
}

#[test]
fn a_slate_policy_that_panics_when_it_is_built_in_is_named_and_asked_all_the_same() {
    #[derive(Debug)]
    struct Shy;
    impl SlatePolicy for Shy {
        fn arrange(&self, request: &Request<'_>, ranked: &[Candidate]) -> Vec<usize> {
            (0..ranked.len()).rev().take(request.limit).collect()
        }
        fn mixes_known(&self) -> bool {
            panic!("out of tune")
        }
    }
    let mut engine = builder().slate(Shy).open_manual().expect("usable settings");
    engine.import((0..5_u64).map(|item| Event::listen(0, item)));
    engine.pump();
    let popular = engine.reader().view().popular().limit(2).run().expect("always");
    assert_eq!(popular.len(), 2);
    assert_eq!(incident(&engine, "slate policy"), Incident::Panicked { message: "out of tune".to_owned() });
    assert_eq!(engine.stats().plugin_panics, 1);
}

#[test]
fn a_filter_that_panics_before_it_is_asked_of_an_item_is_done_without_as_it_says() {
    /// Where it panics, and what it says of that if it can.
    #[derive(Debug)]
    struct Broken {
        in_for_request: bool,
        on_panic: Option<OnPanic>,
    }
    impl Filter for Broken {
        fn for_request<'r>(&'r self, request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
            assert!(!self.in_for_request, "out of tune");
            KeepAll.for_request(request)
        }
        fn on_panic(&self) -> OnPanic {
            self.on_panic.expect("nothing to say")
        }
    }
    let model = list(&open(builder()), 5);
    for (in_for_request, on_panic, n_shown, said) in [
        (true, Some(OnPanic::Show), 5, "out of tune"),
        (true, Some(OnPanic::Hide), 0, "out of tune"),
        (true, None, 5, "nothing to say"),
        (false, None, 5, "nothing to say"),
    ] {
        let engine = open(builder().filter(Broken { in_for_request, on_panic }));
        let picks = list(&engine, 5);
        assert_eq!(picks.items(), &model.items()[..n_shown]);
        assert_eq!(incident(&engine, "filter"), Incident::Panicked { message: said.to_owned() });
    }
}

#[test]
fn what_must_never_be_shown_is_not_shown_by_a_filter_that_panics() {
    #[derive(Debug)]
    struct Strict;
    impl Filter for Strict {
        fn for_request<'r>(&'r self, _request: &'r Request<'r>) -> Box<dyn ItemFilter + 'r> {
            let mut n_asked = 0;
            Box::new(move |_: &[Candidate], _: &mut [bool]| {
                n_asked += 1;
                assert!(n_asked < 2, "out of tune");
            })
        }
        fn on_panic(&self) -> OnPanic {
            OnPanic::Hide
        }
    }
    let engine = open(builder().filter(Strict));
    let picks = list(&engine, 500);
    assert!(!picks.is_empty() && picks.len() <= 16, "what it had judged before is shown: {}", picks.len());
    assert_eq!(incident(&engine, "filter"), Incident::Panicked { message: "out of tune".to_owned() });
}
