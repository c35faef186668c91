//! The Gateway, and the order of its filters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::args::EnvoyGatewayArgs;
use crate::certificates::Certificate;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

pub(super) const GATEWAY: Kind = Kind {
    api_version: "gateway.networking.k8s.io/v1",
    name: "Gateway",
};

/// The listener for plain http.
pub(super) const HTTP: &str = "http";

pub(super) fn resources(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Vec<Resource> {
    let mut all = vec![class(args), proxy(args), gateway(served, args)];
    let mut elsewhere: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for certificate in &served.certificates {
        let namespace = certificate.ingress.ingress.namespace.as_str();
        if namespace != args.namespace {
            let secrets = elsewhere.entry(namespace).or_default();
            secrets.insert(certificate.secret);
        }
    }
    let elsewhere = elsewhere.into_iter();
    all.extend(elsewhere.map(|(namespace, secrets)| grant(args, namespace, &secrets)));
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

fn gateway(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Resource {
    let from_all = json!({ "namespaces": { "from": "All" } });
    let mut listeners = vec![json!({
        "name": HTTP, "port": 80, "protocol": "HTTP", "allowedRoutes": from_all,
    })];
    for (index, certificate) in served.certificates.iter().enumerate() {
        for (place, host) in certificate.hosts.iter().enumerate() {
            listeners.push(json!({
                "name": format!("https-{index}-{place}"),
                "hostname": host,
                "port": 443,
                "protocol": "HTTPS",
                "allowedRoutes": from_all,
                "tls": { "mode": "Terminate", "certificateRefs": [reference(certificate)] },
            }));
        }
    }
    let spec = json!({ "gatewayClassName": "limpet", "listeners": listeners });
    Resource::new(GATEWAY, &args.namespace, "limpet", spec)
}

fn reference(certificate: &Certificate<'_>) -> Value {
    json!({
        "kind": "Secret",
        "name": certificate.secret,
        "namespace": certificate.ingress.ingress.namespace,
    })
}

fn grant(args: &EnvoyGatewayArgs, namespace: &str, secrets: &BTreeSet<&str>) -> Resource {
    let secret = |name: &&str| json!({ "group": "", "kind": "Secret", "name": name });
    let secrets: Vec<Value> = secrets.iter().map(secret).collect();
    let spec = json!({
        "from": [{
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "namespace": args.namespace,
        }],
        "to": secrets,
    });
    Resource::new(
        Kind {
            api_version: "gateway.networking.k8s.io/v1",
            name: "ReferenceGrant",
        },
        namespace,
        "limpet",
        spec,
    )
    .comment("Lets the Gateway read these certificates of the namespace, and no other Secret.")
}
