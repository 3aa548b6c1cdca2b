//! What an engine tells of itself, under the names of [`docs::operations`](crate::docs::operations), through the `metrics`
//! facade.

use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, gauge};

use super::handle::Engine;
use super::manual::ManualEngine;
use super::meters::{Degradation, Health, Stats};
use crate::guard::{LatencySummary, PluginStats};
use crate::model::Refusal;

/// The edges of buckets that are told, in nanoseconds: from a microsecond to five minutes, each four times the one before.
const EDGES: [u64; 15] = [
    1 << 10,
    1 << 12,
    1 << 14,
    1 << 16,
    1 << 18,
    1 << 20,
    1 << 22,
    1 << 24,
    1 << 26,
    1 << 28,
    1 << 30,
    1 << 32,
    1 << 34,
    1 << 36,
    1 << 38,
];

impl Engine {
    /// Records what [`stats`](Self::stats) and [`health`](Self::health) say with the recorder of the `metrics` facade, under
    /// the names that [`docs::operations`](crate::docs::operations) lists. Needs the feature `metrics`.
    ///
    /// Call it before each scrape: nothing is recorded by itself, so the facade is nowhere near an event or a query. Runs
    /// on the calling thread. Two engines of one process would overwrite each other: give each a
    /// recorder of its own (`metrics::with_local_recorder`), or one that labels.
    ///
    /// ```
    /// use metrics_exporter_prometheus::PrometheusBuilder;
    /// use segue::Engine;
    ///
    /// let engine = Engine::builder().open()?;
    /// let recorder = PrometheusBuilder::new().build_recorder(); // a host would install it
    /// metrics::with_local_recorder(&recorder, || engine.record_metrics());
    /// assert!(recorder.handle().render().contains("segue_health{state=\"warming\"} 1"));
    /// # Ok::<(), segue::BuildError>(())
    /// ```
    pub fn record_metrics(&self) {
        record(&self.health(), &self.stats());
    }
}

impl ManualEngine {
    /// As [`Engine::record_metrics`].
    pub fn record_metrics(&self) {
        record(&self.health(), &self.stats());
    }
}

fn record(health: &Health, stats: &Stats) {
    record_state(health, stats);
    record_reloads(stats);
    record_events(stats);
    record_model(stats);
    record_plugins(stats);
    record_sources(stats);
    record_stages(stats);
}

fn record_state(health: &Health, stats: &Stats) {
    describe_gauge!("segue_health", "1 for the state the engine is in, 0 for all others");
    for state in Health::NAMES {
        gauge!("segue_health", "state" => state).set(yes_or_no(health.name() == state));
    }
    describe_gauge!("segue_degraded", "1 for each cause of degradation there is");
    for cause in Degradation::NAMES {
        let is_there = stats.degradations.iter().any(|one| one.name() == cause);
        gauge!("segue_degraded", "cause" => cause).set(yes_or_no(is_there));
    }
    describe_gauge!("segue_queue_events", "Events waiting in the queue");
    gauge!("segue_queue_events").set(as_f64(stats.queue_len as u64));
    describe_gauge!("segue_queue_capacity_events", "Events the queue holds");
    gauge!("segue_queue_capacity_events").set(as_f64(stats.queue_capacity as u64));
    describe_gauge!("segue_lag_seconds", "Age of the oldest event that is not visible yet");
    gauge!("segue_lag_seconds").set(stats.lag.as_secs_f64());
    describe_gauge!("segue_visible_event", "Number of the last event whose effect is visible");
    gauge!("segue_visible_event").set(as_f64(stats.visible.get()));
    describe_gauge!("segue_users", "Users known");
    gauge!("segue_users").set(as_f64(stats.n_users as u64));
    describe_gauge!("segue_items", "Items known");
    gauge!("segue_items").set(as_f64(stats.n_items as u64));
    describe_gauge!("segue_memory_bytes", "Memory by part, near enough");
    for (part, bytes) in stats.memory.iter() {
        gauge!("segue_memory_bytes", "part" => part).set(as_f64(bytes));
    }
}

fn record_reloads(stats: &Stats) {
    describe_counter!("segue_reloads_total", "Changes of watched files by result");
    counter!("segue_reloads_total", "result" => "taken").absolute(stats.reloads.taken);
    counter!("segue_reloads_total", "result" => "refused").absolute(stats.reloads.refused);
}

fn record_events(stats: &Stats) {
    describe_counter!("segue_events_applied_total", "Events learned");
    counter!("segue_events_applied_total").absolute(stats.applied);
    describe_counter!(
        "segue_events_duplicate_total",
        "Events dropped as their idempotency key was seen before"
    );
    counter!("segue_events_duplicate_total").absolute(stats.duplicates);
    describe_counter!("segue_events_refused_total", "Events refused by the writer, by reason");
    for reason in Refusal::NAMES {
        let n = stats.refused.iter().filter(|(refusal, _)| refusal.name() == reason).map(|(_, n)| n).sum();
        counter!("segue_events_refused_total", "reason" => reason).absolute(n);
    }
    describe_counter!("segue_events_handed_back_total", "Events handed back to whoever sent them, by reason");
    for (&reason, &n) in &stats.handed_back {
        counter!("segue_events_handed_back_total", "reason" => reason).absolute(n);
    }
    describe_counter!("segue_events_store_failed_total", "Events whose batch the store failed to take");
    counter!("segue_events_store_failed_total").absolute(stats.store_failed);
    describe_counter!("segue_history_cells_evicted_total", "History cells dropped from full histories");
    counter!("segue_history_cells_evicted_total").absolute(stats.evicted_cells);
}

fn record_model(stats: &Stats) {
    describe_counter!("segue_user_folds_total", "User vectors solved by the writer");
    counter!("segue_user_folds_total").absolute(stats.user_folds);
    describe_counter!("segue_item_folds_total", "Item vectors solved between sweeps");
    counter!("segue_item_folds_total").absolute(stats.item_folds);
    describe_counter!("segue_item_folds_unusable_total", "Item vectors solved and not used");
    counter!("segue_item_folds_unusable_total").absolute(stats.unusable_item_folds);
    describe_counter!("segue_item_batches_total", "Batches of item vectors");
    counter!("segue_item_batches_total").absolute(stats.item_batches);
    describe_counter!("segue_sweeps_total", "Sweeps by result");
    counter!("segue_sweeps_total", "result" => "published").absolute(stats.sweeps);
    counter!("segue_sweeps_total", "result" => "failed").absolute(stats.failed_sweeps);
    describe_counter!("segue_checkpoints_total", "Checkpoints of the engine's own store by result");
    counter!("segue_checkpoints_total", "result" => "written").absolute(stats.checkpoints);
    counter!("segue_checkpoints_total", "result" => "failed").absolute(stats.failed_checkpoints);
    describe_gauge!("segue_sweep_progress_ratio", "Share of the passes of the sweep under way that are done");
    let progress =
        stats.sweep.map_or(0.0, |sweep| as_f64(sweep.done as u64) / as_f64(sweep.of.max(1) as u64));
    gauge!("segue_sweep_progress_ratio").set(progress);
    describe_gauge!("segue_sweep_running", "1 while a sweep is under way");
    gauge!("segue_sweep_running").set(yes_or_no(stats.sweep.is_some()));
    describe_gauge!("segue_generation", "The generation in use; 0 before the first");
    gauge!("segue_generation").set(as_f64(stats.generation.get()));
    if let Some(age) = stats.generation_age {
        describe_gauge!(
            "segue_generation_age_seconds",
            "Time since the input of the generation in use was frozen"
        );
        gauge!("segue_generation_age_seconds").set(age.as_secs_f64());
    }
    if let Some(churn) = stats.last_sweep.and_then(|sweep| sweep.gate.overlap).map(|overlap| 1.0 - overlap) {
        describe_gauge!("segue_generation_churn_ratio", "Share of the lists that the last sweep changed");
        gauge!("segue_generation_churn_ratio").set(churn);
    }
}

fn record_plugins(stats: &Stats) {
    describe_counter!("segue_plugin_calls_total", "Calls of plug-ins");
    describe_counter!("segue_plugin_incidents_total", "What plug-ins did wrong, by kind");
    describe_gauge!("segue_plugin_duration_seconds_sum", "Time that the timed calls of plug-ins took");
    describe_gauge!("segue_plugin_duration_seconds_count", "Calls of plug-ins that were timed");
    for plugin in &stats.plugins {
        let seam = plugin.seam.replace(' ', "_");
        for (kind, n) in incidents(plugin) {
            counter!("segue_plugin_incidents_total", "seam" => seam.clone(), "kind" => kind).absolute(n);
        }
        let took = plugin.latency;
        gauge!("segue_plugin_duration_seconds_sum", "seam" => seam.clone()).set(took.total.as_secs_f64());
        gauge!("segue_plugin_duration_seconds_count", "seam" => seam.clone()).set(as_f64(took.count));
        counter!("segue_plugin_calls_total", "seam" => seam).absolute(plugin.calls);
    }
}

fn record_sources(stats: &Stats) {
    describe_counter!("segue_source_events_total", "What a source of events has given, by result");
    describe_counter!("segue_source_incidents_total", "What a source of events did wrong, by kind");
    describe_gauge!("segue_source_kept_offset", "Up to where what a source has given is safe");
    for source in &stats.sources {
        let name = || source.name.clone();
        let results = [
            ("applied", source.applied),
            ("duplicate", source.duplicates),
            ("refused", source.refused),
            ("malformed", source.malformed),
        ];
        for (result, n) in results {
            counter!("segue_source_events_total", "source" => name(), "result" => result).absolute(n);
        }
        for (kind, n) in incidents(&source.plugin) {
            counter!("segue_source_incidents_total", "source" => name(), "kind" => kind).absolute(n);
        }
        gauge!("segue_source_kept_offset", "source" => name()).set(as_f64(source.kept.unwrap_or(0)));
    }
}

fn incidents(plugin: &PluginStats) -> [(&'static str, u64); 4] {
    let PluginStats { panics, overruns, nonsense, failures, .. } = *plugin;
    [("panic", panics), ("overrun", overruns), ("nonsense", nonsense), ("failure", failures)]
}

/// The facade takes samples of a histogram, not histograms. So each is told as what Prometheus makes of one, in gauges, as
/// exporters may rename counters.
fn record_stages(stats: &Stats) {
    describe_gauge!("segue_stage_duration_seconds_bucket", "How often a stage took at most `le` seconds");
    describe_gauge!("segue_stage_duration_seconds_count", "How often a stage was timed");
    describe_gauge!("segue_stage_duration_seconds_sum", "Time that a stage took");
    for (stage, took) in stats.stages.iter() {
        record_stage(stage, &took);
    }
}

fn record_stage(stage: &'static str, took: &LatencySummary) {
    let mut below = 0;
    for (edge, n) in took.buckets() {
        below += n;
        let le = if edge == Duration::MAX { "+Inf".to_owned() } else { edge.as_secs_f64().to_string() };
        if edge == Duration::MAX || EDGES.iter().any(|&nanos| edge == Duration::from_nanos(nanos)) {
            gauge!("segue_stage_duration_seconds_bucket", "stage" => stage, "le" => le).set(as_f64(below));
        }
    }
    gauge!("segue_stage_duration_seconds_count", "stage" => stage).set(as_f64(took.count));
    gauge!("segue_stage_duration_seconds_sum", "stage" => stage).set(took.total.as_secs_f64());
}

fn yes_or_no(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge bears rounding past 2^53")]
fn as_f64(n: u64) -> f64 {
    n as f64
}
