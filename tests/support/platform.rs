//! What istiod and Envoy Gateway make of the rendered resources, on a plain Envoy.
//!
//! No cluster is at hand, so their translation is done here, by the rules of their sources
//! (istio 86c9f01f, envoyproxy/gateway d32f28294): filter chain, routes and cluster patches come
//! from the resources that `limpet render` prints, nothing is repeated by hand.

mod envoy_gateway;
mod istio;
mod shape;

pub use shape::Platform;

use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::forwarding::envoy::{HTTP, HTTPS};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::served::Served;
use serde_json::{Value, json};
use shape::Shape;
use std::collections::BTreeMap;

const MANAGER: &str = "HttpConnectionManager";

/// What the clusters are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// As the platform does.
    Platform,
    /// As `limpet render envoy` does: for tests that ask Envoy for its clusters.
    Plain,
}

/// Reshapes what `limpet render envoy` wrote, its files too, as Istio would.
pub fn istio_shape(value: &mut Value) {
    reshape(Platform::Istio, Names::Plain, value);
}

/// As [`istio_shape`], as Envoy Gateway would.
pub fn envoy_gateway_shape(value: &mut Value) {
    reshape(Platform::EnvoyGateway, Names::Plain, value);
}

/// Replaces every connection manager in `value`, and patches or renames its clusters.
///
/// # Panics
/// `value` is not what `limpet render envoy` writes.
pub fn reshape(platform: Platform, names: Names, value: &mut Value) {
    each(value, MANAGER, &mut |manager| {
        let shape = shape_of(platform, names, manager);
        *manager = match platform {
            Platform::Istio | Platform::IstioSidecar => istio::manager(&shape),
            Platform::EnvoyGateway => envoy_gateway::manager(&shape),
        };
    });
}

/// As [`reshape`] for a whole bootstrap with its clusters in it.
///
/// # Panics
/// As [`reshape`].
pub fn reshape_bootstrap(platform: Platform, names: Names, bootstrap: &mut Value) {
    let mut shape = None;
    each(bootstrap, MANAGER, &mut |manager| {
        shape = Some(shape_of(platform, names, manager));
    });
    let shape = shape.expect("a bootstrap with a listener");
    for cluster in bootstrap["static_resources"]["clusters"]
        .as_array_mut()
        .unwrap()
    {
        reshape_cluster(&shape, cluster);
    }
    reshape(platform, names, bootstrap);
}

/// What a connection manager becomes, and what its clusters do.
fn shape_of(platform: Platform, names: Names, manager: &Value) -> Shape {
    let wasm = &manager["http_filters"][0]["typed_config"]["config"];
    let text = wasm["configuration"]["value"].as_str().unwrap();
    let written: Value = serde_json::from_str(text).unwrap();
    let manifests = manifests(&written);
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let served = Served::new(&compiled);
    let resources = match platform {
        Platform::Istio => istio::resources(&served, false),
        Platform::IstioSidecar => istio::resources(&served, true),
        Platform::EnvoyGateway => envoy_gateway::resources(&served),
    };
    let mut plugin = match platform {
        Platform::Istio | Platform::IstioSidecar => istio::plugin(&resources),
        Platform::EnvoyGateway => envoy_gateway::plugin(&resources),
    };
    let mut to_here = BTreeMap::new();
    let mut platform_names = BTreeMap::new();
    for (key, name) in plugin["clusters"].as_object().unwrap() {
        let name = name.as_str().unwrap().to_owned();
        let here = if names == Names::Plain { key } else { &name };
        to_here.insert(name.clone(), here.clone());
        platform_names.insert(key.clone(), name);
    }
    plugin["clusters"] = plugin["clusters"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, name)| (key.clone(), json!(to_here[name.as_str().unwrap()])))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for key in ["report", "endpoints", "strict", "discovery"] {
        if let Some(value) = written.get(key) {
            plugin[key] = value.clone();
        }
    }
    // What limpet does not answer itself is not named by any Ingress: the listener is its own
    // in the cases, as it is in `limpet render envoy`.
    plugin["unmatched"] = json!("not_found");
    Shape {
        resources,
        names: to_here,
        platform_names,
        plugin,
        code: wasm["vm_config"]["code"].clone(),
        trusted_proxies: u8::from(served.forwarding.trusted),
        side: match manager["stat_prefix"].as_str() {
            Some("ingress_https") => HTTPS,
            _ => HTTP,
        },
        access_log: manager.get("access_log").cloned(),
        platform,
    }
}

fn reshape_cluster(shape: &Shape, cluster: &mut Value) {
    let Some(platform_name) = shape.platform_names.get(cluster["name"].as_str().unwrap()) else {
        return;
    };
    cluster["common_lb_config"] = json!({});
    if shape.platform != Platform::EnvoyGateway {
        istio::patch_cluster(shape, platform_name, cluster);
    }
    cluster["name"] = json!(shape.name(platform_name));
    if cluster.get("load_assignment").is_some() {
        cluster["load_assignment"]["cluster_name"] = cluster["name"].clone();
    }
}

/// The manifests inside a plugin configuration.
fn manifests(plugin: &Value) -> Manifests {
    let list = |key: &str| {
        plugin
            .get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let mut items = list("ingresses");
    items.extend(list("services"));
    if let Some(data) = plugin.get("config_map") {
        items.push(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "ingress-nginx-controller" }, "data": data,
        }));
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("plugin.json", &list.to_string()).unwrap()
}

/// Calls `change` on every object whose type URL ends in `kind`.
fn each(value: &mut Value, kind: &str, change: &mut dyn FnMut(&mut Value)) {
    let is_one = value
        .get("@type")
        .and_then(Value::as_str)
        .is_some_and(|t| t.ends_with(kind));
    if is_one {
        return change(value);
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, kind, change)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| each(field, kind, change)),
        _ => {}
    }
}
