//! What the configuration means: compiled once, then only read.

use crate::cluster::{Cluster, ClusterId};
use crate::config::{Config, Discovery, HeaderNames, Report, Unmatched};
use crate::warning::Warning;
use std::collections::BTreeMap;

/// Everything a request is answered from, but for the endpoints.
#[derive(Debug)]
pub struct Policy {
    /// Every cluster that a location or a canary names.
    pub clusters: Vec<Cluster>,
    /// limpet's own request headers.
    pub headers: HeaderNames,
    /// What becomes of hosts and paths that no Ingress names.
    pub unmatched: Unmatched,
    /// How much of each decision is reported.
    pub report: Report,
    /// Where endpoints come from.
    pub discovery: Discovery,
    /// Endpoints given in the configuration: Envoy's cluster name to `ip:port`s.
    pub endpoints: BTreeMap<String, Vec<String>>,
}

impl Policy {
    /// The cluster at `id`; `None` only for an id of another policy.
    #[must_use]
    pub fn cluster(&self, id: ClusterId) -> Option<&Cluster> {
        self.clusters.get(id.0)
    }
}

/// Compiles a configuration. What cannot be used disables itself alone, with a warning.
#[must_use]
pub fn compile(config: &Config) -> (Policy, Vec<Warning>) {
    let policy = Policy {
        clusters: Vec::new(),
        headers: config.headers.clone(),
        unmatched: config.unmatched,
        report: config.report,
        discovery: config.discovery.clone(),
        endpoints: config.endpoints.clone(),
    };
    (policy, Vec::new())
}
