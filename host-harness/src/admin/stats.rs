//! `/stats`: figures of clusters, of the host and of modules.

use super::query::Query;
use crate::cluster::Health;
use crate::environment::Environment;
use crate::metrics::{BUCKETS, Distribution, Value};
use serde_json::json;
use std::fmt::Write as _;

/// All figures that the query wants, sorted by name.
pub(super) fn wanted(environment: &Environment, query: &Query) -> Vec<(String, Value)> {
    let mut all = environment.metrics.snapshot();
    for (name, state) in environment.clusters.all() {
        let endpoints = &state.cluster.endpoints;
        let of = |health| endpoints.iter().filter(|e| e.health == health).count() as u64;
        let requests = endpoints.iter().map(|e| state.requests(e.address)).sum();
        for (figure, value) in [
            ("membership_change", Value::Counter(state.changes)),
            ("membership_degraded", Value::Gauge(of(Health::Degraded))),
            ("membership_healthy", Value::Gauge(of(Health::Healthy))),
            ("membership_total", Value::Gauge(endpoints.len() as u64)),
            ("upstream_rq_total", Value::Counter(requests)),
        ] {
            all.push((format!("cluster.{name}.{figure}"), value));
        }
    }
    all.retain(|(name, _)| query.wants(name));
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// The text form: `name: value`.
pub(super) fn text(environment: &Environment, query: &Query) -> String {
    let mut out = String::new();
    for (name, value) in wanted(environment, query) {
        let _ = match value {
            Value::Counter(number) | Value::Gauge(number) => writeln!(out, "{name}: {number}"),
            Value::Histogram(seen) => writeln!(out, "{name}: {}", summary(&seen)),
        };
    }
    out
}

/// How many values were at most each bound that has any.
fn summary(seen: &Distribution) -> String {
    if seen.count == 0 {
        return "No recorded values".to_owned();
    }
    let counts = BUCKETS.iter().zip(seen.buckets);
    let parts: Vec<_> = counts
        .map(|(bound, count)| format!("B{bound}: {count}"))
        .collect();
    parts.join(" ")
}

/// The JSON form.
pub(super) fn json(environment: &Environment, query: &Query) -> String {
    let stats: Vec<_> = wanted(environment, query)
        .into_iter()
        .map(|(name, value)| match value {
            Value::Counter(number) | Value::Gauge(number) => {
                json!({ "name": name, "value": number })
            }
            Value::Histogram(seen) => json!({ "name": name, "count": seen.count, "sum": seen.sum }),
        })
        .collect();
    json!({ "stats": stats }).to_string()
}
