//! Pods that speak TLS, and what Ingresses say of them (`proxy-ssl-*`).

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::browser::Browser;
use limpet_tests::http::{Request, Response, send};
use limpet_tests::rendered::Rendered;
use limpet_tests::tls::{self, TlsPod, TlsPods};
use limpet_tests::wait;
use serde_json::{Map, Value, json};

const PODS: &[(&str, TlsPod)] = &[
    ("good", pod("good")),
    ("balancer", pod("balancer")),
    ("wildcard", pod("wildcard")),
    ("other", pod("other")),
    ("named", pod("named")),
    ("foreign", pod("foreign")),
    ("expired", pod("expired")),
    ("one-between", pod("one-between")),
    ("two-between", pod("two-between")),
    (
        "modern",
        TlsPod {
            is_modern: true,
            ..pod("good")
        },
    ),
    (
        "asking",
        TlsPod {
            asks: true,
            ..pod("good")
        },
    ),
];

const fn pod(certificate: &'static str) -> TlsPod {
    TlsPod {
        certificate,
        asks: false,
        is_modern: false,
        in_clear: false,
    }
}

/// A host: its name, its pod, what its Ingress says, the status, and what the pod saw.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    u16,
    &'static [(&'static str, &'static str)],
);

/// The Secret, that it is looked at, and the name to look for.
macro_rules! verified {
    ($($more:expr),*) => {
        &[("secret", "default/pods"), ("verify", "on"), ("name", "web.pods.example") $(, $more)*]
    };
}

const ROWS: &[Row] = &[
    ("plain", "foreign", &[], 200, &[("x-sni", "")]),
    // Without the one word nginx looks at nothing.
    (
        "unverified",
        "foreign",
        &[("secret", "default/pods")],
        200,
        &[],
    ),
    (
        "misspelt",
        "foreign",
        &[("secret", "default/pods"), ("verify", "true")],
        200,
        &[],
    ),
    (
        "good",
        "good",
        verified!(),
        200,
        &[("x-sni", ""), ("x-shown", "")],
    ),
    (
        "called",
        "good",
        verified!(("server-name", "on")),
        200,
        &[("x-sni", "web.pods.example")],
    ),
    (
        "port",
        "good",
        &[
            ("secret", "default/pods"),
            ("verify", "on"),
            ("name", "web.pods.example:443"),
        ],
        200,
        &[],
    ),
    ("wildcard", "wildcard", verified!(), 200, &[]),
    ("other-name", "other", verified!(), 502, &[]),
    ("other-authority", "foreign", verified!(), 502, &[]),
    ("expired", "expired", verified!(), 502, &[]),
    // nginx takes the common name where there is no other, Envoy does not.
    ("common-name", "named", verified!(), 502, &[]),
    // The name that nginx looks for where none is said is that of its own upstream.
    (
        "nameless",
        "good",
        &[("secret", "default/pods"), ("verify", "on")],
        502,
        &[],
    ),
    (
        "nameless-balancer",
        "balancer",
        &[
            ("secret", "default/pods"),
            ("verify", "on"),
            ("server-name", "on"),
        ],
        200,
        &[("x-sni", "upstream_balancer")],
    ),
    ("one-between", "one-between", verified!(), 200, &[]),
    // Envoy bounds the length of clients' chains alone.
    ("too-deep", "two-between", verified!(), 200, &[]),
    ("old", "modern", verified!(), 502, &[]),
    (
        "modern",
        "modern",
        verified!(("protocols", "TLSv1.2 TLSv1.3")),
        200,
        &[],
    ),
    (
        "modern-alone",
        "good",
        verified!(("protocols", "TLSv1.3")),
        502,
        &[],
    ),
    (
        "cipher",
        "good",
        verified!(("ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305")),
        200,
        &[("x-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")],
    ),
    (
        "no-cipher",
        "good",
        verified!(("ciphers", "HIGH:!aNULL:NULL-SHA")),
        200,
        &[],
    ),
    // Shown is a certificate that lies beside an authority alone.
    (
        "shown",
        "asking",
        &[("secret", "default/both")],
        200,
        &[("x-shown", "O=tests,CN=good.client.test")],
    ),
    (
        "shown-verified",
        "asking",
        &[
            ("secret", "default/both"),
            ("verify", "on"),
            ("name", "web.pods.example"),
        ],
        200,
        &[("x-shown", "O=tests,CN=good.client.test")],
    ),
    ("not-shown", "asking", verified!(), 502, &[]),
    (
        "pair-alone",
        "good",
        &[("secret", "default/pair")],
        200,
        &[("x-shown", "")],
    ),
    // What cannot be used is closed, and what would be looked at by nobody.
    (
        "pair-verified",
        "good",
        &[("secret", "default/pair"), ("verify", "on")],
        503,
        &[],
    ),
    ("missing", "good", &[("secret", "default/nobody")], 503, &[]),
    ("bare", "good", &[("secret", "pods")], 503, &[]),
    ("abroad", "good", &[("secret", "elsewhere/pods")], 503, &[]),
    (
        "damaged",
        "good",
        &[("secret", "default/damaged")],
        503,
        &[],
    ),
    ("empty", "good", &[("secret", "default/empty")], 503, &[]),
    (
        "variable",
        "good",
        &[
            ("secret", "default/pods"),
            ("verify", "on"),
            ("name", "$host"),
        ],
        503,
        &[],
    ),
    (
        "variable-unused",
        "good",
        &[("secret", "default/pods"), ("name", "$host")],
        200,
        &[],
    ),
    (
        "rpc",
        "good",
        verified!(("backend-protocol", "GRPCS")),
        200,
        &[],
    ),
    (
        "rpc-other",
        "other",
        verified!(("backend-protocol", "GRPCS")),
        502,
        &[],
    ),
];

fn ingress(name: &str, service: &str, host: &str, path: &str, said: &[(&str, &str)]) -> Value {
    let mut annotations = Map::from_iter([(
        "nginx.ingress.kubernetes.io/backend-protocol".to_owned(),
        json!("HTTPS"),
    )]);
    for (name, value) in said {
        let kind = if *name == "backend-protocol" {
            ""
        } else {
            "proxy-ssl-"
        };
        annotations.insert(
            format!("nginx.ingress.kubernetes.io/{kind}{name}"),
            json!(value),
        );
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": { "ingressClassName": "nginx", "rules": [{ "host": host, "http": { "paths": [{
            "path": path, "pathType": "Prefix",
            "backend": { "service": { "name": service, "port": { "number": 443 } } },
        }] } }] },
    })
}

fn secrets() -> Vec<Value> {
    let secret = |namespace: &str, name: &str, data: Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": { "name": name, "namespace": namespace },
        })
    };
    let ca = tls::of_pod("ca.crt");
    let (chain, key) = tls::of_client("good");
    vec![
        secret("default", "pods", json!({ "ca.crt": ca })),
        secret("elsewhere", "pods", json!({ "ca.crt": ca })),
        secret(
            "default",
            "both",
            json!({ "ca.crt": ca, "tls.crt": chain, "tls.key": key }),
        ),
        secret(
            "default",
            "pair",
            json!({ "tls.crt": chain, "tls.key": key }),
        ),
        secret("default", "empty", json!({ "other": "x" })),
        secret(
            "default",
            "damaged",
            json!({
                "ca.crt": "-----BEGIN CERTIFICATE-----\nMIIBpzCCAUyg\n-----END CERTIFICATE-----\n",
            }),
        ),
    ]
}

fn share(items: Vec<Value>, endpoints: &[(String, String)]) -> Rendered {
    let items: Vec<Value> = items.into_iter().chain(secrets()).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let manifests = Manifests::parse("pods.json", &list.to_string()).unwrap();
    let flags = endpoints
        .iter()
        .map(|(service, address)| format!("default/{service}:443={address}").parse().unwrap());
    let flags: Vec<EndpointsFlag> = flags.collect();
    Rendered::share(&manifests, &flags, |_| {})
}

#[test]
fn pods_are_believed_and_told_what_their_ingress_says() {
    let pods = TlsPods::start(PODS);
    let host = |name: &str| format!("{name}.example");
    let ingresses = ROWS
        .iter()
        .map(|(name, _, said, ..)| ingress(name, &format!("web-{name}"), &host(name), "/", said));
    let endpoints = ROWS
        .iter()
        .map(|(name, pod, ..)| (format!("web-{name}"), pods.address(pod).to_string()));
    let envoy = share(ingresses.collect(), &Vec::from_iter(endpoints));
    let mut wrong = Vec::new();
    for (name, _, _, status, seen) in ROWS {
        let answer = send(envoy.http(), &Request::get(&host(name), "/")).unwrap();
        let saw = seen
            .iter()
            .all(|(header, value)| answer.header(header).unwrap_or_default() == *value);
        if answer.status != *status || !saw {
            wrong.push(format!("{name}: {} {:?}", answer.status, answer.headers));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ingresses_that_share_a_host_or_a_service_do_not_undo_what_one_of_them_says() {
    const VERIFIED: &[(&str, &str)] = verified!();
    let pods = TlsPods::start(PODS);
    let items = vec![
        // Those of a host that say nothing have what the first one says.
        ingress("a", "a", "one.example", "/a", VERIFIED),
        ingress("b", "b", "one.example", "/b", &[]),
        // Of one Service.
        ingress("c", "c", "two.example", "/", VERIFIED),
        ingress("d", "c", "three.example", "/", &[]),
        ingress("e", "c", "four.example", "/", &[("secret", "default/both")]),
        // Whoever came first shows its certificate, and for nobody else.
        ingress("f", "f", "five.example", "/", &[("secret", "default/both")]),
        ingress("g", "f", "six.example", "/", &[]),
        // Nor does one that came later for the first.
        ingress("h", "h", "seven.example", "/", &[]),
        ingress(
            "i",
            "h",
            "eight.example",
            "/",
            &[("secret", "default/both")],
        ),
        // What is not known of a host is not guessed.
        ingress(
            "j",
            "j",
            "nine.example",
            "/j",
            &[("secret", "default/nobody")],
        ),
        ingress("k", "k", "nine.example", "/k", &[]),
        ingress(
            "l",
            "l",
            "nine.example",
            "/l",
            &[("backend-protocol", "HTTPS"), ("secret", "default/pods")],
        ),
        // In the clear nobody is verified, and whoever is verified is not asked in the clear.
        ingress(
            "m",
            "m",
            "ten.example",
            "/",
            &[("backend-protocol", "HTTP")],
        ),
        ingress("n", "m", "eleven.example", "/", VERIFIED),
    ];
    let endpoints = [
        ("a", "good"),
        ("b", "foreign"),
        ("c", "other"),
        ("f", "asking"),
        ("h", "good"),
        ("j", "good"),
        ("k", "good"),
        ("l", "good"),
        ("m", "good"),
    ];
    let endpoints =
        endpoints.map(|(service, pod)| (service.to_owned(), pods.address(pod).to_string()));
    let envoy = share(items, &endpoints);
    let mut got = Vec::new();
    for (host, path) in [
        ("one", "/a"),
        ("one", "/b"),
        ("two", "/"),
        ("three", "/"),
        ("four", "/"),
        ("five", "/"),
        ("six", "/"),
        ("seven", "/"),
        ("eight", "/"),
        ("nine", "/j"),
        ("nine", "/k"),
        ("nine", "/l"),
        ("ten", "/"),
        ("eleven", "/"),
    ] {
        let answer = send(
            envoy.http(),
            &Request::get(&format!("{host}.example"), path),
        )
        .unwrap();
        got.push((
            host,
            path,
            answer.status,
            answer.header("x-shown").unwrap_or_default(),
        ));
    }
    let shown = "O=tests,CN=good.client.test";
    let expected = [
        ("one", "/a", 200, ""),
        ("one", "/b", 502, ""),
        ("two", "/", 502, ""),
        ("three", "/", 502, ""),
        ("four", "/", 503, ""),
        ("five", "/", 200, shown),
        ("six", "/", 503, ""),
        ("seven", "/", 200, ""),
        ("eight", "/", 503, ""),
        ("nine", "/j", 503, ""),
        ("nine", "/k", 503, ""),
        ("nine", "/l", 200, ""),
        ("ten", "/", 502, ""),
        ("eleven", "/", 200, ""),
    ];
    let got: Vec<_> = got
        .iter()
        .map(|(a, b, c, d)| (*a, *b, *c, d.as_str()))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn each_ingress_speaks_to_the_pods_of_a_service_as_it_says_and_a_session_stays() {
    const HOST: &str = "one.example";
    let both = TlsPod {
        in_clear: true,
        ..pod("good")
    };
    let names = ["one", "two", "three"];
    let pods = TlsPods::start(&names.map(|name| (name, both)));
    let annotated = |mut ingress: Value, said: &[(&str, &str)]| {
        for (name, value) in said {
            let name = format!("nginx.ingress.kubernetes.io/{name}");
            ingress["metadata"]["annotations"][name] = json!(value);
        }
        ingress
    };
    let protocols = ["HTTP", "HTTPS", "GRPC", "GRPCS"];
    let mut items = protocols.map(|protocol| {
        let (path, said) = (format!("/{protocol}"), [("backend-protocol", protocol)]);
        let one = ingress(&protocol.to_lowercase(), "web", HOST, &path, &said);
        annotated(one, &[("affinity", "cookie"), ("session-cookie-path", "/")])
    });
    // A canary is spoken to as the Ingress that it is of.
    let canary = ingress(
        "c",
        "canary",
        HOST,
        "/HTTPS",
        &[("backend-protocol", "GRPC")],
    );
    let said = [("canary", "true"), ("canary-by-header", "x-canary")];
    let canary = annotated(canary, &said);
    let items = items.iter_mut().map(Value::take).chain([canary]);
    let all = names.map(|name| pods.address(name).to_string()).join(",");
    let endpoints = ["web", "canary"].map(|service| (service.to_owned(), all.clone()));
    let envoy = share(items.collect(), &endpoints);
    let spoken = |answer: &Response| {
        let tls = !answer.header("x-cipher").unwrap_or_default().is_empty();
        (answer.header("x-protocol").unwrap_or_default(), tls)
    };
    let expected = [
        ("HTTP/1.1", false),
        ("HTTP/1.1", true),
        ("HTTP/2", false),
        ("HTTP/2", true),
    ];
    for first in protocols {
        // Before the module knows the pods it begins no session, and the admin of a shared process is busy.
        let mut begun = None;
        wait::until("a session begins", || {
            let mut browser = Browser::new(envoy.http(), HOST);
            let answer = browser.get(&format!("/{first}")).unwrap();
            let has_one = browser.cookie("INGRESSCOOKIE").is_some();
            begun = Some((browser, answer.header("x-pod")));
            has_one
        });
        let (mut browser, home) = begun.unwrap();
        for (protocol, (version, tls)) in protocols.iter().zip(expected) {
            let answer = browser.get(&format!("/{protocol}")).unwrap();
            assert_eq!(spoken(&answer), (version.to_owned(), tls), "{protocol}");
            assert_eq!(answer.header("x-pod"), home, "{first}, then {protocol}");
            assert_eq!(answer.header("x-limpet-endpoint"), None);
        }
    }
    let canary = Request::get(HOST, "/HTTPS").header("x-canary", "always");
    let answer = send(envoy.http(), &canary).unwrap();
    assert_eq!(spoken(&answer), ("HTTP/1.1".to_owned(), true));
}
