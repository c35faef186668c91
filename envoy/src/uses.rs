//! Who sends requests where, as the module will.

use std::collections::{BTreeMap, BTreeSet};

use limpet::policy::Policy;
use limpet::route::location::Backend;
use limpet::route::{Location, VirtualHost};

use crate::taken::TakenIngress;

/// A Service's `namespace/service:port`, to the Ingresses that send requests there, and on which hosts.
pub(crate) type Uses = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Empty: the default server.
pub(crate) fn name_of(host: &VirtualHost) -> String {
    if host.is_default() {
        String::new()
    } else {
        host.name.to_ascii_lowercase()
    }
}

/// Which Ingresses send requests to a Service, and on which hosts. A canary is asked in the name of the
/// Ingress that it is of.
pub(crate) fn used(ingresses: &[TakenIngress<'_>], policy: &Policy) -> Uses {
    let rules = ingresses.iter().flat_map(|one| &one.ingress.rules);
    let mut named: BTreeSet<String> = rules.map(|rule| rule.host.to_ascii_lowercase()).collect();
    named.insert(String::new());
    let mut used = Uses::new();
    for host in policy.virtual_hosts() {
        let name = name_of(host);
        // An alias has the locations of the host that it is of.
        if !named.contains(&name) {
            continue;
        }
        for location in host.locations.iter() {
            for service in services(location, policy) {
                let users = used.entry(service).or_default();
                let hosts = users.entry(location.ingress.clone()).or_default();
                hosts.insert(name.clone());
            }
        }
    }
    used
}

/// The Services that a location sends requests to.
fn services(location: &Location, policy: &Policy) -> Vec<String> {
    let own = match location.backend {
        Backend::Cluster(id) => Some(id),
        Backend::Nobody | Backend::Missing => None,
    };
    let mut all = Vec::new();
    for cluster in own.into_iter().chain(location.fallback) {
        let Some(cluster) = policy.cluster(cluster) else {
            continue;
        };
        all.push(cluster.service.clone());
        let canaries = cluster.alternatives.iter();
        let canaries = canaries.filter_map(|id| policy.cluster(*id));
        all.extend(canaries.map(|canary| canary.service.clone()));
    }
    all
}
