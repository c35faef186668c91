//! The first manifest on Envoys that got what istiod and Envoy Gateway made of what is rendered.

mod authorizer;
mod client_certificates;
mod crds;
mod edge;
mod passthrough;
mod policies;
mod protocols;
mod settings;
mod tls_parameters;
mod verified_pods;
mod ways;

use limpet_tests::browser::Browser;
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::recorded::{Platform, bootstrap};
use limpet_tests::rendered::Rendered;
use std::collections::BTreeSet;

const HOST: &str = "sample.example.com";

/// An Envoy that got what was recorded, over `pods`.
fn envoy(platform: Platform, recording: &str, pods: &[Pod]) -> Rendered {
    let addresses = |_: &str| pods.iter().map(Pod::endpoint).collect();
    Rendered::share_bootstrap(&bootstrap(platform, recording, addresses))
}

fn play(platform: Platform) {
    let pods = Pod::several(3);
    let envoy = envoy(platform, "sample", &pods);
    let at = envoy.http();
    let mut used = BTreeSet::new();
    for _ in 0..8 {
        let mut browser = Browser::new(at, HOST);
        let first = browser.get("/app1/index.html?q=1").unwrap();
        assert_eq!(first.status, 200, "{}", envoy.envoy.log());
        let cookie = browser
            .cookie("route")
            .expect("a session cookie")
            .to_owned();
        assert_eq!(cookie.len(), 40, "a SHA-1 in hexadecimal");
        let echo = first.echo().unwrap();
        assert_eq!(echo.path, "/app1/index.html?q=1");
        for name in ["x-limpet-cluster", "x-limpet-endpoint"] {
            assert_eq!(first.header(name), None, "pod addresses stay inside");
            assert_eq!(
                echo.all(name),
                Vec::<String>::new(),
                "the pod sees nothing of limpet"
            );
        }
        for target in ["/app1/a", "/app2/b", "/APP1/c"] {
            let next = browser.get(target).unwrap();
            assert_eq!(
                next.endpoint(),
                first.endpoint(),
                "{target} stays on its pod"
            );
            assert_eq!(next.header("set-cookie"), None);
            assert_eq!(next.header("x-limpet-endpoint"), None);
        }
        used.insert(first.endpoint());
    }
    assert!(used.len() > 1, "new sessions are spread: {used:?}");
    nobody_outside_chooses(at, &pods, (HOST, "/app1/x"));
    let unknown = http::send(at, &Request::get(HOST, "/nothing/here")).unwrap();
    // A sidecar sends it on to where its client wanted it to go: here is nobody.
    let status = if platform.is_sidecar() { 503 } else { 404 };
    assert_eq!(unknown.status, status);
}

/// A client that names a pod and a cluster is not obeyed, in whatever letters it writes them.
fn nobody_outside_chooses(at: std::net::SocketAddr, pods: &[Pod], (host, target): (&str, &str)) {
    use base64::Engine as _;
    let wish = base64::engine::general_purpose::STANDARD.encode(pods[0].endpoint());
    let served: BTreeSet<_> = (0..12)
        .map(|_| {
            let request = Request::get(host, target)
                .header("X-Limpet-Endpoint", &wish)
                .header("x-limpet-endpoint", &wish)
                .header("x-limpet-cluster", "prometheus_stats");
            let answer = http::send(at, &request).unwrap();
            assert_eq!(answer.status, 200);
            answer.endpoint()
        })
        .collect();
    assert!(served.len() > 1, "a client chose its pod: {served:?}");
}

#[test]
fn istio_keeps_sessions_with_what_is_rendered_for_it() {
    play(Platform::Istio);
}

#[test]
fn a_sidecar_keeps_the_sessions_of_its_client_with_what_is_rendered_for_it() {
    play(Platform::IstioSidecar);
}

#[test]
fn envoy_gateway_keeps_sessions_with_what_is_rendered_for_it() {
    play(Platform::EnvoyGateway);
}

#[test]
fn an_older_istio_keeps_sessions_with_what_is_rendered_for_it() {
    play(Platform::OlderIstio);
    play(Platform::OlderIstioSidecar);
}

#[test]
fn an_older_envoy_gateway_keeps_sessions_with_what_is_rendered_for_it() {
    play(Platform::OlderEnvoyGateway);
}

/// What a client sends that would like to be somebody else.
const LIES: [(&str, &str); 9] = [
    ("proxy", "liar.example"),
    ("x-real-ip", "192.0.2.1"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-host", "liar.example"),
    ("x-forwarded-port", "8443"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-scheme", "ftp"),
    ("x-scheme", "ftp"),
    ("x-limpet-host", "liar.example"),
];

/// Asks once with [`LIES`] and compares what the pod sees; `None`: nothing.
fn pods_see(platform: Platform, recording: &str, wanted: [(&str, Option<&str>); 11]) {
    let pods = Pod::several(1);
    let envoy = envoy(platform, recording, &pods);
    let request = LIES
        .iter()
        .fold(Request::get(HOST, "/app1/x"), |request, (name, value)| {
            request.header(name, value)
        });
    let answer = http::send(envoy.http(), &request).unwrap();
    assert_eq!(answer.status, 200, "{}", envoy.envoy.log());
    let echo = answer.echo().unwrap();
    for (name, value) in wanted {
        let have = echo.all(name).join(" AND ");
        assert!(
            fits(value.unwrap_or_default(), &have),
            "{platform:?}: {name}: expected {value:?}, is {have:?}"
        );
    }
}

/// `{ip}` stands for an address that the client did not name: where Envoy appends a client's address
/// itself, it writes its own for a client on the same machine.
fn fits(wanted: &str, have: &str) -> bool {
    let is_true = |ip: &str| ip.parse::<std::net::IpAddr>().is_ok() && LIES[1].1 != ip;
    match wanted.strip_suffix("{ip}") {
        Some(before) => have.strip_prefix(before).is_some_and(is_true),
        None => have == wanted,
    }
}

const PLAIN_HTTP: [(&str, Option<&str>); 11] = [
    ("proxy", None),
    ("x-original-forwarded-for", Some("192.0.2.1")),
    ("x-original-forwarded-host", Some("liar.example")),
    ("host", Some(HOST)),
    ("x-real-ip", Some("127.0.0.1")),
    ("x-forwarded-for", Some("{ip}")),
    ("x-forwarded-host", Some(HOST)),
    ("x-forwarded-port", Some("80")),
    ("x-forwarded-proto", Some("http")),
    ("x-forwarded-scheme", Some("http")),
    ("x-scheme", Some("http")),
];

#[test]
fn pods_see_the_forwarding_headers_of_ingress_nginx_whatever_a_client_says() {
    for platform in Platform::EVERY {
        pods_see(platform, "sample", PLAIN_HTTP);
    }
}

/// With a port and a name that no platform takes for a host; and one that is made of variables.
#[test]
fn pods_behind_upstream_vhost_see_it_and_the_host_that_the_client_asked_for_beside_it() {
    for (recording, seen) in [
        ("upstream-vhost", "my_app.internal:8443"),
        (
            "upstream-vhost-variables",
            "http-service.sample.example.com",
        ),
    ] {
        let mut wanted = PLAIN_HTTP;
        wanted[3].1 = Some(seen);
        for platform in Platform::EVERY {
            pods_see(platform, recording, wanted);
        }
    }
}

#[test]
fn every_name_of_a_host_leads_where_its_session_is() {
    let names = ["a00.names.test", "a65.names.test", "x.stars.test"];
    for platform in Platform::EVERY {
        let pods = Pod::several(3);
        let envoy = envoy(platform, "aliases", &pods);
        let mut browser = Browser::new(envoy.http(), HOST);
        let first = browser.get("/").unwrap();
        let cookie = browser.cookie("route").expect("a session cookie");
        for name in names {
            let request = Request::get(name, "/").header("cookie", format!("route={cookie}"));
            let answer = http::send(envoy.http(), &request).unwrap();
            assert_eq!(answer.status, 200, "{platform:?}: {name}");
            assert_eq!(answer.endpoint(), first.endpoint(), "{platform:?}: {name}");
        }
    }
}

#[test]
fn a_trusted_proxy_in_front_is_believed() {
    for platform in [Platform::Istio, Platform::EnvoyGateway] {
        let wanted = [
            ("proxy", None),
            ("x-original-forwarded-for", Some("192.0.2.1")),
            ("x-original-forwarded-host", Some("liar.example")),
            ("host", Some(HOST)),
            ("x-forwarded-for", Some("192.0.2.1")),
            ("x-real-ip", Some("192.0.2.1")),
            ("x-forwarded-host", Some("liar.example")),
            ("x-forwarded-port", Some("8443")),
            ("x-forwarded-proto", Some("https")),
            ("x-forwarded-scheme", Some("https")),
            ("x-scheme", Some("https")),
        ];
        pods_see(platform, "trusted-proxy", wanted);
    }
}

/// Envoy writes it for every client that it takes for one from outside; ingress-nginx had no such header.
#[test]
fn pods_behind_envoy_gateway_get_no_address_in_a_header_of_envoys_own() {
    let pods = Pod::several(1);
    let envoy = envoy(Platform::EnvoyGateway, "trusted-proxy", &pods);
    let request = Request::get(HOST, "/app1/x").header("x-forwarded-for", "192.0.2.1");
    let echo = http::send(envoy.http(), &request).unwrap().echo().unwrap();
    assert_eq!(echo.all("x-envoy-external-address"), Vec::<String>::new());
}
