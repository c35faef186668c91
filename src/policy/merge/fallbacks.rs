//! `default-backend`: who takes a location's requests while its own upstream has no endpoint, and has
//! its error pages.
//!
//! Source: `getBackendServers` and `shouldCreateUpstreamForLocationDefaultBackend`,
//! `internal/ingress/controller/controller.go`; `internal/ingress/annotations/defaultbackend`,
//! ingress-nginx dbb11b92d. There the Service's first port is taken; here the one that has a
//! cluster.

use super::merged::{DEFAULT_UPSTREAM, Loaded, Merged, Upstream};
use crate::config::Config;
use crate::remark::{Effect, Field, Problem, Remark};

pub(super) fn add(
    merged: &mut Merged,
    loaded: &[Loaded],
    config: &Config,
    remarks: &mut Vec<Remark>,
) {
    for (at, one) in loaded.iter().enumerate() {
        let service = &one.annotations.default_backend;
        if service.is_empty() {
            continue;
        }
        match upstream(merged, &one.ingress.namespace, service, config) {
            Some(name) => {
                let has_pages = !one.annotations.custom_http_errors.is_empty();
                if let Some(own) = merged.upstreams.get_mut(&name) {
                    own.has_pages |= has_pages;
                }
                give(merged, at, &name);
            }
            None => {
                let field = Field::annotation("default-backend");
                let problem = Problem::NoCluster;
                let remark = Remark::new(field, service, problem, Effect::Setting);
                remarks.push(remark.of(&one.ingress.key));
            }
        }
    }
}

/// The upstream of a Service: one that a path names, or a new one for what `clusters` names.
fn upstream(
    merged: &mut Merged,
    namespace: &str,
    service: &str,
    config: &Config,
) -> Option<String> {
    let known = merged.upstreams.iter().find(|(_, known)| {
        known.namespace == namespace && known.service == service && known.exists
    });
    if let Some((name, _)) = known {
        return Some(name.clone());
    }
    let start = format!("{namespace}/{service}:");
    let port = config
        .clusters
        .keys()
        .find_map(|key| key.strip_prefix(&start))?;
    let key = format!("{start}{port}");
    let upstream = Upstream {
        namespace: namespace.to_owned(),
        service: service.to_owned(),
        port: port.to_owned(),
        exists: true,
        ..Upstream::default()
    };
    merged.upstreams.insert(key.clone(), upstream);
    Some(key)
}

/// Every location of the Ingress that has an upstream gets `name` as its fallback.
fn give(merged: &mut Merged, ingress: usize, name: &str) {
    let locations = merged
        .servers
        .values_mut()
        .flat_map(|server| &mut server.locations);
    for draft in locations.filter(|draft| draft.ingress == Some(ingress)) {
        if draft.upstream == DEFAULT_UPSTREAM {
            continue;
        }
        draft.pages = Some(name.to_owned());
        if draft.upstream == name {
            continue;
        }
        draft.fallback = Some(name.to_owned());
        if let Some(own) = merged.upstreams.get_mut(&draft.upstream) {
            own.has_fallback = true;
        }
    }
}
