//! What pods are told by `proxy-ssl-*`: a BackendTLSPolicy beside their Service.
//!
//! It says whose certificates are taken and for which name, which pods are greeted by. What proxies show is said
//! for a whole Gateway alone, and would be shown to the pods of every tenant.
//!
//! Source: `applyBackendTLSSetting`, `internal/gatewayapi/backendtlspolicy.go`, Envoy Gateway 1.9.1.

use std::collections::BTreeMap;

use serde_json::json;

use crate::clusters::{Cluster, Protocol};
use crate::compiled::Compiled;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::served::Served;

const POLICY: Kind = Kind {
    api_version: "gateway.networking.k8s.io/v1",
    name: "BackendTLSPolicy",
};

/// What holds the certificates: nothing else is in it, and chains end where nginx lets them.
const AUTHORITY: Kind = Kind {
    api_version: "v1",
    name: "ConfigMap",
};

/// Whether a policy says how its pods are spoken to.
pub(crate) fn are_told(compiled: &Compiled<'_>, cluster: &Cluster) -> bool {
    let told = &compiled.upstream_tls.by_cluster;
    told.contains_key(&cluster.service_port.key())
}

/// The policies, and what they go by; before the routes, which are plain http without them.
pub(super) fn resources(served: &Served<'_>) -> Vec<Resource> {
    let compiled = served.compiled();
    // The Ingresses may call one port by its number and by its name.
    let mut all: BTreeMap<(&str, &str, u16), [Resource; 2]> = BTreeMap::new();
    for (cluster, number) in &served.clusters {
        let port = &cluster.service_port;
        let told = compiled.upstream_tls.by_cluster.get(&port.key());
        let Some((authority, host)) = told.and_then(|told| told.verified()) else {
            continue;
        };
        let name = format!("limpet.{}.{number}", port.service);
        let mut target = json!({ "group": "", "kind": "Service", "name": port.service });
        if let Some(port) = &cluster.port_name {
            insert(&mut target, "sectionName", json!(port));
        }
        let map = json!({ "group": "", "kind": AUTHORITY.name, "name": name });
        let spec = json!({
            "targetRefs": [target],
            "validation": {
                "hostname": host.to_ascii_lowercase(),
                "caCertificateRefs": [map],
            },
        });
        let policy = Resource::new(POLICY, &port.namespace, &name, spec).comment(
            "proxy-ssl-verify: an older BackendTLSPolicy of this port wins: take it away.",
        );
        let authority = json!({ "data": { "ca.crt": authority } });
        let authority = Resource::flat(AUTHORITY, &port.namespace, &name, authority)
            .comment("As its Secret was when this was rendered: render anew when it changes.");
        let at = (port.namespace.as_str(), port.service.as_str(), *number);
        all.insert(at, [authority, policy]);
    }
    all.into_values().flatten().collect()
}

/// Whether all of `backend-protocol` is said of a cluster: in TLS a pod says which HTTP it speaks.
pub(crate) fn are_spoken_to(compiled: &Compiled<'_>, cluster: &Cluster) -> bool {
    let Protocol { tls, http2 } = cluster.protocol.unwrap_or_default();
    if tls {
        are_told(compiled, cluster)
    } else {
        !http2 || cluster.is_h2c()
    }
}
