//! What the other Ingresses make of a path.

use limpet::affinity::Affinity;

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
