//! TLS that goes to pods as it comes: a listener and a route for each host.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use super::args::EnvoyGatewayArgs;
use super::grant::Grant;
use super::pods;
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

/// What may not be said of the Services that get them: Envoy Gateway would speak TLS to these pods, and
/// put into it the TLS that comes.
pub(super) fn notes(served: &Served<'_>) -> Vec<String> {
    let mut services: BTreeMap<String, (bool, Vec<&str>)> = BTreeMap::new();
    for one in own_listeners(served).passed {
        let of_service = services.entry(one.cluster.service_port.service_id());
        let (has_policy, hosts) = of_service.or_default();
        *has_policy |= pods::are_told(served.compiled(), one.cluster);
        hosts.push(one.host);
    }
    let note = |(service, (has_policy, hosts)): (String, (bool, Vec<&str>))| {
        if has_policy {
            return format!(
                "note: Service {service} would get the TLS of {} as it comes, but the BackendTLSPolicy that \
                 proxy-ssl-verify asks for names it: that TLS comes in TLS, and no connection holds. Give one of both a \
                 Service of its own, with the same selector",
                hosts.join(", ")
            );
        }
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
