//! Certificates that name the hosts of other namespaces, on Envoy Gateway: its listener of all holds each of them.

use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::served::Served;

const SHOP: &str = include_str!("neighbours/shop.pem");
const MANY: &str = include_str!("neighbours/many.pem");

/// Namespace, host, certificate and key.
type Tenant<'t> = (&'t str, &'t str, &'t str);

/// The oldest first.
fn manifests(all: &[Tenant<'_>]) -> Manifests {
    let documents = all.iter().zip(1..).flat_map(|((namespace, host, pair), day)| {
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "namespace": namespace, "name": "web",
                "creationTimestamp": format!("2026-01-{day:02}T00:00:00Z") },
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{ "hosts": [host], "secretName": "own" }],
                "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                    "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }],
            },
        });
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": { "namespace": namespace, "name": "own" },
            "stringData": { "tls.crt": pair, "tls.key": pair },
        });
        let secret = (!pair.is_empty()).then_some(secret);
        [Some(ingress), secret].into_iter().flatten()
    });
    let documents: Vec<String> = documents.map(|one| one.to_string()).collect();
    Manifests::parse("in.json", &documents.join("\n---\n")).unwrap()
}

/// The namespaces whose certificates are in the listener of all; every other one is told.
fn together(all: &[Tenant<'_>]) -> Vec<String> {
    let manifests = manifests(all);
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let args = EnvoyGatewayArgs::default();
    let resources = envoy_gateway::resources(&Served::on_envoy_gateway(&compiled), &args);
    let gateway = resources.iter().find(|one| one.kind() == "Gateway");
    let listeners = gateway.unwrap().value["spec"]["listeners"].as_array();
    let https = listeners.unwrap().iter();
    let https: Vec<&Value> = https.filter(|one| one["port"] == 443).collect();
    assert!(https.len() < 2, "{https:?}");
    let references = https
        .iter()
        .flat_map(|one| one["tls"]["certificateRefs"].as_array().unwrap());
    let named = references.map(|one| one["namespace"].as_str().unwrap().to_owned());
    let mut named: Vec<String> = named.collect();
    named.sort();
    let text = envoy_gateway::text(&manifests, &args).unwrap();
    for (namespace, host, _) in all {
        let told = format!("the certificate of Secret {namespace}/own cannot be in one listener");
        let is_told = text.lines().any(|line| {
            line.contains(&told) && line.contains(&format!("hosts {host} get no https"))
        });
        assert_eq!(
            is_told,
            !named.iter().any(|one| one == namespace),
            "{namespace}: {text}"
        );
    }
    // Istio has a server for each Secret.
    let text = istio::text(&manifests, &IstioArgs::default()).unwrap();
    assert_eq!(text.matches("credentialName").count(), all.len());
    named
}

#[test]
fn a_certificate_for_a_neighbours_host_takes_it_from_nobody_on_envoy_gateway() {
    let shop = ("shop", "shop.test", SHOP);
    for (host, foreign) in [
        ("a.evil.test", include_str!("neighbours/both.pem")),
        ("*.evil.test", include_str!("neighbours/star.pem")),
        // Go reads the last common name, Envoy the first.
        ("a.evil.test", include_str!("neighbours/names.pem")),
    ] {
        let evil = ("evil", host, foreign);
        assert_eq!(together(&[shop, evil]), ["shop"], "{host}");
        // However old it is.
        assert_eq!(together(&[evil, shop]), ["shop"], "{host}");
        // Nor from one that nobody can read here.
        assert_eq!(
            together(&[evil, ("shop", "shop.test", "")]),
            ["shop"],
            "{host}"
        );
        // Of one's own it may.
        assert_eq!(
            together(&[evil, ("other", "other.test", "")]),
            ["evil", "other"]
        );
    }
    // From a wildcard neither.
    let below = ("evil", "a.evil.test", include_str!("neighbours/below.pem"));
    assert_eq!(together(&[below, ("many", "x.many.test", MANY)]), ["many"]);
    assert_eq!(together(&[below, ("many", "*.many.test", MANY)]), ["many"]);
}

#[test]
fn of_two_certificates_with_a_right_to_a_name_the_older_one_stays_on_envoy_gateway() {
    let other = include_str!("neighbours/many-2.pem");
    let (a, b) = (("a", "a.many.test", MANY), ("b", "b.many.test", other));
    assert_eq!(together(&[a, b]), ["a"]);
    assert_eq!(together(&[b, a]), ["b"]);
    // A name itself comes before a star.
    let exact = ("shop", "shop.test", SHOP);
    assert_eq!(together(&[a, exact]), ["a", "shop"]);
}

#[test]
fn copies_of_one_certificate_are_together_on_envoy_gateway() {
    assert_eq!(
        together(&[("a", "a.many.test", MANY), ("b", "b.many.test", MANY)]),
        ["a", "b"]
    );
}
