use serde_json::{Value, json};

use super::certificates;
use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;

/// An Ingress, the older the smaller `age`.
fn ingress(id: &str, age: u8, hosts: &[&str], tls: Value) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    let rule = |host: &&str| {
        json!({ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
            "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } })
    };
    let rules: Vec<Value> = hosts.iter().map(rule).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name,
            "creationTimestamp": format!("2026-01-{age:02}T00:00:00Z") },
        "spec": { "ingressClassName": "nginx", "rules": rules, "tls": tls },
    })
}

fn annotated(mut ingress: Value, name: &str, value: &str) -> Value {
    let name = format!("nginx.ingress.kubernetes.io/{name}");
    ingress["metadata"]["annotations"][name] = json!(value);
    ingress
}

fn entry(hosts: &[&str], secret: &str) -> Value {
    json!({ "hosts": hosts, "secretName": secret })
}

/// `secret: hosts`, and `ingress: host` of what is refused.
fn judged(ingresses: &[Value]) -> (Vec<String>, Vec<String>) {
    let text: Vec<String> = ingresses.iter().map(Value::to_string).collect();
    let manifests = Manifests::parse("in.json", &text.join("\n---\n")).unwrap();
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let all = certificates(&compiled);
    let serving = all.serving.iter();
    let serving = serving.map(|one| format!("{}: {}", one.secret_id(), one.hosts.join(" ")));
    let refused = all.refused.iter();
    let refused = refused.map(|one| format!("{}: {}", one.ingress.id(), one.host));
    (serving.collect(), refused.collect())
}

#[test]
fn a_thief_of_certificates_gets_no_host_that_it_has_no_rule_for() {
    let owner = ingress(
        "shop/web",
        2,
        &["shop.test"],
        json!([entry(&["shop.test"], "own")]),
    );
    // Older, and first in the file.
    let thief = ingress(
        "evil/x",
        1,
        &["evil.test"],
        json!([entry(&["shop.test", "*.test"], "stolen")]),
    );
    let (serving, refused) = judged(&[thief, owner]);
    assert_eq!(serving, ["evil/stolen: evil.test", "shop/own: shop.test"]);
    assert_eq!(refused, ["evil/x: shop.test"]);
}

#[test]
fn of_two_ingresses_with_a_rule_the_older_one_gives_the_certificate() {
    let owner = |tls| ingress("shop/web", 1, &["shop.test"], tls);
    let younger = ingress(
        "evil/x",
        2,
        &["shop.test"],
        json!([entry(&["shop.test"], "stolen")]),
    );
    let (serving, refused) = judged(&[
        younger.clone(),
        owner(json!([entry(&["shop.test"], "own")])),
    ]);
    assert_eq!(serving, ["shop/own: shop.test"]);
    assert_eq!(refused, ["evil/x: shop.test"]);
    // The controller's own certificate is one too: the older one asked for it.
    let (serving, refused) = judged(&[younger.clone(), owner(json!([{ "hosts": ["shop.test"] }]))]);
    assert!(serving.is_empty(), "{serving:?}");
    assert_eq!(refused, ["evil/x: shop.test"]);
    // Without a tls section it says nothing.
    let (serving, refused) = judged(&[younger, owner(json!([]))]);
    assert_eq!(serving, ["evil/stolen: shop.test"]);
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn the_same_secret_twice_is_no_contest() {
    let one = |name, age| ingress(name, age, &["a.test"], json!([entry(&["a.test"], "own")]));
    let (serving, refused) = judged(&[one("shop/a", 1), one("shop/b", 2)]);
    assert_eq!(serving, ["shop/own: a.test"]);
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn an_entry_serves_the_hosts_that_it_lists_and_then_those_that_it_names() {
    // One that lists a host goes before one that only names it; one without hosts names all.
    let tls = json!([
        entry(&["*.a.test"], "wild"),
        entry(&["x.a.test"], "named"),
        { "secretName": "any" },
    ]);
    let hosts = [
        "X.a.test",
        "y.a.test",
        "*.a.test",
        "deep.z.a.test",
        "other.test",
    ];
    let (serving, refused) = judged(&[ingress("shop/web", 1, &hosts, tls)]);
    assert_eq!(
        serving,
        [
            "shop/named: x.a.test",
            "shop/wild: y.a.test *.a.test",
            "shop/any: deep.z.a.test other.test",
        ]
    );
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn a_rule_without_host_gets_no_certificate() {
    for tls in [
        json!([{ "secretName": "any" }]),
        json!([entry(&["*.test"], "wild")]),
    ] {
        let (serving, _) = judged(&[ingress("evil/x", 1, &[""], tls)]);
        assert!(serving.is_empty(), "{serving:?}");
    }
}

#[test]
fn a_canary_gives_no_certificate() {
    let owner = ingress(
        "shop/web",
        2,
        &["shop.test"],
        json!([entry(&["shop.test"], "own")]),
    );
    let thief = ingress(
        "evil/x",
        1,
        &["shop.test"],
        json!([entry(&["shop.test"], "stolen")]),
    );
    let thief = annotated(annotated(thief, "canary", "true"), "canary-weight", "0");
    let (serving, _) = judged(&[thief, owner]);
    assert_eq!(serving, ["shop/own: shop.test"]);
}

#[test]
fn further_names_go_with_their_host_where_the_certificate_names_them() {
    let names = ["shop.test", "www.shop.test", "alias.test", "b.test"];
    let one = ingress("shop/web", 1, &["shop.test"], json!([entry(&names, "own")]));
    let one = annotated(one, "server-alias", "alias.test,unnamed.test,b.test");
    let one = annotated(one, "from-to-www-redirect", "true");
    // Has a rule for what is an alias elsewhere.
    let other = ingress("b/web", 2, &["b.test"], json!([entry(&["b.test"], "b")]));
    let (serving, refused) = judged(&[one, other]);
    assert_eq!(
        serving,
        [
            "shop/own: shop.test alias.test www.shop.test",
            "b/b: b.test"
        ]
    );
    assert!(refused.is_empty(), "{refused:?}");
}
