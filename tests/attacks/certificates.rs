//! Which certificate a real Envoy shows for which name, with what `limpet render envoy` writes: that of the Secret
//! which the host's Ingress names, whatever the certificates of others are for.

use limpet_envoy::manifests::Manifests;
use limpet_tests::rendered::Rendered;
use limpet_tests::tls::{Kind, made, shown};

use serde_json::{Value, json};

/// A host, the kind of its key, the names of its certificate, which Ingress is older first; and how a client
/// calls the host, where it has a star.
type Row = (&'static str, Kind, &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    ("a.example", Kind::Elliptic, &["a.example"], "a.example"),
    (
        "b.example",
        Kind::Elliptic,
        &["b.example", "a.example"],
        "b.example",
    ),
    (
        "*.wild.example",
        Kind::Elliptic,
        &["*.wild.example"],
        "x.wild.example",
    ),
    (
        "own.wild.example",
        Kind::Elliptic,
        &["own.wild.example"],
        "own.wild.example",
    ),
    // Another tenant's, for what the wildcard's Ingress serves, and for a host of its own there.
    (
        "thief.example",
        Kind::Elliptic,
        &["thief.example", "y.wild.example"],
        "thief.example",
    ),
    (
        "s.wild.example",
        Kind::Elliptic,
        &["*.wild.example"],
        "s.wild.example",
    ),
    // Older than the host that it is for too.
    (
        "early.example",
        Kind::Elliptic,
        &["early.example", "late.example"],
        "early.example",
    ),
    (
        "late.example",
        Kind::Elliptic,
        &["late.example"],
        "late.example",
    ),
    // Of two kinds of keys the client decides.
    (
        "rsa.example",
        Kind::Rsa,
        &["rsa.example", "a.example", "*.example"],
        "rsa.example",
    ),
    (
        "foreign.example",
        Kind::Elliptic,
        &["a.example"],
        "foreign.example",
    ),
    (
        "capital.example",
        Kind::Elliptic,
        &["Capital.example"],
        "capital.example",
    ),
    ("common.example", Kind::Elliptic, &[], "common.example"),
];

fn item(number: usize, (host, kind, names, _): &Row) -> [Value; 2] {
    let name = format!("i{number:02}");
    // Each of another tenant.
    let namespace = format!("team-{number}");
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": name, "namespace": namespace,
            "creationTimestamp": format!("2026-01-01T00:00:{number:02}Z"),
        },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{ "hosts": [host], "secretName": name }],
            "rules": [{ "host": host, "http": { "paths": [{
                "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": "web", "port": { "number": 80 } } },
            }] } }],
        },
    });
    let secret = made(*kind, host, names).secret(&namespace, &name);
    [ingress, secret]
}

#[test]
fn each_host_is_shown_the_certificate_that_its_ingress_names() {
    let mut items: Vec<Value> = ROWS
        .iter()
        .enumerate()
        .flat_map(|(number, row)| item(number, row))
        .collect();
    // The same certificate once more, in another namespace.
    let [mut ingress, _] = item(80, &("copy.example", Kind::Elliptic, &[], ""));
    let (_, kind, names, _) = ROWS[0];
    ingress["spec"]["tls"][0]["secretName"] = json!("copy");
    items.extend([
        ingress,
        made(kind, ROWS[0].0, names).secret("team-80", "copy"),
    ]);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let manifests = Manifests::parse("hosts.json", &list.to_string()).unwrap();
    let envoy = Rendered::share(&manifests, &[], |_| {});
    let https = envoy.https();
    let asked = ROWS
        .iter()
        .map(|row| (row.3, Some(made(row.1, row.0, row.2).der)));
    let more = [
        ("y.wild.example", Some(ROWS[2])),
        ("copy.example", Some(ROWS[0])),
        ("nobody.example", None),
    ];
    let more = more.map(|(name, row)| (name, row.map(|row| made(row.1, row.0, row.2).der)));
    let wrong: Vec<String> = asked
        .chain(more)
        .filter_map(|(name, expected)| {
            let shown = shown(https, name);
            let text = |der: &Vec<u8>| String::from_utf8_lossy(der).into_owned();
            (shown != expected).then(|| format!("{name}: {:?}", shown.as_ref().map(text)))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
