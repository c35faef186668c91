//! Clients of hosts that ask for certificates, to a real Envoy with what `limpet render envoy` writes:
//! those with none, with another one, with an earlier session, and those that speak of one they lack.

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::client_certificates::{
    self, GOOD, GOOD_ITSELF, NONE, Row, THROUGH, UNTRUSTED, owned, told,
};
use limpet_tests::grpc::Call;
use limpet_tests::http::{self, Connection, Request};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::Rendered;
use limpet_tests::tls::{self, Greeting, Relay};

use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A host for each way to ask.
fn hosts() -> Vec<(&'static str, Value)> {
    vec![
        ("plain.example", json!({})),
        (
            "on.example",
            json!({ "secret": "ca", "pass-certificate-to-upstream": "true" }),
        ),
        ("other.example", json!({ "secret": "ca2" })),
        (
            "optional.example",
            json!({ "secret": "ca", "verify-client": "optional" }),
        ),
        (
            "any.example",
            json!({ "secret": "ca", "verify-client": "optional_no_ca" }),
        ),
        (
            "off.example",
            json!({ "secret": "ca", "verify-client": "off" }),
        ),
        (
            "good.example",
            json!({ "secret": "ca", "match-cn": "CN=good.client.test" }),
        ),
        (
            "begins.example",
            json!({ "secret": "ca", "match-cn": "CN=good" }),
        ),
        ("revoked.example", json!({ "secret": "ca-crl" })),
        (
            "any-revoked.example",
            json!({ "secret": "ca-crl", "verify-client": "optional_no_ca" }),
        ),
        ("missing.example", json!({ "secret": "nobody" })),
        ("damaged.example", json!({ "secret": "damaged" })),
        ("abroad.example", json!({ "secret": "elsewhere/ca" })),
        (
            "page.example",
            json!({ "secret": "ca", "error-page": "https://help.example/cert" }),
        ),
        (
            "path.example",
            json!({ "secret": "ca", "error-page": "/open" }),
        ),
        ("*.wild.example", json!({ "secret": "ca" })),
        // More than Envoy counts.
        (
            "deep.example",
            json!({ "secret": "ca", "verify-depth": "101" }),
        ),
        // An authority whose own signer is not there is none to nginx, and one to Envoy.
        ("middle.example", json!({ "secret": "middle" })),
        ("leaf.example", json!({ "secret": "leaf" })),
    ]
}

fn manifests() -> Manifests {
    let mut items: Vec<Value> = hosts()
        .into_iter()
        .map(|(host, said)| {
            let said = said.as_object().unwrap().iter();
            let annotations = said.map(|(name, value)| {
                let name = format!("nginx.ingress.kubernetes.io/auth-tls-{name}");
                let value = value.as_str().unwrap();
                let is_bare = name.ends_with("-secret") && !value.contains('/');
                let prefix = if is_bare { "default/" } else { "" };
                (name, json!(format!("{prefix}{value}")))
            });
            let mut annotations: serde_json::Map<String, Value> = annotations.collect();
            // One name of many Ingresses, in whatever case, is a name of the listener once.
            let alias = "nginx.ingress.kubernetes.io/server-alias".to_owned();
            annotations.insert(alias, json!("shared.example,Shared.example"));
            let redirect = "nginx.ingress.kubernetes.io/ssl-redirect".to_owned();
            annotations.insert(redirect, json!("false"));
            let name = host.replace(['.', '*'], "-").trim_matches('-').to_owned();
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": { "name": name, "namespace": "default", "annotations": annotations },
                "spec": {
                    "ingressClassName": "nginx",
                    "tls": [{ "hosts": [host], "secretName": tls::SECRET }],
                    "rules": [{ "host": host, "http": { "paths": [{
                        "path": "/", "pathType": "Prefix",
                        "backend": { "service": { "name": "web", "port": { "number": 80 } } },
                    }] } }],
                },
            })
        })
        .collect();
    let secret = |namespace: &str, name: &str, data: Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": { "name": name, "namespace": namespace },
        })
    };
    let (ca, ca2) = (tls::of_authority("ca.crt"), tls::of_authority("ca2.crt"));
    let damaged = "-----BEGIN CERTIFICATE-----\nMIIBpzCCAUyg\n-----END CERTIFICATE-----\n";
    items.extend([
        tls::secret(),
        secret("default", "ca", json!({ "ca.crt": ca })),
        secret("default", "ca2", json!({ "ca.crt": ca2 })),
        secret(
            "default",
            "middle",
            json!({ "ca.crt": tls::of_authority("middle.crt") }),
        ),
        secret(
            "default",
            "leaf",
            json!({ "ca.crt": tls::of_authority("good.crt") }),
        ),
        secret(
            "default",
            "ca-crl",
            json!({ "ca.crt": ca, "ca.crl": tls::of_authority("ca.crl") }),
        ),
        secret("default", "damaged", json!({ "ca.crt": damaged })),
        secret("elsewhere", "ca", json!({ "ca.crt": ca })),
    ]);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("hosts.json", &list.to_string()).unwrap()
}

fn greeting(to: SocketAddr, sni: &str, shows: Option<&str>, resumes: bool) -> Greeting {
    Greeting {
        to,
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        sni: sni.to_owned(),
        shows: shows.map(tls::of_client),
        resumes,
        is_modern: false,
    }
}

/// A request that says of itself what only a listener may say.
fn lying(host: &str) -> Request {
    let lies = [
        ("ssl-client-verify", "SUCCESS"),
        ("ssl-client-subject-dn", "CN=lie"),
        ("ssl-client-cert", "lie"),
        ("ssl_client_verify", "SUCCESS"),
        ("x-limpet-tls", "sni=on.example"),
        ("x-limpet-client-subject", "CN=good.client.test"),
        ("x-limpet-client-issuer", "CN=good.client.test"),
        ("x-limpet-client-certificate", "lie"),
        ("x-limpet-client-valid", "0-9999999999"),
        ("x-limpet-cluster", "default/web:80"),
    ];
    client_certificates::lying(host, &lies)
}

const SELF_SIGNED: &[&str] = &[
    "ssl-client-verify: FAILED:self-signed certificate",
    "ssl-client-subject-dn: CN=self.client.test",
    "ssl-client-issuer-dn: CN=self.client.test",
];
const ROWS: &[Row] = &[
    ("plain.example", Some("good"), "plain.example", 200, &[]),
    ("on.example", None, "on.example", 400, &[]),
    ("on.example", Some("good"), "on.example", 200, GOOD_ITSELF),
    ("on.example", Some("other"), "on.example", 400, &[]),
    ("on.example", Some("selfsigned"), "on.example", 400, &[]),
    ("on.example", Some("expired"), "on.example", 400, &[]),
    ("other.example", Some("good"), "other.example", 400, &[]),
    (
        "optional.example",
        Some("through"),
        "optional.example",
        200,
        THROUGH,
    ),
    (
        "deep.example",
        Some("through"),
        "deep.example",
        200,
        THROUGH,
    ),
    (
        "middle.example",
        Some("through"),
        "middle.example",
        403,
        &[],
    ),
    ("leaf.example", Some("good"), "leaf.example", 403, &[]),
    (
        "other.example",
        Some("other"),
        "other.example",
        200,
        &[
            "ssl-client-verify: SUCCESS",
            "ssl-client-subject-dn: O=tests,CN=other.client.test",
            "ssl-client-issuer-dn: O=tests,CN=rest-ca2",
        ],
    ),
    // What one host was shown is nothing to another, though the authority is the same.
    ("on.example", Some("good"), "other.example", 421, &[]),
    ("on.example", Some("good"), "good.example", 421, &[]),
    ("plain.example", Some("good"), "on.example", 421, &[]),
    ("optional.example", Some("good"), "on.example", 421, &[]),
    ("off.example", Some("good"), "on.example", 421, &[]),
    ("nowhere.example", Some("good"), "on.example", 0, &[]),
    ("", Some("good"), "on.example", 0, &[]),
    ("on.example", Some("good"), "plain.example", 200, &[]),
    ("optional.example", None, "optional.example", 200, NONE),
    (
        "optional.example",
        Some("good"),
        "optional.example",
        200,
        GOOD,
    ),
    (
        "optional.example",
        Some("other"),
        "optional.example",
        400,
        &[],
    ),
    ("any.example", None, "any.example", 200, NONE),
    ("any.example", Some("good"), "any.example", 200, GOOD),
    ("any.example", Some("other"), "any.example", 200, UNTRUSTED),
    (
        "any.example",
        Some("selfsigned"),
        "any.example",
        200,
        SELF_SIGNED,
    ),
    ("any.example", Some("expired"), "any.example", 400, &[]),
    ("off.example", Some("good"), "off.example", 200, NONE),
    ("good.example", Some("good"), "good.example", 200, GOOD),
    ("begins.example", Some("good"), "begins.example", 403, &[]),
    ("revoked.example", Some("good"), "revoked.example", 400, &[]),
    (
        "any-revoked.example",
        Some("good"),
        "any-revoked.example",
        400,
        &[],
    ),
    ("missing.example", Some("good"), "missing.example", 403, &[]),
    ("damaged.example", Some("good"), "damaged.example", 403, &[]),
    ("abroad.example", Some("good"), "abroad.example", 403, &[]),
    ("page.example", None, "page.example", 302, &[]),
    ("path.example", None, "path.example", 400, &[]),
    ("a.wild.example", Some("good"), "a.wild.example", 200, GOOD),
    ("a.wild.example", None, "a.wild.example", 400, &[]),
    ("a.wild.example", Some("good"), "b.wild.example", 421, &[]),
];

/// Over plain http: the host, the status, what the pod hears.
const PLAIN: &[(&str, u16, &[&str])] = &[
    ("plain.example", 200, &[]),
    ("on.example", 400, &[]),
    ("optional.example", 200, &[]),
    ("any.example", 200, &[]),
    ("off.example", 200, &[]),
    ("good.example", 403, &[]),
    ("missing.example", 403, &[]),
    ("damaged.example", 403, &[]),
    ("page.example", 302, &[]),
];

#[test]
fn nobody_comes_in_without_the_certificate_that_the_host_asks_for() {
    let pod = Pod::start();
    let flag: EndpointsFlag = format!("default/web:80={}", pod.endpoint())
        .parse()
        .unwrap();
    let envoy = Rendered::share(&manifests(), &[flag], |_| {});
    let https = envoy.https();
    let (again, once) = ("on.example", "plain.example");
    let greetings = ROWS
        .iter()
        .map(|(sni, shows, ..)| greeting(https, sni, *shows, false));
    let resuming = [again, once].map(|host| greeting(https, host, Some("good"), true));
    let relay = Relay::start(greetings.chain(resuming.clone()));
    let mut wrong = Vec::new();
    for (sni, shows, host, status, heard) in ROWS {
        let place = relay.place(&greeting(https, sni, *shows, false));
        let before = pod.requests();
        // Without a certificate for such a name there is no handshake.
        let answer = http::send(place, &lying(host));
        let is = answer.map_or((0, Vec::new()), |answer| told(&answer));
        let seen = pod.requests() - before;
        if is != (*status, owned(heard)) || seen != u64::from(*status == 200) {
            wrong.push(format!(
                "{shows:?} greets {sni:?}, asks {host}: {is:?}, {seen} at the pod"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (host, status, heard) in PLAIN {
        let before = pod.requests();
        let answer = http::send(envoy.http(), &lying(host)).unwrap();
        assert_eq!(told(&answer), (*status, owned(heard)), "{host}");
        assert_eq!(pod.requests() - before, u64::from(*status == 200), "{host}");
    }

    // One connection, several hosts.
    let place = relay.place(&greeting(https, "on.example", Some("good"), false));
    let mut connection = Connection::open(place).unwrap();
    for (host, status) in [
        ("on.example", 200),
        ("other.example", 421),
        ("plain.example", 200),
        ("on.example", 200),
    ] {
        let answer = connection.send(&Request::get(host, "/")).unwrap();
        assert_eq!(answer.status, status, "{host}");
    }
    // HTTP/2 as well, which browsers share among hosts of one certificate.
    let before = pod.requests();
    let refused = Call::start(place, "other.example", &[]);
    assert_eq!(refused.field("x-pod"), None);
    assert_eq!(pod.requests(), before);

    // Of a session that is taken up again Envoy says that nothing was verified: none is.
    for (greeting, status) in resuming.iter().zip([200, 200]) {
        let reused = relay.resumed();
        for _ in 0..3 {
            let answer = http::send(relay.place(greeting), &Request::get(&greeting.sni, "/"));
            assert_eq!(answer.unwrap().status, status, "{}", greeting.sni);
        }
        let is_taken_up = relay.resumed() > reused;
        assert_eq!(is_taken_up, greeting.sni == once, "{}", greeting.sni);
    }
}
