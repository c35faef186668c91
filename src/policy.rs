//! What the configuration means: compiled once, then only read.

mod clusters;
mod hosts;
mod load;
mod merge;

use crate::cluster::{Cluster, ClusterId};
use crate::config::settings::Settings;
use crate::config::{Config, Discovery, HeaderNames, PathDecoding, Report, Unmatched};
use crate::route::VirtualHost;
use crate::route::host::Hosts;
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
    pub(crate) hosts: Hosts,
    pub(crate) path_decoding: PathDecoding,
    pub(crate) trust_forwarded_proto: bool,
    pub(crate) forwarded_host: bool,
    pub(crate) use_forwarded_headers: bool,
    /// `http-redirect-code`.
    pub(crate) redirect_code: u16,
}

impl Policy {
    /// The cluster at `id`; `None` only for an id of another policy.
    #[must_use]
    pub fn cluster(&self, id: ClusterId) -> Option<&Cluster> {
        self.clusters.get(id.0)
    }

    /// Nobody but limpet answers on the listener: what no Ingress names is not found.
    #[must_use]
    pub fn owns_listener(&self) -> bool {
        self.unmatched == Unmatched::NotFound
    }

    /// Every virtual host, aliases and the default server included.
    pub fn virtual_hosts(&self) -> impl Iterator<Item = &VirtualHost> {
        self.hosts.iter()
    }
}

/// Compiles a configuration. What cannot be used disables itself alone, with a warning.
#[must_use]
pub fn compile(config: &Config) -> (Policy, Vec<Warning>) {
    let (settings, mut warnings) = Settings::read(&config.config_map);
    let loaded = load::load(config, &settings, &mut warnings);
    let merged = merge::merge(&loaded, config, &mut warnings);
    let (clusters, ids) = clusters::compile(&merged, config, (&loaded, &settings), &mut warnings);
    let hosts = hosts::compile(&merged, &loaded, &ids, &settings, &mut warnings);
    let endpoints = clusters::endpoints(config, &clusters, &mut warnings);
    let policy = Policy {
        clusters,
        headers: config.headers.clone(),
        unmatched: config.unmatched,
        report: config.report,
        discovery: config.discovery.clone(),
        endpoints,
        hosts,
        path_decoding: config.path_decoding,
        trust_forwarded_proto: config.trust_forwarded_proto,
        forwarded_host: config.forwarded_host,
        use_forwarded_headers: settings.use_forwarded_headers,
        redirect_code: settings.http_redirect_code,
    };
    (policy, warnings)
}

#[cfg(test)]
mod tests;
