//! The Gateway, and the order of its filters.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::args::EnvoyGatewayArgs;
use super::grant::Grant;
use super::passthrough;
use crate::certificates::Certificate;
use crate::render::asking::Asking;
use crate::render::own_listeners::own_listeners;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::secrets::{MOST_CERTIFICATES, secrets};
use crate::render::served::Served;

pub(super) const GATEWAY: Kind = Kind {
    api_version: "gateway.networking.k8s.io/v1",
    name: "Gateway",
};

/// The listener for plain http.
pub(super) const HTTP: &str = "http";

/// The listener for https, with the certificates that have room there.
pub(super) const HTTPS: &str = "https";

const CERTIFICATES: Grant = Grant {
    name: "limpet",
    from: GATEWAY.name,
    to: "Secret",
    comment: "Lets the Gateway read these certificates of the namespace, and no other Secret.",
};

pub(super) fn resources(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Vec<Resource> {
    let secrets = served.certificates.iter().map(|certificate| {
        let namespace = certificate.ingress.ingress.namespace.as_str();
        (namespace, certificate.secret)
    });
    let mut all = vec![class(args), proxy(args), gateway(served, args)];
    all.extend(CERTIFICATES.resources(args, secrets));
    all
}

fn class(args: &EnvoyGatewayArgs) -> Resource {
    let spec = json!({
        "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
        "parametersRef": {
            "group": "gateway.envoyproxy.io",
            "kind": "EnvoyProxy",
            "name": "limpet",
            "namespace": args.namespace,
        },
    });
    Resource::new(
        Kind {
            api_version: "gateway.networking.k8s.io/v1",
            name: "GatewayClass",
        },
        "",
        "limpet",
        spec,
    )
}

fn proxy(args: &EnvoyGatewayArgs) -> Resource {
    let spec = json!({ "filterOrder": [{
        "name": "envoy.filters.http.wasm",
        "before": "envoy.filters.http.stateful_session",
    }] });
    Resource::new(
        Kind {
            api_version: "gateway.envoyproxy.io/v1alpha1",
            name: "EnvoyProxy",
        },
        &args.namespace,
        "limpet",
        spec,
    )
    .comment("limpet feeds the session filter, so it has to come first: by default it does not.")
    .comment("Do not set mergeBackends: the clusters would have other names than limpet is told.")
}

/// One listener for all of https: it chooses the certificate by the name of the connection, and
/// limpet the host by the request. Of several with certificates that overlap Envoy Gateway takes
/// HTTP/2 away.
fn gateway(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Resource {
    let own = json!({ "namespaces": { "from": "Same" } });
    let https = |name: &str, references: Vec<Value>| {
        json!({
            "name": name,
            "port": 443,
            "protocol": "HTTPS",
            "allowedRoutes": own,
            "tls": { "mode": "Terminate", "certificateRefs": references },
        })
    };
    let mut listeners = vec![json!({
        "name": HTTP, "port": 80, "protocol": "HTTP", "allowedRoutes": own,
    })];
    let references: Vec<Value> = shared(served).into_iter().map(reference).collect();
    if !references.is_empty() {
        listeners.push(https(HTTPS, references));
    }
    let passed = own_listeners(served).passed.into_iter().enumerate();
    listeners.extend(passed.map(|(n, one)| {
        json!({
            "name": passthrough::listener(n),
            "port": 443,
            "protocol": "TLS",
            "hostname": one.host,
            "allowedRoutes": { "namespaces": { "from": "Same" }, "kinds": [{ "kind": passthrough::ROUTE.name }] },
            "tls": { "mode": "Passthrough" },
        })
    }));
    for own in of_one_host(served) {
        let mut listener = https(&own.name, vec![reference(own.certificate)]);
        insert(&mut listener, "hostname", json!(own.host));
        listeners.push(listener);
    }
    let spec = json!({ "gatewayClassName": "limpet", "listeners": listeners });
    Resource::new(GATEWAY, &args.namespace, "limpet", spec)
        .comment("It takes no routes of other namespaces: one that names a host would take that host from limpet.")
}

/// A listener that one host has.
pub(super) struct OfOneHost<'s> {
    pub(super) name: String,
    pub(super) host: &'s str,
    certificate: &'s Certificate<'s>,
    pub(super) asking: Option<Asking<'s>>,
}

/// Those for which there is room.
pub(super) fn of_one_host<'s>(served: &'s Served<'_>) -> Vec<OfOneHost<'s>> {
    let own = own_listeners(served).with_room.into_iter().enumerate();
    let named = own.map(|(n, one)| OfOneHost {
        name: format!("{HTTPS}-{n}"),
        host: one.host,
        certificate: one.certificate,
        asking: one.asking,
    });
    named.collect()
}

/// The certificates of the listener of all: one that serves hosts with listeners of their own alone would be good
/// for the same names at both, and Envoy Gateway would take HTTP/2 away there.
pub(super) fn shared<'s>(served: &'s Served<'_>) -> Vec<&'s Certificate<'s>> {
    let own = own_listeners(served).with_room;
    let own: HashSet<&str> = own.iter().map(|one| one.host).collect();
    let all = secrets(served).into_iter().take(MOST_CERTIFICATES);
    let all = all.filter(|one| {
        let mut hosts = one.with_hosts(served).map(|(_, host)| host).peekable();
        // One of which no host could have a listener stays.
        hosts.peek().is_none() || hosts.any(|host| !own.contains(host))
    });
    all.map(|one| one.first).collect()
}

fn reference(certificate: &Certificate<'_>) -> Value {
    json!({
        "kind": "Secret",
        "name": certificate.secret,
        "namespace": certificate.ingress.ingress.namespace,
    })
}
