//! What no single annotation shows: how Ingresses, paths and annotations act on each other.

mod cookies;
mod objects;
mod paths;
mod pattern;
mod sharing;

use super::finding::Finding;
use super::view::{Ingress, Path};
use crate::manifests::Manifests;

/// Everything that is to be said about these Ingresses, in no order.
#[must_use]
pub(crate) fn run(manifests: &Manifests, ingresses: &[Ingress<'_>]) -> Vec<Finding> {
    let mut findings = objects::run(manifests, ingresses);
    findings.extend(paths::run(manifests, ingresses));
    findings.extend(cookies::run(manifests, ingresses));
    findings.extend(sharing::run(ingresses));
    findings
}

/// Whether one annotation on `host`, in whatever Ingress, turns all its paths into regexes.
///
/// Source: `enforceRegexModifier`, `internal/ingress/controller/template/template.go`,
/// ingress-nginx dbb11b92d.
fn is_regex_host(ingresses: &[Ingress<'_>], host: &str) -> bool {
    turned_by(ingresses, host).is_some()
}

/// The Ingress whose annotations make the session cookie of `path`: the last with affinity on its
/// Service.
///
/// Source: `createServers`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.
fn decides<'i, 'm>(
    ingresses: &'i [Ingress<'m>],
    ingress: &'i Ingress<'m>,
    path: &Path,
) -> &'i Ingress<'m> {
    let is_on = |other: &&Ingress<'_>| other.paths.iter().any(|p| p.service == path.service);
    let mut sticky = ingresses.iter().filter(|other| other.has_affinity());
    sticky.rfind(is_on).unwrap_or(ingress)
}

/// The Ingress that turns `host` into a regex host.
fn turned_by<'i, 'm>(ingresses: &'i [Ingress<'m>], host: &str) -> Option<&'i Ingress<'m>> {
    ingresses
        .iter()
        .filter(|ingress| ingress.asks_for_regex())
        .find(|ingress| ingress.paths.iter().any(|path| path.host == host))
}
