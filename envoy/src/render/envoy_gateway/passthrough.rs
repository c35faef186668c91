//! TLS that goes to pods as it comes: a listener and a route for each host.

use std::collections::BTreeMap;

use serde_json::json;

use super::args::EnvoyGatewayArgs;
use super::grant::Grant;
use crate::clusters::Cluster;
use crate::render::resource::{Kind, Resource};
use crate::render::secrets::most_passed;
use crate::render::served::Served;

/// The Gateway API of Envoy Gateway 1.7 serves no later one.
pub(super) const ROUTE: Kind = Kind {
    api_version: "gateway.networking.k8s.io/v1alpha2",
    name: "TLSRoute",
};

const SERVICES: Grant = Grant {
    name: "limpet-passthrough",
    from: ROUTE.name,
    to: "Service",
    comment: "Lets TLS go to these Services of the namespace as it comes, and to no others.",
};

/// One host.
pub(super) struct Passed<'s> {
    pub(super) host: &'s str,
    cluster: &'s Cluster,
    number: u16,
}

/// Those that somebody gets, as many as there are listeners for.
pub(super) fn passed<'s>(served: &'s Served<'_>) -> impl Iterator<Item = Passed<'s>> {
    let passed = served.passed.iter().filter_map(|one| {
        let (cluster, number) = served.passed_to(&one.host)?;
        Some(Passed {
            host: &one.host,
            cluster,
            number,
        })
    });
    passed.take(most_passed(served))
}

/// Whether a Service port is that of one of them.
pub(super) fn gets_tls(served: &Served<'_>, cluster: &Cluster) -> bool {
    passed(served).any(|one| one.cluster.service_port == cluster.service_port)
}

/// What may not be said of the Services that get them: Envoy Gateway would speak TLS to these pods, and
/// put into it the TLS that comes.
pub(super) fn notes(served: &Served<'_>) -> Vec<String> {
    let mut services: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for one in passed(served) {
        let hosts = services.entry(one.cluster.service_port.service_id());
        hosts.or_default().push(one.host);
    }
    let note = |(service, hosts): (String, Vec<&str>)| {
        format!(
            "note: Service {service} gets the TLS of {} as it comes: no BackendTLSPolicy may name it, or that TLS \
             comes in TLS and no connection holds. What comes by http reaches it in plain HTTP/1",
            hosts.join(", ")
        )
    };
    services.into_iter().map(note).collect()
}

/// What the listener of one is called.
pub(super) fn listener(n: usize) -> String {
    format!("tls-{n}")
}

/// The routes, and what lets them lead to Services.
pub(super) fn resources(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Vec<Resource> {
    let route = |(n, one): (usize, Passed<'_>)| {
        let port = &one.cluster.service_port;
        let spec = json!({
            "parentRefs": [{ "name": "limpet", "sectionName": listener(n) }],
            "hostnames": [one.host],
            "rules": [{ "backendRefs": [{
                "name": port.service, "namespace": port.namespace, "port": one.number,
            }] }],
        });
        Resource::new(
            ROUTE,
            &args.namespace,
            &format!("limpet-{}", listener(n)),
            spec,
        )
    };
    let mut all: Vec<Resource> = passed(served).enumerate().map(route).collect();
    let services = passed(served).map(|one| {
        let port = &one.cluster.service_port;
        (port.namespace.as_str(), port.service.as_str())
    });
    all.extend(SERVICES.resources(args, services));
    all
}
