use crate::client_certificate::{CONNECTION, SUBJECT};
use crate::edit::{Edit, fields};
use crate::endpoints::EndpointTable;
use crate::facts::Facts;
use crate::policy::{self, Policy};
use crate::route::{self, Disposition};
use serde_json::{Map, Value, json};

/// A host, and what an Ingress says of `auth-tls-`; without anything it asks for no certificate.
fn ingress(host: &str, said: &[(&str, &str)]) -> Value {
    let said = said.iter();
    let said = said.map(|(name, value)| {
        let name = format!("nginx.ingress.kubernetes.io/auth-tls-{name}");
        (name, json!(value))
    });
    let said: Map<String, Value> = said.collect();
    let service = json!({ "name": "web", "port": { "number": 80 } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": { "service": service } });
    json!({
        "kind": "Ingress",
        "metadata": { "name": "a", "annotations": said },
        "spec": { "rules": [{ "host": host, "http": { "paths": [path] } }] },
    })
}

fn policy() -> Policy {
    let secret = ("secret", "default/ca");
    let mut without_paths = ingress("plain.example", &[secret]);
    without_paths["spec"]["rules"][0]["http"].take();
    let mut ingresses = [
        without_paths,
        ingress("", &[]),
        ingress("plain.example", &[]),
        ingress("on.example", &[secret]),
        ingress("off.example", &[secret, ("verify-client", "off")]),
        ingress(
            "page.example",
            &[secret, ("error-page", "https://help.example/c")],
        ),
        ingress("path.example", &[secret, ("error-page", "/open")]),
        ingress("good.example", &[secret, ("match-cn", "CN=good")]),
        ingress("good.example", &[secret, ("match-cn", "CN=other")]),
        ingress("closed.example", &[("secret", "default/nobody")]),
        ingress("late.example", &[secret]),
        ingress("late.example", &[("secret", "default/nobody")]),
        ingress("odd.example", &[secret, ("match-cn", "good")]),
    ];
    for (at, one) in ingresses.iter_mut().enumerate() {
        one["metadata"]["name"] = json!(format!("i{at:02}"));
    }
    let config = json!({
        "unmatched": "not_found",
        "ingresses": ingresses,
        "client_certificates": { "default/ca": "ca.crt" },
    });
    policy::read(config.to_string().as_bytes()).unwrap().0
}

#[test]
fn nobody_comes_in_but_with_the_certificate_that_the_host_asks_for() {
    let policy = policy();
    let none = "all";
    let good = "verified=default/ca,depth=1";
    let bad = "unverified=default/ca,depth=1";
    for (host, greeted, route, wanted) in [
        ("on", Some("on.example"), good, "forward"),
        ("on", Some("on.example"), bad, "400 bad_certificate"),
        ("on", Some("on.example"), none, "400 no_certificate"),
        ("on", None, none, "400 no_certificate"),
        // It was shown to somebody else.
        ("on", Some("plain.example"), good, "421 misdirected"),
        ("on", Some("good.example"), good, "421 misdirected"),
        ("on", Some("PLAIN.example"), good, "421 misdirected"),
        // To nobody's host: the listener asked as it asks for this one.
        ("on", Some("nobody.example"), good, "forward"),
        ("on", Some(""), good, "forward"),
        ("off", Some("plain.example"), none, "forward"),
        ("off", None, none, "forward"),
        ("plain", Some("on.example"), none, "forward"),
        ("plain", None, none, "forward"),
        (
            "page",
            Some("page.example"),
            none,
            "302 no_certificate https://help.example/c",
        ),
        (
            "page",
            Some("page.example"),
            bad,
            "302 bad_certificate https://help.example/c",
        ),
        (
            "page",
            None,
            none,
            "302 no_certificate https://help.example/c",
        ),
        // No browser gets to a place within, by any scheme.
        ("path", Some("path.example"), none, "400 no_certificate"),
        ("good", Some("good.example"), good, "forward"),
        ("good", Some("good.example"), none, "400 no_certificate"),
        ("closed", Some("closed.example"), good, "403 no_authority"),
        ("closed", None, none, "403 no_authority"),
        // The first that asks decides, but for one that cannot be used.
        ("late", Some("late.example"), good, "403 no_authority"),
        ("odd", Some("odd.example"), good, "403 no_authority"),
    ] {
        let is = ask(&policy, host, greeted, route, "CN=good");
        assert_eq!(is, wanted, "{host} {greeted:?} {route}");
    }
    let is = ask(&policy, "good", Some("good.example"), good, "CN=other");
    assert_eq!(is, "403 other_name");
}

#[test]
fn pods_of_a_host_that_asks_nobody_believe_no_client_where_another_host_asks() {
    let head = fields(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "plain.example"),
        ("ssl-client-verify", "SUCCESS"),
    ]);
    let facts = Facts::NONE;
    let plain = ingress("plain.example", &[]);
    let nobody = json!({ "ingresses": [plain] }).to_string();
    let nobody = policy::read(nobody.as_bytes()).unwrap().0;
    for (policy, wanted) in [(policy(), 1), (nobody, 0)] {
        let endpoints = EndpointTable::default();
        let disposition = route::dispose(&policy, &endpoints, &head, &facts);
        let Disposition::Forward(forward) = disposition else {
            panic!("{disposition:?}");
        };
        let told = forward.edits.iter().filter(|edit| {
            let lie = Edit::Remove("ssl-client-verify".to_owned().into());
            **edit == lie
        });
        assert_eq!(told.count(), wanted);
    }
}

fn ask(policy: &Policy, host: &str, greeted: Option<&str>, route: &str, subject: &str) -> String {
    let host = format!("{host}.example");
    let greeted = greeted.map(|name| format!("sni={name}"));
    let mut head = vec![
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", &host),
    ];
    if let Some(greeted) = &greeted {
        head.extend([(CONNECTION, greeted.as_str()), (SUBJECT, subject)]);
    }
    let property = |path: &[&str]| (path == ["xds", "route_name"]).then(|| route.into());
    let facts = Facts {
        property: &property,
        ..Facts::NONE
    };
    match route::dispose(policy, &EndpointTable::default(), &fields(&head), &facts) {
        Disposition::Forward(_) => "forward".to_owned(),
        Disposition::Reply { reply, reason, .. } => {
            let place = reply.headers.iter().find(|(name, _)| name == "location");
            let place = place.map_or(String::new(), |(_, place)| {
                format!(" {}", String::from_utf8_lossy(place))
            });
            format!("{} {}{place}", reply.status, reason.as_str())
        }
        other => format!("{other:?}"),
    }
}
