//! Secrets that cannot be used in what is rendered for Istio and Envoy Gateway: whoever reads them there passes them
//! on, and Envoy refuses the listener of all.

use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::served::Served;

const GOOD: &str = include_str!("../../key_pair/pairs/taken/P-256.pem");

/// Of one namespace: an Ingress for `NAMESPACE.test`, and its Secret if it has one of that type.
struct Tenant<'t>(&'t str, Option<(&'t str, &'t str)>);

const TLS: &str = "kubernetes.io/tls";

fn manifests(all: &[Tenant<'_>]) -> Manifests {
    let documents = all.iter().flat_map(|Tenant(namespace, secret)| {
        let host = format!("{namespace}.test");
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "namespace": namespace, "name": "web" },
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{ "hosts": [host], "secretName": "own" }],
                "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                    "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }],
            },
        });
        let secret = secret.map(|(kind, pair)| {
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "type": kind,
                "metadata": { "namespace": namespace, "name": "own" },
                "stringData": { "tls.crt": pair, "tls.key": pair },
            })
        });
        [Some(ingress), secret]
    });
    let documents: Vec<String> = documents.flatten().map(|one| one.to_string()).collect();
    Manifests::parse("in.json", &documents.join("\n---\n")).unwrap()
}

/// The namespaces of Secrets that Envoy Gateway is to read, and what is said.
fn on_envoy_gateway(all: &Manifests) -> (Vec<String>, String) {
    let compiled = Compiled::new(all, &Flags::default()).unwrap();
    let args = EnvoyGatewayArgs::default();
    let resources = envoy_gateway::resources(&Served::on_envoy_gateway(&compiled), &args);
    let gateway = resources.iter().find(|one| one.kind() == "Gateway");
    let listeners = gateway.unwrap().value["spec"]["listeners"].as_array();
    let named = listeners.unwrap().iter().flat_map(|listener| {
        let references = listener.pointer("/tls/certificateRefs");
        references.and_then(Value::as_array).into_iter().flatten()
    });
    let named = named.map(|one| one["namespace"].as_str().unwrap().to_owned());
    let named: Vec<String> = named.collect();
    for grant in resources.iter().filter(|one| {
        one.kind() == "ReferenceGrant" && one.value["spec"]["to"][0]["kind"] == "Secret"
    }) {
        let namespace = grant.value["metadata"]["namespace"].as_str().unwrap();
        assert!(named.iter().any(|one| one == namespace), "{namespace}");
    }
    (named, envoy_gateway::text(all, &args).unwrap())
}

/// What Istio's gateway reads, and what is said.
fn on_istio(all: &Manifests) -> (Vec<String>, String) {
    let compiled = Compiled::new(all, &Flags::default()).unwrap();
    let args = IstioArgs::default();
    let resources = istio::resources(&Served::new(&compiled), &args);
    let gateway = resources.iter().find(|one| one.kind() == "Gateway");
    let servers = gateway.unwrap().value["spec"]["servers"].as_array();
    let named = servers.unwrap().iter();
    let named =
        named.filter_map(|one| Some(one.pointer("/tls/credentialName")?.as_str()?.to_owned()));
    (named.collect(), istio::text(all, &args).unwrap())
}

#[test]
fn a_secret_that_envoy_refuses_is_named_nowhere_and_told() {
    for (bad, why) in [
        (
            include_str!("../../key_pair/pairs/refused/rsa-1024.pem"),
            "tls.key is no intact RSA key",
        ),
        (
            include_str!("../../key_pair/pairs/refused/secp256k1.pem"),
            "tls.key is no intact RSA key",
        ),
        (
            include_str!("../../key_pair/pairs/refused/foreign-key.pem"),
            "is not the key of the certificate",
        ),
        (
            include_str!("../../key_pair/pairs/refused/damaged-authority.pem"),
            "that cannot be read",
        ),
        ("", "tls.crt has no certificate in PEM"),
    ] {
        let all = manifests(&[
            Tenant("shop", Some((TLS, GOOD))),
            Tenant("evil", Some((TLS, bad))),
            // Whoever reads it there may find it good.
            Tenant("unseen", None),
        ]);
        let (named, text) = on_envoy_gateway(&all);
        assert_eq!(named, ["shop", "unseen"], "{bad}");
        let is_told = |text: &str| {
            let mut lines = text.lines();
            lines.any(|line| {
                line.contains("Secret evil/own: ")
                    && line.contains(why)
                    && line.ends_with("hosts evil.test get no https from it")
            })
        };
        assert!(is_told(&text), "{text}");
        let (named, text) = on_istio(&all);
        assert_eq!(named, ["shop.own", "unseen.own"], "{bad}");
        assert!(is_told(&text), "{text}");
        assert!(!text.contains("copy Secret evil"), "{text}");
    }
}

#[test]
fn a_secret_of_another_type_is_not_named_on_envoy_gateway_which_refuses_it() {
    let all = manifests(&[
        Tenant("shop", Some((TLS, GOOD))),
        Tenant("evil", Some(("Opaque", GOOD))),
    ]);
    let (named, text) = on_envoy_gateway(&all);
    assert_eq!(named, ["shop"]);
    assert!(
        text.contains("Envoy Gateway refuses Secret evil/own"),
        "{text}"
    );
    assert_eq!(on_istio(&all).0, ["shop.own", "evil.own"]);
}
