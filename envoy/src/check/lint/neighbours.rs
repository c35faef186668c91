//! What the other Ingresses make of a path.

use std::collections::BTreeSet;

use limpet::affinity::Affinity;
use limpet::route::location::{Backend, Location};

use crate::clusters::ServicePort;
use crate::compiled::Compiled;
use crate::taken::{TakenIngress, TakenPath};

/// The Service port that a path goes to.
pub(super) fn service_port(
    ingress: &TakenIngress<'_>,
    path: &TakenPath<'_>,
) -> Option<ServicePort> {
    ServicePort::named(&ingress.ingress.namespace, path.path.backend.as_ref()?)
}

/// The Service ports that an Ingress names, as the module calls them.
pub(super) fn services(ingress: &TakenIngress<'_>) -> BTreeSet<String> {
    let namespace = &ingress.ingress.namespace;
    let named = ingress.backends();
    let named = named.filter_map(|one| ServicePort::named(namespace, one.backend));
    named.map(|port| port.key()).collect()
}

/// The Service port of a location beside which one of `canaries` stands.
pub(super) fn taken_from<'c>(
    compiled: &'c Compiled<'_>,
    location: &Location,
    canaries: &BTreeSet<String>,
) -> Option<&'c str> {
    let Backend::Cluster(id) = location.backend else {
        return None;
    };
    let primary = compiled.policy.cluster(id)?;
    let beside = primary.alternatives.iter();
    let mut beside = beside.filter_map(|id| compiled.policy.cluster(*id));
    let is_taken = beside.any(|canary| canaries.contains(&canary.service));
    is_taken.then_some(primary.service.as_str())
}

/// The sessions of the Service that a path goes to: of all Ingresses on it the last decides.
pub(super) fn affinity<'c>(
    compiled: &'c Compiled<'_>,
    ingress: &TakenIngress<'_>,
    path: &TakenPath<'_>,
) -> Option<&'c Affinity> {
    let service_port = service_port(ingress, path)?;
    compiled.cluster(&service_port)?.affinity.as_ref()
}

/// The Ingress whose annotations make the session cookies of a path: the last with affinity on its
/// Service.
pub(super) fn decides<'i, 'm>(
    compiled: &'i Compiled<'m>,
    ingress: &'i TakenIngress<'m>,
    path: &TakenPath<'_>,
) -> &'i TakenIngress<'m> {
    let port = service_port(ingress, path);
    let is_on = |one: &&TakenIngress<'_>| {
        let mut paths = one.paths();
        one.has_affinity() && paths.any(|path| service_port(one, &path) == port)
    };
    compiled.ingresses.iter().rfind(is_on).unwrap_or(ingress)
}

/// Whether one annotation on `host`, in whatever Ingress, turns all its paths into regexes.
pub(super) fn is_regex_host(compiled: &Compiled<'_>, host: &str) -> bool {
    let host = compiled.virtual_host(host);
    host.is_some_and(|host| host.is_regex)
}

/// The Ingress that turns `host` into a regex host.
pub(super) fn turned_by<'i, 'm>(
    compiled: &'i Compiled<'m>,
    host: &str,
) -> Option<&'i TakenIngress<'m>> {
    let host = compiled.virtual_host(host).filter(|host| host.is_regex)?;
    let serves = |id: &str| host.locations.iter().any(|location| location.ingress == id);
    let mut asking = compiled.ingresses.iter();
    asking.find(|one| one.annotations.rewrite.asks_for_regex() && serves(one.id()))
}
