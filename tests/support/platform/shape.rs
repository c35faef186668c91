//! One connection manager on its way to a platform's shape, and the pieces that all shapes have.

use limpet_envoy::forwarding::envoy::ListenerSide;
use limpet_envoy::render::resource::Resource;
use serde_json::{Value, json};
use std::collections::BTreeMap;

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

/// One connection manager as `limpet render envoy` wrote it, and the platform's resources for it.
pub(super) struct Shape {
    pub(super) resources: Vec<Resource>,
    /// The platform's name of each cluster to what it is called here.
    pub(super) names: BTreeMap<String, String>,
    /// `namespace/service:port` to the platform's name.
    pub(super) platform_names: BTreeMap<String, String>,
    /// The plugin configuration of the resources.
    pub(super) plugin: Value,
    /// The module's file.
    pub(super) code: Value,
    /// What clients of this listener use.
    pub(super) side: ListenerSide,
    /// How many proxies in front are trusted, where the operator says so to istiod.
    pub(super) trusted_proxies: u8,
    /// What a test asked for.
    pub(super) access_log: Option<Value>,
    pub(super) platform: Platform,
}

impl Shape {
    /// The spec of every resource of `kind`, with its metadata.
    pub(super) fn all(&self, kind: &str) -> Vec<&Value> {
        let of_kind = self
            .resources
            .iter()
            .filter(|resource| resource.kind() == kind);
        of_kind.map(|resource| &resource.value).collect()
    }

    pub(super) fn one(&self, kind: &str) -> &Value {
        match self.all(kind).as_slice() {
            [one] => &one["spec"],
            other => panic!("{} of kind {kind}", other.len()),
        }
    }

    /// What a cluster is called here.
    pub(super) fn name(&self, platform_name: &str) -> String {
        self.names[platform_name].clone()
    }

    /// The module, as a string that the plugin gets.
    pub(super) fn configuration(&self) -> Value {
        json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": self.plugin.to_string(),
        })
    }
}

/// As protobuf merges: lists grow, objects merge, the rest is replaced.
pub(super) fn merge(into: &mut Value, from: &Value) {
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

pub(super) fn filter(name: &str, kind: &str) -> Value {
    json!({
        "name": name,
        "typed_config": { "@type": format!("type.googleapis.com/envoy.extensions.filters.http.{kind}") },
    })
}

/// A header that a route sets.
pub(super) fn overwrite(name: &str, value: &str) -> Value {
    json!({
        "header": { "key": name, "value": value },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    })
}

pub(super) fn retry(on: &str, times: &Value) -> Value {
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
