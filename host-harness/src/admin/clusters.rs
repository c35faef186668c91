//! `/clusters`.

use super::query::Query;
use crate::cluster::{ClusterState, Endpoint, Health};
use crate::environment::Environment;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The text form: a line for each figure of each endpoint.
pub(super) fn text(environment: &Environment, query: &Query) -> String {
    let mut out = String::new();
    for (name, state) in environment.clusters.all() {
        if query.wants(&name) {
            let _ = writeln!(out, "{name}::observability_name::{name}"); // a String takes all
            let _ = writeln!(out, "{name}::added_via_api::false");
            for endpoint in &state.cluster.endpoints {
                endpoint_text(&mut out, &name, &state, endpoint);
            }
        }
    }
    out
}

fn endpoint_text(out: &mut String, name: &str, state: &ClusterState, endpoint: &Endpoint) {
    let address = endpoint.address;
    let requests = state.requests(address);
    let flags = health_flags(endpoint.health);
    for (figure, value) in [
        ("rq_total", requests.to_string().as_str()),
        ("hostname", ""),
        ("health_flags", flags),
        ("weight", "1"),
        ("priority", "0"),
    ] {
        let _ = writeln!(out, "{name}::{address}::{figure}::{value}");
    }
}

fn health_flags(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Degraded => "/degraded_eds_health",
        Health::Draining => "/eds_status_draining",
        Health::Unhealthy => "/failed_eds_health",
        Health::FailedActiveHealthCheck => "/failed_active_hc",
        Health::FailedOutlierCheck => "/failed_outlier_check",
    }
}

/// The JSON form.
pub(super) fn json(environment: &Environment, query: &Query) -> String {
    let statuses: Vec<_> = environment
        .clusters
        .all()
        .iter()
        .filter(|(name, _)| query.wants(name))
        .map(|(name, state)| cluster_json(name, state))
        .collect();
    format!("{:#}\n", json!({ "cluster_statuses": statuses }))
}

fn cluster_json(name: &str, state: &ClusterState) -> Value {
    let mut cluster = Map::new();
    cluster.insert("name".to_owned(), name.into());
    let hosts = state.cluster.endpoints.iter();
    let hosts: Vec<_> = hosts
        .map(|endpoint| endpoint_json(state, endpoint))
        .collect();
    if !hosts.is_empty() {
        cluster.insert("host_statuses".to_owned(), hosts.into()); // empty lists are not printed
    }
    cluster.insert("observability_name".to_owned(), name.into());
    cluster.into()
}

fn endpoint_json(state: &ClusterState, endpoint: &Endpoint) -> Value {
    let address = endpoint.address;
    let mut requests = json!({ "name": "rq_total" });
    let total = state.requests(address);
    if let Some(figure) = requests.as_object_mut().filter(|_| total > 0) {
        figure.insert("value".to_owned(), total.to_string().into()); // zeros are not printed
    }
    json!({
        "address": { "socket_address": {
            "address": address.ip().to_string(),
            "port_value": address.port(),
        } },
        "stats": [requests],
        "health_status": health_json(endpoint.health),
        "weight": 1,
        "locality": {},
    })
}

fn health_json(health: Health) -> Value {
    match health {
        Health::Healthy => json!({ "eds_health_status": "HEALTHY" }),
        Health::Degraded => json!({ "eds_health_status": "DEGRADED" }),
        Health::Draining => json!({ "eds_health_status": "DRAINING" }),
        Health::Unhealthy => json!({ "eds_health_status": "UNHEALTHY" }),
        Health::FailedActiveHealthCheck => {
            json!({ "failed_active_health_check": true, "eds_health_status": "HEALTHY" })
        }
        Health::FailedOutlierCheck => {
            json!({ "failed_outlier_check": true, "eds_health_status": "HEALTHY" })
        }
    }
}
