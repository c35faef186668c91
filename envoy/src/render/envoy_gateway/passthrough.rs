//! TLS that goes to pods as it comes: a listener and a route for each host.

use std::collections::HashSet;

use serde_json::json;

use super::args::EnvoyGatewayArgs;
use super::grant::Grant;
use crate::clusters::ServicePort;
use crate::render::own_listeners::{Passed, own_listeners};
use crate::render::resource::{Kind, Resource};
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

/// The Service ports that get them.
pub(super) fn service_ports<'s>(served: &'s Served<'_>) -> HashSet<&'s ServicePort> {
    let passed = own_listeners(served).passed.into_iter();
    passed.map(|one| &one.cluster.service_port).collect()
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
    let passed = own_listeners(served).passed;
    let services = passed.iter().map(|one| {
        let port = &one.cluster.service_port;
        (port.namespace.as_str(), port.service.as_str())
    });
    let services: Vec<(&str, &str)> = services.collect();
    let mut all: Vec<Resource> = passed.into_iter().enumerate().map(route).collect();
    all.extend(SERVICES.resources(args, services.into_iter()));
    all
}
