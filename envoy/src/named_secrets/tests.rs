use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::compiled::{Compiled, Flags};
use crate::render::istio;
use crate::render::istio::IstioArgs;
use crate::render::served::Served;

/// An Ingress of `secret` with its path, of this age in days.
fn ingress(id: &str, secret: &str, kind: &str, age: usize) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    let prefix = "nginx.ingress.kubernetes.io";
    let created = format!("20{:02}-01-01T00:00:00Z", 99 - age);
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name, "creationTimestamp": created, "annotations": {
            format!("{prefix}/auth-type"): "basic",
            format!("{prefix}/auth-secret"): secret,
            format!("{prefix}/auth-secret-type"): kind,
        } },
        "spec": { "ingressClassName": "nginx", "rules": [{ "host": format!("{name}.{namespace}.example"),
            "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": { "service": {
                "name": "web", "port": { "number": 80 } } } }] } }] },
    })
}

fn secret<K: AsRef<str>>(id: &str, keys: impl IntoIterator<Item = K>) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    let keys = keys.into_iter();
    let data: Map<String, Value> = keys
        .map(|key| (key.as_ref().to_owned(), json!("{PLAIN}pw")))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "namespace": namespace, "name": name }, "stringData": data,
    })
}

fn manifests(items: &[Value]) -> Manifests {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("all.json", &list.to_string()).unwrap()
}

fn flags() -> Flags {
    Flags {
        variables: Some(MOST_VARIABLES),
        ..Flags::default()
    }
}

/// The variables by `namespace/name/key`.
fn names(items: &[Value]) -> BTreeMap<String, String> {
    let manifests = manifests(items);
    let compiled = Compiled::new(&manifests, &flags()).unwrap();
    let all = variables(&compiled.config).into_iter();
    all.map(|one| ([&one.secret, "/", &one.key].concat(), one.name))
        .collect()
}

/// Those of a WasmPlugin.
fn environment(manifests: &Manifests) -> Vec<String> {
    let compiled = Compiled::new(manifests, &flags()).unwrap();
    let all = istio::resources(&Served::new(&compiled), &IstioArgs::default());
    let plugin = all.iter().find(|one| one.kind() == "WasmPlugin").unwrap();
    let env = plugin.value.pointer("/spec/vmConfig/env");
    let env = env.and_then(Value::as_array).into_iter().flatten();
    env.map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

fn closed(manifests: &Manifests) -> Vec<String> {
    let compiled = Compiled::new(manifests, &flags()).unwrap();
    let told = compiled.said.get("close").cloned();
    assert_eq!(
        told.unwrap_or_else(|| json!([])),
        json!(compiled.config.close)
    );
    for id in &compiled.config.close {
        let note = format!("ingress {id} answers 503: Secret ");
        assert!(compiled.notes.iter().any(|one| one.contains(&note)), "{id}");
    }
    compiled.config.close
}

#[test]
fn no_two_keys_of_any_secrets_have_the_same_variable() {
    let parts = [
        "a", "b", "a-b", "a--b", "b-a", "a.b", "a_b", "A", "a-", "-a",
    ];
    let mut all: BTreeMap<String, [&str; 3]> = BTreeMap::new();
    for namespace in parts {
        for name in parts {
            for key in parts {
                let variable = variables::name(&[namespace, "/", name].concat(), key);
                let first = all.insert(variable, [namespace, name, key]);
                assert_eq!(first, None, "{namespace}/{name}/{key}");
            }
        }
    }
}

#[test]
fn whoever_else_has_a_secret_changes_nobodys_variable() {
    let gamma = [
        ingress("gamma/b", "my-users", "auth-file", 8),
        secret("gamma/my-users", ["auth"]),
    ];
    let evil = |age| {
        [
            ingress("gamma-my/e", "users", "auth-map", age),
            secret("gamma-my/users", ["auth", "auth-2", "auth_2"]),
        ]
    };
    let own = |all: &BTreeMap<String, String>| all.get("gamma/my-users/auth").cloned();
    let alone = names(&gamma);
    assert_eq!(own(&alone).unwrap(), "LIMPET_SECRET_GAMMA_MY__USERS_AUTH");
    for age in [1, 28] {
        let all = names(&[&gamma[..], &evil(age)].concat());
        assert_eq!(own(&all), own(&alone));
        let different: BTreeSet<&String> = all.values().collect();
        assert_eq!((all.len(), different.len()), (4, 4), "{all:?}");
    }
}

#[test]
fn a_name_says_its_secret_and_key_where_it_can() {
    for (secret, key, name) in [
        ("prod/users", "auth", "USERS_AUTH"),
        ("prod/my-users", "auth", "MY__USERS_AUTH"),
        // printf prod/users/Bob | sha1sum
        (
            "prod/users",
            "Bob",
            "USERS_BOB___5FC5A64139346097B1160701C293A9CA3708C3D0",
        ),
        (
            "prod/a.b",
            "auth_2",
            "A_B_AUTH_2___393E700BF5E6B086165613E7505A12658F6E0602",
        ),
    ] {
        let expected = ["LIMPET_SECRET_PROD_", name].concat();
        assert_eq!(variables::name(secret, key), expected);
    }
}

#[test]
fn a_name_is_no_longer_than_the_api_server_takes() {
    let long = ["a", "-", ".", "_", "Z"].map(|one| format!("a{}a", one.repeat(251)));
    for name in &long {
        for key in &long {
            let secret = format!("{}/{name}", "n".repeat(63));
            let variable = variables::name(&secret, key);
            assert!(variable.len() <= 256, "{variable}");
            let is_of_it =
                |one: char| one.is_ascii_uppercase() || one.is_ascii_digit() || one == '_';
            assert!(variable.chars().all(is_of_it), "{variable}");
        }
    }
}

#[test]
fn a_plugin_never_names_more_variables_than_the_api_server_takes_nor_one_twice() {
    let users = (0..300).map(|at| format!("u{at}"));
    let mut items = vec![
        ingress("gamma/own", "users", "auth-file", 8),
        secret("gamma/users", ["auth"]),
        ingress("evil/map", "map", "auth-map", 28),
        secret("evil/map", users),
    ];
    let with_map = manifests(&items);
    assert_eq!(environment(&with_map), ["LIMPET_SECRET_GAMMA_USERS_AUTH"]);
    assert_eq!(closed(&with_map), ["evil/map"]);
    items.truncate(2);
    let key = "a".repeat(241);
    items.extend([
        ingress("evil/map", "map", "auth-map", 28),
        secret("evil/map", ["a.b", "a-b", "a-b_2", &key]),
    ]);
    let mut all = manifests(&items);
    // The operator's own variable, called as a Secret's is.
    let keys =
        json!([{ "environment": "LIMPET_SECRET_GAMMA_USERS_AUTH" }, { "environment": "KEY" }]);
    all.given.insert("cookie_keys".to_owned(), keys);
    let environment = environment(&all);
    let different: BTreeSet<&String> = environment.iter().collect();
    assert_eq!(
        (environment.len(), different.len()),
        (6, 6),
        "{environment:?}"
    );
    assert!(closed(&all).is_empty());
}

#[test]
fn namespaces_take_turns_at_the_variables_and_who_has_none_is_closed() {
    let mut items = Vec::new();
    for at in 0..300 {
        let (id, name) = (format!("evil/i{at:03}"), format!("s{at:03}"));
        // The first one is the oldest.
        items.push(ingress(
            &id,
            &name,
            "auth-file",
            if at == 0 { 51 } else { 50 },
        ));
        items.push(secret(&format!("evil/{name}"), ["auth"]));
    }
    // Younger than all of them.
    for at in 0..100 {
        items.push(ingress(
            &format!("gamma/i{at:03}"),
            &format!("s{at:03}"),
            "auth-file",
            8,
        ));
        items.push(secret(&format!("gamma/s{at:03}"), ["auth"]));
    }
    items.push(ingress("delta/map", "map", "auth-map", 8));
    items.push(secret("delta/map", (0..50).map(|at| format!("u{at}"))));
    let mut all = manifests(&items);
    let keys = json!([{ "environment": "KEY" }, { "environment": "OLD" }]);
    all.given.insert("cookie_keys".to_owned(), keys);
    assert_eq!(environment(&all).len(), 256);
    let closed = closed(&all);
    assert_eq!(closed.len(), 300 - (256 - 2 - 100 - 50));
    assert!(
        closed.iter().all(|id| id.starts_with("evil/")),
        "{closed:?}"
    );
    // The oldest of a namespace stay.
    assert!(!closed.contains(&"evil/i000".to_owned()));
}

#[test]
fn the_file_of_a_secret_stays_where_its_map_has_no_room() {
    let users = (0..300).map(|at| format!("u{at}"));
    let all = manifests(&[
        ingress("gamma/map", "users", "auth-map", 28),
        ingress("gamma/file", "users", "auth-file", 8),
        secret("gamma/users", users.chain(["auth".to_owned()])),
    ]);
    assert_eq!(environment(&all), ["LIMPET_SECRET_GAMMA_USERS_AUTH"]);
    assert_eq!(closed(&all), ["gamma/map"]);
    // Elsewhere there is room.
    let compiled = Compiled::new(&all, &Flags::default()).unwrap();
    assert!(compiled.config.close.is_empty());
    assert_eq!(variables(&compiled.config).len(), 301);
}

#[test]
fn a_secret_of_another_namespace_is_nobodys_unless_the_controller_allows_it() {
    let items = [
        ingress("evil/a", "gamma/users", "auth-map", 28),
        ingress("gamma/b", "/users", "auth-file", 8),
        secret("gamma/users", ["auth", "other"]),
    ];
    let own = names(&items);
    assert_eq!(own.keys().collect::<Vec<_>>(), ["gamma/users/auth"]);
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "ingress-nginx", "name": "ingress-nginx-controller" },
        "data": { "allow-cross-namespace-resources": "true" },
    });
    let all = names(&[&items[..], &[settings]].concat());
    assert_eq!(all.len(), 2, "{all:?}");
}
