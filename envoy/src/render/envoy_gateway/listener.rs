//! The Gateway, and the order of its filters.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::args::EnvoyGatewayArgs;
use super::route::insert;
use crate::certificates::Certificate;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

pub(super) const GATEWAY: Kind = Kind {
    api_version: "gateway.networking.k8s.io/v1",
    name: "Gateway",
};

/// The listener for plain http.
pub(super) const HTTP: &str = "http";

const HTTPS: &str = "https";

/// Gateway API's limits: what a ReferenceGrant names, certificates of a listener, listeners of a
/// Gateway.
const MOST_GRANTED: usize = 16;
const MOST_CERTIFICATES: usize = 64;
const MOST_LISTENERS: usize = 64;

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
    for (namespace, secrets) in elsewhere {
        let secrets: Vec<&str> = secrets.into_iter().collect();
        let grants = secrets.chunks(MOST_GRANTED).enumerate();
        all.extend(grants.map(|(n, secrets)| grant(args, namespace, n, secrets)));
    }
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
    let from_all = json!({ "namespaces": { "from": "All" } });
    let https = |name: &str, references: Vec<Value>| {
        json!({
            "name": name,
            "port": 443,
            "protocol": "HTTPS",
            "allowedRoutes": from_all,
            "tls": { "mode": "Terminate", "certificateRefs": references },
        })
    };
    let mut listeners = vec![json!({
        "name": HTTP, "port": 80, "protocol": "HTTP", "allowedRoutes": from_all,
    })];
    let certificates = secrets(served);
    let (shared, further) = certificates.split_at(certificates.len().min(MOST_CERTIFICATES));
    if !shared.is_empty() {
        let references = shared.iter().map(|one| reference(one.first)).collect();
        listeners.push(https(HTTPS, references));
    }
    let further = further.iter().flat_map(|one| one.with_hosts());
    for (n, (certificate, host)) in further.enumerate().take(MOST_LISTENERS - listeners.len()) {
        let mut listener = https(&format!("{HTTPS}-{n}"), vec![reference(certificate)]);
        insert(&mut listener, "hostname", json!(host));
        listeners.push(listener);
    }
    let spec = json!({ "gatewayClassName": "limpet", "listeners": listeners });
    Resource::new(GATEWAY, &args.namespace, "limpet", spec)
}

/// That the certificates depend on each other with an older Envoy Gateway.
///
/// Source: bug fixes in `release-notes/v1.7.0.yaml`, envoyproxy/gateway.
pub(super) fn together(served: &Served<'_>) -> Option<String> {
    (secrets(served).len() > 1).then(|| {
        "note: take Envoy Gateway 1.7 or newer: before, one Secret that is missing or no certificate, \
         whosever it is, ends https for all hosts"
            .to_owned()
    })
}

/// The hosts whose certificates are beyond what a Gateway can hold, for the operator.
pub(super) fn left_out(served: &Served<'_>) -> Option<String> {
    let certificates = secrets(served);
    let further = certificates.iter().skip(MOST_CERTIFICATES);
    let beyond: Vec<&str> = further
        .flat_map(|one| one.with_hosts())
        .map(|(_, host)| host)
        .skip(MOST_LISTENERS - 2)
        .collect();
    let first = beyond.first()?;
    Some(format!(
        "note: a Gateway holds {MOST_CERTIFICATES} certificates in a listener and {MOST_LISTENERS} listeners: \
         {} hosts, {first} the first of them, are served with the certificate of another host. Gather hosts \
         under fewer certificates, or render a part of the Ingresses for a Gateway of its own",
        beyond.len()
    ))
}

/// A Secret with all that it serves.
struct Secret<'s> {
    first: &'s Certificate<'s>,
    all: Vec<&'s Certificate<'s>>,
}

impl<'s> Secret<'s> {
    fn with_hosts(&self) -> impl Iterator<Item = (&'s Certificate<'s>, &'s str)> {
        let all = self.all.iter();
        all.flat_map(|one| one.hosts.iter().map(|host| (*one, host.as_str())))
    }
}

/// Every Secret once, in the order of the certificates.
fn secrets<'s>(served: &'s Served<'_>) -> Vec<Secret<'s>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut secrets: Vec<Secret<'s>> = Vec::new();
    for certificate in &served.certificates {
        let place = *places
            .entry(certificate.secret_id())
            .or_insert(secrets.len());
        match secrets.get_mut(place) {
            Some(secret) => secret.all.push(certificate),
            None => secrets.push(Secret {
                first: certificate,
                all: vec![certificate],
            }),
        }
    }
    secrets
}

fn reference(certificate: &Certificate<'_>) -> Value {
    json!({
        "kind": "Secret",
        "name": certificate.secret,
        "namespace": certificate.ingress.ingress.namespace,
    })
}

/// `n`: which of the grants of that namespace.
fn grant(args: &EnvoyGatewayArgs, namespace: &str, n: usize, secrets: &[&str]) -> Resource {
    let name = match n {
        0 => "limpet".to_owned(),
        _ => format!("limpet-{n}"),
    };
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
            // Envoy Gateway knows v1 from 1.8 on.
            api_version: "gateway.networking.k8s.io/v1beta1",
            name: "ReferenceGrant",
        },
        namespace,
        &name,
        spec,
    )
    .comment("Lets the Gateway read these certificates of the namespace, and no other Secret.")
}
