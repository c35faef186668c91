//! What the configuration means: compiled once, then only read.

mod authorizers;
mod budget;
mod certificates;
mod clusters;
mod compile;
mod error_pages;
mod headers;
mod hosts;
mod listed;
mod load;
mod merge;
mod shared;

use crate::access::clients::Clients;
use crate::access::{self, Networks, RealIp};
use crate::client_certificate::Listeners;
use crate::cluster::{Cluster, ClusterId};
use crate::config::{Discovery, HeaderNames, PathDecoding, Report, StripHeader, Unmatched};
use crate::edit::Headers;
use crate::error_pages::ErrorPages;
use crate::facts::Facts;
use crate::fields::{Additions, Requests, is_name};
use crate::head::HeadBuffers;
use crate::protection::Protection;
use crate::remark::{Effect, Problem, Remark};
use crate::route::host::Hosts;
use crate::route::{Location, VirtualHost};
pub use compile::{compile, ingresses, read};
pub use merge::Loaded;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

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
    /// Some host asks for clients' certificates.
    pub(crate) asks_clients: bool,
    pub(crate) client_listeners: Listeners,
    /// Some Ingress asks for a route of its own.
    pub(crate) names_routes: bool,
    pub(crate) path_decoding: PathDecoding,
    pub(crate) trust_forwarded_proto: bool,
    pub(crate) forwarded_host: bool,
    pub(crate) use_forwarded_headers: bool,
    /// `block-cidrs`, in locations without lists of their own.
    pub(crate) blocked: Option<Networks>,
    /// `None`: whoever connects is the client.
    pub(crate) real_ip: Option<RealIp>,
    /// Whom `block-user-agents` and `block-referers` keep out.
    pub(crate) clients: Option<Clients>,
    /// `add-headers`.
    pub(crate) additions: Additions,
    /// `proxy-set-headers`.
    pub(crate) requests: Requests,
    /// `ignore-invalid-headers`: what nginx finds no name reaches nobody.
    pub(crate) drops_odd_names: bool,
    /// `hide-headers`.
    pub(crate) hidden: Vec<String>,
    /// Strict-Transport-Security of every location over https.
    pub(crate) hsts: Option<String>,
    /// The ConfigMap's `custom-http-errors`, where no location is found.
    pub(crate) error_pages: Option<Arc<ErrorPages>>,
    /// `http-redirect-code`.
    pub(crate) redirect_code: u16,
    pub(crate) head_buffers: HeadBuffers,
    pub(crate) strip_headers: Vec<StripHeader>,
    pub(crate) protect: Protection,
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

    /// Whether nginx drops a field of a request for its name (`ngx_http_parse_header_line`, nginx 1.27.1).
    /// Those with `_` are Envoy's to drop.
    pub(crate) fn drops(&self, name: &[u8]) -> bool {
        self.drops_odd_names && !name.starts_with(b":") && !is_name(name)
    }

    /// Every virtual host, aliases and the default server included.
    pub fn virtual_hosts(&self) -> impl Iterator<Item = &VirtualHost> {
        self.hosts.iter()
    }

    /// Whether any location asks for the client's address.
    #[must_use]
    pub fn asks_for_address(&self) -> bool {
        self.blocked.is_some() || self.asking_for_address().next().is_some()
    }

    /// The address that a client has to lists of addresses; `None`: the host knows none.
    #[must_use]
    pub fn client(&self, headers: &Headers, facts: &Facts) -> Option<IpAddr> {
        access::address(headers, facts, self.real_ip.as_ref())
    }

    /// The Ingresses whose locations ask for it, `namespace/name`, once for each location that is open.
    pub fn asking_for_address(&self) -> impl Iterator<Item = &str> {
        let locations = self.virtual_hosts().flat_map(|host| host.locations.iter());
        let asks = |location: &&Arc<Location>| {
            let limits = location.limits.as_ref();
            let by_address = limits.is_some_and(|limits| limits.header.is_none());
            !location.closed && (location.access.is_some() || by_address)
        };
        locations
            .filter(asks)
            .map(|location| location.ingress.as_str())
    }

    /// How many locations an Ingress made.
    #[must_use]
    pub fn location_count(&self) -> usize {
        let locations = self.virtual_hosts().flat_map(|host| host.locations.iter());
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

#[cfg(test)]
mod tests;
