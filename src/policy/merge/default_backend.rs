//! `default_backend`, the controller's `--default-backend-service`: who takes the requests that nobody
//! else does, and has pages where no Ingress names its own.
//!
//! Source: `getDefaultUpstream`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.

use super::merged::{DEFAULT_UPSTREAM, Merged, Upstream};
use crate::config::{Config, Unmatched};
use crate::remark::{Effect, Expected, Problem, Remark};

/// After all else: it is no Ingress's, so it has no canaries, and nobody stands in for it.
pub(super) fn add(merged: &mut Merged, config: &Config, remarks: &mut Vec<Remark>) {
    let key = &config.default_backend;
    if key.is_empty() {
        return;
    }
    let named = key.split_once('/');
    let named = named.and_then(|(namespace, rest)| Some((namespace, rest.split_once(':')?)));
    let Some((namespace, (service, port))) = named else {
        let problem = Problem::Not(Expected::Service);
        let value = Some(key.clone());
        remarks.push(Remark::key(
            "default_backend",
            value,
            problem,
            Effect::Setting,
        ));
        return;
    };
    let upstream = merged.upstreams.entry(key.clone());
    let upstream = upstream.or_insert_with(|| Upstream {
        namespace: namespace.to_owned(),
        service: service.to_owned(),
        port: port.to_owned(),
        exists: true,
        ..Upstream::default()
    });
    upstream.has_pages = true;
    // Elsewhere what no Ingress names is none of limpet's.
    if config.unmatched != Unmatched::NotFound {
        return;
    }
    let servers = merged.servers.values_mut();
    for draft in servers.flat_map(|server| &mut server.locations) {
        if draft.upstream == DEFAULT_UPSTREAM {
            draft.upstream.clone_from(key);
        }
    }
}
