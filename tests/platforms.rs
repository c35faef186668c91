//! The first manifest on Envoys shaped as Istio and Envoy Gateway shape theirs: their filter
//! chains, their routes, their names of clusters.

use limpet_cli::clusters::clusters;
use limpet_cli::manifests::Manifests;
use limpet_cli::render::envoy::{EnvoySettings, render};
use limpet_tests::browser::Browser;
use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::{self, Request};
use limpet_tests::platform::{Names, Platform, reshape_bootstrap};
use limpet_tests::pod::Pod;
use std::collections::BTreeSet;
use std::path::Path;

const HOST: &str = "sample.example.com";

/// An Envoy of that shape with the first manifest over `pods`.
fn envoy(platform: Platform, pods: &[Pod]) -> RealEnvoy {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy/examples/sample-ingress.yaml");
    let manifests = Manifests::load(&[file.to_string_lossy().into_owned()]).unwrap();
    let addresses: Vec<String> = pods.iter().map(Pod::endpoint).collect();
    let flag = format!("default/http-service:8080={}", addresses.join(","));
    let (clusters, _) = clusters(&manifests, &[flag.parse().unwrap()]);
    let module = limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
    let settings = EnvoySettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: "unix:admin.sock".parse().unwrap(),
        wasm: module.canonicalize().unwrap(),
        ..EnvoySettings::default()
    };
    let mut bootstrap = render(&manifests, &clusters, &settings, false)
        .unwrap()
        .bootstrap;
    reshape_bootstrap(platform, Names::Platform, &mut bootstrap);
    RealEnvoy::start_with(&bootstrap.to_string(), 2)
}

fn play(platform: Platform) {
    let pods = Pod::several(3);
    let envoy = envoy(platform, &pods);
    let at = envoy.listener("http");
    let mut used = BTreeSet::new();
    for _ in 0..8 {
        let mut browser = Browser::new(at, HOST);
        let first = browser.get("/app1/index.html?q=1").unwrap();
        assert_eq!(first.status, 200, "{}", envoy.log());
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
    nobody_outside_chooses(at, &pods);
    let unknown = http::send(at, &Request::get(HOST, "/nothing/here")).unwrap();
    assert_eq!(unknown.status, 404);
}

/// A client that names a pod and a cluster is not obeyed, in whatever letters it writes them.
fn nobody_outside_chooses(at: std::net::SocketAddr, pods: &[Pod]) {
    use base64::Engine as _;
    let wish = base64::engine::general_purpose::STANDARD.encode(pods[0].endpoint());
    let served: BTreeSet<_> = (0..12)
        .map(|_| {
            let request = Request::get(HOST, "/app1/x")
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
fn envoy_gateway_keeps_sessions_with_what_is_rendered_for_it() {
    play(Platform::EnvoyGateway);
}
