//! The module's configuration: the Ingresses unmodified, and what else it needs to know.

mod given;

use serde_json::{Map, Value, json};

use crate::clusters::Cluster;
use crate::forwarding;
use crate::manifests::Manifests;
pub(crate) use given::load as load_given;

/// How the module learns the endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointSource {
    /// It asks the proxy's admin.
    Discovery,
    /// They stand in the configuration.
    Static,
}

/// What the decision record (property `limpet_decision`) contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// No record.
    Off,
    /// What was decided.
    Summary,
    /// And why.
    Why,
}

/// What the manifests do not say.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where the endpoints come from.
    pub endpoints: EndpointSource,
    /// The decision record.
    pub report: Report,
    /// Validate annotations as ingress-nginx 1.15 does by default.
    pub strict: bool,
    /// Requests that no Ingress names: 404 (where limpet owns the listener), or passed through.
    pub unmatched_is_not_found: bool,
    /// The proxy has one virtual host, so the Host of a trusted proxy in front can be handed on.
    pub one_virtual_host: bool,
}

/// The plugin configuration for these manifests. Keys that would say the default are left out.
#[must_use]
pub fn plugin_config(manifests: &Manifests, clusters: &[Cluster], options: Options) -> Value {
    let ingresses: Vec<&Value> = manifests
        .ingresses
        .iter()
        .map(|object| &object.value)
        .collect();
    let mut config = json!({ "ingresses": ingresses });
    let mut set = |key: &str, value: Value| {
        if let Some(object) = config.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    };
    if let Some(classes) = manifests.classes() {
        set("ingress_classes", json!(classes));
    }
    if let Some(data) = manifests.config_map().and_then(|map| map.value.get("data")) {
        set("config_map", data.clone());
    }
    if !manifests.services.is_empty() {
        set(
            "services",
            manifests
                .services
                .iter()
                .map(|object| object.value.clone())
                .collect(),
        );
    }
    if options.endpoints == EndpointSource::Static {
        set("endpoints", endpoints(clusters));
    }
    let by_annotation = clusters.iter().filter(|cluster| cluster.by_annotation);
    let names: Map<_, _> = by_annotation
        .map(|cluster| (cluster.service_port.key(), json!(cluster.name())))
        .collect();
    if !names.is_empty() {
        set("clusters", names.into());
    }
    let data = manifests.config_map().and_then(|map| map.value.get("data"));
    if options.one_virtual_host && forwarding::trusts_forwarded_headers(data) {
        set("forwarded_host", json!(true));
    }
    if options.unmatched_is_not_found {
        set("unmatched", json!("not_found"));
    }
    if options.strict {
        set("strict", json!(true));
    }
    match options.report {
        Report::Off => {}
        Report::Summary => set("report", json!("summary")),
        Report::Why => set("report", json!("why")),
    }
    for (key, value) in &manifests.given {
        // Whoever reads the record says which one it needs.
        if key != "report" || options.report == Report::Off {
            set(key, value.clone());
        }
    }
    config
}

/// The environment variables that a plugin configuration names: the VM needs them.
#[must_use]
pub fn variables(config: &Value) -> Vec<String> {
    let mut names: Vec<String> = match limpet::config::read(config.to_string().as_bytes()) {
        Ok((config, _)) => config.variables().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    };
    names.sort();
    names.dedup();
    names
}

/// `{"namespace/service:port": ["ip:port", ...]}`.
fn endpoints(clusters: &[Cluster]) -> Value {
    clusters
        .iter()
        .map(|cluster| {
            let addresses = cluster
                .endpoints
                .iter()
                .map(|endpoint| json!(endpoint.address));
            (cluster.service_port.key(), addresses.collect())
        })
        .collect::<Map<_, Value>>()
        .into()
}
