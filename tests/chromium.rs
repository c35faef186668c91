//! What a user sees in a browser: Chromium, before a real Envoy.
//!
//! Ignored unless asked for, since a browser is a large thing to have: `cargo xtask browser`.

use limpet_envoy::manifests::Manifests;
use limpet_tests::chromium::{Chromium, Cookie};
use limpet_tests::eds;
use limpet_tests::pod::{Echo, Pod};
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::tls;
use serde_json::json;
use sha1::{Digest, Sha1};

const CLUSTER: &str = "default/http-service:8080";
const APP1: &str = "http://sample.example.com/app1/";
const APP2: &str = "http://sample.example.com/app2/";

/// The first manifest before `pods`, and a browser that finds it.
struct Sample {
    pods: Vec<Pod>,
    envoy: Rendered,
    chromium: Chromium,
}

impl Sample {
    fn start() -> Self {
        let text = include_str!("../envoy/examples/sample-ingress.yaml");
        let manifests = Manifests::parse("sample-ingress.yaml", text).unwrap();
        let pods = Pod::several(2);
        let envoy = start(&manifests, "default/http-service:8080", &pods);
        let chromium = Chromium::start(&[("sample.example.com:80", envoy.http())]);
        Self {
            pods,
            envoy,
            chromium,
        }
    }

    /// The one cookie that the developer tools show.
    fn route(&self) -> Cookie {
        let [route] = self.chromium.cookies().try_into().expect("one cookie");
        route
    }
}

fn start(manifests: &Manifests, service: &str, pods: &[Pod]) -> Rendered {
    let addresses: Vec<_> = pods.iter().map(Pod::endpoint).collect();
    let flag = format!("{service}={}", addresses.join(","));
    Rendered::start(manifests, &[flag.parse().unwrap()], &Setup::default())
}

/// Which pod answered with this page.
fn pod(page: &str) -> String {
    let echo: Echo = serde_json::from_str(page).unwrap_or_else(|why| panic!("{why}: {page}"));
    echo.endpoint
}

fn digest(endpoint: &str) -> String {
    let digest = Sha1::digest(endpoint);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn pages_that_are_reloaded_stay_on_one_replica_and_the_cookie_route_is_there_to_see() {
    let sample = Sample::start();
    let home = pod(&sample.chromium.open(APP1));
    let route = sample.route();
    let seen = Cookie {
        name: "route".into(),
        value: digest(&home),
        path: "/".into(),
        secure: false,
        http_only: true,
        same_site: Some("Lax".into()),
        expiry: None,
    };
    assert_eq!(route, seen);
    for _ in 0..20 {
        assert_eq!(pod(&sample.chromium.reload()), home);
    }
    assert_eq!(pod(&sample.chromium.open(APP2)), home);
    for _ in 0..20 {
        assert_eq!(pod(&sample.chromium.reload()), home);
    }
    assert_eq!(sample.route(), route);
}

#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn a_browser_that_comes_with_an_old_cookie_stays_with_its_replica() {
    let sample = Sample::start();
    let home = pod(&sample.chromium.open(APP1));
    let other = sample.pods.iter().map(Pod::endpoint).find(|p| *p != home);
    let other = other.unwrap();
    sample.chromium.keep("route", &digest(&other));
    for _ in 0..5 {
        assert_eq!(pod(&sample.chromium.open(APP1)), other);
    }
    assert_eq!(sample.route().value, digest(&other));
}

#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn a_browser_whose_replica_is_removed_moves_once_and_does_not_move_back() {
    let sample = Sample::start();
    let home = pod(&sample.chromium.open(APP1));
    let (left, others): (Vec<_>, Vec<_>) = sample.pods.iter().partition(|p| p.endpoint() == home);
    assert_eq!(left.len(), 1);
    sample.envoy.set_endpoints(CLUSTER, &eds::healthy(others));
    sample.envoy.wait_until_discovered();
    let other = pod(&sample.chromium.reload());
    assert_ne!(other, home);
    sample
        .envoy
        .set_endpoints(CLUSTER, &eds::healthy(&sample.pods));
    sample.envoy.wait_until_discovered();
    for _ in 0..5 {
        assert_eq!(pod(&sample.chromium.reload()), other);
    }
    assert_eq!(sample.route().value, digest(&other));
}

/// Every attribute there is, over TLS, for one path of a host.
#[test]
#[ignore = "needs a browser: cargo xtask browser"]
fn every_attribute_is_understood_and_a_cookie_of_one_path_is_not_sent_to_another() {
    let annotations = json!({
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/affinity-mode": "persistent",
        "nginx.ingress.kubernetes.io/session-cookie-samesite": "None",
        "nginx.ingress.kubernetes.io/session-cookie-conditional-samesite-none": "true",
        "nginx.ingress.kubernetes.io/session-cookie-secure": "true",
        "nginx.ingress.kubernetes.io/session-cookie-expires": "3600",
        "nginx.ingress.kubernetes.io/session-cookie-max-age": "3600",
        "limpet.dev/session-cookie-partitioned": "true",
    });
    let path = |path| {
        json!({ "path": path, "pathType": "Prefix",
            "backend": { "service": { "name": "web", "port": { "number": 80 } } } })
    };
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "shop", "namespace": "default", "annotations": annotations },
        "spec": {
            "tls": [{ "hosts": ["shop.example"], "secretName": tls::SECRET }],
            "rules": [{ "host": "shop.example", "http": { "paths": [path("/one"), path("/two")] } }],
        },
    });
    let text = format!("{ingress}\n---\n{}\n", tls::secret());
    let manifests = Manifests::parse("shop.yaml", &text).unwrap();
    let pods = Pod::several(3);
    let envoy = start(&manifests, "default/web:80", &pods);
    let chromium = Chromium::start(&[("shop.example:443", envoy.envoy.listener("https"))]);

    let home = pod(&chromium.open("https://shop.example/one/page"));
    let [cookie] = chromium.cookies().try_into().expect("one cookie");
    let cookie: Cookie = cookie;
    assert_eq!(
        (cookie.name.as_str(), cookie.path.as_str()),
        ("INGRESSCOOKIE", "/one")
    );
    assert!(cookie.secure && cookie.http_only);
    assert_eq!(cookie.same_site.as_deref(), Some("None"));
    assert!(cookie.expiry.is_some());
    for _ in 0..5 {
        assert_eq!(pod(&chromium.reload()), home);
    }
    chromium.open("https://shop.example/two/page");
    let [elsewhere] = chromium.cookies().try_into().expect("one cookie");
    let elsewhere: Cookie = elsewhere;
    assert_eq!(elsewhere.path, "/two");
}
