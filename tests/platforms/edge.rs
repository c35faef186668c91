//! What strangers may do with a connection where istiod and Envoy Gateway configure it.

use super::{HOST, envoy};
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::recorded::{Platform, bootstrap};
use serde_json::{Value, json};

/// The connection managers of a bootstrap.
fn managers(bootstrap: &Value) -> Vec<&Value> {
    let listener = &bootstrap["static_resources"]["listeners"][0];
    let chains = listener["filter_chains"].as_array().into_iter().flatten();
    let chains = chains.chain(listener.get("default_filter_chain"));
    let filters = chains.filter_map(|chain| chain["filters"].as_array());
    let managers = filters.flatten().map(|filter| &filter["typed_config"]);
    managers
        .filter(|one| one.get("http_filters").is_some())
        .collect()
}

#[test]
fn slow_heads_idle_connections_and_streams_at_once_have_nginx_s_bounds_on_gateways() {
    for platform in [
        Platform::Istio,
        Platform::OlderIstio,
        Platform::EnvoyGateway,
    ] {
        let bootstrap = bootstrap(platform, "sample", |_| Vec::new());
        let managers = managers(&bootstrap);
        assert!(!managers.is_empty(), "{platform:?}");
        for manager in managers {
            let common = &manager["common_http_protocol_options"];
            assert_eq!(manager["request_headers_timeout"], "60s", "{platform:?}");
            assert_eq!(common["idle_timeout"], "75s", "{platform:?}");
            let streams = &manager["http2_protocol_options"]["max_concurrent_streams"];
            assert_eq!(*streams, json!(128), "{platform:?}");
        }
    }
}

#[test]
fn a_head_of_many_fields_is_served_on_istio_s_gateways_and_on_envoy_gateway_of_a_hundred() {
    for (platform, most) in [(Platform::Istio, 900), (Platform::EnvoyGateway, 80)] {
        let pods = Pod::several(1);
        let envoy = envoy(platform, "sample", &pods);
        let names: Vec<String> = (0..most).map(|n| format!("x-{n}")).collect();
        let request = names
            .iter()
            .fold(Request::get(HOST, "/app1/x"), |request, name| {
                request.header(name, "1")
            });
        let answer = http::send(envoy.http(), &request).unwrap();
        assert_eq!(answer.status, 200, "{platform:?}: {}", envoy.envoy.log());
    }
}
