use std::rc::Rc;

use serde_json::{Value, json};

use super::Passthrough;
use crate::check::{Platform, Report};
use crate::compiled::{Compiled, Flags};
use crate::losses::{LossArgs, settle};
use crate::manifests::Manifests;
use crate::render::envoy::{EnvoySettings, render};

fn ingress(name: &str, host: &str, paths: &[&str], said: &Value) -> Value {
    let mut annotations = serde_json::Map::new();
    for (name, value) in said.as_object().unwrap() {
        annotations.insert(format!("nginx.ingress.kubernetes.io/{name}"), value.clone());
    }
    let path = |path: &&str| {
        json!({ "path": path, "pathType": "Prefix",
            "backend": { "service": { "name": name, "port": { "number": 443 } } } })
    };
    let paths: Vec<Value> = paths.iter().map(path).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": { "ingressClassName": "nginx", "rules": [{ "host": host, "http": { "paths": paths } }] },
    })
}

fn manifests(items: &[Value], passes: Option<bool>) -> Manifests {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let mut manifests = Manifests::parse("in.json", &list.to_string()).unwrap();
    manifests.ssl_passthrough = passes;
    manifests
}

fn flags() -> Flags {
    Flags {
        on_envoy: true,
        ..Flags::default()
    }
}

/// `name: cluster` of the filter chains that pass connections on.
fn passed(manifests: &Manifests) -> Vec<String> {
    let compiled = Compiled::new(manifests, &flags()).unwrap();
    let bootstrap = render(&compiled, &EnvoySettings::default()).bootstrap;
    let resources = &bootstrap["static_resources"];
    let chains = resources["listeners"][1]["filter_chains"].as_array();
    let chains = chains.into_iter().flatten().filter_map(|chain| {
        let cluster = chain["filters"][0]["typed_config"]["cluster"].as_str()?;
        let names = chain["filter_chain_match"]["server_names"].as_array()?;
        let clusters = resources["clusters"].as_array()?;
        let known = clusters.iter().find(|one| one["name"] == cluster)?;
        assert_eq!(known.get("transport_socket"), None);
        Some(format!("{}: {cluster}", names[0].as_str()?))
    });
    chains.collect()
}

fn asks() -> Value {
    json!({ "ssl-passthrough": "true", "backend-protocol": "HTTPS" })
}

// 9,000 hosts of one Service, each with what all of its Ingresses are called, took 5 GB.
#[test]
fn hosts_of_one_service_share_what_is_known_of_it() {
    let mut items = Vec::new();
    for (name, host) in [("web", "a.test"), ("web", "b.test"), ("other", "c.test")] {
        let mut item = ingress(name, host, &["/"], &asks());
        item["metadata"]["name"] = json!(host);
        items.push(item);
    }
    let manifests = manifests(&items, Some(true));
    let compiled = Compiled::new(&manifests, &flags()).unwrap();
    let all = Passthrough::all(&compiled);
    let to = |at: usize| all[at].to.as_ref().unwrap();
    assert!(Rc::ptr_eq(to(0), to(1)));
    assert!(!Rc::ptr_eq(to(0), to(2)));
}

#[test]
fn a_host_is_passed_on_to_the_service_of_its_root() {
    let items = [
        ingress("web", "Web.test", &["/api", "/"], &asks()),
        // Its location / is another Ingress's, which says nothing.
        ingress("root", "both.test", &["/"], &json!({})),
        ingress("asks", "both.test", &["/asks"], &asks()),
    ];
    let expected = [
        "both.test: passthrough/default/root:443",
        "web.test: passthrough/default/web:443",
    ];
    assert_eq!(passed(&manifests(&items, Some(true))), expected);
    assert!(passed(&manifests(&items, Some(false))).is_empty());
    assert!(passed(&manifests(&items, None)).is_empty());
}

#[test]
fn no_connection_comes_to_anything_where_nginx_had_nobody_either_or_somebody_is_closed() {
    let external = json!({ "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "outside", "namespace": "default" },
        "spec": { "type": "ExternalName", "externalName": "evil.example", "ports": [{ "port": 443 }] } });
    let known = json!({ "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "closed", "namespace": "default" },
        "spec": { "ports": [{ "port": 443 }] } });
    let items = [
        ingress("part", "part.test", &["/part"], &asks()),
        ingress("outside", "outside.test", &["/"], &asks()),
        ingress("closed", "closed.test", &["/"], &asks()),
        external,
        known,
    ];
    let mut manifests = manifests(&items, Some(true));
    manifests
        .given
        .insert("close".to_owned(), json!(["default/closed"]));
    let nobody =
        ["closed", "outside", "part"].map(|name| format!("{name}.test: passthrough/nobody"));
    assert_eq!(passed(&manifests), nobody);
}

// A name with a line break is the Ingress's own trouble, and a wildcard is no name in a greeting.
#[test]
fn no_other_name_is_passed_on() {
    let said = asks();
    let items = [
        ingress("wild", "*.wild.test", &["/"], &said),
        ingress("none", "", &["/"], &said),
        ingress("odd", "a.test\"]\n- x", &["/"], &said),
        ingress(
            "false",
            "false.test",
            &["/"],
            &json!({ "ssl-passthrough": "False" }),
        ),
        ingress(
            "canary",
            "canary.test",
            &["/"],
            &json!({ "ssl-passthrough": "true", "canary": "true" }),
        ),
    ];
    assert!(passed(&manifests(&items, Some(true))).is_empty());
}

#[test]
fn what_is_lost_depends_on_what_the_controller_was_started_with() {
    let items = [ingress("web", "web.test", &["/"], &asks())];
    for (passes, on, lost) in [
        (None, Platform::Envoy, 1),
        (Some(true), Platform::Envoy, 0),
        (Some(true), Platform::Istio, 0),
        (None, Platform::EnvoyGateway, 1),
        (Some(false), Platform::Envoy, 0),
        (Some(false), Platform::Istio, 0),
        (Some(false), Platform::EnvoyGateway, 0),
    ] {
        let mut manifests = manifests(&items, passes);
        let report = Report::new(&manifests, false, Some(on));
        assert_eq!(report.losses().count(), lost, "{passes:?} {on:?}");
        let says_so = report.findings.iter().any(|one| one.code == "idle");
        assert_eq!(says_so, passes == Some(false), "{passes:?} {on:?}");
        let flags = Flags {
            on_envoy: on == Platform::Envoy,
            ..Flags::default()
        };
        let settled = settle(&mut manifests, &flags, &LossArgs::default(), on);
        assert_eq!(settled.is_err(), lost > 0, "{passes:?} {on:?}");
    }
}

// ingress-nginx serves nothing of such an Ingress, and without its validation does not pass it on.
#[test]
fn a_value_that_is_neither_true_nor_false_stays_lost() {
    let items = [ingress(
        "web",
        "web.test",
        &["/"],
        &json!({ "ssl-passthrough": "many" }),
    )];
    for on in [Platform::Envoy, Platform::Istio] {
        let report = Report::new(&manifests(&items, Some(true)), false, Some(on));
        assert_eq!(report.losses().count(), 1, "{on:?}");
    }
}
