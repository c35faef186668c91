//! istiod's part.
//!
//! Source: `buildHTTPConnectionManager`, `pilot/pkg/networking/core/listener_builder.go`;
//! `patchHTTPFilters`, `pilot/pkg/networking/core/envoyfilter/listener_patch.go`; istio 86c9f01f.

use super::shape::{Platform, Shape, filter, merge, overwrite, retry};
use limpet_envoy::render::istio::{IstioArgs, resources as rendered};
use limpet_envoy::render::resource::Resource;
use limpet_envoy::render::served::Served;
use serde_json::{Value, json};

pub(super) fn resources(served: &Served<'_>, sidecar: bool) -> Vec<Resource> {
    let args = IstioArgs {
        sidecar,
        ..IstioArgs::default()
    };
    rendered(served, &args)
}

pub(super) fn plugin(resources: &[Resource]) -> Value {
    let plugin = resources
        .iter()
        .find(|resource| resource.kind() == "WasmPlugin");
    plugin.unwrap().value["spec"]["pluginConfig"].clone()
}

pub(super) fn manager(shape: &Shape) -> Value {
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "outbound_0.0.0.0_8080",
        "codec_type": "AUTO",
        // meshConfig.pathNormalization.normalization: NONE, as the head of what is rendered says.
        "normalize_path": false,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "use_remote_address": shape.platform == Platform::Istio,
        "xff_num_trusted_hops": shape.trusted_proxies,
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
        "stream_idle_timeout": "0s",
        "http_filters": [
            module(shape),
            filter("istio.grpc_stats", "grpc_stats.v3.FilterConfig"),
            filter("envoy.filters.http.fault", "fault.v3.HTTPFault"),
            filter("envoy.filters.http.cors", "cors.v3.Cors"),
            filter("envoy.filters.http.router", "router.v3.Router"),
        ],
        "route_config": routes(shape),
    });
    if let Some(log) = &shape.access_log {
        manager["access_log"] = log.clone();
    }
    for patch in shape.one("EnvoyFilter")["configPatches"]
        .as_array()
        .unwrap()
    {
        let value = &patch["patch"]["value"];
        match patch["applyTo"].as_str().unwrap() {
            "HTTP_FILTER" => {
                let before =
                    &patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"];
                let filters = manager["http_filters"].as_array_mut().unwrap();
                assert_eq!(patch["patch"]["operation"], "INSERT_BEFORE");
                let at = filters.iter().position(|filter| filter["name"] == *before);
                filters.insert(at.unwrap(), value.clone());
            }
            "NETWORK_FILTER" => merge(&mut manager, &value["typed_config"]),
            "HTTP_ROUTE" => patch_routes(&mut manager, patch),
            _ => {}
        }
    }
    manager
}

/// `patchHTTPRoutes`, `pilot/pkg/networking/core/envoyfilter/rc_patch.go`.
fn patch_routes(manager: &mut Value, patch: &Value) {
    let name = &patch["match"]["routeConfiguration"]["vhost"]["route"]["name"];
    let hosts = manager["route_config"]["virtual_hosts"].as_array_mut();
    let routes = hosts
        .unwrap()
        .iter_mut()
        .flat_map(|host| host["routes"].as_array_mut().unwrap());
    for route in routes.filter(|route| route["name"] == *name) {
        merge(route, &patch["patch"]["value"]);
    }
}

/// What istiod and the agent make of the WasmPlugin: `BuildHTTPWasmFilter`, `pilot/pkg/model/extensions.go`.
fn module(shape: &Shape) -> Value {
    let spec = shape.one("WasmPlugin");
    let policy = spec["failStrategy"].as_str().unwrap();
    json!({
        "name": "istio-system.limpet",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "istio-system.limpet",
                "root_id": spec["pluginName"],
                "failure_policy": policy,
                "vm_config": { "runtime": "envoy.wasm.runtime.v8", "code": shape.code },
                "configuration": shape.configuration(),
            },
        },
    })
}

fn routes(shape: &Shape) -> Value {
    let virtual_hosts: Vec<Value> = shape
        .all("VirtualService")
        .iter()
        .flat_map(|service| virtual_hosts(shape, &service["spec"]))
        .collect();
    json!({
        "name": "http.8080",
        "virtual_hosts": virtual_hosts,
        "ignore_port_in_host_matching": true,
    })
}

/// One for each host of a VirtualService.
fn virtual_hosts(shape: &Shape, spec: &Value) -> Vec<Value> {
    let routes: Vec<Value> = spec["http"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|http| {
            let port = http.pointer("/match/0/port");
            port.is_none_or(|port| *port == shape.side.port)
        })
        .map(|http| match http.get("match") {
            Some(_) => route(shape, http),
            // The host as it is without limpet; it leads out of the mesh, where nobody is here.
            None => json!({ "match": { "prefix": "/" }, "direct_response": { "status": 404 } }),
        })
        .collect();
    let hosts = spec["hosts"].as_array().unwrap();
    let virtual_host = |host: &Value| {
        json!({
            "name": format!("{}:80", host.as_str().unwrap()),
            "domains": [host],
            "routes": routes,
            "include_request_attempt_count": true,
        })
    };
    hosts.iter().map(virtual_host).collect()
}

fn route(shape: &Shape, http: &Value) -> Value {
    let headers = http["match"][0]["headers"].as_object().unwrap();
    let matchers: Vec<Value> = headers
        .iter()
        .map(|(name, value)| {
            let wanted = shape.name(value["exact"].as_str().unwrap());
            json!({ "name": name, "string_match": { "exact": wanted } })
        })
        .collect();
    let destination = &http["route"][0]["destination"];
    let cluster = format!(
        "outbound|{}||{}",
        destination["port"]["number"],
        destination["host"].as_str().unwrap()
    );
    json!({
        "name": http["name"],
        "match": { "prefix": "/", "case_sensitive": true, "headers": matchers },
        "route": {
            "cluster": shape.name(&cluster),
            "timeout": "0s",
            "retry_policy": retry(http["retries"]["retryOn"].as_str().unwrap(), &http["retries"]["attempts"]),
        },
        "request_headers_to_add": set_headers(&http["headers"]["request"]["set"]),
        "request_headers_to_remove": http["headers"]["request"]["remove"],
    })
}

/// `translateAppendHeaders`, `pilot/pkg/networking/core/route/route.go`.
fn set_headers(headers: &Value) -> Vec<Value> {
    let headers = headers.as_object().unwrap().iter();
    headers
        .map(|(name, value)| overwrite(name, value.as_str().unwrap()))
        .collect()
}

/// The patches of this cluster.
pub(super) fn patch_cluster(shape: &Shape, platform_name: &str, cluster: &mut Value) {
    for patch in shape.one("EnvoyFilter")["configPatches"]
        .as_array()
        .unwrap()
    {
        let wanted = &patch["match"]["cluster"];
        let service = wanted["service"].as_str().unwrap_or_default();
        if patch["applyTo"] == "CLUSTER"
            && platform_name == format!("outbound|{}||{service}", wanted["portNumber"])
        {
            merge(cluster, &patch["patch"]["value"]);
        }
    }
}
