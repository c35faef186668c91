//! The example of a guest on the proxy-wasm crate, on the harness and on a real Envoy: one file,
//! one behaviour.

use host_harness::environment::Discard;
use host_harness::proxy::{Proxy, ProxyConfig};
use host_harness::{
    Cluster, ClusterSpecifier, Clusters, Endpoint, EngineConfig, Environment, Module, PluginConfig,
    Route,
};
use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::{self, Place, Request};
use limpet_tests::pod::Pod;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

fn module() -> PathBuf {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/module/example-guest.wasm"
    );
    let path = PathBuf::from(path);
    assert!(
        path.is_file(),
        "no {path:?}: run `cargo xtask wasm --package example-guest`"
    );
    path
}

/// What the guest does, whoever its host is.
fn plays_its_part(listener: SocketAddr, admin: impl Into<Place>, pod: &Pod) {
    let refused = http::send(listener, &Request::get("host", "/")).unwrap();
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("x-reason").as_deref(), Some("no pass"));
    assert_eq!(refused.text(), "no pass\n");
    assert_eq!(pod.requests(), 0);

    let with_pass = Request::get("host", "/").header("x-pass", "yes");
    let admitted = http::send(listener, &with_pass).unwrap();
    assert_eq!(admitted.status, 200);
    assert_eq!(admitted.endpoint(), Some(pod.endpoint()));
    for answer in [refused, admitted] {
        assert_eq!(answer.all("x-signed"), ["the porter"]);
    }

    let stats = Request::get("admin", "/stats?filter=example_guest");
    let stats = http::send(admin, &stats).unwrap().text();
    assert!(stats.contains("example_guest.refused: 1"), "{stats}");
}

#[test]
fn the_example_guest_runs_in_the_harness() {
    let pod = Pod::start();
    let endpoints = vec![Endpoint::healthy(pod.address())];
    let clusters: Clusters = [("pods", Cluster::new(endpoints))].into_iter().collect();
    let mut environment = Environment::new(clusters);
    environment.log = Arc::new(Discard);
    let guest = Module::compile(&std::fs::read(module()).unwrap()).unwrap();
    let mut engine = EngineConfig::new(vec![Route::to(ClusterSpecifier::Name("pods".to_owned()))]);
    engine.plugin = Some(PluginConfig::new(guest, "guest", b"the porter".to_vec()));
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = ProxyConfig::new(any_port, engine);
    config.admin = Some(any_port);
    config.workers = 1;
    let proxy = Proxy::start(config, &environment).unwrap();
    plays_its_part(proxy.local_addr(), proxy.admin_addr().unwrap(), &pod);
}

#[test]
fn the_example_guest_runs_on_envoy() {
    let pod = Pod::start();
    let address =
        |at: SocketAddr| json!({"socket_address": {"address": at.ip(), "port_value": at.port()}});
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let of = |kind: &str| format!("type.googleapis.com/envoy.extensions.filters.{kind}");
    let guest = json!({"@type": of("http.wasm.v3.Wasm"), "config": {
        "name": "guest",
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module()}},
        },
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue", "value": "the porter",
        },
    }});
    let router = json!({"@type": of("http.router.v3.Router")});
    let manager = json!({
        "@type": of("network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "guest",
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "pods"}}],
        }]},
        "http_filters": [
            {"name": "guest", "typed_config": guest},
            {"name": "router", "typed_config": router},
        ],
    });
    let bootstrap = json!({
        "admin": {"address": address(any_port)},
        "static_resources": {
            "listeners": [{
                "name": "guest", "address": address(any_port),
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }],
            "clusters": [{
                "name": "pods", "type": "STATIC",
                "load_assignment": {"cluster_name": "pods", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": address(pod.address())}},
                ]}]},
            }],
        },
    });
    let envoy = RealEnvoy::start(&bootstrap.to_string());
    plays_its_part(envoy.listener("guest"), envoy.admin_address().clone(), &pod);
}
