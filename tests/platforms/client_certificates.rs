//! Clients of hosts that ask for certificates, on Envoys that got what control planes made of what is rendered:
//! those with none, with another one, and those that speak of one they lack.

use limpet_tests::client_certificates::{
    self, GOOD, GOOD_ITSELF, NONE, Row, THROUGH, UNTRUSTED, owned, told,
};
use limpet_tests::grpc::Call;
use limpet_tests::http::{self, Connection, Request, Response, latin1};
use limpet_tests::pod::Pod;
use limpet_tests::recorded::{Platform, with_https};
use limpet_tests::rendered::Rendered;
use limpet_tests::tls::{self, Greeting, Relay};
use std::net::{Ipv4Addr, SocketAddr};

/// What a client says of itself that only a listener may say, and limpet.
const LIES: [(&str, &str); 11] = [
    ("ssl-client-verify", "SUCCESS"),
    ("ssl-client-subject-dn", "CN=lie"),
    ("ssl-client-cert", "lie"),
    ("ssl_client_verify", "SUCCESS"),
    ("x-forwarded-client-cert", "Subject=\"CN=good.client.test\""),
    ("x-limpet-tls", "sni=on.example"),
    ("x-limpet-client-subject", "CN=good.client.test"),
    ("x-limpet-client-issuer", "=CN=good.client.test"),
    ("x-limpet-client-certificate", "=lie"),
    ("x-limpet-client-chain", "=lie"),
    ("x-limpet-cluster", "default/web:80"),
];

const OTHER: &[&str] = &[
    "ssl-client-verify: SUCCESS",
    "ssl-client-subject-dn: O=tests,CN=other.client.test",
    "ssl-client-issuer-dn: O=tests,CN=rest-ca2",
];
const ROWS: &[Row] = &[
    ("plain.example", None, "plain.example", 200, &[]),
    ("plain.example", Some("good"), "plain.example", 200, &[]),
    ("on.example", None, "on.example", 400, &[]),
    ("on.example", Some("good"), "on.example", 200, GOOD_ITSELF),
    ("on.example", Some("other"), "on.example", 0, &[]),
    ("on.example", Some("selfsigned"), "on.example", 0, &[]),
    ("on.example", Some("expired"), "on.example", 0, &[]),
    ("other.example", Some("good"), "other.example", 0, &[]),
    ("other.example", Some("other"), "other.example", 200, OTHER),
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
        Some("through"),
        "optional.example",
        200,
        THROUGH,
    ),
    (
        "optional.example",
        Some("other"),
        "optional.example",
        0,
        &[],
    ),
    (
        "deep.example",
        Some("through"),
        "deep.example",
        200,
        THROUGH,
    ),
    // What no such listener can ask is closed.
    ("any.example", Some("good"), "any.example", 503, &[]),
    ("off.example", Some("good"), "off.example", 200, NONE),
    ("good.example", Some("good"), "good.example", 200, GOOD),
    ("good.example", Some("through"), "good.example", 403, &[]),
    ("begins.example", Some("good"), "begins.example", 403, &[]),
    ("revoked.example", Some("good"), "revoked.example", 0, &[]),
    ("revoked.example", None, "revoked.example", 400, &[]),
    ("missing.example", Some("good"), "missing.example", 403, &[]),
    ("abroad.example", Some("good"), "abroad.example", 403, &[]),
    (
        "middle.example",
        Some("through"),
        "middle.example",
        403,
        &[],
    ),
    ("bare.example", Some("good"), "bare.example", 400, &[]),
    ("page.example", None, "page.example", 302, &[]),
    ("a.wild.example", Some("good"), "a.wild.example", 200, GOOD),
    ("a.wild.example", None, "a.wild.example", 400, &[]),
    ("a.wild.example", Some("good"), "b.wild.example", 421, &[]),
    ("plain.wild.example", None, "plain.wild.example", 200, &[]),
    // What one host was shown is nothing to another, though the authority is the same.
    ("on.example", Some("good"), "other.example", 404, &[]),
    ("on.example", Some("good"), "good.example", 404, &[]),
    ("plain.example", Some("good"), "on.example", 421, &[]),
    ("optional.example", Some("good"), "on.example", 404, &[]),
    ("off.example", Some("good"), "on.example", 421, &[]),
    ("plain.wild.example", None, "a.wild.example", 404, &[]),
    ("nowhere.example", Some("good"), "on.example", 400, &[]),
    ("", Some("good"), "on.example", 400, &[]),
    // A listener of one host has no other's pods.
    ("on.example", Some("good"), "plain.example", 404, &[]),
];

/// What is otherwise on Istio: its handshake takes any certificate, and a connection is good for all hosts.
const ON_ISTIO: &[Row] = &[
    ("on.example", Some("other"), "on.example", 400, &[]),
    ("on.example", Some("selfsigned"), "on.example", 400, &[]),
    ("on.example", Some("expired"), "on.example", 400, &[]),
    ("other.example", Some("good"), "other.example", 400, &[]),
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
    ("any.example", Some("expired"), "any.example", 400, &[]),
    ("revoked.example", Some("good"), "revoked.example", 400, &[]),
    ("on.example", Some("good"), "other.example", 421, &[]),
    ("on.example", Some("good"), "good.example", 421, &[]),
    ("optional.example", Some("good"), "on.example", 421, &[]),
    ("plain.wild.example", None, "a.wild.example", 421, &[]),
    ("on.example", Some("good"), "plain.example", 200, &[]),
    // Without a certificate for such a name there is no handshake.
    ("bare.example", Some("good"), "bare.example", 0, &[]),
    ("nowhere.example", Some("good"), "on.example", 0, &[]),
    ("", Some("good"), "on.example", 0, &[]),
];

/// The rows of a platform.
fn rows(platform: Platform) -> Vec<Row> {
    let own = match platform {
        Platform::Istio | Platform::OlderIstio => ON_ISTIO,
        _ => &[],
    };
    let key = |row: &Row| (row.0, row.1, row.2);
    let all = ROWS
        .iter()
        .filter(|row| own.iter().all(|other| key(other) != key(row)));
    all.chain(own).copied().collect()
}

/// Over plain http: the host, the status, what the pod hears.
const PLAIN: &[(&str, u16, &[&str])] = &[
    ("plain.example", 200, &[]),
    ("on.example", 400, &[]),
    ("optional.example", 200, &[]),
    ("off.example", 200, &[]),
    ("good.example", 403, &[]),
    ("missing.example", 403, &[]),
    ("middle.example", 403, &[]),
    ("page.example", 302, &[]),
];

fn greeting(to: SocketAddr, sni: &str, shows: Option<&str>) -> Greeting {
    Greeting {
        to,
        client: Ipv4Addr::LOCALHOST.into(),
        sni: sni.to_owned(),
        shows: shows.map(tls::of_client),
        resumes: false,
        is_modern: false,
    }
}

fn lying(host: &str) -> Request {
    client_certificates::lying(host, &LIES)
}

#[test]
fn behind_a_gateway_nobody_comes_in_without_the_certificate_that_the_host_asks_for() {
    for platform in [
        Platform::Istio,
        Platform::OlderIstio,
        Platform::EnvoyGateway,
        Platform::OlderEnvoyGateway,
    ] {
        let rows = rows(platform);
        let pod = Pod::start();
        let pods = |_: &str| vec![pod.endpoint()];
        let bootstrap = with_https(platform, "client-certificates", pods);
        let envoy = Rendered::share_bootstrap(&bootstrap);
        let https = envoy.https();
        let greetings = rows.iter();
        let greetings = greetings.map(|(sni, shows, ..)| greeting(https, sni, *shows));
        let relay = Relay::start(greetings);
        let mut wrong = Vec::new();
        for (sni, shows, host, status, heard) in &rows {
            let place = relay.place(&greeting(https, sni, *shows));
            let before = pod.requests();
            let answer = http::send(place, &lying(host));
            let is = answer.map_or((0, Vec::new()), |answer| told(&answer));
            let seen = pod.requests() - before;
            if is != (*status, owned(heard)) || seen != u64::from(*status == 200) {
                wrong.push(format!(
                    "{platform:?}: {shows:?} greets {sni:?}, asks {host}: {is:?}, {seen} at the pod"
                ));
            }
        }
        for (host, status, heard) in PLAIN {
            let before = pod.requests();
            let is = told(&http::send(envoy.http(), &lying(host)).unwrap());
            let seen = pod.requests() - before;
            if is != (*status, owned(heard)) || seen != u64::from(*status == 200) {
                wrong.push(format!("{platform:?}: {host}: {is:?}, {seen} at the pod"));
            }
        }
        assert!(wrong.is_empty(), "WRONG {}", wrong.join("\nWRONG "));

        // One connection, several hosts.
        let is_istio = matches!(platform, Platform::Istio | Platform::OlderIstio);
        let elsewhere = if is_istio { 421 } else { 404 };
        let place = relay.place(&greeting(https, "on.example", Some("good")));
        let mut connection = Connection::open(place).unwrap();
        for (host, status) in [
            ("on.example", 200),
            ("other.example", elsewhere),
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
    }
}

/// Hosts that let nobody in without a certificate of their authority, as clients may spell them.
const CLOSED: [&str; 14] = [
    "on.example",
    "ON.Example",
    "on.example.",
    "on.example:443",
    "on.example.:80",
    "on.example:",
    "other.example",
    "good.example",
    "begins.example",
    "revoked.example",
    "a.wild.example",
    "A.WILD.example.",
    "page.example",
    "bare.example",
];

/// Whoever has none that is good for one of those, by the name that is greeted.
const STRANGERS: [(&str, Option<&str>); 10] = [
    ("plain.example", None),
    ("plain.example", Some("other")),
    ("optional.example", None),
    ("off.example", None),
    ("any.example", Some("selfsigned")),
    ("ON.example", None),
    ("sni=on.example", None),
    ("plain.wild.example", None),
    ("x.plain.wild.example", Some("selfsigned")),
    ("", None),
];

/// The ways to name a host in a request.
fn named(host: &str) -> [Request; 6] {
    let other = "plain.example";
    [
        lying(host),
        lying(host).header("X-Forwarded-Proto", "https"),
        lying(other)
            .header("Host", host)
            .header("X-Forwarded-Host", host),
        Request::get(other, format!("http://{host}/")),
        Request::get(other, format!("https://{host}/")),
        lying(host).header("X-Forwarded-Host", other),
    ]
}

#[test]
fn behind_a_gateway_no_spelling_of_a_host_goes_past_its_certificate() {
    for platform in [
        Platform::Istio,
        Platform::OlderIstio,
        Platform::EnvoyGateway,
        Platform::OlderEnvoyGateway,
    ] {
        let pod = Pod::start();
        let pods = |_: &str| vec![pod.endpoint()];
        let bootstrap = with_https(platform, "client-certificates", pods);
        let envoy = Rendered::share_bootstrap(&bootstrap);
        let https = envoy.https();
        let greetings = STRANGERS.map(|(sni, shows)| greeting(https, sni, shows));
        let relay = Relay::start(greetings.clone());
        let mut wrong = Vec::new();
        for host in CLOSED {
            for request in named(host) {
                let text = latin1(&request.write());
                let mut tell = |by: &str, answer: std::io::Result<Response>| {
                    let Ok(answer) = answer else { return };
                    let echo = answer.echo();
                    let of = echo.map(|echo| echo.all("host")).unwrap_or_default();
                    let lets_in = of.iter().any(|of| of != "plain.example");
                    if lets_in || (answer.status == 200 && of.is_empty()) {
                        wrong.push(format!(
                            "{platform:?}: {by}: {} {of:?}: {text}",
                            answer.status
                        ));
                    }
                };
                for to in &greetings {
                    let by = format!("{} {}", to.sni, to.shows.is_some());
                    tell(&by, http::send(relay.place(to), &request));
                }
                tell("http", http::send(envoy.http(), &request));
            }
        }
        assert!(wrong.is_empty(), "WRONG {}", wrong.join("\nWRONG "));
    }
}
