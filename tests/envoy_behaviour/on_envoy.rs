//! The rows on a real Envoy: one process, a listener per row.

use super::backends::{Backends, ROUTES};
use super::row::Row;
use limpet_tests::envoy::RealEnvoy;
use limpet_tests::guest;
use serde_json::{Value, json};

/// Starts it; the listener of row `n` is called `row-n`.
pub(super) fn start(rows: &[Row], backends: &Backends) -> RealEnvoy {
    let modules = tempfile::tempdir().unwrap();
    let listeners: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let file = modules.path().join(format!("{index}.wasm"));
            std::fs::write(&file, guest::module(&row.guest)).unwrap();
            listener(index, row, file.to_str().unwrap())
        })
        .collect();
    let clusters: Vec<_> = backends
        .clusters()
        .map(|(name, pods)| cluster(name, &pods))
        .collect();
    let bootstrap = json!({
        "node": {"id": "behaviour", "cluster": "behaviour"},
        "admin": {"address": address("127.0.0.1", 0)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    });
    RealEnvoy::start(&bootstrap.to_string())
}

fn address(ip: &str, port: u16) -> Value {
    json!({"socket_address": {"address": ip, "port_value": port}})
}

fn listener(index: usize, row: &Row, module: &str) -> Value {
    let plugin = json!({
        "name": "plugin",
        "root_id": "root",
        "failure_policy": row.failure_policy.as_deref().unwrap_or("FAIL_CLOSED"),
        "vm_config": {
            "vm_id": format!("row-{index}"), "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": module}},
        },
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "{}"},
    });
    let filter = |name: &str, kind: &str, mut config: Value| {
        config["@type"] =
            format!("type.googleapis.com/envoy.extensions.filters.http.{kind}").into();
        json!({"name": name, "typed_config": config})
    };
    let session = json!({"session_state": {
        "name": "envoy.http.stateful_session.header",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState",
            "name": "x-pick",
        },
    }});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": format!("row-{index}"),
        "generate_request_id": false,
        "http_protocol_options": {"accept_http_10": true},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes()}]},
        "http_filters": [
            filter("wasm", "wasm.v3.Wasm", json!({"config": plugin})),
            filter("session", "stateful_session.v3.StatefulSession", session),
            filter("router", "router.v3.Router", json!({})),
        ],
    });
    json!({
        "name": format!("row-{index}"),
        "address": address("127.0.0.1", 0),
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
        }]}],
    })
}

fn routes() -> Vec<Value> {
    let mut routes = vec![json!({
        "name": "by-header",
        "match": {"prefix": "/", "headers": [{"name": "x-route", "string_match": {"exact": "b"}}]},
        "route": {"cluster": "b"},
    })];
    routes.extend(ROUTES.map(|route| {
        let mut action = json!({"cluster": route.name, "timeout": format!("{}s", route.timeout as f64 / 1000.0)});
        if route.retry {
            action["retry_policy"] = json!({
                "retry_on": "connect-failure", "num_retries": 1,
                "retry_host_predicate": [{
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
                }],
                "host_selection_retry_max_attempts": 5,
            });
        }
        json!({"name": format!("to-{}", route.name), "match": {"prefix": format!("/{}", route.name)}, "route": action})
    }));
    // Before `/b` would take it: the more specific first.
    routes.insert(
        0,
        json!({
            "name": "cluster-header",
            "match": {"prefix": "/cluster-header"},
            "route": {"cluster_header": "x-cluster"},
            "request_headers_to_remove": ["x-cluster"],
        }),
    );
    routes
}

fn cluster(name: &str, pods: &[(std::net::SocketAddr, bool)]) -> Value {
    let endpoints: Vec<_> = pods
        .iter()
        .map(|(pod, draining)| {
            json!({
                "health_status": if *draining { "DRAINING" } else { "HEALTHY" },
                "endpoint": {"address": address(&pod.ip().to_string(), pod.port())},
            })
        })
        .collect();
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "common_lb_config": {"override_host_status": {"statuses": ["HEALTHY", "DEGRADED", "UNKNOWN", "DRAINING"]}},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    })
}
