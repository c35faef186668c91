//! Time-outs, retries and mirrors in what is rendered for Envoy Gateway; `tests/platforms/ways.rs` asks what it
//! makes of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::served::Served;

fn ingress(namespace: &str, name: &str, annotations: &[(&str, &str)]) -> Value {
    let annotations: serde_json::Map<String, Value> = annotations
        .iter()
        .map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), json!(value)))
        .collect();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name, "annotations": annotations },
        "spec": { "ingressClassName": "nginx", "rules": [{
            "host": format!("{name}.example.test"),
            "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": name, "port": { "number": 80 } } } }] },
        }] },
    })
}

/// The rules of each HTTPRoute that leads to Services, what the policies say, and what is told.
struct Rendered {
    rules: BTreeMap<String, Vec<Value>>,
    policies: Vec<Value>,
    notes: Vec<String>,
}

fn rendered(manifests: &[Value]) -> Rendered {
    let text: Vec<String> = manifests.iter().map(Value::to_string).collect();
    let manifests = Manifests::parse("in.json", &text.join("\n---\n")).unwrap();
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let served = Served::on_envoy_gateway(&compiled);
    let mut out = Rendered {
        rules: BTreeMap::new(),
        policies: Vec::new(),
        notes: served.notes.clone(),
    };
    for resource in envoy_gateway::resources(&served, &EnvoyGatewayArgs::default()) {
        let name = resource.value["metadata"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        let spec = &resource.value["spec"];
        match resource.kind() {
            "HTTPRoute" if name != "limpet" => {
                let rules = spec["rules"].as_array().unwrap().clone();
                out.rules.insert(name, rules);
            }
            "BackendTrafficPolicy" => out.policies.push(spec.clone()),
            _ => {}
        }
    }
    out
}

const LONG: [(&str, &str); 1] = [("proxy-read-timeout", "3600")];

#[test]
fn a_way_costs_a_rule_for_each_service_that_it_leads_to_and_who_says_nothing_none() {
    let plain: Vec<Value> = (0..20)
        .map(|n| ingress("a", &format!("a{n}"), &[]))
        .collect();
    let out = rendered(&plain);
    assert_eq!(out.rules.values().flatten().count(), 20);
    assert_eq!(out.policies.len(), 1);
    let usual =
        json!({ "tcp": { "connectTimeout": "5s" }, "http": { "streamIdleTimeout": "60s" } });
    assert_eq!(out.policies[0]["timeout"], usual);
    let mut long: Vec<Value> = (0..20)
        .map(|n| ingress("a", &format!("a{n}"), &LONG))
        .collect();
    long.push(ingress("b", "b", &LONG));
    let out = rendered(&long);
    assert_eq!(out.rules.values().flatten().count(), 42);
    assert_eq!(out.policies.len(), 2);
    // Nobody of another namespace changes the number of a rule.
    for (name, rules) in &out.rules {
        let mut services = rules
            .iter()
            .map(|rule| &rule["backendRefs"][0]["namespace"]);
        let first = services.next().unwrap();
        assert!(services.all(|one| one == first), "{name}");
    }
}

#[test]
fn every_time_is_a_duration_of_gateway_api() {
    let most = [
        ("proxy-read-timeout", "99999999999"),
        ("proxy-connect-timeout", "0"),
    ];
    let out = rendered(&[ingress("a", "a", &most)]);
    let mut times: Vec<String> = Vec::new();
    for policy in &out.policies {
        let timeout = &policy["timeout"];
        for time in [
            &timeout["tcp"]["connectTimeout"],
            &timeout["http"]["streamIdleTimeout"],
        ] {
            times.push(time.as_str().unwrap().to_owned());
        }
    }
    times.sort();
    assert_eq!(times, ["1s", "1s", "60s", "8760h0m0s"]);
}

#[test]
fn copies_go_to_a_service_that_is_there_and_the_rest_is_told() {
    let service = |spec: Value| {
        json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "namespace": "x", "name": "copies" }, "spec": spec })
    };
    let known = || service(json!({ "ports": [{ "port": 80 }] }));
    let web = || {
        json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "namespace": "a", "name": "a" }, "spec": { "ports": [{ "port": 80 }] } })
    };
    for (target, services, is_sent) in [
        (
            "http://copies.x.svc.cluster.local$request_uri",
            vec![known(), web()],
            true,
        ),
        (
            "http://copies.x.svc$request_uri",
            vec![known(), web()],
            true,
        ),
        (
            "http://copies.x.svc.cluster.local/copy",
            vec![known(), web()],
            false,
        ),
        (
            "http://copies.x.svc.cluster.local:81$request_uri",
            vec![known(), web()],
            false,
        ),
        (
            "https://copies.x.svc.cluster.local$request_uri",
            vec![known(), web()],
            false,
        ),
        (
            "http://copies.example.net$request_uri",
            vec![known(), web()],
            false,
        ),
        (
            "http://copies.x.svc.cluster.local$request_uri",
            vec![web()],
            false,
        ),
        (
            "http://copies.x.svc.cluster.local$request_uri",
            vec![
                service(json!({ "type": "ExternalName", "externalName": "e.test" })),
                web(),
            ],
            false,
        ),
    ] {
        let mut all = services;
        all.push(ingress("a", "a", &[("mirror-target", target)]));
        let out = rendered(&all);
        let mut rules = out.rules.values().flatten();
        let sent = rules.any(|rule| rule.to_string().contains("RequestMirror"));
        let told = out
            .notes
            .iter()
            .any(|note| note.contains("nobody gets copies"));
        assert_eq!(
            (sent, told),
            (is_sent, !is_sent),
            "{target}: {:?}",
            out.notes
        );
    }
}

#[test]
fn that_copies_are_made_behind_authentication_is_told() {
    let target = (
        "mirror-target",
        "http://a.a.svc.cluster.local:80$request_uri",
    );
    let asks = ("auth-url", "http://sso.example.com/ask");
    for (said, told) in [
        (vec![target], false),
        (vec![target, ("auth-type", "basic")], true),
        (vec![target, asks], false),
        (
            vec![target, asks, ("auth-response-headers", "X-User")],
            true,
        ),
    ] {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "a", "name": "a" },
            "spec": { "ports": [{ "port": 80 }] },
        });
        let out = rendered(&[ingress("a", "a", &said), service]);
        let is_told = out
            .notes
            .iter()
            .any(|note| note.contains("authentication comes first"));
        assert_eq!(is_told, told, "{said:?}: {:?}", out.notes);
    }
}
