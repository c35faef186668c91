//! What istiod and Envoy Gateway make of the rendered resources, on a plain Envoy.
//!
//! No cluster is at hand, so their translation is done here, by the rules of their sources
//! (istio 86c9f01f, envoyproxy/gateway d32f28294): filter chain, routes and cluster patches come
//! from the resources that `limpet render` prints, nothing is repeated by hand.

mod envoy_gateway;
mod istio;

use limpet_envoy::forwarding::envoy::{HTTP, HTTPS, ListenerSide};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::resource::Resource;
use limpet_envoy::render::scene::Scene;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MANAGER: &str = "HttpConnectionManager";

/// Whose translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// istiod, for a gateway.
    Istio,
    /// istiod, for the outbound side of a sidecar.
    IstioSidecar,
    /// Envoy Gateway.
    EnvoyGateway,
}

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
        let shape = Shape::of(platform, names, manager);
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
        shape = Some(Shape::of(platform, names, manager));
    });
    let shape = shape.expect("a bootstrap with a listener");
    for cluster in bootstrap["static_resources"]["clusters"]
        .as_array_mut()
        .unwrap()
    {
        shape.cluster(cluster);
    }
    reshape(platform, names, bootstrap);
}

/// One connection manager as `limpet render envoy` wrote it, and the platform's resources for it.
struct Shape {
    resources: Vec<Resource>,
    /// The platform's name of each cluster to what it is called here.
    names: BTreeMap<String, String>,
    /// `namespace-service-port` to the platform's name.
    platform_names: BTreeMap<String, String>,
    /// The plugin configuration of the resources.
    plugin: Value,
    /// The module's file.
    code: Value,
    /// What clients of this listener use.
    side: ListenerSide,
    /// How many proxies in front are trusted, where the operator says so to istiod.
    trusted_proxies: u8,
    /// What a test asked for.
    access_log: Option<Value>,
    platform: Platform,
}

impl Shape {
    fn of(platform: Platform, names: Names, manager: &Value) -> Self {
        let wasm = &manager["http_filters"][0]["typed_config"]["config"];
        let text = wasm["configuration"]["value"].as_str().unwrap();
        let written: Value = serde_json::from_str(text).unwrap();
        let manifests = manifests(&written);
        let scene = Scene::new(&manifests);
        let resources = match platform {
            Platform::Istio => istio::resources(&scene, false),
            Platform::IstioSidecar => istio::resources(&scene, true),
            Platform::EnvoyGateway => envoy_gateway::resources(&scene),
        };
        let mut plugin = match platform {
            Platform::Istio | Platform::IstioSidecar => istio::plugin(&resources),
            Platform::EnvoyGateway => envoy_gateway::plugin(&resources),
        };
        let mut to_here = BTreeMap::new();
        let mut platform_names = BTreeMap::new();
        for (key, name) in plugin["clusters"].as_object().unwrap() {
            let plain = key.replace(['/', ':'], "-");
            let name = name.as_str().unwrap().to_owned();
            let here = if names == Names::Plain { &plain } else { &name };
            to_here.insert(name.clone(), here.clone());
            platform_names.insert(plain, name);
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
        Self {
            resources,
            names: to_here,
            platform_names,
            plugin,
            code: wasm["vm_config"]["code"].clone(),
            trusted_proxies: u8::from(scene.trusted),
            side: match manager["stat_prefix"].as_str() {
                Some("ingress_https") => HTTPS,
                _ => HTTP,
            },
            access_log: manager.get("access_log").cloned(),
            platform,
        }
    }

    /// The spec of every resource of `kind`, with its metadata.
    fn all(&self, kind: &str) -> Vec<&Value> {
        let of_kind = self
            .resources
            .iter()
            .filter(|resource| resource.kind() == kind);
        of_kind.map(|resource| &resource.value).collect()
    }

    fn one(&self, kind: &str) -> &Value {
        match self.all(kind).as_slice() {
            [one] => &one["spec"],
            other => panic!("{} of kind {kind}", other.len()),
        }
    }

    /// What a cluster is called here.
    fn name(&self, platform_name: &str) -> String {
        self.names[platform_name].clone()
    }

    /// The module, as a string that the plugin gets.
    fn configuration(&self) -> Value {
        json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": self.plugin.to_string(),
        })
    }

    fn cluster(&self, cluster: &mut Value) {
        let Some(platform_name) = self.platform_names.get(cluster["name"].as_str().unwrap()) else {
            return;
        };
        cluster["common_lb_config"] = json!({});
        if self.platform != Platform::EnvoyGateway {
            istio::patch_cluster(self, platform_name, cluster);
        }
        cluster["name"] = json!(self.name(platform_name));
        if cluster.get("load_assignment").is_some() {
            cluster["load_assignment"]["cluster_name"] = cluster["name"].clone();
        }
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

/// As protobuf merges: lists grow, objects merge, the rest is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from.iter().cloned()),
        (into, from) => *into = from.clone(),
    }
}

fn filter(name: &str, kind: &str) -> Value {
    json!({
        "name": name,
        "typed_config": { "@type": format!("type.googleapis.com/envoy.extensions.filters.http.{kind}") },
    })
}

/// A header that a route sets.
fn overwrite(name: &str, value: &str) -> Value {
    json!({
        "header": { "key": name, "value": value },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    })
}

fn retry(on: &str, times: &Value) -> Value {
    json!({
        "retry_on": on,
        "num_retries": times,
        "retry_host_predicate": [{
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": { "@type":
                "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" },
        }],
        "host_selection_retry_max_attempts": 5,
    })
}
