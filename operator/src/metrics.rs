//! Prometheus metrics. Labels: namespace, outcome, reason; never the name of a dataset or of a file.

use std::fmt;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Reasoned {
    pub reason: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcomes {
    pub namespace: String,
    pub outcome: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct InNamespace {
    pub namespace: String,
}

/// All metrics of the operator, under the prefix `cloud_optimised_operator`.
pub struct Metrics {
    registry: Registry,
    reconciles: Counter,
    reconcile_failures: Family<Reasoned, Counter>,
    reconcile_seconds: Histogram,
    runs_started: Family<InNamespace, Counter>,
    runs: Family<Outcomes, Counter>,
    run_seconds: Histogram,
    files: Family<Outcomes, Counter>,
    active_runs: Family<InNamespace, Gauge>,
    missed_slots: Family<InNamespace, Counter>,
    status_writes: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("cloud_optimised_operator");
        let metrics = Self {
            reconciles: Counter::default(),
            reconcile_failures: Family::default(),
            reconcile_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 12)),
            runs_started: Family::default(),
            runs: Family::default(),
            run_seconds: Histogram::new(exponential_buckets(4.0, 2.0, 16)),
            files: Family::default(),
            active_runs: Family::default(),
            missed_slots: Family::default(),
            status_writes: Counter::default(),
            registry: Registry::default(),
        };
        registry.register("reconciles", "Looks at a dataset", metrics.reconciles.clone());
        registry.register("reconcile_failures", "Looks at a dataset that failed, by reason", metrics.reconcile_failures.clone());
        registry.register("reconcile_duration_seconds", "How long a look at a dataset took", metrics.reconcile_seconds.clone());
        registry.register("runs_started", "Runs started", metrics.runs_started.clone());
        registry.register("runs", "Runs ended, by outcome", metrics.runs.clone());
        registry.register("run_duration_seconds", "How long runs took", metrics.run_seconds.clone());
        registry.register("files", "Files of ended runs, by outcome", metrics.files.clone());
        registry.register("active_runs", "Runs at work", metrics.active_runs.clone());
        registry.register("schedule_missed", "Schedule slots collapsed into a later one", metrics.missed_slots.clone());
        registry.register("status_writes", "Writes of a status", metrics.status_writes.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts a look at a dataset; its duration is recorded when the result is dropped.
    #[must_use]
    pub fn look(&self) -> Look<'_> {
        self.reconciles.inc();
        Look { histogram: &self.reconcile_seconds, since: Instant::now() }
    }

    pub fn failed(&self, reason: &str) {
        self.reconcile_failures.get_or_create(&Reasoned { reason: reason.to_owned() }).inc();
    }

    pub fn run_started(&self, namespace: &str) {
        self.runs_started.get_or_create(&InNamespace { namespace: namespace.to_owned() }).inc();
    }

    pub fn run_ended(&self, namespace: &str, outcome: &str, took: Duration, files: &[(&str, u64)]) {
        self.runs.get_or_create(&Outcomes { namespace: namespace.to_owned(), outcome: outcome.to_owned() }).inc();
        self.run_seconds.observe(took.as_secs_f64());
        for (outcome, count) in files {
            self.files.get_or_create(&Outcomes { namespace: namespace.to_owned(), outcome: (*outcome).to_owned() }).inc_by(*count);
        }
    }

    pub fn slots_missed(&self, namespace: &str) {
        self.missed_slots.get_or_create(&InNamespace { namespace: namespace.to_owned() }).inc();
    }

    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// Sets the gauge of active runs from what the watches know.
    pub fn set_active(&self, by_namespace: &std::collections::BTreeMap<String, i64>) {
        self.active_runs.clear();
        for (namespace, count) in by_namespace {
            self.active_runs.get_or_create(&InNamespace { namespace: namespace.clone() }).set(*count);
        }
    }

    /// # Errors
    /// When the registry cannot be written as text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A look at a dataset being timed.
pub struct Look<'a> {
    histogram: &'a Histogram,
    since: Instant,
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.histogram.observe(self.since.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_an_interface() {
        let metrics = Metrics::default();
        drop(metrics.look());
        metrics.failed("Conflict");
        metrics.run_started("data");
        metrics.run_ended("data", "Completed", Duration::from_secs(9), &[("processed", 3)]);
        metrics.set_active(&[("data".to_owned(), 1)].into());
        let text = metrics.text().unwrap();
        for line in [
            "cloud_optimised_operator_reconciles_total 1",
            "cloud_optimised_operator_reconcile_failures_total{reason=\"Conflict\"} 1",
            "cloud_optimised_operator_runs_started_total{namespace=\"data\"} 1",
            "cloud_optimised_operator_runs_total{namespace=\"data\",outcome=\"Completed\"} 1",
            "cloud_optimised_operator_files_total{namespace=\"data\",outcome=\"processed\"} 3",
            "cloud_optimised_operator_active_runs{namespace=\"data\"} 1",
        ] {
            assert!(text.contains(line), "{line}\nin\n{text}");
        }
    }
}
