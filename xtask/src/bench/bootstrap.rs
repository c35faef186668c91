//! One Envoy with a listener for each thing that is compared.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The cluster that all listeners send to.
const CLUSTER: &str = "backends";

const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// What stands between the downstream and the router.
pub(super) enum Affinity {
    None,
    /// Envoy's own session cookie.
    Envoy,
    /// This module and the session filter, as `limpet render envoy` places them.
    Module(PathBuf),
    /// The same in front of a route that is not limpet's.
    Bystander(PathBuf),
    /// limpet as Envoy's own machine code, which pins by itself.
    Native(PathBuf),
    /// The same in front of a route that is not limpet's.
    NativeBystander(PathBuf),
    /// A script that does the same for pods which it was told once.
    Lua,
    /// Of which no listener is made here: what `limpet render envoy` writes, or another proxy.
    Elsewhere,
}

impl Affinity {
    /// Whether requests are for a host that no Ingress names.
    pub(super) fn is_bystander(&self) -> bool {
        matches!(self, Self::Bystander(_) | Self::NativeBystander(_))
    }

    /// Whether sessions stick.
    pub(super) fn is_affinity(&self) -> bool {
        !matches!(self, Self::None) && !self.is_bystander()
    }
}

/// A listener for each; all else is equal, and as Envoy has it by default.
pub(super) fn bootstrap<'v>(
    admin: u16,
    backends: &[u16],
    listeners: impl Iterator<Item = (u16, &'v Affinity)>,
) -> Value {
    let listeners = listeners.map(|(port, affinity)| {
        let to_cluster = json!({ "cluster": CLUSTER });
        let by_header = json!({ "cluster_header": "x-limpet-cluster" });
        match affinity {
            Affinity::None | Affinity::Elsewhere => listener(port, &[], &to_cluster),
            Affinity::Envoy => listener(port, &[own_cookie()], &to_cluster),
            Affinity::Lua => listener(port, &[lua(backends)], &to_cluster),
            Affinity::Module(module) => {
                let filters = [module_filter(module, "not_found"), named_endpoint()];
                listener(port, &filters, &by_header)
            }
            Affinity::Bystander(module) => {
                let filters = [module_filter(module, "pass"), named_endpoint()];
                listener(port, &filters, &to_cluster)
            }
            Affinity::Native(module) => {
                listener(port, &[native_filter(module, "not_found")], &by_header)
            }
            Affinity::NativeBystander(module) => {
                listener(port, &[native_filter(module, "pass")], &to_cluster)
            }
        }
    });
    json!({
        "admin": { "address": address(admin) },
        "static_resources": {
            "listeners": listeners.collect::<Vec<_>>(),
            "clusters": [
                cluster(CLUSTER, backends),
                cluster("prometheus_stats", &[admin]),
            ],
        },
    })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn listener(port: u16, filters: &[Value], route: &Value) -> Value {
    let mut filters = filters.to_vec();
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": format!("{TYPES}.filters.http.router.v3.Router") },
    }));
    let manager = json!({
        "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench",
        "http_filters": filters,
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": route }],
        }] },
    });
    json!({
        "name": format!("bench-{port}"),
        "address": address(port),
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }] }],
    })
}

fn session_filter(state: &Value) -> Value {
    json!({
        "name": "envoy.filters.http.stateful_session",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.stateful_session.v3.StatefulSession"),
            "session_state": state,
        },
    })
}

fn own_cookie() -> Value {
    session_filter(&json!({
        "name": "envoy.http.stateful_session.cookie",
        "typed_config": {
            "@type": format!("{TYPES}.http.stateful_session.cookie.v3.CookieBasedSessionState"),
            "cookie": { "name": "route", "path": "/", "ttl": "0s" },
        },
    }))
}

fn named_endpoint() -> Value {
    session_filter(&json!({
        "name": "envoy.http.stateful_session.header",
        "typed_config": {
            "@type": format!("{TYPES}.http.stateful_session.header.v3.HeaderBasedSessionState"),
            "name": "x-limpet-endpoint",
        },
    }))
}

/// The cookie of the pod on a port where limpet does not make it; as long as limpet's.
pub(super) fn session_of(port: u16) -> String {
    format!("{port:040}")
}

fn lua(pods: &[u16]) -> Value {
    let pods = pods
        .iter()
        .map(|port| format!("[\"{}\"] = \"127.0.0.1:{port}\"", session_of(*port)));
    let pods = pods.collect::<Vec<_>>().join(", ");
    let script = format!("local pods = {{ {pods} }}\n{}", include_str!("sticky.lua"));
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.lua.v3.Lua"),
            "default_source_code": { "inline_string": script },
        },
    })
}

/// `unmatched`: what becomes of hosts that no Ingress names.
fn configuration(unmatched: &str) -> Value {
    let configuration = json!({
        "ingresses": [ingress()],
        "unmatched": unmatched,
        // Named here, since modules of other versions may name it otherwise.
        "clusters": { "default/http-service:8080": CLUSTER },
    });
    json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": configuration.to_string(),
    })
}

fn native_filter(module: &Path, unmatched: &str) -> Value {
    json!({
        "name": "limpet",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.dynamic_modules.v3.DynamicModuleFilter"),
            "dynamic_module_config": {
                "module": { "local": { "filename": module } },
                "do_not_close": true,
            },
            "filter_name": "limpet",
            "filter_config": configuration(unmatched),
        },
    })
}

fn module_filter(module: &Path, unmatched: &str) -> Value {
    json!({
        "name": "limpet",
        "typed_config": {
            "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
            "config": {
                "root_id": "limpet",
                "vm_config": {
                    "vm_id": module,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": module } },
                },
                "configuration": configuration(unmatched),
            },
        },
    })
}

/// The Ingress of `envoy/examples/sample-ingress.yaml`.
fn ingress() -> Value {
    let path = |path: &str| {
        json!({
            "path": path,
            "pathType": "Prefix",
            "backend": { "service": { "name": "http-service", "port": { "number": 8080 } } },
        })
    };
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "sample-ingress", "annotations": {
            "nginx.ingress.kubernetes.io/rewrite-target": "/$1",
            "nginx.ingress.kubernetes.io/affinity": "cookie",
            "nginx.ingress.kubernetes.io/session-cookie-name": "route",
            "nginx.ingress.kubernetes.io/session-cookie-hash": "sha1",
            "nginx.ingress.kubernetes.io/session-cookie-path": "/",
        } },
        "spec": { "rules": [{
            "host": super::sample::HOST,
            "http": { "paths": [path("/(app1/.*)"), path("/(app2/.*)")] },
        }] },
    })
}

fn cluster(name: &str, ports: &[u16]) -> Value {
    let endpoints = ports
        .iter()
        .map(|port| json!({ "endpoint": { "address": address(*port) } }));
    let many = json!({ "max_connections": 100_000, "max_pending_requests": 100_000,
        "max_requests": 100_000 });
    json!({
        "name": name,
        "type": "STATIC",
        "circuit_breakers": { "thresholds": [many] },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": endpoints.collect::<Vec<_>>() }],
        },
    })
}
