//! Connections that go to pods as they come, by the name in their greeting.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::cluster;
use super::settings::EnvoySettings;
use crate::clusters::Twin;
use crate::compiled::Compiled;
use crate::passthrough::Passthrough;

/// Who takes the connections that nobody gets: nothing is there.
const NOBODY: &str = "passthrough/nobody";

/// A filter chain for each host.
pub(super) fn filter_chains(passed: &[Passthrough]) -> impl Iterator<Item = Value> {
    passed.iter().map(|one| {
        json!({
            "filter_chain_match": { "server_names": [one.host] },
            "filters": [{ "name": "envoy.filters.network.tcp_proxy", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "passthrough",
                "cluster": one.to.as_ref().map_or(NOBODY.to_owned(), |cluster| cluster.name()),
            } }],
        })
    })
}

/// The clusters that they go to, each once.
pub(super) fn clusters(
    compiled: &Compiled<'_>,
    passed: &[Passthrough],
    settings: &EnvoySettings,
) -> Vec<Value> {
    let asked = passed.iter().filter_map(|one| one.to.as_ref().ok());
    let asked: HashSet<String> = asked.map(|twin| twin.name()).collect();
    let twins = compiled.clusters.iter();
    let twins = twins.map(|cluster| cluster.twin(Twin::Passthrough));
    let twins = twins.filter(|twin| asked.contains(&twin.name()));
    // What is to be said of them is said where they serve.
    let twins = twins.map(|twin| cluster::cluster(compiled, &twin, settings, &mut Vec::new()));
    let mut all: Vec<Value> = twins.collect();
    if passed.iter().any(|one| one.to.is_err()) {
        all.push(json!({ "name": NOBODY, "type": "STATIC" }));
    }
    all
}
