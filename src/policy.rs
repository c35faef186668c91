//! What the configuration means: compiled once, then only read.

mod clusters;
mod hosts;
mod load;
mod merge;

use crate::cluster::{Cluster, ClusterId};
use crate::config::settings::Settings;
use crate::config::{
    self, Config, ConfigError, Discovery, HeaderNames, PathDecoding, Report, Unmatched,
};
use crate::remark::{Effect, Problem, Remark};
use crate::route::VirtualHost;
use crate::route::host::Hosts;
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

    /// How many locations an Ingress made.
    #[must_use]
    pub fn location_count(&self) -> usize {
        let locations = self.virtual_hosts().flat_map(|host| &host.locations);
        locations
            .filter(|location| !location.ingress.is_empty())
            .count()
    }

    /// That no Ingress is served, where that is so.
    #[must_use]
    pub fn idle(&self) -> Option<Remark> {
        let remark = || Remark::key("ingresses", None, Problem::NoIngress, Effect::Configuration);
        (self.location_count() == 0).then(remark)
    }
}

/// Reads a configuration and compiles it. Environment variables that it names are not looked up.
///
/// # Errors
/// It is none.
pub fn read(bytes: &[u8]) -> Result<(Policy, Vec<Remark>), ConfigError> {
    let (config, mut remarks) = config::read(bytes)?;
    let (policy, more) = compile(&config);
    remarks.extend(more);
    Ok((policy, remarks))
}

/// Compiles a configuration. What cannot be used disables itself alone, with a remark.
#[must_use]
pub fn compile(config: &Config) -> (Policy, Vec<Remark>) {
    let (settings, mut remarks) = Settings::read(&config.config_map);
    let loaded = load::load(config, &settings, &mut remarks);
    let merged = merge::merge(&loaded, config, &mut remarks);
    let (clusters, ids) = clusters::compile(&merged, config, (&loaded, &settings), &mut remarks);
    let hosts = hosts::compile(&merged, &loaded, &ids, &settings, &mut remarks);
    let endpoints = clusters::endpoints(config, &clusters, &mut remarks);
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
    (policy, remarks)
}

#[cfg(test)]
mod tests;
