//! Whom `auth-url` and `global-auth-url` name.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use limpet::annotations::AuthorizerUrl;
use limpet::config::Config;

use super::Known;
use super::cluster::Cluster;
use super::endpoint::{Endpoint, Health};
use super::flag::EndpointsFlag;
use super::protocol::Protocol;
use super::room::ASKED;
use super::service_port::ServicePort;
use crate::manifests::Manifests;
use crate::names;
use crate::taken::TakenIngress;

const AUTH_URL: &str = "auth-url";

const GLOBAL_AUTH_URL: &str = "global-auth-url";

/// Whether anybody is to be asked.
pub(crate) fn asks(manifests: &Manifests, ingresses: &[TakenIngress<'_>]) -> bool {
    urls(manifests, ingresses).next().is_some()
}

/// A cluster for each of them that the configuration does not name: an address as it stands, a
/// Service of this cluster by its endpoints where they are known, any other name by DNS, as nginx; and what the
/// operator should know of them.
pub(crate) fn authorizers(
    manifests: &Manifests,
    ingresses: &[TakenIngress<'_>],
    flags: &[EndpointsFlag],
    config: &Config,
) -> (Vec<Cluster>, Vec<String>) {
    let known = Known::new(manifests, flags);
    let is_told = |origin: &String| {
        let mut told = config.authorizers.iter();
        told.any(|told| told.contains_key(origin))
    };
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut notes = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut named = HashSet::new();
    for (text, place, ingress) in urls(manifests, ingresses) {
        let Some(url) = AuthorizerUrl::read(text) else {
            continue;
        };
        if url.is_own() || is_told(&url.origin) {
            continue;
        }
        let at = *places.entry(url.origin.clone()).or_insert_with(|| {
            let (cluster, is_cut) = known.authorizer(&url, place);
            if is_cut {
                notes.push(format!(
                    "{}: {} has more endpoints than one that is asked has room for: {ASKED} of them are asked",
                    cluster.place,
                    cluster.subject()
                ));
            }
            clusters.push(cluster);
            clusters.len() - 1
        });
        let cluster = clusters.get_mut(at);
        if let (Some(cluster), Some(id)) = (cluster, ingress.filter(|id| named.insert((at, *id)))) {
            cluster.named_by.push(id.to_owned());
        }
    }
    (clusters, notes)
}

/// Every such URL with its place and its Ingress.
fn urls<'m>(
    manifests: &'m Manifests,
    ingresses: &'m [TakenIngress<'m>],
) -> impl Iterator<Item = (&'m str, String, Option<&'m str>)> {
    let annotated = ingresses.iter().filter_map(|ingress| {
        let url = ingress.annotation(AUTH_URL)?;
        Some((url, ingress.place_of(AUTH_URL), Some(ingress.id())))
    });
    let global = manifests.setting(GLOBAL_AUTH_URL);
    let global = global.map(|url| (url, GLOBAL_AUTH_URL.to_owned(), None));
    let all = annotated.chain(global);
    all.map(|(url, place, ingress)| (url.trim(), place, ingress))
        .filter(|(url, ..)| !url.is_empty())
}

impl Known<'_> {
    /// And whether it has endpoints that are not among its.
    fn authorizer(&self, url: &AuthorizerUrl, place: String) -> (Cluster, bool) {
        let service_port = self.service_of(url).unwrap_or_else(|| ServicePort {
            namespace: String::new(),
            service: url.host.clone(),
            port: url.port.to_string(),
        });
        let (mut cluster, found) = self.cluster(service_port, place, ASKED);
        cluster.protocol = Some(Protocol {
            tls: url.tls,
            http2: false,
        });
        cluster.authorizer = Some(url.origin.clone());
        if let Ok(ip) = url.host.parse::<IpAddr>() {
            cluster.endpoints = vec![Endpoint {
                address: SocketAddr::new(ip, url.port).to_string(),
                health: Health::Healthy,
            }];
        } else if cluster.endpoints.is_empty() && cluster.external_name.is_none() {
            cluster.external_name = Some(url.host.clone());
            cluster.number = Some(url.port);
            cluster.target = Some(url.port);
        }
        (cluster, found.is_cut)
    }

    /// The Service of this cluster that a URL names: `name.namespace.svc`, with or without the
    /// cluster's domain; `name.namespace` where there is such a Service.
    fn service_of(&self, url: &AuthorizerUrl) -> Option<ServicePort> {
        let host = url.host.strip_suffix(".cluster.local").unwrap_or(&url.host);
        let (name, is_said) = match host.strip_suffix(".svc") {
            Some(name) => (name, true),
            None if host == url.host => (host, false),
            None => return None,
        };
        let (service, namespace) = name.split_once('.')?;
        let is_name = names::is_label(service) && names::is_label(namespace);
        let service_port = ServicePort {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            port: url.port.to_string(),
        };
        let is_known = || {
            let is_given = self.manifests.service(&service_port.service_id()).is_some();
            is_given || !self.flags_of(&service_port).is_empty()
        };
        (is_name && (is_said || is_known())).then_some(service_port)
    }
}
