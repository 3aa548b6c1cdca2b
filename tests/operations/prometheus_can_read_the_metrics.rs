//! What an engine exports is valid Prometheus text with the numbers of `stats`, under the documented names and no others.

#![expect(clippy::float_cmp, reason = "small counts are exact")]

use std::collections::{BTreeMap, BTreeSet};

use crate::common::log_source::LogSource;
use crate::common::{PATIENCE, random_events, small};
use metrics_exporter_prometheus::PrometheusBuilder;
use segue::{Engine, Event, Refusal, Stats, TrySendError};

/// A value for each series: its name and its labels as they are written.
type Series = BTreeMap<String, f64>;

/// Checks every line of a text by the rules of the exposition format, version 0.0.4.
fn parsed(text: &str) -> (Series, BTreeMap<String, String>) {
    let (mut series, mut types) = (Series::new(), BTreeMap::new());
    let mut families = Vec::<String>::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let (kind, rest) = comment.split_once(' ').expect("a comment is HELP or TYPE");
            let (name, what) = rest.split_once(' ').expect("of something");
            assert!(is_name(name), "{line}");
            match kind {
                "HELP" => assert!(!what.is_empty(), "{line}"),
                "TYPE" => {
                    assert!(["counter", "gauge"].contains(&what), "{line}");
                    assert!(
                        types.insert(name.to_owned(), what.to_owned()).is_none(),
                        "{name} is there twice"
                    );
                    families.push(name.to_owned());
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (key, value) = line.rsplit_once(' ').expect("a sample has a value");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let name = key.split('{').next().expect("there is a first part");
        assert!(is_name(name), "{line}");
        assert_eq!(families.last().map(String::as_str), Some(name), "samples stand below their type: {line}");
        if let Some(labels) = key.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let labels =
                labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).expect("in braces");
            for label in labels.split(',') {
                let (label, quoted) = label.split_once('=').expect("a label has a value");
                assert!(is_name(label) && !label.contains(':'), "{line}");
                let value = quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"'));
                assert!(value.is_some_and(|value| !value.contains(['"', '\\', '\n'])), "{line}");
            }
        }
        assert!(series.insert(key.to_owned(), value).is_none(), "{key} is there twice");
    }
    (series, types)
}

fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}

fn scrape(record: impl FnOnce()) -> (Series, BTreeMap<String, String>) {
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, record);
    parsed(&recorder.handle().render())
}

/// An engine to which most things have happened that are counted.
fn eventful() -> Engine {
    let engine = small()
        .queue_capacity(1_000)
        .source(LogSource::new(random_events(9, 50, 20, 20), 50))
        .weigh_with(|facts| {
            assert!(facts.item.as_str() != Some("cursed"), "cannot weigh this");
            segue::Signal::positive(1.0).expect("in range")
        })
        .open()
        .expect("usable settings");
    engine.import(random_events(1, 2_000, 50, 40)).expect("it runs");
    let sender = engine.sender();
    for _ in 0..2 {
        engine.sweep_now().expect("it runs").wait().expect("there is something to learn");
        for event in random_events(2, 200, 50, 60) {
            sender.send(event).expect("it runs");
        }
    }
    let receipts = [
        sender.send_tracked(Event::listen("zoe", "cursed")),
        sender.send_tracked(Event::listen("ana", 1).key("once")),
        sender.send_tracked(Event::listen("ana", 1).key("once")),
        sender.send_tracked(Event::undo(Event::like("nobody", 1))),
    ];
    for receipt in receipts {
        receipt.expect("it runs").wait(PATIENCE).expect("decided");
    }
    assert!(matches!(sender.try_send(Event::listen("", 1)), Err(TrySendError::Invalid(_))));
    let view = engine.reader().view();
    for user in 0..50_u64 {
        view.user(user).recommend().run().expect("always an answer");
    }
    engine
}

fn as_f64(n: u64) -> f64 {
    f64::from(u32::try_from(n).expect("small"))
}

#[test]
fn the_numbers_are_those_of_stats() {
    let engine = eventful();
    let (series, _) = scrape(|| engine.record_metrics());
    let stats = engine.stats();
    let of = |key: &str| *series.get(key).unwrap_or_else(|| panic!("{key} is not there: {series:#?}"));
    let Stats { applied, duplicates, ref refused, ref handed_back, .. } = stats;
    assert_eq!(of("segue_events_applied_total"), as_f64(applied));
    assert_eq!((of("segue_events_duplicate_total"), duplicates), (1.0, 1));
    for (refusal, reason) in
        [(Refusal::WeigherPanicked, "weigher_panicked"), (Refusal::NothingToUndo, "nothing_to_undo")]
    {
        let got = of(&format!("segue_events_refused_total{{reason=\"{reason}\"}}"));
        assert!(got >= 1.0 && got == as_f64(refused[&refusal]), "{reason}: {got}");
    }
    assert_eq!(of("segue_events_refused_total{reason=\"too_many_users\"}"), 0.0);
    assert_eq!(
        (of("segue_events_handed_back_total{reason=\"empty_user_id\"}"), handed_back["empty_user_id"]),
        (1.0, 1)
    );
    assert_eq!(of("segue_health{state=\"degraded\"}"), 1.0);
    assert_eq!(of("segue_health{state=\"serving\"}"), 0.0);
    assert_eq!(of("segue_degraded{cause=\"plugin\"}"), 1.0);
    assert_eq!(of("segue_plugin_incidents_total{seam=\"weigher\",kind=\"panic\"}"), 1.0);
    assert_eq!((of("segue_sweeps_total{result=\"published\"}"), of("segue_generation")), (2.0, 2.0));
    assert_eq!(
        (of("segue_users"), of("segue_queue_capacity_events")),
        (as_f64(stats.n_users as u64), 1_000.0)
    );
    assert!((0.0..=1.0).contains(&of("segue_generation_churn_ratio")));
    assert!(of("segue_memory_bytes{part=\"histories\"}") > 1_000.0);
    assert_eq!(of("segue_stage_duration_seconds_count{stage=\"query\"}"), 50.0);
    assert!(of("segue_stage_duration_seconds_sum{stage=\"sweep\"}") > 0.0);
    assert_eq!(of("segue_lag_seconds"), 0.0);
}

#[test]
fn every_histogram_adds_up() {
    let engine = eventful();
    let (series, _) = scrape(|| engine.record_metrics());
    let mut stages = BTreeMap::<String, Vec<(f64, f64)>>::new();
    for (key, &n) in &series {
        let Some(labels) = key.strip_prefix("segue_stage_duration_seconds_bucket{") else { continue };
        let label = |name: &str| {
            let label = labels.trim_end_matches('}').split(',').find_map(|label| label.strip_prefix(name));
            label.expect("both labels").trim_matches(['=', '"']).to_owned()
        };
        let edge = label("le").parse().expect("Rust reads `+Inf` too");
        stages.entry(label("stage")).or_default().push((edge, n));
    }
    assert_eq!(stages.len(), 14);
    for (stage, mut buckets) in stages {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{stage}: {buckets:?}");
        let count = series[&format!("segue_stage_duration_seconds_count{{stage=\"{stage}\"}}")];
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{stage}");
        let total = series[&format!("segue_stage_duration_seconds_sum{{stage=\"{stage}\"}}")];
        // No longer than if each had taken as long as its bucket allows.
        let mut before = 0.0;
        let longest: f64 = buckets
            .iter()
            .map(|&(edge, n)| {
                let of_bucket = n - before;
                before = n;
                if of_bucket > 0.0 { edge * of_bucket } else { 0.0 }
            })
            .sum();
        assert!(total <= longest, "{stage}: {total} of {longest}");
        assert_eq!(total > 0.0, count > 0.0, "{stage}");
    }
}

#[test]
fn the_names_are_those_of_the_documentation() {
    let page = include_str!("../../src/docs/operations.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `segue_"));
    let documented: BTreeMap<String, String> = rows
        .map(|row| {
            let (name, rest) = row.split_once('`').expect("a name ends");
            let kind = rest.trim_start_matches(" | ").split(' ').next().expect("a kind comes next");
            (format!("segue_{name}"), kind.to_owned())
        })
        .collect();
    let engine = eventful();
    let (series, types) = scrape(|| engine.record_metrics());
    assert_eq!(types, documented);
    // Nothing before it has happened but what has no value yet.
    let fresh = Engine::builder().open().expect("usable settings");
    let (fresh, _) = scrape(|| fresh.record_metrics());
    let keys = |series: &Series| series.keys().cloned().collect::<BTreeSet<_>>();
    let later: Vec<_> = keys(&series).difference(&keys(&fresh)).cloned().collect();
    let later: Vec<_> = later.iter().filter(|key| !key.starts_with("segue_source_")).collect();
    assert_eq!(later, ["segue_generation_age_seconds", "segue_generation_churn_ratio"]);
}

#[test]
fn counters_never_go_back() {
    let engine = eventful();
    let (before, types) = scrape(|| engine.record_metrics());
    engine.import(random_events(3, 500, 50, 40)).expect("it runs");
    engine.sweep_now().expect("it runs").wait().expect("there is something to learn");
    let (after, _) = scrape(|| engine.record_metrics());
    for (key, value) in before {
        let name = key.split('{').next().expect("there is a first part");
        let is_cumulative = types[name] == "counter" || name.starts_with("segue_stage_duration_seconds");
        assert!(!is_cumulative || after[&key] >= value, "{key}: {value}, then {}", after[&key]);
    }
    assert_eq!(after["segue_health{state=\"serving\"}"], 1.0, "a published sweep clears what was wrong");
}
